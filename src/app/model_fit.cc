#include "app/model_fit.h"

#include <algorithm>

#include "bench/workload.h"

namespace ac::app {
namespace {

// Claude Code's first prompt with room for a few turns.
constexpr uint64_t kConversationTokens = 32'768;

// Shares of the peak that were measured (docs/benchmarks.md, "Shares of the peak").
constexpr double kReadShare = 0.6;
constexpr double kProductShare = 0.5;
constexpr double kAttentionShare = 0.6;

constexpr double kPromptTokens = 4096;
constexpr double kAgentTokens = 18490;

// A token looks back at half of the prompt on average, or at the model's window. What does not
// depend on the model's size, a thread waking or a sampler, is not in it, so very small models are
// slower than this.
double PrefillSeconds(const weights::ModelFile& model, const bench::Peak& peak, double tokens) {
  const bench::Workload work = bench::WorkloadOf(model);
  const double products = (work.quantised ? peak.byte_gops : peak.float_gflops) * 1e9;
  const int window = model.config().sliding_window;
  const double seen = window > 0 ? std::min<double>(window, tokens / 2) : tokens / 2;
  return tokens * work.layer_flops / (products * kProductShare) +
         tokens * seen * work.attention_flops / (peak.float_gflops * 1e9 * kAttentionShare);
}

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
          ? std::min<uint64_t>(kConversationTokens, static_cast<uint64_t>(config.context_length))
          : kConversationTokens;
  fit.context_bytes = weights::Summarize(model).kv_bytes_per_token * tokens;
  fit.fits = fit.weight_bytes + fit.context_bytes <= memory_bytes;
  return fit;
}

ExpectedSpeed ExpectSpeed(const weights::ModelFile& model, const bench::Peak& peak) {
  const bench::Workload work = bench::WorkloadOf(model);
  const double bytes = std::max(work.layer_bytes + work.head_bytes, 1.0);
  return {.decode_tokens_per_s = peak.read_gb_per_s * 1e9 * kReadShare / bytes,
          .prefill_tokens_per_s = kPromptTokens / PrefillSeconds(model, peak, kPromptTokens),
          .agent_prompt_s = PrefillSeconds(model, peak, kAgentTokens)};
}

}  // namespace ac::app
