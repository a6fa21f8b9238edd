#include "store/database.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace ac::store {
namespace {

constexpr int kBusyWaitMs = 5000;

Code CodeOf(int error) {
  switch (error & 0xff) {
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      return Code::kDataLoss;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Code::kUnavailable;
    case SQLITE_FULL:
    case SQLITE_NOMEM:
      return Code::kResourceExhausted;
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
      return Code::kPermissionDenied;
    default:
      return Code::kInternal;
  }
}

Status Failure(sqlite3* database, const std::string& what) {
  return Status(CodeOf(sqlite3_extended_errcode(database)),
                "[store] " + what + ": " + sqlite3_errmsg(database));
}

// SQLite would create the file with the umask's mode; the ledger is the user's alone.
// A file that is there is not even opened: closing any descriptor of it would drop the locks that
// SQLite holds for another connection of this process, and a program that ends beside us would then
// take itself for the last user and remove the log under our feet.
Status CreatePrivately(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return errno == EEXIST ? OkStatus() : FromErrno(errno, "[store] " + path);
  close(fd);
  return OkStatus();
}

}  // namespace

Statement::Statement(Statement&& other) noexcept
    : database_(other.database_), statement_(std::exchange(other.statement_, nullptr)) {}

Statement::~Statement() { sqlite3_finalize(statement_); }

void Statement::Bind(int index, int64_t value) { sqlite3_bind_int64(statement_, index, value); }
void Statement::Bind(int index, double value) { sqlite3_bind_double(statement_, index, value); }
void Statement::Bind(int index, std::string_view text) {
  sqlite3_bind_text64(statement_, index, text.data() == nullptr ? "" : text.data(), text.size(),
                      SQLITE_TRANSIENT, SQLITE_UTF8);
}
void Statement::BindBlob(int index, std::string_view bytes) {
  sqlite3_bind_blob64(statement_, index, bytes.data() == nullptr ? "" : bytes.data(), bytes.size(),
                      SQLITE_TRANSIENT);
}
void Statement::BindNull(int index) { sqlite3_bind_null(statement_, index); }
void Statement::Bind(int index, const std::optional<double>& value) {
  if (value.has_value()) {
    Bind(index, *value);
  } else {
    BindNull(index);
  }
}

Result<bool> Statement::Step() {
  const int result = sqlite3_step(statement_);
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  return Failure(database_, sqlite3_sql(statement_));
}

Status Statement::Run() {
  const Result<bool> row = Step();
  Reset();
  return row.status();
}

void Statement::Reset() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

bool Statement::IsNull(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}
int64_t Statement::Int(int column) const { return sqlite3_column_int64(statement_, column); }
double Statement::Real(int column) const { return sqlite3_column_double(statement_, column); }
std::string Statement::Text(int column) const {
  const void* bytes = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  return bytes == nullptr ? std::string()
                          : std::string(static_cast<const char*>(bytes), static_cast<size_t>(size));
}

Result<std::unique_ptr<Database>> Database::Open(const std::string& path) {
  AC_RETURN_IF_ERROR(CreatePrivately(path));
  sqlite3* handle = nullptr;
  const int error = sqlite3_open_v2(path.c_str(), &handle, SQLITE_OPEN_READWRITE, nullptr);
  std::unique_ptr<Database> database(new Database(handle, path));
  if (error != SQLITE_OK) return Failure(handle, path);
  sqlite3_busy_timeout(handle, kBusyWaitMs);
  // Readers do not wait for the writer, and a power cut costs the last rows at most.
  AC_RETURN_IF_ERROR(database->Run("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL")
                         .WithPrefix("[store] " + path));
  return database;
}

Database::~Database() { sqlite3_close(database_); }

Status Database::Run(const char* sql) {
  if (sqlite3_exec(database_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
    return Failure(database_, sql);
  }
  return OkStatus();
}

Result<Statement> Database::Prepare(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(database_, sql, -1, &statement, nullptr) != SQLITE_OK) {
    return Failure(database_, sql);
  }
  return Statement(database_, statement);
}

int64_t Database::changes() const { return sqlite3_changes64(database_); }

}  // namespace ac::store
