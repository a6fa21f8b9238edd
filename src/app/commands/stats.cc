// anyclaude stats: how much was reused, how fast it was, why the cache missed.
#include <fmt/format.h>

#include <cstdio>

#include "app/commands/all.h"
#include "app/commands/since.h"
#include "app/session_report.h"
#include "json/json.h"
#include "store/ledger.h"
#include "store/schema.h"

namespace ac::app {
namespace {

struct StatsFlags {
  std::string since;
  bool json = false;
};

std::optional<double> Percentile(const std::vector<double>& ascending, double share) {
  if (ascending.empty()) return std::nullopt;
  const size_t at = static_cast<size_t>(share * static_cast<double>(ascending.size() - 1) + 0.5);
  return ascending[at];
}

json::Value Maybe(const std::optional<double>& value) {
  return value ? json::Value(*value) : json::Value(nullptr);
}

std::string Milliseconds(const std::optional<double>& ms) {
  return ms ? DurationText(*ms / 1000) : "unknown";
}

Status Run(CommandContext& context, const StatsFlags& flags) {
  AC_ASSIGN_OR_RETURN(const int64_t since_ms, ReadSince(flags.since, Clock::Real()));
  AC_ASSIGN_OR_RETURN(const auto database,
                      store::OpenState(FileSystem::Real(), context.config.home()));
  store::Ledger ledger(*database);
  AC_ASSIGN_OR_RETURN(const auto sums, ledger.Sum(store::GroupBy::kAll, since_ms));
  AC_ASSIGN_OR_RETURN(const auto times, ledger.FirstOutputTimes(since_ms));
  AC_ASSIGN_OR_RETURN(const auto reasons, ledger.MissReasons(since_ms));
  const store::LedgerSum sum = sums.empty() ? store::LedgerSum() : sums[0];
  const int64_t computed = sum.input_tokens + sum.cache_write;
  const int64_t prompt = computed + sum.cache_read;
  std::optional<double> hit_rate;
  if (prompt > 0) hit_rate = static_cast<double>(sum.cache_read) / static_cast<double>(prompt);
  std::optional<double> speed;
  if (sum.prefill_ms > 0) speed = static_cast<double>(sum.prefill_tokens) / sum.prefill_ms * 1000;
  const std::optional<double> saved = store::SavedSeconds(sum);
  if (flags.json) {
    json::Array misses;
    for (const auto& [reason, count] : reasons) {
      misses.push_back(json::Object{{"reason", reason}, {"requests", count}});
    }
    const json::Object report{{"requests", sum.requests},
                              {"failed", sum.failed},
                              {"computed_tokens", computed},
                              {"reused_tokens", sum.cache_read},
                              {"output_tokens", sum.output_tokens},
                              {"hit_rate", Maybe(hit_rate)},
                              {"first_output_ms_p50", Maybe(Percentile(times, 0.5))},
                              {"first_output_ms_p95", Maybe(Percentile(times, 0.95))},
                              {"prompt_tokens_per_s", Maybe(speed)},
                              {"saved_seconds", Maybe(saved)},
                              {"cache_misses", std::move(misses)}};
    fmt::print("{}\n", json::WritePretty(report));
    return OkStatus();
  }
  fmt::print("requests            {} ({} failed)\n", Grouped(sum.requests), sum.failed);
  fmt::print("prompt tokens       {} computed, {} reused\n", Grouped(computed),
             Grouped(sum.cache_read));
  fmt::print("hit rate            {}\n",
             hit_rate ? fmt::format("{:.1f} %", *hit_rate * 100) : "unknown");
  fmt::print("output tokens       {}\n", Grouped(sum.output_tokens));
  fmt::print("first output        {} median, {} at the 95th percentile\n",
             Milliseconds(Percentile(times, 0.5)), Milliseconds(Percentile(times, 0.95)));
  fmt::print("prompt speed        {}\n",
             speed ? fmt::format("{:.0f} tokens/s, measured", *speed) : "unknown");
  fmt::print("time saved          {}\n", saved ? DurationText(*saved) : "unknown");
  for (const auto& [reason, count] : reasons) {
    fmt::print("cache missed        {} times: {}\n", count, reason);
  }
  return OkStatus();
}

}  // namespace

void RegisterStats(CLI::App& app, Action* chosen) {
  auto flags = std::make_shared<StatsFlags>();
  CLI::App* command =
      AddCommand(app, chosen, "stats", "How much was reused, how fast it was, why the cache missed",
                 [flags](CommandContext& context) { return Run(context, *flags); });
  command->add_option("--since", flags->since, "From a date (2026-01-31) or for a time (7d, 12h)");
  command->add_flag("--json", flags->json, "Print JSON");
}

}  // namespace ac::app
