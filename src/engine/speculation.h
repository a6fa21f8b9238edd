// Guesses the next tokens of sequences that decode, so that one step can compute several.
//
// Lossless: every token is still chosen by the sequence's own sampler from the model's own logits;
// a guess only decides whether the logits behind it were computed already. Logits have the same
// bits in any batch (docs/adr/0007-batch-invariance.md) and the random draw depends on the position
// alone, so the text is the same with and without guesses (docs/adr/0013-speculation.md).
//
// Guesses come from what followed the same tokens earlier in the sequence, and where that is silent
// from a draft model, if there is one and as long as it pays (docs/adr/0039-draft-model.md). Owned
// and called by the engine thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/scheduler.h"
#include "speculation/draft_control.h"
#include "speculation/draft_model.h"

namespace ac::engine {

struct Sequence;

enum class Speculation : uint8_t {
  kOff,
  kNgram,  // what followed the same tokens earlier in the conversation
  kDraft,  // a draft model alone
  kAuto,   // every source there is
};

class Speculator {
 public:
  // `draft` may be null.
  Speculator(Speculation mode, std::shared_ptr<speculation::DraftModel> draft)
      : mode_(mode), draft_(std::move(draft)) {}

  // Sets draft.guesses and draft.chosen of each; none for those that do not decode.
  void Guess(std::span<Sequence* const> running);
  // The sequence's tokens from `first` on are new since Guess(): was it right?
  void Judge(Sequence& sequence, int64_t first);
  // After a step; only those without prompts say what guesses cost.
  void Observe(std::span<const PlannedChunk> plan, double seconds);
  // The sequence left the running ones.
  void End(const Sequence& sequence);
  Status CheckIntegrity() const;

 private:
  void GuessFromContext(Sequence& sequence);
  void GuessFromModel(std::span<Sequence* const> decoding);
  // How many guesses to ask the draft model for; whether that is only a try.
  int DraftLength(std::span<Sequence* const> asking, size_t decoding, bool* a_try);

  const Speculation mode_;
  std::shared_ptr<speculation::DraftModel> draft_;  // null: none, or it failed
  speculation::DraftCosts costs_;
};

}  // namespace ac::engine
