// Decides what each step of the engine computes. Pure: values in, a plan out.
//
// Rules, in order:
//   1. Every sequence that is decoding gets its next token in every step: streams never starve.
//   2. What is left of the step's token budget goes to prompts, interactive requests before
//      background ones, then the client that was served least, then first come.
//   3. While somebody is decoding, prompts get at most `mixed_prefill_tokens` per step, so that a
//      long prompt stretches the gaps between another stream's tokens by a bounded time.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace ac::engine {

enum class Priority { kInteractive = 0, kBackground = 1 };

// What the scheduler knows about one admitted sequence.
struct SequenceState {
  uint64_t id = 0;
  int64_t known_tokens = 0;     // prompt plus generated so far
  int64_t computed_tokens = 0;  // of these, with keys and values in the cache
  bool prompt_done = false;     // at least one token was sampled
  Priority priority = Priority::kInteractive;
  int64_t client_tokens = 0;  // tokens computed lately for this sequence's client
};

struct StepLimits {
  int max_tokens = 512;           // in one step
  int mixed_prefill_tokens = 64;  // of these for prompts while others decode
};

struct PlannedChunk {
  uint64_t id = 0;
  int64_t begin = 0;  // first position to compute
  int count = 0;
  bool samples = false;  // the chunk reaches the end of what is known: its last logits are needed
  friend bool operator==(const PlannedChunk&, const PlannedChunk&) = default;
};

// Learns how long a token of prompt takes and sizes steps accordingly: a step that is too long
// delays cancellations and other streams, one that is too short reads the weights too often.
class StepPacer {
 public:
  StepPacer(int max_tokens, double target_seconds)
      : max_tokens_(max_tokens), target_seconds_(target_seconds) {}

  StepLimits Limits() const;
  // After a step that computed `tokens` in `seconds`.
  void Observe(int64_t tokens, double seconds);

 private:
  const int max_tokens_;
  const double target_seconds_;
  double seconds_per_token_ = 0;  // 0: nothing measured yet
};

// `sequences` in order of arrival. Every chunk has count >= 1; an empty plan means nothing to do.
std::vector<PlannedChunk> PlanStep(std::span<const SequenceState> sequences,
                                   const StepLimits& limits);

}  // namespace ac::engine
