// anyclaude trace: what was asked and answered, from the files the server wrote.
#include <fmt/format.h>

#include <cstdio>
#include <map>

#include "app/commands/all.h"
#include "app/session_report.h"
#include "chat/dump.h"
#include "json/json.h"
#include "store/ledger.h"
#include "store/schema.h"
#include "store/trace_parts.h"
#include "store/trace_store.h"

namespace ac::app {
namespace {

using store::PromptPart;
using store::RequestRow;

struct TraceFlags {
  std::string id;
  std::string other;
  std::string output;
  int64_t limit = 20;
  bool json = false;
};

struct OpenedTrace {
  RequestRow row;
  json::Value trace;
  std::vector<PromptPart> parts;
  size_t bytes = 0;
  int64_t tokens = 0;
};

Result<OpenedTrace> OpenTrace(const Config& config, const std::string& id) {
  AC_ASSIGN_OR_RETURN(const auto database, store::OpenState(FileSystem::Real(), config.home()));
  OpenedTrace opened;
  AC_ASSIGN_OR_RETURN(opened.row, store::Ledger(*database).Find(id));
  if (opened.row.trace_path.empty()) {
    return NotFound("[trace] " + opened.row.trace + " was recorded without a file (trace.enabled)");
  }
  AC_ASSIGN_OR_RETURN(
      opened.trace,
      store::TraceStore(FileSystem::Real(), config.home(), {}).Read(opened.row.trace_path));
  opened.parts = store::PromptParts(opened.trace);
  opened.bytes = store::TotalBytes(opened.parts);
  opened.tokens = store::PromptTokens(opened.trace);
  return opened;
}

std::string Ms(const std::optional<double>& ms) {
  return ms ? DurationText(*ms / 1000) : "unknown";
}

std::string ReuseText(const RequestRow& row) {
  const int64_t prompt = row.input_tokens + row.cache_read + row.cache_write;
  if (prompt == 0) return "-";
  return fmt::format("{:.0f} %",
                     100.0 * static_cast<double>(row.cache_read) / static_cast<double>(prompt));
}

json::Object RowJson(const RequestRow& row) {
  return {{"id", row.trace},
          {"started_ms", row.started_ms},
          {"mode", row.mode},
          {"served_by", row.served_by},
          {"model", row.model},
          {"endpoint", row.endpoint},
          {"session", row.session},
          {"agent", row.agent},
          {"outcome", row.outcome},
          {"error", row.error},
          {"stop_reason", row.stop_reason},
          {"computed_tokens", row.input_tokens + row.cache_write},
          {"reused_tokens", row.cache_read},
          {"output_tokens", row.output_tokens},
          {"first_output_ms", row.first_ms ? json::Value(*row.first_ms) : json::Value(nullptr)},
          {"total_ms", row.total_ms},
          {"cost_usd", row.cost ? json::Value(*row.cost) : json::Value(nullptr)},
          {"file", row.trace_path},
          {"bytes", row.trace_bytes}};
}

Status List(CommandContext& context, const TraceFlags& flags) {
  AC_ASSIGN_OR_RETURN(const auto database,
                      store::OpenState(FileSystem::Real(), context.config.home()));
  AC_ASSIGN_OR_RETURN(const auto rows, store::Ledger(*database).Latest(flags.limit));
  if (flags.json) {
    json::Array list;
    for (const RequestRow& row : rows) list.push_back(RowJson(row));
    fmt::print("{}\n", json::WritePretty(list));
    return OkStatus();
  }
  if (rows.empty()) fmt::print(stderr, "No request has been recorded yet.\n");
  if (!rows.empty()) {
    fmt::print("{:<24} {:<10} {:<9} {:>10} {:>6} {:>8} {:>9} {:>9}  {}\n", "id", "by", "outcome",
               "prompt", "reused", "output", "first", "total", "model");
  }
  for (const RequestRow& row : rows) {
    fmt::print("{:<24} {:<10} {:<9} {:>10} {:>6} {:>8} {:>9} {:>9}  {}\n", row.trace, row.served_by,
               row.outcome, Grouped(row.input_tokens + row.cache_read + row.cache_write),
               ReuseText(row), Grouped(row.output_tokens), row.first_ms ? Ms(row.first_ms) : "-",
               Ms(row.total_ms), row.model);
  }
  return OkStatus();
}

void PrintBreakdown(const OpenedTrace& opened) {
  std::map<std::string, size_t> sections;
  for (const PromptPart& part : opened.parts) sections[part.section] += part.text.size();
  fmt::print("\nprompt, {} tokens (the split is in proportion to bytes):\n",
             Grouped(opened.tokens));
  for (const char* section : {"tools", "system", "messages"}) {
    if (!sections.contains(section)) continue;
    fmt::print("  {:<44} {:>10} bytes {:>9} tokens\n", section, Grouped(sections[section]),
               Grouped(store::ShareOfTokens(sections[section], opened.bytes, opened.tokens)));
    for (const PromptPart& part : opened.parts) {
      if (part.section != section) continue;
      fmt::print("    {:<42} {:>10} bytes {:>9} tokens\n", part.name, Grouped(part.text.size()),
                 Grouped(store::ShareOfTokens(part.text.size(), opened.bytes, opened.tokens)));
    }
  }
}

json::Array BreakdownJson(const OpenedTrace& opened) {
  json::Array parts;
  for (const PromptPart& part : opened.parts) {
    parts.push_back(json::Object{
        {"section", part.section},
        {"name", part.name},
        {"bytes", part.text.size()},
        {"tokens_by_share", store::ShareOfTokens(part.text.size(), opened.bytes, opened.tokens)}});
  }
  return parts;
}

std::string ReplyText(const json::Value& trace) {
  std::string text;
  const json::Value* reply = json::Find(trace, "reply");
  const json::Array* choices = reply ? json::AsArray(json::Find(*reply, "choices")) : nullptr;
  if (choices == nullptr) return text;
  for (const json::Value& choice : *choices) {
    const json::Array* content = json::AsArray(json::Find(choice, "content"));
    if (content == nullptr) continue;
    for (const json::Value& block : *content) text += json::Write(block) + "\n";
  }
  return text;
}

// What the engine itself said about the prompt; nothing for other servers' answers.
void PrintPromptFacts(const OpenedTrace& opened) {
  const json::Value* told = json::Find(opened.trace, "prompt");
  if (told == nullptr) return;
  const chat::PromptFacts facts = chat::PromptFactsFromJson(*told);
  fmt::print("cache    {} tokens from memory, {} from disk (read in {:.0f} ms), {} computed\n",
             Grouped(facts.from_memory), Grouped(facts.from_disk), facts.restore_ms,
             Grouped(facts.computed));
  if (!facts.divergence) return;
  const chat::Divergence& found = *facts.divergence;
  fmt::print("left     the cached prompt at token {}{}, {} tokens computed again in {}\n",
             Grouped(found.token), found.part.empty() ? "" : " in " + found.part,
             Grouped(found.lost), found.seconds > 0 ? DurationText(found.seconds) : "unknown time");
  fmt::print("  behind  {}\n  cached  {}\n  now     {}\n", json::Quote(found.before),
             json::Quote(found.was), json::Quote(found.now));
}

Status Show(CommandContext& context, const TraceFlags& flags) {
  AC_ASSIGN_OR_RETURN(const OpenedTrace opened, OpenTrace(context.config, flags.id));
  const RequestRow& row = opened.row;
  if (flags.json) {
    json::Object report = RowJson(row);
    report["prompt"] = BreakdownJson(opened);
    if (const json::Value* told = json::Find(opened.trace, "prompt")) report["cache"] = *told;
    fmt::print("{}\n", json::WritePretty(report));
    return OkStatus();
  }
  fmt::print("{}  {}\n", row.trace, row.endpoint);
  fmt::print("mode     {}{}\n", row.mode,
             row.served_by == row.mode ? "" : ", answered by " + row.served_by);
  fmt::print("model    {}\n", row.model);
  if (!row.session.empty()) {
    fmt::print("session  {}{}\n", row.session, row.agent.empty() ? "" : ", agent " + row.agent);
  }
  fmt::print("outcome  {}{}{}\n", row.outcome,
             row.stop_reason.empty() ? "" : ", " + row.stop_reason,
             row.error.empty() ? "" : ": " + row.error);
  fmt::print("tokens   {} computed, {} reused ({}), {} generated\n",
             Grouped(row.input_tokens + row.cache_write), Grouped(row.cache_read), ReuseText(row),
             Grouped(row.output_tokens));
  fmt::print("times    first output {}, prompt {}, total {}\n", Ms(row.first_ms),
             Ms(row.prefill_ms), Ms(row.total_ms));
  fmt::print("cost     {}\n", row.cost ? CostText(*row.cost, 1, 0) : "unknown");
  if (!row.miss_reason.empty()) fmt::print("missed   {}\n", row.miss_reason);
  PrintPromptFacts(opened);
  PrintBreakdown(opened);
  fmt::print("\nreply:\n{}", ReplyText(opened.trace));
  return OkStatus();
}

// What reading the tokens after the divergence again took, at the speed measured in that request.
std::string DivergenceCost(const OpenedTrace& later, int64_t tokens_after) {
  const RequestRow& row = later.row;
  const int64_t computed = row.input_tokens + row.cache_write;
  if (!row.prefill_ms || computed < store::kMinMeasuredTokens) return "unknown";
  return DurationText(*row.prefill_ms / 1000 * static_cast<double>(tokens_after) /
                      static_cast<double>(computed));
}

std::string PartName(const std::vector<PromptPart>& parts, size_t index) {
  if (index >= parts.size()) return "(the prompt ends here)";
  return parts[index].section + ", " + parts[index].name;
}

Status Prefix(CommandContext& context, const TraceFlags& flags) {
  AC_ASSIGN_OR_RETURN(const OpenedTrace a, OpenTrace(context.config, flags.id));
  AC_ASSIGN_OR_RETURN(const OpenedTrace b, OpenTrace(context.config, flags.other));
  const store::Divergence found = store::Compare(a.parts, b.parts);
  const int64_t common = store::ShareOfTokens(found.common_bytes, b.bytes, b.tokens);
  const int64_t after = b.tokens - common;
  const json::Value* told = json::Find(b.trace, "prompt");
  if (flags.json) {
    fmt::print("{}\n", json::WritePretty(json::Object{
                           {"b_cache", told == nullptr ? json::Value(nullptr) : *told},
                           {"identical", found.identical},
                           {"common_bytes", found.common_bytes},
                           {"common_tokens_by_share", common},
                           {"tokens_after", after},
                           {"part_a", PartName(a.parts, found.part)},
                           {"part_b", PartName(b.parts, found.part)},
                           {"offset", found.offset},
                           {"a", found.left},
                           {"b", found.right},
                           {"b_computed_tokens", b.row.input_tokens + b.row.cache_write},
                           {"b_reused_tokens", b.row.cache_read}}));
    return OkStatus();
  }
  if (found.identical) {
    fmt::print("The prompts are identical: {} bytes.\n", Grouped(found.common_bytes));
  } else {
    fmt::print("common   {} bytes, about {} of {} tokens\n", Grouped(found.common_bytes),
               Grouped(common), Grouped(b.tokens));
    fmt::print("differs  in {} at byte {}\n", PartName(b.parts, found.part), found.offset);
    fmt::print("  {}  {}\n", a.row.trace, found.left.empty() ? "(ends)" : json::Quote(found.left));
    fmt::print("  {}  {}\n", b.row.trace,
               found.right.empty() ? "(ends)" : json::Quote(found.right));
    fmt::print("after    about {} tokens; computing them takes {} at the speed of {}\n",
               Grouped(after), DivergenceCost(b, after), b.row.trace);
  }
  fmt::print("measured {} computed {} and reused {} tokens\n", b.row.trace,
             Grouped(b.row.input_tokens + b.row.cache_write), Grouped(b.row.cache_read));
  PrintPromptFacts(b);
  return OkStatus();
}

Status Export(CommandContext& context, const TraceFlags& flags) {
  AC_ASSIGN_OR_RETURN(const OpenedTrace opened, OpenTrace(context.config, flags.id));
  const std::string text = json::WritePretty(opened.trace) + "\n";
  if (!flags.output.empty()) return WriteFileAtomic(FileSystem::Real(), flags.output, text);
  fmt::print("{}", text);
  return OkStatus();
}

}  // namespace

void RegisterTrace(CLI::App& app, Action* chosen) {
  CLI::App* trace = app.add_subcommand("trace", "Recorded requests: list, show, compare, replay");
  trace->require_subcommand(1);
  auto flags = std::make_shared<TraceFlags>();
  const auto add = [&](const char* name, const char* help,
                       Status (*run)(CommandContext&, const TraceFlags&)) {
    return AddCommand(*trace, chosen, name, help,
                      [flags, run](CommandContext& context) { return run(context, *flags); });
  };
  constexpr const char* kId = "Id or its beginning; last: the newest";
  CLI::App* list = add("ls", "The newest requests", &List);
  list->add_option("-n", flags->limit, "How many (20)")->check(CLI::Range(1, 1'000'000));
  list->add_flag("--json", flags->json, "Print JSON");
  CLI::App* show =
      add("show", "One request: tokens by section and tool, times, cost, reply", &Show);
  show->add_option("ID", flags->id, kId)->required();
  show->add_flag("--json", flags->json, "Print JSON");
  CLI::App* prefix = add("prefix", "Where two prompts first differ and what that cost", &Prefix);
  prefix->add_option("A", flags->id, kId)->required();
  prefix->add_option("B", flags->other, kId)->required();
  prefix->add_flag("--json", flags->json, "Print JSON");
  CLI::App* exported = add("export", "The trace as JSON", &Export);
  exported->add_option("ID", flags->id, kId)->required();
  exported->add_option("-o,--output", flags->output, "File; default: standard output");
  RegisterTraceReplay(*trace, chosen);
}

}  // namespace ac::app
