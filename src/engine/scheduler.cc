#include "engine/scheduler.h"

#include <algorithm>
#include <tuple>

namespace ac::engine {
namespace {

PlannedChunk ChunkOf(const SequenceState& sequence, int64_t budget) {
  const int64_t missing = sequence.known_tokens - sequence.computed_tokens;
  const int64_t count = std::min(missing, budget);
  return {sequence.id, sequence.computed_tokens, static_cast<int>(count), count == missing};
}

// Below this a step costs about as much as it reads weights, whatever it computes.
constexpr int kMinStepTokens = 16;
// Small steps say more about fixed costs than about the price of a token.
constexpr int kMinObservedTokens = 8;
// Share of a step that prompts may take from others' streams.
constexpr int kMixedShare = 4;

}  // namespace

StepLimits StepPacer::Limits() const {
  // Until something was measured, start small: the first step also finds the speed.
  int tokens = std::min(max_tokens_, 64);
  if (seconds_per_token_ > 0) {
    const double fitting = target_seconds_ / seconds_per_token_;
    tokens = static_cast<int>(
        std::clamp(fitting, double{kMinStepTokens}, static_cast<double>(max_tokens_)));
  }
  return {.max_tokens = tokens,
          .mixed_prefill_tokens = std::max(kMinStepTokens, tokens / kMixedShare)};
}

void StepPacer::Observe(int64_t tokens, double seconds) {
  if (tokens < kMinObservedTokens) return;
  const double now = seconds / static_cast<double>(tokens);
  seconds_per_token_ = seconds_per_token_ == 0 ? now : 0.5 * seconds_per_token_ + 0.5 * now;
}

std::vector<PlannedChunk> PlanStep(std::span<const SequenceState> sequences,
                                   const StepLimits& limits) {
  std::vector<PlannedChunk> plan;
  std::vector<const SequenceState*> prompts;
  int64_t budget = limits.max_tokens;
  for (const SequenceState& sequence : sequences) {
    if (sequence.known_tokens <= sequence.computed_tokens) continue;
    if (!sequence.prompt_done) {
      prompts.push_back(&sequence);
      continue;
    }
    plan.push_back(ChunkOf(sequence, std::max<int64_t>(budget, 1)));
    budget -= plan.back().count;
  }
  if (!plan.empty()) budget = std::min<int64_t>(budget, limits.mixed_prefill_tokens);
  // `prompts` points into `sequences`, so the address is the order of arrival.
  std::sort(prompts.begin(), prompts.end(), [](const SequenceState* a, const SequenceState* b) {
    return std::tie(a->priority, a->client_tokens, a) < std::tie(b->priority, b->client_tokens, b);
  });
  for (const SequenceState* sequence : prompts) {
    if (budget <= 0) break;
    plan.push_back(ChunkOf(*sequence, budget));
    budget -= plan.back().count;
  }
  return plan;
}

}  // namespace ac::engine
