// The folder of trace files: HOME/traces/MODE/ID.json.zst, folders 0700, files 0600.
//
// Keeps the folder within a size and an age by deleting the oldest files. Not thread-safe; other
// processes may write and prune the same folder.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/file_system.h"
#include "base/status.h"
#include "json/json_fwd.h"

namespace ac::store {

struct TraceLimits {
  uint64_t max_bytes = uint64_t{512} << 20;
  int64_t max_age_days = 14;
};

struct StoredTrace {
  std::string path;  // relative to the home
  int64_t bytes = 0;
};

class TraceStore {
 public:
  TraceStore(FileSystem& fs, std::string home, TraceLimits limits)
      : fs_(fs), home_(std::move(home)), limits_(limits) {}

  // `json` must have its secrets taken out already. Prunes from time to time.
  Result<StoredTrace> Write(std::string_view mode, std::string_view id, std::string_view json,
                            int64_t now_ms);
  // `path` as Write gave it.
  Result<json::Value> Read(const std::string& path) const;
  // The file as it lies on the disk.
  Result<std::string> ReadRaw(const std::string& path) const;
  // Deletes what is too old, then the oldest until the size holds.
  Status Prune(int64_t now_ms);

 private:
  FileSystem& fs_;
  const std::string home_;
  const TraceLimits limits_;
  uint64_t written_since_prune_ = 0;
  bool pruned_once_ = false;
};

// 20260131-235959-0a1b2c3d: sorts by time, unique over processes. `random` makes it so.
std::string MakeTraceId(int64_t wall_ms, uint64_t random);

}  // namespace ac::store
