#include "engine/speculation.h"

#include <algorithm>

#include "engine/internal/sequence.h"

namespace ac::engine {
namespace {

// Guesses looked up for one sequence. More hardly ever pay: the chance that all are right falls
// while the cost rises.
constexpr int64_t kMaxGuesses = 24;
// Tokens of all sequences in a step with guesses.
constexpr int kMaxStepTokens = 64;

// Guesses that the reply's grammar refuses are wrong whatever the model says.
void KeepAllowed(Sequence& sequence) {
  if (sequence.constraint == nullptr) return;
  std::vector<TokenId>& guesses = sequence.draft.guesses;
  size_t allowed = 0;
  while (allowed < guesses.size() && sequence.constraint->Accept(guesses[allowed])) ++allowed;
  sequence.constraint->Rollback(static_cast<int>(allowed));
  guesses.resize(allowed);
}

}  // namespace

void Speculator::GuessFromContext(Sequence& sequence) {
  speculation::Draft& draft = sequence.draft;
  draft.index.Extend(sequence.tokens);
  const speculation::NgramIndex::Match match = draft.index.Find(sequence.tokens);
  draft.agreement = match.length;
  if (match.length == 0) return;
  // The last token of a reply is never fed back, so guessing it or more is of no use.
  const int64_t room = sequence.max_outputs - sequence.outputs - 1;
  const int64_t count = std::min({kMaxGuesses, room, sequence.known() - match.next});
  if (count <= 0) return;
  const auto from = sequence.tokens.begin() + match.next;
  draft.guesses.assign(from, from + count);
}

void Speculator::Guess(std::span<Sequence* const> running) {
  std::vector<Sequence*> decoding;
  std::vector<speculation::GuessProbabilities> probabilities;
  for (Sequence* sequence : running) {
    speculation::Draft& draft = sequence->draft;
    draft.guesses.clear();
    draft.chosen = 0;
    if (!sequence->can_guess()) continue;
    if (mode_ != Speculation::kOff) GuessFromContext(*sequence);
    KeepAllowed(*sequence);
    decoding.push_back(sequence);
    speculation::GuessProbabilities& row = probabilities.emplace_back();
    for (size_t i = 0; i < draft.guesses.size(); ++i) {
      row.push_back(draft.acceptance.Probability(draft.agreement + static_cast<int>(i)));
    }
  }
  const std::vector<int> lengths =
      speculation::ChooseDraftLengths(probabilities, costs_, kMaxStepTokens);
  for (size_t i = 0; i < decoding.size(); ++i) decoding[i]->draft.chosen = lengths[i];
}

void Speculator::Judge(Sequence& sequence, int64_t first) {
  speculation::Draft& draft = sequence.draft;
  const auto fresh = std::span(sequence.tokens).subspan(static_cast<size_t>(first));
  for (size_t i = 0; i < std::min(fresh.size(), draft.guesses.size()); ++i) {
    const bool right = fresh[i] == draft.guesses[i];
    draft.acceptance.Observe(draft.agreement + static_cast<int>(i), right);
    if (!right) break;
  }
}

void Speculator::Observe(std::span<const PlannedChunk> plan, double seconds) {
  int tokens = 0;
  for (const PlannedChunk& chunk : plan) {
    if (chunk.is_prompt) return;
    tokens += chunk.count;
  }
  costs_.Observe(tokens, seconds);
}

}  // namespace ac::engine
