#include "app/session_report.h"

#include <fmt/format.h>

namespace ac::app {

std::string Grouped(int64_t number) {
  std::string digits = std::to_string(number);
  const size_t first = number < 0 ? 1 : 0;
  for (size_t at = digits.size(); at > first + 3;) {
    at -= 3;
    digits.insert(at, ",");
  }
  return digits;
}

std::string DurationText(double seconds) {
  if (seconds < 0.1) return fmt::format("{:.0f} ms", seconds * 1000);
  if (seconds < 10) return fmt::format("{:.1f} s", seconds);
  if (seconds < 120) return fmt::format("{:.0f} s", seconds);
  const int64_t whole = static_cast<int64_t>(seconds + 0.5);
  if (whole < 7200) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

std::string CostText(double dollars, int64_t known_requests, int64_t unknown_requests) {
  if (known_requests == 0) return "unknown";
  std::string text = dollars > 0 && dollars < 1 ? fmt::format("${:.4f}", dollars)
                                                : fmt::format("${:.2f}", dollars);
  if (unknown_requests > 0) text += fmt::format(" (+ {} of unknown cost)", unknown_requests);
  return text;
}

std::string SessionReport(const gateway::Totals& totals,
                          const std::optional<gateway::Recorder::Costs>& costs) {
  if (totals.requests == 0) return "";
  std::string text =
      fmt::format("anyclaude: {} request{}", totals.requests, totals.requests == 1 ? "" : "s");
  if (totals.failed > 0) text += fmt::format(", {} failed", totals.failed);
  if (totals.cancelled > 0) text += fmt::format(", {} cancelled", totals.cancelled);
  if (totals.answered_here > 0) text += fmt::format(", {} answered here", totals.answered_here);
  text += "\n";
  if (const auto rate = totals.HitRate()) {
    text +=
        fmt::format("  prompt tokens: {} computed, {} reused ({:.1f} % from the cache)\n",
                    Grouped(totals.computed_tokens), Grouped(totals.reused_tokens), *rate * 100);
  }
  text += fmt::format("  output tokens: {}\n", Grouped(totals.output_tokens));
  if (const auto saved = totals.SavedSeconds()) {
    text += fmt::format("  time saved by reuse: {} (at the measured {:.0f} tokens/s)\n",
                        DurationText(*saved),
                        static_cast<double>(totals.measured_tokens) / totals.measured_ms * 1000);
  } else {
    text += "  time saved by reuse: unknown (no long prompt was computed in this session)\n";
  }
  if (costs.has_value()) {
    const int64_t known = totals.requests - costs->unknown;
    text += "  cost: " + CostText(costs->dollars, known, costs->unknown) + "\n";
  }
  return text;
}

}  // namespace ac::app
