#include "demo/timeline.h"

#include <fmt/format.h>

#include <algorithm>

namespace ac::demo {
namespace {

constexpr const char* kEighths[] = {"",       "\u258f", "\u258e", "\u258d",
                                    "\u258c", "\u258b", "\u258a", "\u2589"};

// At most `width` bytes on one line; an ellipsis where something is missing.
std::string Fit(std::string_view text, size_t width) {
  std::string line;
  for (const char c : text) {
    if (c == '\n') {
      line += " / ";
    } else {
      line += c;
    }
  }
  if (line.size() <= width) return line;
  size_t end = width - 1;
  while (end > 0 && (line[end] & 0xC0) == 0x80) --end;  // whole characters
  return line.substr(0, end) + "\u2026";
}

double Median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

std::string Bar(double part, double whole, size_t width) {
  const double share = whole <= 0 ? 0 : std::clamp(part / whole, 0.0, 1.0);
  auto eighths = static_cast<size_t>(share * static_cast<double>(width) * 8 + 0.5);
  if (part > 0) eighths = std::max<size_t>(eighths, 1);
  std::string bar;
  for (size_t i = 0; i < eighths / 8; ++i) bar += "\u2588";
  bar += kEighths[eighths % 8];
  const size_t columns = eighths / 8 + (eighths % 8 != 0 ? 1 : 0);
  return bar + std::string(width - columns, ' ');
}

std::string TimelineHead() {
  return fmt::format("{:>4}  {:<38} {:<{}} {:>9} {:>9} {:>8} {:>8}\n", "turn", "request",
                     "wait for the first token", kBarWidth, "first", "whole", "computed", "reused");
}

std::string TurnLine(int number, const AskedTurn& turn, double longest_s) {
  std::string text =
      fmt::format("{:>4}  {:<38} {} {:>7.3f} s {:>7.3f} s {:>8} {:>8}\n", number,
                  Fit(turn.request, 38), Bar(turn.first.first_s, longest_s, kBarWidth),
                  turn.first.first_s, turn.total_s, turn.first.computed, turn.first.reused);
  std::string did;
  for (const std::string& call : turn.calls) did += call + " -> ";
  return text + "      " + Fit(did + "\"" + turn.answer + "\"", 100) + "\n";
}

std::string Summary(const DemoTimes& times, int64_t prompt_tokens) {
  const double warm = Median(times.warm_s);
  std::string text =
      fmt::format("\nThe first turn read a prompt of {} tokens: {:.3f} s to the first token.\n",
                  prompt_tokens, times.cold_s);
  if (warm > 0) {
    text += fmt::format("Later turns waited {:.3f} s (median), 1/{:.0f} of that.\n", warm,
                        times.cold_s / warm);
  }
  if (times.restart_s > 0) {
    text += fmt::format(
        "After the restart the prompt came back from disk: {:.3f} s, 1/{:.0f} of the first turn.\n",
        times.restart_s, times.cold_s / times.restart_s);
  }
  return text;
}

}  // namespace ac::demo
