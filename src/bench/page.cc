#include "bench/page.h"

#include <fmt/format.h>

#include <algorithm>

namespace ac::bench {
namespace {

constexpr const char* kStyle = R"(
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
       color: #1c1c22; background: #fff; }
table { border-collapse: collapse; margin: .5rem 0 2rem; }
td, th { border-bottom: 1px solid #ddd; padding: .25rem .8rem; text-align: right; }
td:first-child, th:first-child { text-align: left; }
svg text { font: 13px system-ui, sans-serif; fill: currentColor; }
svg rect { fill: #2a78c8; }
@media (prefers-color-scheme: dark) {
  body { color: #e6e6ea; background: #17171b; } td, th { border-color: #333; }
})";

constexpr int kRow = 26, kLabel = 260, kBars = 440, kValue = 140;

std::string Escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string ToHtml(const Chart& chart) {
  double max = 0;
  for (const Bar& bar : chart.bars) max = std::max(max, bar.value);
  const size_t height = chart.bars.size() * kRow;
  const int width = kLabel + kBars + kValue;
  std::string html = fmt::format(
      "<h2>{}</h2>\n<svg role=\"img\" aria-label=\"{}\" width=\"{}\" height=\"{}\" "
      "viewBox=\"0 0 {} {}\">\n",
      Escape(chart.title), Escape(chart.title), width, height, width, height);
  for (size_t i = 0; i < chart.bars.size(); ++i) {
    const Bar& bar = chart.bars[i];
    const double length = max > 0 ? kBars * bar.value / max : 0;
    const size_t y = i * kRow;
    html += fmt::format(
        "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>"
        "<rect x=\"{}\" y=\"{}\" width=\"{:.1f}\" height=\"{}\"/>"
        "<text x=\"{:.1f}\" y=\"{}\">{:.4g} {}</text>\n",
        kLabel - 8, y + 17, Escape(bar.label), kLabel, y + 4, length, kRow - 8, kLabel + length + 6,
        y + 17, bar.value, Escape(chart.unit));
  }
  return html + "</svg>\n";
}

std::string ToHtml(const Table& table) {
  std::string html = fmt::format("<h2>{}</h2>\n<table>\n<tr>", Escape(table.title));
  for (const std::string& cell : table.head) html += "<th>" + Escape(cell) + "</th>";
  html += "</tr>\n";
  for (const auto& row : table.rows) {
    html += "<tr>";
    for (const std::string& cell : row) html += "<td>" + Escape(cell) + "</td>";
    html += "</tr>\n";
  }
  return html + "</table>\n";
}

Table TurnsOf(const Column& column) {
  Table table{column.name, {"turn", "first token", "last token", "computed", "reused"}, {}};
  const auto count = [](int64_t n) { return n < 0 ? std::string("?") : std::to_string(n); };
  for (const Turn& turn : column.turns) {
    table.rows.push_back({std::to_string(turn.n), fmt::format("{:.3f} s", turn.ttft_s),
                          fmt::format("{:.3f} s", turn.total_s), count(turn.computed),
                          count(turn.reused)});
  }
  return table;
}

}  // namespace

std::string Page(const std::string& title, const std::string& about,
                 const std::vector<Chart>& charts, const std::vector<Table>& tables) {
  std::string html = fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{}</title>\n"
      "<style>{}</style>\n<h1>{}</h1>\n<p>{}</p>\n",
      Escape(title), kStyle, Escape(title), Escape(about));
  for (const Chart& chart : charts) html += ToHtml(chart);
  for (const Table& table : tables) html += ToHtml(table);
  return html + "</html>\n";
}

std::string SessionPage(const std::string& about, const std::vector<Column>& columns) {
  std::vector<Chart> charts = {{"The whole session", "s", {}}, {"First token of turn 1", "s", {}}};
  charts.push_back({"First token of a later turn (median)", "s", {}});
  charts.push_back({"Decoded per second", "tokens/s", {}});
  std::vector<Table> tables;
  for (const Column& column : columns) {
    if (const auto decode = column.decode_tokens_per_s()) {
      charts[3].bars.push_back({column.name, *decode});
    }
    charts[0].bars.push_back({column.name, column.total_s()});
    charts[1].bars.push_back({column.name, column.cold_ttft_s()});
    if (const auto warm = column.warm_ttft_s()) charts[2].bars.push_back({column.name, *warm});
    tables.push_back(TurnsOf(column));
  }
  Table reported{"Reported elsewhere, on other machines and models",
                 {"product", "first request", "each further", "ten turns", "tokens/s"},
                 {}};
  for (const Reported& row : ReportedElsewhere()) {
    reported.rows.push_back({row.product, row.first, row.follow_up, row.ten_turns, row.decode});
  }
  tables.push_back(std::move(reported));
  return Page("anyclaude bench session", about, charts, tables);
}

}  // namespace ac::bench
