// anyclaude cost: what requests cost, per day, mode and model; unknown stays unknown.
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

using store::GroupBy;
using store::LedgerSum;

struct CostFlags {
  std::string since;
  bool json = false;
};

struct Section {
  const char* title;
  const char* key;
  GroupBy by;
};
constexpr Section kSections[] = {{"per day", "days", GroupBy::kDay},
                                 {"per mode", "modes", GroupBy::kMode},
                                 {"per model", "models", GroupBy::kModel},
                                 {"all", "all", GroupBy::kAll}};

json::Object AsJson(const LedgerSum& sum) {
  const bool known = sum.requests > sum.unknown_costs;
  return {{"key", sum.key},
          {"requests", sum.requests},
          {"computed_tokens", sum.input_tokens + sum.cache_write},
          {"reused_tokens", sum.cache_read},
          {"output_tokens", sum.output_tokens},
          {"cost_usd", known ? json::Value(sum.cost) : json::Value(nullptr)},
          {"requests_of_unknown_cost", sum.unknown_costs}};
}

void PrintRow(const LedgerSum& sum) {
  fmt::print("  {:<34} {:>8} {:>14} {:>14} {:>12}  {}\n", sum.key, Grouped(sum.requests),
             Grouped(sum.input_tokens + sum.cache_write), Grouped(sum.cache_read),
             Grouped(sum.output_tokens),
             CostText(sum.cost, sum.requests - sum.unknown_costs, sum.unknown_costs));
}

Status Run(CommandContext& context, const CostFlags& flags) {
  AC_ASSIGN_OR_RETURN(const int64_t since_ms, ReadSince(flags.since, Clock::Real()));
  AC_ASSIGN_OR_RETURN(const auto database,
                      store::OpenState(FileSystem::Real(), context.config.home()));
  store::Ledger ledger(*database);
  json::Object report;
  for (const Section& section : kSections) {
    AC_ASSIGN_OR_RETURN(const std::vector<LedgerSum> sums, ledger.Sum(section.by, since_ms));
    if (flags.json) {
      json::Array rows;
      for (const LedgerSum& sum : sums) rows.push_back(AsJson(sum));
      report[section.key] = std::move(rows);
      continue;
    }
    if (sums.empty()) {
      fmt::print("No requests{}.\n", flags.since.empty() ? "" : " since " + flags.since);
      return OkStatus();
    }
    fmt::print("{:<36} {:>8} {:>14} {:>14} {:>12}  {}\n", section.title, "requests", "computed",
               "reused", "output", "cost");
    for (const LedgerSum& sum : sums) PrintRow(sum);
  }
  if (flags.json) fmt::print("{}\n", json::WritePretty(report));
  return OkStatus();
}

}  // namespace

void RegisterCost(CLI::App& app, Action* chosen) {
  auto flags = std::make_shared<CostFlags>();
  CLI::App* command = AddCommand(app, chosen, "cost", "What requests cost, per day, mode and model",
                                 [flags](CommandContext& context) { return Run(context, *flags); });
  command->add_option("--since", flags->since, "From a date (2026-01-31) or for a time (7d, 12h)");
  command->add_flag("--json", flags->json, "Print JSON");
}

}  // namespace ac::app
