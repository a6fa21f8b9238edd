// Decides what each step of the engine computes. Pure: values in, a plan out.
//
// Rules, in order:
//   1. Every sequence that is decoding gets its next token, and what was drafted behind it, in
//      every step: streams never starve.
//   2. What is left of the step's budget goes to prompts, interactive requests before background
//      ones, then the client that was served least, then first come.
//   3. While somebody is decoding, prompts get only as much as the mixed share's time allows, so
//      that a long prompt stretches the gaps between another stream's tokens by a bounded time.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/prompt_prices.h"

namespace ac::engine {

enum class Priority { kInteractive = 0, kBackground = 1 };

// What the scheduler knows about one admitted sequence.
struct SequenceState {
  uint64_t id = 0;
  int64_t known_tokens = 0;     // prompt plus generated so far
  int64_t computed_tokens = 0;  // of these, with keys and values in the cache
  int drafted_tokens = 0;       // guessed behind the known ones
  bool prompt_done = false;     // at least one token was sampled
  Priority priority = Priority::kInteractive;
  int64_t client_tokens = 0;  // tokens computed lately for this sequence's client

  // A grammar may append a few tokens at once; what a preemption lost is computed like a prompt.
  static constexpr int64_t kMostDecoded = 64;
  bool decoding() const { return prompt_done && known_tokens - computed_tokens <= kMostDecoded; }
};

// Time that prompts may take in one step, and what it buys.
struct PromptShare {
  double seconds = 1e9;
  const PromptPrices* prices = nullptr;  // null: time does not matter
};

struct StepLimits {
  int max_tokens = 512;  // in one step
  PromptShare alone;
  PromptShare mixed;  // while others decode; no seconds: no prompts
};

struct PlannedChunk {
  uint64_t id = 0;
  int64_t begin = 0;  // first position to compute
  int count = 0;
  bool samples = false;    // the chunk reaches the end of what is known: its logits are needed
  bool is_prompt = false;  // many tokens, in no hurry
  int drafted = 0;         // of `count`: guessed tokens at the end
  friend bool operator==(const PlannedChunk&, const PlannedChunk&) = default;
};

// `sequences` in order of arrival. Every chunk has count >= 1; an empty plan means nothing to do.
std::vector<PlannedChunk> PlanStep(std::span<const SequenceState> sequences,
                                   const StepLimits& limits);

// A request that waits for a place among the running ones.
struct WaitingState {
  uint64_t id = 0;
  Priority priority = Priority::kInteractive;
  int client_running = 0;  // sequences of its client that run already
};

// Whether `a` is admitted before `b`: interactive first, then the client with the fewest running
// sequences, then first come.
bool AdmittedBefore(const WaitingState& a, const WaitingState& b);

}  // namespace ac::engine
