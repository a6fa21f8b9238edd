// anyclaude bench session: ten questions behind one long system prompt, with and without the cache,
// after a restart, and with tokens guessed ahead.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>

#include "app/commands/bench.h"
#include "bench/local_session.h"
#include "bench/page.h"
#include "bench/url_session.h"

namespace ac::app {
namespace {

// The prompt, the turns and what they generate must fit a little more than the plan says, because
// pages are whole.
constexpr int64_t kSpareTokens = 256;

struct BenchSessionFlags {
  BenchModelFlags model;
  SpeculationFlags speculation;
  bench::SessionPlan plan;
  std::vector<std::string> columns = {"cache", "restart", "speculation", "no-cache"};
  std::string url;
  std::string api_key;
  std::string html;
  bool json = false;
};

int64_t TokensOf(const bench::SessionPlan& plan) {
  return plan.prompt_tokens + (plan.turns + 1) * (plan.turn_tokens + plan.reply_tokens) +
         kSpareTokens;
}

void PrintTurn(const std::string& column, const bench::Turn& turn) {
  fmt::print(stderr, "{}, turn {}: {:.2f} s to the first token, {:.2f} s in all\n", column, turn.n,
             turn.ttft_s, turn.total_s);
}

bool Wants(const BenchSessionFlags& flags, std::string_view column) {
  return std::find(flags.columns.begin(), flags.columns.end(), column) != flags.columns.end();
}

// Runs of this command share no prompt, so that nothing kept from an earlier one makes turn 1 warm.
bench::LocalSession NewSession(const OpenedModel& opened) {
  return {opened.loaded->tokenizer().vocab_size(), std::random_device()()};
}

// Guessing ahead has a column of its own, so that each column shows what one thing is worth.
Result<Config> WithSpeculation(Config config, const std::string& mode) {
  AC_RETURN_IF_ERROR(config.SetFlag("speculation", mode));
  return config;
}

// The engine as it serves; then, in a new engine, one more question of the same conversation.
Status MeasureCached(const Config& config, const OpenedModel& opened,
                     const BenchSessionFlags& flags, std::vector<bench::Column>* columns) {
  bench::LocalSession session = NewSession(opened);
  {
    AC_ASSIGN_OR_RETURN(const auto engine, opened.MakeEngine(config));
    session.Use(engine.get());
    AC_ASSIGN_OR_RETURN(bench::Column column,
                        bench::RunSession(session, flags.plan, "cache", PrintTurn));
    columns->push_back(std::move(column));
  }
  if (!Wants(flags, "restart")) return OkStatus();
  AC_ASSIGN_OR_RETURN(const auto engine, opened.MakeEngine(config));
  session.Use(engine.get());
  bench::SessionPlan once = flags.plan;
  once.turns = 1;
  AC_ASSIGN_OR_RETURN(bench::Column column,
                      bench::RunSession(session, once, "after restart", PrintTurn));
  columns->push_back(std::move(column));
  return OkStatus();
}

Status MeasureUncached(const Config& config, const OpenedModel& opened,
                       const BenchSessionFlags& flags, std::vector<bench::Column>* columns) {
  engine::EngineOptions options;
  options.prefix_cache = false;
  options.speculation = engine::Speculation::kOff;
  engine::KvBudget budget;
  budget.bytes = config.Integer("kv.memory_mb") << 20;
  AC_ASSIGN_OR_RETURN(kv::PagePool pages, opened.loaded->MakePages(budget));
  engine::Engine engine(*opened.loaded, opened.loaded->tokenizer(), std::move(pages), options);
  bench::LocalSession session = NewSession(opened);
  session.Use(&engine);
  AC_ASSIGN_OR_RETURN(bench::Column column,
                      bench::RunSession(session, flags.plan, "no cache", PrintTurn));
  columns->push_back(std::move(column));
  return OkStatus();
}

// The engine as it serves, guessing as the settings say.
Status MeasureSpeculating(const Config& config, const OpenedModel& opened,
                          const BenchSessionFlags& flags, std::vector<bench::Column>* columns) {
  bench::LocalSession session = NewSession(opened);
  AC_ASSIGN_OR_RETURN(const auto engine, opened.MakeEngine(config));
  session.Use(engine.get());
  AC_ASSIGN_OR_RETURN(bench::Column column,
                      bench::RunSession(session, flags.plan, "speculation", PrintTurn));
  columns->push_back(std::move(column));
  return OkStatus();
}

// What cannot be measured is said before a model is loaded.
Status CheckColumns(const Config& config, const BenchSessionFlags& flags) {
  if (Wants(flags, "restart") && !Wants(flags, "cache")) {
    return InvalidArgument("[bench] column restart goes on where column cache ended: ask for both");
  }
  if (Wants(flags, "speculation") && config.Text("speculation") == "off") {
    return InvalidArgument(
        "[bench] speculation is off, so there is nothing for its column: leave it out of --columns "
        "or choose another --speculation");
  }
  return OkStatus();
}

Result<std::vector<bench::Column>> MeasureLocal(CommandContext& context,
                                                const BenchSessionFlags& flags,
                                                std::string* about) {
  AC_RETURN_IF_ERROR(flags.speculation.Apply(&context.config));
  AC_RETURN_IF_ERROR(CheckColumns(context.config, flags));
  AC_ASSIGN_OR_RETURN(const Config plain, WithSpeculation(context.config, "off"));
  AC_ASSIGN_OR_RETURN(const OpenedModel opened, OpenBenchModel(context, flags.model));
  *about = opened.resolved.name + ", " + opened.loaded->kernel_choice();
  if (TokensOf(flags.plan) > opened.loaded->context_length()) {
    return InvalidArgument(fmt::format(
        "[bench] the session needs {} tokens of context, the model has {}; lower --prompt-tokens",
        TokensOf(flags.plan), opened.loaded->context_length()));
  }
  std::vector<bench::Column> columns;
  if (Wants(flags, "cache")) {
    AC_RETURN_IF_ERROR(MeasureCached(plain, opened, flags, &columns));
  }
  if (Wants(flags, "speculation")) {
    AC_RETURN_IF_ERROR(MeasureSpeculating(context.config, opened, flags, &columns));
  }
  if (Wants(flags, "no-cache")) {
    AC_RETURN_IF_ERROR(MeasureUncached(plain, opened, flags, &columns));
  }
  return columns;
}

Result<std::vector<bench::Column>> MeasureUrl(const BenchSessionFlags& flags, std::string* about) {
  std::string key = flags.api_key;
  for (const char* variable : {"ANTHROPIC_API_KEY", "OPENAI_API_KEY"}) {
    const char* value = std::getenv(variable);
    if (key.empty() && value != nullptr) key = value;
  }
  AC_ASSIGN_OR_RETURN(const auto session,
                      bench::UrlSession::Open({flags.url, key, flags.model.model}));
  *about = session->model() + " at " + flags.url;
  AC_ASSIGN_OR_RETURN(bench::Column column,
                      bench::RunSession(*session, flags.plan, "server", PrintTurn));
  return std::vector<bench::Column>{std::move(column)};
}

Status Run(CommandContext& context, const BenchSessionFlags& flags) {
  std::string about;
  AC_ASSIGN_OR_RETURN(const auto columns, flags.url.empty() ? MeasureLocal(context, flags, &about)
                                                            : MeasureUrl(flags, &about));
  if (flags.json) {
    fmt::print("{}\n", json::Write(bench::ToJson(columns)));
  } else {
    fmt::print("{}: a system prompt of {} tokens, {} questions of {} tokens\n\n{}", about,
               flags.plan.prompt_tokens, flags.plan.turns, flags.plan.turn_tokens,
               bench::ToText(columns));
  }
  return WritePage(flags.html, bench::SessionPage(about, columns));
}

}  // namespace

void RegisterBenchSession(CLI::App& bench, Action* chosen) {
  auto flags = std::make_shared<BenchSessionFlags>();
  CLI::App* command =
      AddCommand(bench, chosen, "session", "Ten questions behind one long system prompt",
                 [flags](CommandContext& context) { return Run(context, *flags); });
  AddBenchModelOptions(command, &flags->model);
  AddSpeculationOptions(command, &flags->speculation);
  command->add_option("--url", flags->url,
                      "Ask this server (Anthropic or OpenAI API) instead of our engine");
  command->add_option("--api-key", flags->api_key,
                      "Key for --url (or ANTHROPIC_API_KEY, OPENAI_API_KEY)");
  command
      ->add_option("--columns", flags->columns,
                   "What to measure: cache,restart,speculation,no-cache")
      ->delimiter(',')
      ->check(CLI::IsMember({"cache", "restart", "speculation", "no-cache"}));
  command->add_option("--turns", flags->plan.turns, "Questions")->check(CLI::PositiveNumber);
  command->add_option("--prompt-tokens", flags->plan.prompt_tokens, "Tokens of the system prompt")
      ->check(CLI::PositiveNumber);
  command->add_option("--turn-tokens", flags->plan.turn_tokens, "New tokens with each question")
      ->check(CLI::PositiveNumber);
  command->add_option("--reply-tokens", flags->plan.reply_tokens, "Tokens of each answer")
      ->check(CLI::PositiveNumber);
  command->add_option("--html", flags->html, "Also write one page with charts");
  command->add_flag("--json", flags->json, "Print one JSON object");
}

}  // namespace ac::app
