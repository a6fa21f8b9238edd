#include "store/ledger.h"

#include <utility>

namespace ac::store {
namespace {

#define AC_REQUEST_COLUMNS                                                                     \
  "trace, started_ms, day, mode, served_by, model, endpoint, session, agent, outcome, error, " \
  "stop_reason, input_tokens, cache_read, cache_write, output_tokens, first_ms, prefill_ms, "  \
  "total_ms, cost, miss_reason, trace_path, trace_bytes"

std::optional<double> MaybeReal(const Statement& statement, int column) {
  if (statement.IsNull(column)) return std::nullopt;
  return statement.Real(column);
}

RequestRow ReadRow(const Statement& s) {
  RequestRow row;
  row.trace = s.Text(0);
  row.started_ms = s.Int(1);
  row.day = s.Text(2);
  row.mode = s.Text(3);
  row.served_by = s.Text(4);
  row.model = s.Text(5);
  row.endpoint = s.Text(6);
  row.session = s.Text(7);
  row.agent = s.Text(8);
  row.outcome = s.Text(9);
  row.error = s.Text(10);
  row.stop_reason = s.Text(11);
  row.input_tokens = s.Int(12);
  row.cache_read = s.Int(13);
  row.cache_write = s.Int(14);
  row.output_tokens = s.Int(15);
  row.first_ms = MaybeReal(s, 16);
  row.prefill_ms = MaybeReal(s, 17);
  row.total_ms = s.Real(18);
  row.cost = MaybeReal(s, 19);
  row.miss_reason = s.Text(20);
  row.trace_path = s.Text(21);
  row.trace_bytes = s.Int(22);
  return row;
}

// % and _ mean something in LIKE.
std::string PrefixPattern(const std::string& id) {
  std::string pattern;
  for (const char c : id) {
    if (c == '%' || c == '_' || c == '\\') pattern += '\\';
    pattern += c;
  }
  return pattern + "%";
}

std::string_view GroupColumn(GroupBy by) {
  switch (by) {
    case GroupBy::kAll:
      return "'all'";
    case GroupBy::kDay:
      return "day";
    case GroupBy::kMode:
      return "mode";
    case GroupBy::kModel:
      return "model";
  }
  return "'all'";
}

}  // namespace

Status Ledger::Add(const RequestRow& row) {
  AC_ASSIGN_OR_RETURN(Statement s,
                      database_.Prepare("INSERT INTO requests (" AC_REQUEST_COLUMNS ") VALUES "
                                        "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"));
  int i = 0;
  s.Bind(++i, row.trace);
  s.Bind(++i, row.started_ms);
  for (const std::string* text :
       {&row.day, &row.mode, &row.served_by, &row.model, &row.endpoint, &row.session, &row.agent,
        &row.outcome, &row.error, &row.stop_reason}) {
    s.Bind(++i, *text);
  }
  for (const int64_t number :
       {row.input_tokens, row.cache_read, row.cache_write, row.output_tokens}) {
    s.Bind(++i, number);
  }
  s.Bind(++i, row.first_ms);
  s.Bind(++i, row.prefill_ms);
  s.Bind(++i, row.total_ms);
  s.Bind(++i, row.cost);
  s.Bind(++i, row.miss_reason);
  s.Bind(++i, row.trace_path);
  s.Bind(++i, row.trace_bytes);
  return s.Run();
}

Result<std::vector<RequestRow>> Ledger::Rows(Statement statement) {
  std::vector<RequestRow> rows;
  while (true) {
    AC_ASSIGN_OR_RETURN(const bool row, statement.Step());
    if (!row) return rows;
    rows.push_back(ReadRow(statement));
  }
}

Result<std::vector<RequestRow>> Ledger::Latest(int64_t limit) {
  AC_ASSIGN_OR_RETURN(
      Statement statement,
      database_.Prepare("SELECT " AC_REQUEST_COLUMNS
                        " FROM requests ORDER BY started_ms DESC, id DESC LIMIT ?"));
  statement.Bind(1, limit);
  return Rows(std::move(statement));
}

Result<RequestRow> Ledger::Find(const std::string& id) {
  std::vector<RequestRow> rows;
  if (id == "last") {
    AC_ASSIGN_OR_RETURN(rows, Latest(1));
    if (rows.empty()) return NotFound("[trace] no request has been recorded yet");
    return rows[0];
  }
  AC_ASSIGN_OR_RETURN(Statement statement,
                      database_.Prepare("SELECT " AC_REQUEST_COLUMNS
                                        " FROM requests WHERE trace LIKE ? ESCAPE '\\' LIMIT 2"));
  statement.Bind(1, PrefixPattern(id));
  AC_ASSIGN_OR_RETURN(rows, Rows(std::move(statement)));
  if (rows.empty()) return NotFound("[trace] no trace " + id + "; see: anyclaude trace ls");
  if (rows.size() > 1) {
    return InvalidArgument("[trace] " + id + " is the beginning of several ids, " + rows[0].trace +
                           " and " + rows[1].trace + " among them; give more of it");
  }
  return rows[0];
}

Result<std::vector<LedgerSum>> Ledger::Sum(GroupBy by, int64_t since_ms) {
  const std::string measured =
      "outcome = 'complete' AND prefill_ms > 0 AND input_tokens + "
      "cache_write >= " +
      std::to_string(kMinMeasuredTokens);
  const std::string sql =
      "SELECT " + std::string(GroupColumn(by)) +
      " AS key, count(*), sum(outcome = 'failed'), sum(input_tokens), sum(cache_read), "
      "sum(cache_write), sum(output_tokens), sum(total_ms), total(cost), "
      "sum(cost IS NULL), sum(CASE WHEN " +
      measured + " THEN input_tokens + cache_write ELSE 0 END), total(CASE WHEN " + measured +
      " THEN prefill_ms ELSE 0 END) FROM requests WHERE started_ms >= ? GROUP BY key ORDER BY key";
  AC_ASSIGN_OR_RETURN(Statement s, database_.Prepare(sql.c_str()));
  s.Bind(1, since_ms);
  std::vector<LedgerSum> sums;
  while (true) {
    AC_ASSIGN_OR_RETURN(const bool row, s.Step());
    if (!row) return sums;
    sums.push_back({.key = s.Text(0),
                    .requests = s.Int(1),
                    .failed = s.Int(2),
                    .input_tokens = s.Int(3),
                    .cache_read = s.Int(4),
                    .cache_write = s.Int(5),
                    .output_tokens = s.Int(6),
                    .total_ms = s.Real(7),
                    .cost = s.Real(8),
                    .unknown_costs = s.Int(9),
                    .prefill_tokens = s.Int(10),
                    .prefill_ms = s.Real(11)});
  }
}

Result<std::vector<std::pair<std::string, int64_t>>> Ledger::MissReasons(int64_t since_ms) {
  AC_ASSIGN_OR_RETURN(Statement s,
                      database_.Prepare("SELECT miss_reason, count(*) AS n FROM requests WHERE "
                                        "started_ms >= ? AND miss_reason <> '' GROUP BY "
                                        "miss_reason ORDER BY n DESC, miss_reason"));
  s.Bind(1, since_ms);
  std::vector<std::pair<std::string, int64_t>> reasons;
  while (true) {
    AC_ASSIGN_OR_RETURN(const bool row, s.Step());
    if (!row) return reasons;
    reasons.emplace_back(s.Text(0), s.Int(1));
  }
}

Result<std::vector<double>> Ledger::FirstOutputTimes(int64_t since_ms) {
  AC_ASSIGN_OR_RETURN(Statement s,
                      database_.Prepare("SELECT first_ms FROM requests WHERE started_ms >= ? AND "
                                        "outcome = 'complete' AND first_ms IS NOT NULL "
                                        "ORDER BY first_ms"));
  s.Bind(1, since_ms);
  std::vector<double> times;
  while (true) {
    AC_ASSIGN_OR_RETURN(const bool row, s.Step());
    if (!row) return times;
    times.push_back(s.Real(0));
  }
}

Result<std::optional<RequestRow>> Ledger::LastOf(const std::string& mode) {
  AC_ASSIGN_OR_RETURN(
      Statement statement,
      database_.Prepare("SELECT " AC_REQUEST_COLUMNS
                        " FROM requests WHERE mode = ? AND served_by = mode AND outcome = "
                        "'complete' ORDER BY started_ms DESC LIMIT 1"));
  statement.Bind(1, mode);
  AC_ASSIGN_OR_RETURN(std::vector<RequestRow> rows, Rows(std::move(statement)));
  if (rows.empty()) return std::optional<RequestRow>();
  return std::optional<RequestRow>(std::move(rows[0]));
}

std::optional<double> SavedSeconds(const LedgerSum& sum) {
  if (sum.prefill_tokens <= 0 || sum.prefill_ms <= 0) return std::nullopt;
  const double per_token_s = sum.prefill_ms / 1000 / static_cast<double>(sum.prefill_tokens);
  return static_cast<double>(sum.cache_read) * per_token_s;
}

}  // namespace ac::store
