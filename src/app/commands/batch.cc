// anyclaude batch: a file of requests through any mode, resumable, results in order.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <tuple>
#include <vector>

#include "app/commands/all.h"
#include "app/progress.h"
#include "app/running_server.h"
#include "base/file_system.h"
#include "batch/runner.h"
#include "http/client.h"
#include "json/json.h"
#include "store/prices.h"

namespace ac::app {
namespace {

struct BatchFlags {
  std::string input;
  std::string output;
  std::string mode;
  std::string model;
  std::string url;
  std::string api_key;
  std::string system;
  int64_t max_tokens = 512;
  int parallel = 16;
  bool resume = false;
  bool json = false;
};

// Where the requests go: a server that is already there, or one of our own for this time.
struct Target {
  std::unique_ptr<RunningServer> own;
  batch::RunOptions options;
  std::string model = "default";
  std::string mode;  // empty: of a server that somebody else runs
};

Result<Target> MakeTarget(Config config, const BatchFlags& flags) {
  Target target;
  target.options.parallel = flags.parallel;
  target.options.api_key = flags.api_key;
  target.options.url = flags.url;
  while (target.options.url.ends_with('/')) target.options.url.pop_back();
  if (!flags.model.empty()) target.model = flags.model;
  if (!flags.url.empty()) return target;
  if (!flags.mode.empty()) AC_RETURN_IF_ERROR(config.SetFlag("mode", flags.mode));
  if (!flags.model.empty()) AC_RETURN_IF_ERROR(config.SetFlag("model", flags.model));
  // Nobody else uses it: any free port of the loopback, whatever the settings say.
  AC_RETURN_IF_ERROR(config.SetFlag("host", "127.0.0.1"));
  AC_RETURN_IF_ERROR(config.SetFlag("port", "0"));
  AC_ASSIGN_OR_RETURN(target.own, RunningServer::Start(config));
  target.options.url = target.own->facts().url;
  target.options.api_key = config.Text("api_key");
  if (!target.own->facts().model.empty()) target.model = target.own->facts().model;
  target.mode = target.own->facts().mode;
  return target;
}

// What the same tokens would have cost elsewhere: list prices, every prompt token at the full rate,
// because nobody can say what another's cache would have held.
struct CloudPrice {
  std::string model;
  double dollars = 0;
};

std::vector<CloudPrice> CloudPrices(const store::Prices& table, const batch::Totals& totals) {
  std::vector<CloudPrice> prices;
  for (const auto& [name, price] : table.models()) {
    const auto cost = table.CostOf({.mode = "",
                                    .model = name,
                                    .input_tokens = totals.input_tokens + totals.cached_tokens,
                                    .output_tokens = totals.output_tokens});
    if (cost) prices.push_back({name, *cost});
  }
  std::sort(prices.begin(), prices.end(), [](const CloudPrice& a, const CloudPrice& b) {
    return std::tie(a.dollars, a.model) < std::tie(b.dollars, b.model);
  });
  return prices;
}

// What this run has cost so far: tokens at the model's price, or hours at the machine's. Nothing
// when neither is known.
std::optional<double> CostOf(const store::Prices& table, const Target& target,
                             const batch::Totals& totals, const batch::Totals& before,
                             double seconds) {
  return table.CostOf({.mode = target.mode,
                       .model = target.model,
                       .input_tokens = totals.input_tokens - before.input_tokens,
                       .cache_read = totals.cached_tokens - before.cached_tokens,
                       .output_tokens = totals.output_tokens - before.output_tokens,
                       .seconds = seconds});
}

std::string CostText(const std::optional<double>& cost) {
  return cost ? fmt::format("${:.4f}", *cost) : std::string("cost unknown");
}

// How the run went, for people on stderr or as JSON on stdout.
void PrintSummary(const batch::Totals& totals, const batch::Totals& before, double seconds,
                  const std::optional<double>& cost, const std::vector<CloudPrice>& clouds,
                  bool as_json) {
  const int64_t output = totals.output_tokens - before.output_tokens;
  const double rate = seconds > 0 ? static_cast<double>(output) / seconds : 0;
  if (as_json) {
    json::Object prices;
    for (const CloudPrice& cloud : clouds) prices[cloud.model] = cloud.dollars;
    fmt::print("{}\n",
               json::Write(json::Object{{"answered", totals.answered},
                                        {"failed", totals.failed},
                                        {"input_tokens", totals.input_tokens},
                                        {"cached_tokens", totals.cached_tokens},
                                        {"output_tokens", totals.output_tokens},
                                        {"seconds", seconds},
                                        {"output_tokens_per_s", rate},
                                        {"dollars", cost ? json::Value(*cost) : json::Value()},
                                        {"cloud_dollars", prices}}));
    return;
  }
  fmt::print(stderr,
             "{} answered, {} failed. Prompt tokens: {} computed, {} reused. Output: {} tokens; "
             "this run {:.1f} s, {:.1f} tokens/s, {}.\n",
             totals.answered, totals.failed, totals.input_tokens, totals.cached_tokens,
             totals.output_tokens, seconds, rate, CostText(cost));
  if (clouds.empty()) return;
  fmt::print(stderr, "The same tokens at list prices, without caching or batch discounts:\n");
  for (const CloudPrice& cloud : clouds) {
    fmt::print(stderr, "  {:<24} ${:.4f}\n", cloud.model, cloud.dollars);
  }
}

Status Run(CommandContext& context, const BatchFlags& flags) {
  FileSystem& fs = FileSystem::Real();
  if (flags.parallel < 1) return InvalidArgument("[batch] -j must be at least 1");
  AC_ASSIGN_OR_RETURN(const std::string text, ReadFile(fs, flags.input));
  const std::string journal_path = flags.output + ".journal";
  if (fs.Exists(flags.output)) {
    return Status(Code::kAlreadyExists,
                  "[batch] " + flags.output + " exists; remove it or choose another name");
  }
  // What is wrong with the input, or with an earlier run, is said before a model is loaded.
  batch::Defaults defaults{.max_tokens = flags.max_tokens, .system = flags.system};
  AC_ASSIGN_OR_RETURN(const auto items, batch::ReadItems(text, defaults));
  AC_ASSIGN_OR_RETURN(const auto journal,
                      batch::Journal::Open(fs, journal_path, items, flags.resume));
  const batch::Totals before = journal->totals();
  if (before.answered + before.failed > 0) {
    fmt::print(stderr, "{} of {} are done already\n", before.answered + before.failed,
               items.size());
  }
  AC_ASSIGN_OR_RETURN(const store::Prices prices, store::Prices::Load(fs, context.config.home()));
  AC_ASSIGN_OR_RETURN(const Target target, MakeTarget(context.config, flags));
  http::Client client;
  ProgressBar bar(BaseName(flags.input), "requests");
  const Nanos begin = Clock::Real().Now();
  const auto seconds = [begin] { return Seconds(Clock::Real().Now() - begin); };
  AC_RETURN_IF_ERROR(batch::RunBatch(
      client, items, *journal, target.options, [&](int64_t done, const batch::Totals& totals) {
        const int64_t output = totals.output_tokens - before.output_tokens;
        bar.SetNote(fmt::format("{:.0f} tokens/s  {}", static_cast<double>(output) / seconds(),
                                CostText(CostOf(prices, target, totals, before, seconds()))));
        bar.Update(static_cast<uint64_t>(done), items.size());
      }));
  const batch::Totals totals = journal->totals();
  AC_RETURN_IF_ERROR(journal->WriteOutput(items, flags.output));
  const double took = seconds();
  PrintSummary(totals, before, took, CostOf(prices, target, totals, before, took),
               CloudPrices(prices, totals), flags.json);
  if (totals.failed > 0) {
    return Status(Code::kFailedPrecondition, "[batch] " + std::to_string(totals.failed) + " of " +
                                                 std::to_string(items.size()) +
                                                 " requests failed; their lines in " +
                                                 flags.output + " say why");
  }
  return OkStatus();
}

}  // namespace

void RegisterBatch(CLI::App& app, Action* chosen) {
  auto flags = std::make_shared<BatchFlags>();
  CLI::App* command =
      AddCommand(app, chosen, "batch", "Answer a file of requests, one per line, some at a time",
                 [flags](CommandContext& context) { return Run(context, *flags); });
  command
      ->add_option("input", flags->input,
                   "JSON lines (OpenAI or Anthropic batch lines, bare bodies, strings) or "
                   "lines of text")
      ->required();
  command->add_option("-o,--output", flags->output, "The JSONL file to write, in the same order")
      ->required();
  command->add_option("--mode", flags->mode, "Who answers");
  AddModelOption(command, &flags->model);
  command->add_option("--url", flags->url, "A server that is running, instead of an own one");
  command->add_option("--api-key", flags->api_key, "Key for --url");
  command->add_option("-j,--parallel", flags->parallel, "Requests at the same time");
  command->add_option("--max-tokens", flags->max_tokens, "For lines that name no limit");
  command->add_option("--system", flags->system, "System prompt of lines that are plain prompts");
  command->add_flag("--resume", flags->resume, "Go on with a run that was stopped");
  command->add_flag("--json", flags->json, "Print the summary as JSON");
}

}  // namespace ac::app
