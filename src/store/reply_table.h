// The table of stored replies: key to bytes, within a size and an age, least recently used out
// first.
//
// Uses one Database connection; not thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "store/database.h"

namespace ac::store {

struct ReplyLimits {
  int64_t max_bytes = int64_t{64} << 20;
  int64_t max_age_ms = int64_t{24} * 3600 * 1000;
};

class ReplyTable {
 public:
  ReplyTable(Database& database, ReplyLimits limits) : database_(database), limits_(limits) {}

  // Nothing when the key is not there or too old.
  Result<std::optional<std::string>> Get(std::string_view key, int64_t now_ms);
  Status Put(std::string_view key, std::string_view body, int64_t now_ms);

 private:
  Status Evict(int64_t now_ms);

  Database& database_;
  const ReplyLimits limits_;
};

}  // namespace ac::store
