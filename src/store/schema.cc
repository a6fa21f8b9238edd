#include "store/schema.h"

#include "obs/log.h"

namespace ac::store {
namespace {

constexpr const char* kTables = R"(
CREATE TABLE IF NOT EXISTS requests (
  id INTEGER PRIMARY KEY,
  trace TEXT NOT NULL UNIQUE,
  started_ms INTEGER NOT NULL,
  day TEXT NOT NULL,
  mode TEXT NOT NULL,
  served_by TEXT NOT NULL,
  model TEXT NOT NULL,
  endpoint TEXT NOT NULL,
  session TEXT NOT NULL,
  agent TEXT NOT NULL,
  outcome TEXT NOT NULL,
  error TEXT NOT NULL,
  stop_reason TEXT NOT NULL,
  input_tokens INTEGER NOT NULL,
  cache_read INTEGER NOT NULL,
  cache_write INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  first_ms REAL,
  prefill_ms REAL,
  total_ms REAL NOT NULL,
  cost REAL,
  miss_reason TEXT NOT NULL,
  trace_path TEXT NOT NULL,
  trace_bytes INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS requests_by_time ON requests (started_ms);
CREATE TABLE IF NOT EXISTS replies (
  key TEXT PRIMARY KEY,
  created_ms INTEGER NOT NULL,
  used_ms INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS replies_by_use ON replies (used_ms);
PRAGMA user_version = 1;
)";

Result<int64_t> Version(Database& database) {
  AC_ASSIGN_OR_RETURN(Statement statement, database.Prepare("PRAGMA user_version"));
  AC_ASSIGN_OR_RETURN(const bool row, statement.Step());
  return row ? statement.Int(0) : int64_t{0};
}

// Damage anywhere in the file, not only in the pages a query happens to touch.
Status CheckWhole(Database& database) {
  AC_ASSIGN_OR_RETURN(Statement statement, database.Prepare("PRAGMA quick_check(1)"));
  AC_ASSIGN_OR_RETURN(const bool row, statement.Step());
  if (row && statement.Text(0) != "ok") return DataLoss("[store] " + statement.Text(0));
  return OkStatus();
}

Result<std::unique_ptr<Database>> OpenChecked(const std::string& path) {
  AC_ASSIGN_OR_RETURN(auto database, Database::Open(path));
  AC_ASSIGN_OR_RETURN(const int64_t version, Version(*database));
  if (version > kSchemaVersion) {
    return Status(Code::kFailedPrecondition,
                  "[store] " + path + " has version " + std::to_string(version) +
                      ", this program reads up to " + std::to_string(kSchemaVersion) +
                      "; use the newer anyclaude, or move the file away");
  }
  AC_RETURN_IF_ERROR(CheckWhole(*database));
  AC_RETURN_IF_ERROR(database->Run(kTables));
  return database;
}

}  // namespace

Result<std::unique_ptr<Database>> OpenState(FileSystem& fs, const std::string& home) {
  AC_RETURN_IF_ERROR(fs.CreateDirectories(home));
  const std::string path = JoinPath(home, "state.db");
  Result<std::unique_ptr<Database>> database = OpenChecked(path);
  if (database.ok() || database.status().code() != Code::kDataLoss) return database;
  const std::string aside = path + ".damaged";
  obs::Warn("store", "state.db is damaged; begun anew",
            {{"why", database.status().message()}, {"kept_as", aside}});
  AC_RETURN_IF_ERROR(fs.Rename(path, aside));
  for (const char* suffix : {"-wal", "-shm"}) {
    if (fs.Exists(path + suffix)) AC_RETURN_IF_ERROR(fs.Remove(path + suffix));
  }
  return OpenChecked(path);
}

}  // namespace ac::store
