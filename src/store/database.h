// SQLite with our failures: open, prepare, bind, step.
//
// One connection; not thread-safe, but several connections and processes may use one file (WAL,
// with a wait for the writer). Statements must not outlive their Database.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"

struct sqlite3;
struct sqlite3_stmt;

namespace ac::store {

class Database;

class Statement {
 public:
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;
  ~Statement();

  // Parameters count from 1.
  void Bind(int index, int64_t value);
  void Bind(int index, double value);
  void Bind(int index, std::string_view text);
  void BindBlob(int index, std::string_view bytes);
  void BindNull(int index);
  void Bind(int index, const std::optional<double>& value);

  // True while there is a row.
  Result<bool> Step();
  // For statements without rows; ready to be bound again afterwards.
  Status Run();
  void Reset();

  // Columns count from 0.
  bool IsNull(int column) const;
  int64_t Int(int column) const;
  double Real(int column) const;
  std::string Text(int column) const;  // also of a blob

 private:
  friend class Database;
  Statement(sqlite3* database, sqlite3_stmt* statement)
      : database_(database), statement_(statement) {}

  sqlite3* database_;
  sqlite3_stmt* statement_;
};

class Database {
 public:
  // Created with mode 0600 when missing. A file that is no database is kDataLoss.
  static Result<std::unique_ptr<Database>> Open(const std::string& path);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  Status Run(const char* sql);
  Result<Statement> Prepare(const char* sql);
  int64_t changes() const;  // rows that the last statement touched
  const std::string& path() const { return path_; }

 private:
  Database(sqlite3* database, std::string path) : database_(database), path_(std::move(path)) {}

  sqlite3* database_;
  const std::string path_;
};

}  // namespace ac::store
