// Whether a model fits this machine, and how fast it will probably be.
//
// Decoding reads every active weight once per token, so memory bandwidth over active bytes is a
// ceiling that no program passes. What to expect is what a machine can do at most, measured now,
// times the share of it that this engine reached where it was measured (docs/benchmarks.md): an
// estimate for choosing a model. What is reached is measured with `bench prefill` and `decode`.
#pragma once

#include <cstdint>

#include "bench/peak.h"
#include "weights/model_file.h"

namespace ac::app {

struct ModelFit {
  uint64_t weight_bytes = 0;
  uint64_t active_bytes = 0;   // of these, read for each token
  uint64_t context_bytes = 0;  // KV cache of an agent's usual conversation
  bool fits = false;
};

// `memory_bytes`: what is there for weights and cache.
ModelFit FitModel(const weights::ModelFile& model, uint64_t memory_bytes);

struct ExpectedSpeed {
  double decode_tokens_per_s = 0;   // one conversation, at its beginning
  double prefill_tokens_per_s = 0;  // of a prompt of 4,096 tokens
  double agent_prompt_s = 0;        // for the first 18,490 tokens, nothing cached
};

ExpectedSpeed ExpectSpeed(const weights::ModelFile& model, const bench::Peak& peak);

}  // namespace ac::app
