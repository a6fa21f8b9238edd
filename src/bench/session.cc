#include "bench/session.h"

#include <fmt/format.h>

#include <algorithm>

#include "bench/spread.h"

namespace ac::bench {
namespace {

const Column* Find(const std::vector<Column>& columns, std::string_view name) {
  for (const Column& column : columns) {
    if (column.name == name) return &column;
  }
  return nullptr;
}

json::Array TurnsToJson(const std::vector<Turn>& turns) {
  json::Array array;
  const auto count = [](int64_t tokens) {
    return tokens < 0 ? json::Value() : json::Value(tokens);
  };
  for (const Turn& turn : turns) {
    array.push_back(json::Object{{"n", turn.n},
                                 {"ttft_s", turn.ttft_s},
                                 {"total_s", turn.total_s},
                                 {"computed", count(turn.computed)},
                                 {"reused", count(turn.reused)},
                                 {"from_disk", count(turn.from_disk)},
                                 {"output_tokens", turn.output_tokens}});
  }
  return array;
}

std::string Tokens(int64_t count) { return count < 0 ? "?" : std::to_string(count); }

}  // namespace

double Column::total_s() const {
  double sum = 0;
  for (const Turn& turn : turns) sum += turn.total_s;
  return sum;
}

std::optional<double> Column::warm_ttft_s() const {
  if (turns.size() < 2) return std::nullopt;
  std::vector<double> seconds;
  for (size_t i = 1; i < turns.size(); ++i) seconds.push_back(turns[i].ttft_s);
  return SpreadOf(std::move(seconds)).median;
}

std::optional<double> Column::decode_tokens_per_s() const {
  int64_t tokens = 0;
  double seconds = 0;
  for (const Turn& turn : turns) {
    if (turn.output_tokens < 2) continue;
    tokens += turn.output_tokens - 1;
    seconds += turn.total_s - turn.ttft_s;
  }
  if (seconds <= 0) return std::nullopt;
  return static_cast<double>(tokens) / seconds;
}

Result<Column> RunSession(SessionTarget& target, const SessionPlan& plan, std::string name,
                          const std::function<void(const std::string&, const Turn&)>& on_turn) {
  Column column{std::move(name), {}};
  for (int n = 1; n <= plan.turns; ++n) {
    AC_ASSIGN_OR_RETURN(Turn turn, target.Ask(plan));
    turn.n = n;
    column.turns.push_back(turn);
    if (on_turn) on_turn(column.name, turn);
  }
  return column;
}

const std::vector<Reported>& ReportedElsewhere() {
  static const std::vector<Reported> reported = {
      {"LM Studio, no cache", "30 s", "30 s", "300 s", "-"},
      {"MLX-LM", "30 s", "0.3 s", "32.7 s", "-"},
      {"MLX-Textgen", "3 s (8B) to 50 s (30B)", "0.5 to 10 s", "-", "-"},
      {"MLX server on an M3 Ultra, 807 tokens/s of prefill", "45 to 50 s", "45 to 50 s", "-", "-"},
      {"MLX, Qwen2.5-Coder-7B in 4 bits", "-", "-", "-", "12 to 13"},
      {"Claude API", "under 3 s", "under 1 s", "-", "40 to 80"},
  };
  return reported;
}

json::Object ToJson(const std::vector<Column>& columns) {
  const Column* main = Find(columns, "cache");
  if (main == nullptr && !columns.empty()) main = &columns.front();
  json::Object out;
  const std::optional<double> warm = main == nullptr ? std::nullopt : main->warm_ttft_s();
  const Column* restart = Find(columns, "after restart");
  out["turns"] = main == nullptr ? json::Array() : TurnsToJson(main->turns);
  out["cold_ttft_s"] = main == nullptr ? json::Value() : json::Value(main->cold_ttft_s());
  out["warm_ttft_s_median"] = warm ? json::Value(*warm) : json::Value();
  out["restart_ttft_s"] = restart == nullptr ? json::Value() : json::Value(restart->cold_ttft_s());
  json::Array all;
  for (const Column& column : columns) {
    const auto decode = column.decode_tokens_per_s();
    all.push_back(
        json::Object{{"name", column.name},
                     {"total_s", column.total_s()},
                     {"decode_tokens_per_s", decode ? json::Value(*decode) : json::Value()},
                     {"turns", TurnsToJson(column.turns)}});
  }
  out["columns"] = std::move(all);
  return out;
}

std::string ToText(const std::vector<Column>& columns) {
  std::string text = "Seconds to the first token (and to the last)\n\nturn";
  size_t turns = 0;
  for (const Column& column : columns) {
    text += fmt::format(" | {:>17}", column.name);
    turns = std::max(turns, column.turns.size());
  }
  text += columns.empty() ? "\n" : " | computed + reused\n";
  for (size_t n = 0; n < turns; ++n) {
    text += fmt::format("{:>4}", n + 1);
    for (const Column& column : columns) {
      text += n < column.turns.size() ? fmt::format(" | {:>7.2f} ({:>7.2f})",
                                                    column.turns[n].ttft_s, column.turns[n].total_s)
                                      : fmt::format(" | {:>17}", "");
    }
    const Column& first = columns.front();
    if (n < first.turns.size()) {
      text +=
          fmt::format(" | {} + {}", Tokens(first.turns[n].computed), Tokens(first.turns[n].reused));
    }
    text += "\n";
  }
  text += " all";
  for (const Column& column : columns) text += fmt::format(" | {:>15.2f} s", column.total_s());
  text += "\n";
  text += "tok/s";
  for (const Column& column : columns) {
    const auto decode = column.decode_tokens_per_s();
    text += decode ? fmt::format("| {:>17.1f} ", *decode) : fmt::format("| {:>17} ", "-");
  }
  text += columns.empty() ? "\n" : "| decoded after the first token of each reply\n";
  for (const Column& column : columns) {
    const auto warm = column.warm_ttft_s();
    if (!warm || *warm <= 0) continue;
    text +=
        fmt::format("{}: first turn {:.2f} s, later ones {:.3f} s to the first token: {:.0f}x\n",
                    column.name, column.cold_ttft_s(), *warm, column.cold_ttft_s() / *warm);
  }
  text += "\nReported elsewhere, on other machines and models\n";
  for (const Reported& row : ReportedElsewhere()) {
    text += fmt::format("{:<52} first {:<24} each further {:<12} ten turns {:<8} tokens/s {}\n",
                        row.product, row.first, row.follow_up, row.ten_turns, row.decode);
  }
  return text;
}

}  // namespace ac::bench
