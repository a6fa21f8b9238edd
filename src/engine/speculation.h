// Guesses the next tokens of sequences that decode, so that one step can compute several.
//
// Lossless: every token is still chosen by the sequence's own sampler from the model's own logits;
// a guess only decides whether the logits behind it were computed already. Logits have the same
// bits in any batch (docs/adr/0007-batch-invariance.md) and the random draw depends on the position
// alone, so the text is the same with and without guesses (docs/adr/0013-speculation.md).
//
// Owned and called by the engine thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/scheduler.h"
#include "speculation/draft_control.h"

namespace ac::engine {

struct Sequence;

enum class Speculation : uint8_t {
  kOff,
  kNgram,  // what followed the same tokens earlier in the conversation
  kAuto,   // every source there is
};

class Speculator {
 public:
  explicit Speculator(Speculation mode) : mode_(mode) {}

  // Sets draft.guesses and draft.chosen of each; none for those that do not decode.
  void Guess(std::span<Sequence* const> running);
  // The sequence's tokens from `first` on are new since Guess(): was it right?
  void Judge(Sequence& sequence, int64_t first);
  // After a step; only those without prompts say what guesses cost.
  void Observe(std::span<const PlannedChunk> plan, double seconds);

 private:
  void GuessFromContext(Sequence& sequence);

  const Speculation mode_;
  speculation::DraftCosts costs_;
};

}  // namespace ac::engine
