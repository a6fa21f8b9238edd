// anyclaude cache: what the KV cache keeps on disk, and filling it ahead of time.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <ctime>

#include "app/commands/all.h"
#include "app/open_model.h"
#include "app/warm.h"
#include "backend/local_backend.h"
#include "json/json.h"
#include "kv/disk_folder.h"
#include "prompt/prompt_builder.h"

namespace ac::app {
namespace {

struct CacheFlags {
  std::string model;
  std::string request;
  bool json = false;
  bool yes = false;
};

constexpr double kMiB = 1 << 20;

std::string Root(const CommandContext& context) { return context.config.HomePath("kv"); }

// A page at a marked place counts as used until its time is over: no use lies in the future.
std::string TimeText(int64_t seconds) {
  if (seconds == 0) return "-";
  const std::time_t time = std::min<std::time_t>(seconds, std::time(nullptr));
  std::tm local = {};
  ::localtime_r(&time, &local);
  return fmt::format("{:%Y-%m-%d %H:%M}", local);
}

// "model: qwen.gguf" -> "qwen.gguf".
std::string ModelOf(const kv::FolderReport& report) {
  constexpr std::string_view kKey = "model: ";
  const size_t at = report.about.find(kKey);
  if (at == std::string::npos) return report.current ? "unknown" : "(another version)";
  const size_t begin = at + kKey.size();
  return report.about.substr(begin, report.about.find('\n', begin) - begin);
}

json::Value ToJson(const std::vector<kv::FolderReport>& reports) {
  json::Array folders;
  for (const kv::FolderReport& report : reports) {
    folders.push_back(json::Object{{"fingerprint", report.name},
                                   {"model", ModelOf(report)},
                                   {"current", report.current},
                                   {"pages", report.files},
                                   {"bytes", report.bytes},
                                   {"tokens", report.tokens},
                                   {"states", report.states},
                                   {"damaged", report.damaged},
                                   {"unreachable", report.unreachable},
                                   {"last_use", report.last_use_s}});
  }
  return json::Object{{"folders", std::move(folders)}};
}

Status List(CommandContext& context, const CacheFlags& flags) {
  AC_ASSIGN_OR_RETURN(const auto reports, kv::CheckFolders(FileSystem::Real(), Root(context),
                                                           kv::FolderCheck::kHeaders));
  if (flags.json) {
    fmt::print("{}\n", json::Write(ToJson(reports)));
    return OkStatus();
  }
  if (reports.empty()) fmt::print("nothing is cached in {}\n", Root(context));
  for (const kv::FolderReport& report : reports) {
    fmt::print("{}  {:>9} tokens  {:>8} pages  {:>10.1f} MiB  last used {}  {}\n",
               report.name.substr(0, 12), report.tokens, report.files,
               static_cast<double>(report.bytes) / kMiB, TimeText(report.last_use_s),
               ModelOf(report));
  }
  return OkStatus();
}

Status ShowStats(CommandContext& context, const CacheFlags& flags) {
  AC_ASSIGN_OR_RETURN(const auto reports, kv::CheckFolders(FileSystem::Real(), Root(context),
                                                           kv::FolderCheck::kHeaders));
  kv::FolderReport total;
  for (const kv::FolderReport& report : reports) {
    total.files += report.files;
    total.bytes += report.bytes;
    total.tokens += report.tokens;
    total.damaged += report.damaged;
    total.unreachable += report.unreachable;
  }
  const uint64_t budget = static_cast<uint64_t>(context.config.Integer("kv.disk_mb")) << 20;
  if (flags.json) {
    fmt::print("{}\n", json::Write(json::Object{{"models", reports.size()},
                                                {"pages", total.files},
                                                {"bytes", total.bytes},
                                                {"tokens", total.tokens},
                                                {"damaged", total.damaged},
                                                {"unreachable", total.unreachable},
                                                {"budget_bytes_per_model", budget},
                                                {"folder", Root(context)}}));
    return OkStatus();
  }
  fmt::print("{} models, {} tokens in {} pages, {:.1f} MiB in {}\n", reports.size(), total.tokens,
             total.files, static_cast<double>(total.bytes) / kMiB, Root(context));
  fmt::print("each model may use {:.0f} MiB (kv.disk_mb)\n", static_cast<double>(budget) / kMiB);
  if (total.damaged + total.unreachable > 0) {
    fmt::print("{} damaged and {} unreachable pages: anyclaude cache verify removes them\n",
               total.damaged, total.unreachable);
  }
  return OkStatus();
}

Status Verify(CommandContext& context, const CacheFlags& flags) {
  AC_ASSIGN_OR_RETURN(const auto reports, kv::CheckFolders(FileSystem::Real(), Root(context),
                                                           kv::FolderCheck::kRepair));
  if (flags.json) {
    fmt::print("{}\n", json::Write(ToJson(reports)));
    return OkStatus();
  }
  for (const kv::FolderReport& report : reports) {
    fmt::print("{}  {}: {} good pages, removed {} damaged and {} unreachable{}\n",
               report.name.substr(0, 12), ModelOf(report), report.files, report.damaged,
               report.unreachable, report.current ? "" : "; of another version: all removed");
  }
  if (reports.empty()) fmt::print("nothing is cached in {}\n", Root(context));
  return OkStatus();
}

Status Clear(CommandContext& context, const CacheFlags& flags) {
  if (!flags.yes) {
    return InvalidArgument("[cache] this removes every cached prefix of every model in " +
                           Root(context) + "; say so with --yes");
  }
  AC_ASSIGN_OR_RETURN(const uint64_t freed, kv::ClearFolders(FileSystem::Real(), Root(context)));
  fmt::print("removed {:.1f} MiB\n", static_cast<double>(freed) / kMiB);
  return OkStatus();
}

Status Warm(CommandContext& context, const CacheFlags& flags) {
  AC_ASSIGN_OR_RETURN(const OpenedModel opened, OpenModel(context.config, flags.model));
  const weights::TokenizerSource& source = opened.loaded->file().tokenizer_source();
  AC_ASSIGN_OR_RETURN(
      auto prompts, prompt::PromptBuilder::Create(opened.loaded->tokenizer(), source.chat_template,
                                                  source.tool_use_template));
  // Pages are those of `serve` only with the same element type, which is the default here too.
  AC_ASSIGN_OR_RETURN(auto engine, opened.MakeEngine(context.config));
  chat::Usage usage;
  {
    backend::LocalOptions local;
    local.model_id = opened.resolved.name;
    backend::LocalBackend backend(*engine, opened.loaded->tokenizer(), std::move(prompts), local);
    AC_ASSIGN_OR_RETURN(usage, WarmPrompt(context.config, backend, flags.request));
  }
  engine.reset();  // waits for the pages to be written
  fmt::print("{} prompt tokens, {} of them cached before; kept in {}\n", usage.PromptTokens(),
             usage.cache_read, Root(context));
  return OkStatus();
}

CLI::App* AddSubcommand(CLI::App& parent, Action* chosen, const std::string& name,
                        const std::string& help, const std::shared_ptr<CacheFlags>& flags,
                        Status (*run)(CommandContext&, const CacheFlags&)) {
  return AddCommand(parent, chosen, name, help,
                    [flags, run](CommandContext& context) { return run(context, *flags); });
}

}  // namespace

void RegisterCache(CLI::App& app, Action* chosen) {
  CLI::App* cache = app.add_subcommand("cache", "The KV cache on disk");
  cache->require_subcommand(1);
  auto flags = std::make_shared<CacheFlags>();
  CLI::App* list = AddSubcommand(*cache, chosen, "ls", "What is cached, by model", flags, &List);
  CLI::App* stats = AddSubcommand(*cache, chosen, "stats", "Totals and limits", flags, &ShowStats);
  CLI::App* verify = AddSubcommand(*cache, chosen, "verify",
                                   "Read everything and remove what is damaged", flags, &Verify);
  for (CLI::App* command : {list, stats, verify}) {
    command->add_flag("--json", flags->json, "Print JSON");
  }
  AddSubcommand(*cache, chosen, "clear", "Remove everything cached", flags, &Clear)
      ->add_flag("--yes", flags->yes, "Really remove it");
  CLI::App* warm = AddSubcommand(*cache, chosen, "warm",
                                 "Compute the prompt of a request and keep it", flags, &Warm);
  AddModelOption(warm, &flags->model);
  warm->add_option("request", flags->request, "JSON body of an Anthropic or OpenAI request")
      ->required();
}

}  // namespace ac::app
