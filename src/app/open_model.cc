#include "app/open_model.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>

#include "cpu/topology.h"
#include "engine/load_tokenizer.h"

namespace ac::app {
namespace {

Result<kv::KvType> ParseKvType(const std::string& text, kv::KvType automatic) {
  if (text == "auto") return automatic;
  if (text == "bf16") return kv::KvType::kBF16;
  if (text == "f32") return kv::KvType::kF32;
  return InvalidArgument("[config] kv.type takes auto, bf16 or f32, not \"" + text + "\"");
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
  return opened;
}

Result<std::unique_ptr<engine::Engine>> OpenedModel::MakeEngine(const Config& config,
                                                                kv::KvType automatic) const {
  engine::KvBudget budget;
  AC_ASSIGN_OR_RETURN(budget.type, ParseKvType(config.Text("kv.type"), automatic));
  budget.bytes = config.Integer("kv.memory_mb") << 20;
  AC_ASSIGN_OR_RETURN(kv::PagePool pages, loaded->MakePages(budget));
  return std::make_unique<engine::Engine>(*loaded, loaded->tokenizer(), std::move(pages),
                                          engine::EngineOptions{});
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
