#include "app/model_fit.h"

#include <algorithm>

namespace ac::app {
namespace {

// Claude Code's first prompt with room for a few turns.
constexpr uint64_t kAgentTokens = 32'768;

}  // namespace

ModelFit FitModel(const weights::ModelFile& model, uint64_t memory_bytes) {
  const weights::ModelConfig& config = model.config();
  ModelFit fit;
  const bool tied = model.Find("output.weight") == nullptr;
  for (const weights::Tensor& tensor : model.tensors()) {
    fit.weight_bytes += tensor.bytes;
    // One row of the embedding is looked up; a tied one is read whole as the output matrix.
    if (tensor.name == "token_embd.weight" && !tied) continue;
    const bool experts = tensor.n_dims == 3 && config.n_experts > 0;
    fit.active_bytes += experts ? tensor.bytes * static_cast<uint64_t>(config.n_experts_used) /
                                      static_cast<uint64_t>(config.n_experts)
                                : tensor.bytes;
  }
  const uint64_t tokens =
      config.context_length > 0
          ? std::min<uint64_t>(kAgentTokens, static_cast<uint64_t>(config.context_length))
          : kAgentTokens;
  fit.context_bytes = weights::Summarize(model).kv_bytes_per_token * tokens;
  fit.fits = fit.weight_bytes + fit.context_bytes <= memory_bytes;
  return fit;
}

}  // namespace ac::app
