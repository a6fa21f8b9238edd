#include "app/open_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "cpu/topology.h"
#include "engine/kv_fingerprint.h"
#include "engine/load_draft.h"
#include "engine/load_tokenizer.h"
#include "obs/log.h"
#include "obs/metrics.h"

namespace ac::app {
namespace {

// An agent's conversation grows to about this many tokens (or to the model's context): a cache that
// holds fewer would forget it while it runs.
constexpr int64_t kUsefulTokens = 65536;

// What kv.type "auto" means when serving: exact enough bf16 where a long conversation fits in it, 8
// bits where it does not. Decided by the machine's memory, not by what is free right now, so that a
// restart finds its pages on disk again.
kv::KvType TypeByMemory(const engine::LoadedModel& model, int64_t budget_bytes) {
  const kv::PageLayout layout = model.model().Layout(kv::KvType::kBF16);
  const int64_t bytes =
      budget_bytes > 0 ? budget_bytes : static_cast<int64_t>(cpu::HostTopology().memory_total / 4);
  const int64_t tokens = std::min(model.context_length(), kUsefulTokens);
  return tokens * static_cast<int64_t>(layout.token_bytes()) <= bytes ? kv::KvType::kBF16
                                                                      : kv::KvType::kQ8;
}

Result<kv::KvType> ParseKvType(const std::string& text, kv::KvType automatic) {
  if (text == "auto") return automatic;
  if (text == "bf16") return kv::KvType::kBF16;
  if (text == "q8") return kv::KvType::kQ8;
  if (text == "f32") return kv::KvType::kF32;
  return InvalidArgument("[config] kv.type takes auto, bf16, q8 or f32, not \"" + text + "\"");
}

// `automatic`: the element type that kv.type "auto" means; none: by memory.
Result<kv::PagePool> MakePages(const engine::LoadedModel& model, const Config& config,
                               std::optional<kv::KvType> automatic) {
  engine::KvBudget budget;
  budget.bytes = config.Integer("kv.memory_mb") << 20;
  const kv::KvType by_default = automatic ? *automatic : TypeByMemory(model, budget.bytes);
  AC_ASSIGN_OR_RETURN(budget.type, ParseKvType(config.Text("kv.type"), by_default));
  return model.MakePages(budget);
}

Result<engine::EngineOptions> EngineOptionsFrom(const Config& config, engine::LoadedModel* draft) {
  engine::EngineOptions options;
  options.metrics = &obs::Metrics::Default();
  options.queue_timeout_seconds = static_cast<double>(config.Integer("engine.queue_timeout_s"));
  options.request_timeout_seconds = static_cast<double>(config.Integer("engine.request_timeout_s"));
  const std::string& speculation = config.Text("speculation");
  if (speculation == "auto") {
    options.speculation = engine::Speculation::kAuto;
  } else if (speculation == "ngram") {
    options.speculation = engine::Speculation::kNgram;
  } else if (speculation == "draft") {
    if (draft == nullptr) {
      return InvalidArgument("[config] speculation draft needs a draft_model (--draft-model FILE)");
    }
    options.speculation = engine::Speculation::kDraft;
  } else if (speculation == "off") {
    options.speculation = engine::Speculation::kOff;
  } else {
    return InvalidArgument("[config] speculation takes auto, ngram, draft or off, not \"" +
                           speculation + "\"");
  }
  if (draft != nullptr) {
    AC_ASSIGN_OR_RETURN(options.draft, engine::MakeDraftModel(*draft));
  }
  return options;
}

}  // namespace

Result<OpenedModel> OpenModel(const Config& config, const std::string& requested) {
  OpenedModel opened;
  AC_ASSIGN_OR_RETURN(opened.resolved, ResolveModel(config, requested, FileSystem::Real()));
  const char* isa = std::getenv("ANYCLAUDE_ISA");
  engine::LoadOptions options;
  options.threads = static_cast<int>(config.Integer("threads"));
  options.isa = isa == nullptr ? "" : isa;
  options.context_length = config.Integer("context");
  AC_ASSIGN_OR_RETURN(opened.loaded, engine::LoadedModel::Load(opened.resolved.path, options));
  const std::string warning =
      weights::MemoryWarning(opened.loaded->file(), cpu::HostTopology().memory_available);
  if (!warning.empty()) fmt::print(stderr, "warning: {}\n", warning);
  if (!config.Text("draft_model").empty()) {
    AC_ASSIGN_OR_RETURN(const ResolvedModel draft,
                        ResolveModel(config, config.Text("draft_model"), FileSystem::Real()));
    options.context_length = 0;
    AC_ASSIGN_OR_RETURN(opened.draft, engine::LoadDraft(draft.path, options, *opened.loaded));
  }
  return opened;
}

Result<std::unique_ptr<engine::Engine>> OpenedModel::MakeEngine(const Config& config) const {
  AC_ASSIGN_OR_RETURN(kv::PagePool pages, MakePages(*loaded, config, std::nullopt));
  AC_ASSIGN_OR_RETURN(engine::EngineOptions options, EngineOptionsFrom(config, draft.get()));
  const int64_t megabytes = config.Integer("kv.disk_mb");
  if (config.Boolean("kv.disk") && megabytes > 0) {
    Result<std::shared_ptr<kv::DiskStore>> disk = engine::OpenDiskStore(
        *loaded, pages, config.HomePath("kv"), static_cast<uint64_t>(megabytes) << 20);
    if (disk.ok()) {
      options.disk = std::move(disk).value();
    } else {
      // Serving matters more than what it could save.
      obs::Warn("kv", "the cache is not kept on disk", {{"why", disk.status().message()}});
    }
  }
  return std::make_unique<engine::Engine>(*loaded, loaded->tokenizer(), std::move(pages), options);
}

Result<std::unique_ptr<engine::Engine>> OpenedModel::MakeOneShotEngine(const Config& config) const {
  AC_ASSIGN_OR_RETURN(kv::PagePool pages, MakePages(*loaded, config, kv::KvType::kF32));
  AC_ASSIGN_OR_RETURN(const engine::EngineOptions options, EngineOptionsFrom(config, draft.get()));
  return std::make_unique<engine::Engine>(*loaded, loaded->tokenizer(), std::move(pages), options);
}

Result<OpenedVocabulary> OpenVocabulary(const Config& config, const std::string& requested) {
  AC_ASSIGN_OR_RETURN(const ResolvedModel resolved,
                      ResolveModel(config, requested, FileSystem::Real()));
  OpenedVocabulary opened;
  AC_ASSIGN_OR_RETURN(opened.file,
                      weights::ModelFile::Open(resolved.path, weights::OpenScope::kVocabulary));
  AC_ASSIGN_OR_RETURN(opened.tokenizer, engine::LoadTokenizer(*opened.file));
  return opened;
}

}  // namespace ac::app
