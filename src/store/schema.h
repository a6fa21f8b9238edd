// state.db: its tables and versions. The page docs/formats/state_db.md describes them.
#pragma once

#include <memory>
#include <string>

#include "base/file_system.h"
#include "base/status.h"
#include "store/database.h"

namespace ac::store {

inline constexpr int64_t kSchemaVersion = 1;

// Opens HOME/state.db and makes its tables. A damaged file is put aside as state.db.damaged with a
// warning, and a new one begun: it holds history, nothing that the program needs. A file of a newer
// version is refused and left alone.
Result<std::unique_ptr<Database>> OpenState(FileSystem& fs, const std::string& home);

}  // namespace ac::store
