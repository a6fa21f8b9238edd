// Whether a model fits this machine, and how fast it can decode at best.
//
// Decoding reads every active weight once per token, so memory bandwidth over active bytes is a
// ceiling that no program passes; what is reached is measured with `bench decode`.
#pragma once

#include <cstdint>

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

}  // namespace ac::app
