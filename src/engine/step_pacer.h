// Learns from finished steps how long a token of prompt takes and how large the next chunk may be.
//
// A chunk that is too long delays cancellations and other streams; one that is too short reads the
// weights too often. What a token costs grows with its depth, because its attention sees everything
// before it, so prices are kept by depth. Values only; the engine thread owns its pacer.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <span>

#include "engine/scheduler.h"

namespace ac::engine {

class StepPacer {
 public:
  // A step with prompts alone aims at `target_seconds`.
  StepPacer(int max_tokens, double target_seconds)
      : max_tokens_(max_tokens), target_seconds_(target_seconds) {}

  // Valid until the next Observe().
  StepLimits Limits() const;
  // After a step that ran this plan in `seconds`.
  void Observe(std::span<const PlannedChunk> plan, double seconds);

 private:
  const int max_tokens_;
  const double target_seconds_;
  PromptPrices alone_;         // in steps that compute prompts only
  PromptPrices mixed_;         // in steps that others' next tokens are part of
  double decode_seconds_ = 0;  // of a step without prompts; 0: none was measured
  int mixed_steps_ = 0;        // since then
};

}  // namespace ac::engine
