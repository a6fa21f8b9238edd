// Opening a model for a command, and its draft model: path, weights, tokenizer, engine, with what
// the user should know printed on stderr.
#pragma once

#include <memory>
#include <string>

#include "app/config.h"
#include "app/model_path.h"
#include "base/status.h"
#include "engine/engine.h"
#include "engine/loaded_model.h"

namespace ac::app {

struct OpenedModel {
  ResolvedModel resolved;
  std::unique_ptr<engine::LoadedModel> loaded;
  std::unique_ptr<engine::LoadedModel> draft;  // null: none is configured

  // A new engine over this model with the configured KV budget, in memory and (kv.disk) on disk.
  Result<std::unique_ptr<engine::Engine>> MakeEngine(const Config& config) const;
  // One that computes a single prompt: nothing is kept, so exact keys and values cost little.
  Result<std::unique_ptr<engine::Engine>> MakeOneShotEngine(const Config& config) const;
};

Result<OpenedModel> OpenModel(const Config& config, const std::string& requested);

// The tokenizer alone; works on files without weights.
struct OpenedVocabulary {
  std::unique_ptr<weights::ModelFile> file;
  std::unique_ptr<tokenizer::Tokenizer> tokenizer;
};
Result<OpenedVocabulary> OpenVocabulary(const Config& config, const std::string& requested);

}  // namespace ac::app
