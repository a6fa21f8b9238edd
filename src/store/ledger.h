// The table of requests: one row each, for `cost`, `stats`, `trace ls` and the menu.
//
// Uses one Database connection; not thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "store/database.h"

namespace ac::store {

struct RequestRow {
  std::string trace;       // id, also when no trace file was written
  int64_t started_ms = 0;  // since the epoch
  std::string day;         // local date, 2026-01-31
  std::string mode;
  std::string served_by;  // the mode, or "reply-cache", "gateway"
  std::string model;
  std::string endpoint;
  std::string session;
  std::string agent;
  std::string outcome;  // "complete", "failed", "cancelled"
  std::string error;
  std::string stop_reason;
  int64_t input_tokens = 0;  // computed, not from the cache
  int64_t cache_read = 0;
  int64_t cache_write = 0;
  int64_t output_tokens = 0;
  std::optional<double> first_ms;    // request to first output
  std::optional<double> prefill_ms;  // admission to first output, where the server told both
  double total_ms = 0;
  std::optional<double> cost;  // US dollars; nothing: unknown
  std::string miss_reason;     // of the prefix cache, when asked and known
  std::string trace_path;      // relative to the home; empty: none was written
  int64_t trace_bytes = 0;
};

// Sums over a group of rows.
struct LedgerSum {
  std::string key;  // what the rows have in common
  int64_t requests = 0;
  int64_t failed = 0;
  int64_t input_tokens = 0;
  int64_t cache_read = 0;
  int64_t cache_write = 0;
  int64_t output_tokens = 0;
  double total_ms = 0;
  double cost = 0;            // of the rows whose cost is known
  int64_t unknown_costs = 0;  // rows whose cost is not
  // Over rows that computed enough for a speed to mean something.
  int64_t prefill_tokens = 0;
  double prefill_ms = 0;
};

enum class GroupBy { kAll, kDay, kMode, kModel };

class Ledger {
 public:
  explicit Ledger(Database& database) : database_(database) {}

  Status Add(const RequestRow& row);
  // Newest first.
  Result<std::vector<RequestRow>> Latest(int64_t limit);
  // The row whose trace id begins with `id`; "last" is the newest one. kInvalidArgument when
  // several match.
  Result<RequestRow> Find(const std::string& id);
  // Rows that started at or after `since_ms`, grouped; groups in the order of their key.
  Result<std::vector<LedgerSum>> Sum(GroupBy by, int64_t since_ms);
  // How often each miss reason occurred, most frequent first.
  Result<std::vector<std::pair<std::string, int64_t>>> MissReasons(int64_t since_ms);
  // First-output times of complete requests since then, ascending.
  Result<std::vector<double>> FirstOutputTimes(int64_t since_ms);
  // The newest complete request of a mode, if there is one.
  Result<std::optional<RequestRow>> LastOf(const std::string& mode);

 private:
  Result<std::vector<RequestRow>> Rows(Statement statement);

  Database& database_;
};

// Reused tokens divided by the measured prompt speed of the same group; nothing when no request of
// it computed a prompt long enough to measure.
std::optional<double> SavedSeconds(const LedgerSum& sum);

// Requests that computed fewer prompt tokens tell nothing about the speed of computing them.
inline constexpr int64_t kMinMeasuredTokens = 256;

}  // namespace ac::store
