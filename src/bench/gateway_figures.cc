#include "bench/gateway_figures.h"

#include <fmt/format.h>

#include <functional>

namespace ac::bench {
namespace {

constexpr double kMs = 1e3;

struct Line {
  const char* what;
  const char* key;  // in JSON
  std::function<double(const GatewayFigures&)> value;
  bool of_process = false;  // needs the process's figures
  bool of_hold = false;     // needs the many streams
};

// `direct`: the model server's own column, which the added times are against.
std::vector<Line> Lines(const GatewayFigures& direct) {
  const auto at = [](std::vector<double> GatewayFigures::*samples, double share) {
    return [=](const GatewayFigures& f) { return kMs * loadtest::Percentile(f.*samples, share); };
  };
  const auto added = [&direct](std::vector<double> GatewayFigures::*samples, double share) {
    const double base = loadtest::Percentile(direct.*samples, share);
    return [=](const GatewayFigures& f) {
      return kMs * (loadtest::Percentile(f.*samples, share) - base);
    };
  };
  const auto byte = &GatewayFigures::first_byte_s;
  const auto token = &GatewayFigures::first_token_s;
  return {
      {"first byte, p50 (ms)", "first_byte_p50_ms", at(byte, 0.5)},
      {"first byte, p99 (ms)", "first_byte_p99_ms", at(byte, 0.99)},
      {"added to the first byte, p50 (ms)", "added_first_byte_p50_ms", added(byte, 0.5)},
      {"added to the first byte, p99 (ms)", "added_first_byte_p99_ms", added(byte, 0.99)},
      {"added to the first token, p50 (ms)", "added_first_token_p50_ms", added(token, 0.5)},
      {"added to the first token, p99 (ms)", "added_first_token_p99_ms", added(token, 0.99)},
      {"failed requests", "failed", [](const GatewayFigures& f) { return 1.0 * f.failed; }},
      {"processor time per token (us)", "cpu_per_token_us",
       [](const GatewayFigures& f) { return f.CpuPerTokenUs(); }, true},
      {"memory (MB)", "memory_mb", [](const GatewayFigures& f) { return f.memory_mb; }, true},
      {"many streams: open at once", "hold_open",
       [](const GatewayFigures& f) { return 1.0 * f.hold.most_open; }, false, true},
      {"many streams: whole replies", "hold_complete",
       [](const GatewayFigures& f) { return 1.0 * f.hold.complete; }, false, true},
      {"many streams: added to the first token, p50 (ms)", "hold_added_first_token_p50_ms",
       [base = loadtest::Percentile(direct.hold.first_token_s, 0.5)](const GatewayFigures& f) {
         return kMs * (loadtest::Percentile(f.hold.first_token_s, 0.5) - base);
       },
       false, true},
      {"many streams: processor time (s)", "hold_cpu_s",
       [](const GatewayFigures& f) { return f.hold_cpu_s; }, true, true},
      {"many streams: peak memory (MB)", "hold_peak_mb",
       [](const GatewayFigures& f) { return f.hold_peak_mb; }, true, true},
  };
}

bool Known(const Line& line, const GatewayFigures& column) {
  return (!line.of_process || column.measured) && (!line.of_hold || column.hold_asked > 0);
}

std::string Cell(const Line& line, const GatewayFigures& column) {
  if (!Known(line, column)) return "-";
  const double value = line.value(column);
  const bool whole = value == static_cast<double>(static_cast<int64_t>(value));
  return whole ? fmt::format("{:.0f}", value) : fmt::format("{:.2f}", value);
}

}  // namespace

void GatewayFigures::Add(const loadtest::LoadResult& round) {
  first_byte_s.insert(first_byte_s.end(), round.first_byte_s.begin(), round.first_byte_s.end());
  first_token_s.insert(first_token_s.end(), round.first_token_s.begin(), round.first_token_s.end());
  failed += round.failed;
  if (first_failure.empty()) first_failure = round.first_failure;
  tokens += round.tokens;
}

double GatewayFigures::CpuPerTokenUs() const {
  return tokens == 0 ? 0 : 1e6 * cpu_s / static_cast<double>(tokens);
}

json::Object ToJson(const std::vector<GatewayFigures>& columns) {
  json::Array array;
  for (const GatewayFigures& column : columns) {
    json::Object object{{"name", column.name},
                        {"requests", column.first_byte_s.size()},
                        {"tokens", column.tokens},
                        {"first_failure", column.first_failure},
                        {"hold_asked", column.hold_asked},
                        {"hold_first_failure", column.hold.first_failure}};
    for (const Line& line : Lines(columns.front())) {
      object[line.key] = Known(line, column) ? json::Value(line.value(column)) : json::Value();
    }
    array.push_back(std::move(object));
  }
  return {{"columns", std::move(array)}};
}

std::string ToText(const std::vector<GatewayFigures>& columns) {
  std::string text = fmt::format("{:<49}", "");
  for (const GatewayFigures& column : columns) text += fmt::format(" {:>20}", column.name);
  text += "\n";
  for (const Line& line : Lines(columns.front())) {
    text += fmt::format("{:<49}", line.what);
    for (const GatewayFigures& column : columns) text += fmt::format(" {:>20}", Cell(line, column));
    text += "\n";
  }
  for (const GatewayFigures& column : columns) {
    for (const std::string* failure : {&column.first_failure, &column.hold.first_failure}) {
      if (!failure->empty()) text += fmt::format("{}: {}\n", column.name, *failure);
    }
  }
  return text;
}

std::string GatewayPage(const std::string& about, const std::vector<GatewayFigures>& columns) {
  std::vector<Chart> charts;
  Table table{"Everything", {"what"}, {}};
  for (const GatewayFigures& column : columns) table.head.push_back(column.name);
  for (const Line& line : Lines(columns.front())) {
    Chart chart{line.what, "", {}};
    std::vector<std::string> row = {line.what};
    for (const GatewayFigures& column : columns) {
      row.push_back(Cell(line, column));
      if (Known(line, column)) chart.bars.push_back({column.name, line.value(column)});
    }
    table.rows.push_back(std::move(row));
    if (line.of_process && !chart.bars.empty()) charts.push_back(std::move(chart));
  }
  return Page("anyclaude bench gateway", about, charts, {std::move(table)});
}

}  // namespace ac::bench
