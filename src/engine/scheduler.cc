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

}  // namespace

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
  std::stable_sort(prompts.begin(), prompts.end(),
                   [](const SequenceState* a, const SequenceState* b) {
                     return std::tie(a->priority, a->client_tokens) <
                            std::tie(b->priority, b->client_tokens);
                   });
  for (const SequenceState* sequence : prompts) {
    if (budget <= 0) break;
    plan.push_back(ChunkOf(*sequence, budget));
    budget -= plan.back().count;
  }
  return plan;
}

}  // namespace ac::engine
