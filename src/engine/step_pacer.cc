#include "engine/step_pacer.h"

#include <algorithm>
#include <vector>

namespace ac::engine {
namespace {

// While others stream, a step with a piece of a prompt may take this many times as long as one
// without: a little less than two, so that streams keep half of their own speed.
constexpr double kMixedStretch = 1.85;
// After so many steps with prompts one goes without, to see what it takes now: streams come, go
// and grow. Costs prompts half of this share of their time at most.
constexpr int kMeasureEvery = 40;
constexpr double kNewWeight = 0.3;

}  // namespace

StepLimits StepPacer::Limits() const {
  StepLimits limits;
  limits.max_tokens = max_tokens_;
  limits.alone = {target_seconds_, &alone_};
  const bool measured = decode_seconds_ > 0 && mixed_steps_ < kMeasureEvery;
  limits.mixed = {measured ? kMixedStretch * decode_seconds_ : 0, &mixed_};
  return limits;
}

void StepPacer::Observe(std::span<const PlannedChunk> plan, double seconds) {
  std::vector<PromptPrices::Part> prompts;
  for (const PlannedChunk& chunk : plan) {
    if (chunk.is_prompt) prompts.push_back({chunk.begin, chunk.count});
  }
  if (prompts.empty()) {
    // The first one after a while replaces what streams of another time took.
    const bool stale = decode_seconds_ == 0 || mixed_steps_ >= kMeasureEvery;
    decode_seconds_ = stale ? seconds : (1 - kNewWeight) * decode_seconds_ + kNewWeight * seconds;
    mixed_steps_ = 0;
  } else if (prompts.size() == plan.size()) {
    alone_.Observe(prompts, seconds);
    // No stream is left: the next one is measured before a prompt joins it.
    mixed_steps_ = kMeasureEvery;
  } else {
    mixed_.Observe(prompts, seconds);
    ++mixed_steps_;
  }
}

}  // namespace ac::engine
