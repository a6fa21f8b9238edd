#include "engine/scheduler.h"

#include <algorithm>
#include <tuple>

namespace ac::engine {
namespace {

// A smaller piece of a prompt costs about as much: it reads all weights.
constexpr int64_t kMinPromptTokens = 8;

PlannedChunk DecodeChunk(const SequenceState& sequence) {
  const int64_t missing = sequence.known_tokens - sequence.computed_tokens;
  return {.id = sequence.id,
          .begin = sequence.computed_tokens,
          .count = static_cast<int>(missing) + sequence.drafted_tokens,
          .samples = true,
          .is_prompt = false,
          .drafted = sequence.drafted_tokens};
}

PlannedChunk PromptChunk(const SequenceState& sequence, int64_t most) {
  const int64_t missing = sequence.known_tokens - sequence.computed_tokens;
  const int64_t count = std::min(missing, most);
  return {.id = sequence.id,
          .begin = sequence.computed_tokens,
          .count = static_cast<int>(count),
          .samples = count == missing,
          .is_prompt = true,
          .drafted = 0};
}

}  // namespace

std::vector<PlannedChunk> PlanStep(std::span<const SequenceState> sequences,
                                   const StepLimits& limits) {
  std::vector<PlannedChunk> plan;
  std::vector<const SequenceState*> prompts;
  int64_t tokens = limits.max_tokens;
  for (const SequenceState& sequence : sequences) {
    if (sequence.known_tokens <= sequence.computed_tokens) continue;
    if (sequence.decoding()) {
      plan.push_back(DecodeChunk(sequence));
      tokens -= plan.back().count;
    } else {
      prompts.push_back(&sequence);
    }
  }
  // `prompts` points into `sequences`, so the address is the order of arrival.
  std::sort(prompts.begin(), prompts.end(), [](const SequenceState* a, const SequenceState* b) {
    return std::tie(a->priority, a->client_tokens, a) < std::tie(b->priority, b->client_tokens, b);
  });
  const PromptShare& share = plan.empty() ? limits.alone : limits.mixed;
  double seconds = share.seconds;
  if (seconds <= 0) return plan;
  for (const SequenceState* sequence : prompts) {
    if (tokens <= 0) break;
    int64_t most = tokens;
    if (share.prices != nullptr) {
      const int64_t fitting = share.prices->Fitting(sequence->computed_tokens, seconds);
      const bool first = seconds == share.seconds;
      if (fitting < kMinPromptTokens && !first) break;
      most = std::min(most, std::max(fitting, kMinPromptTokens));
    }
    plan.push_back(PromptChunk(*sequence, most));
    tokens -= plan.back().count;
    if (share.prices != nullptr) {
      seconds -=
          static_cast<double>(plan.back().count) * share.prices->At(sequence->computed_tokens);
    }
  }
  return plan;
}

bool AdmittedBefore(const WaitingState& a, const WaitingState& b) {
  return std::tie(a.priority, a.client_running, a.id) <
         std::tie(b.priority, b.client_running, b.id);
}

}  // namespace ac::engine
