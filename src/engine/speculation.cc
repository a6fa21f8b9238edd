#include "engine/speculation.h"

#include <algorithm>

#include "engine/internal/sequence.h"
#include "obs/log.h"

namespace ac::engine {
namespace {

using speculation::Draft;

// Guesses looked up for one sequence. More hardly ever pay: the chance that all are right falls
// while the cost rises.
constexpr int64_t kMaxGuesses = 24;
// A draft model is asked for fewer, because each of them costs.
constexpr int kMaxModelGuesses = 8;
// Asked for now and then, to see whether it would pay.
constexpr int kTryGuesses = 2;
// Tokens of all sequences in a step with guesses.
constexpr int kMaxStepTokens = 64;
// Text that agrees with earlier text for so long is copied from there: no model guesses better, and
// none is as cheap.
constexpr int kLongAgreement = 8;

// The last token of a reply is never fed back, so guessing it or more is of no use.
int64_t UsefulGuesses(const Sequence& sequence) {
  return sequence.max_outputs - sequence.outputs - 1;
}

// Guesses that the reply's grammar refuses are wrong whatever the model says.
void KeepAllowed(Sequence& sequence) {
  if (sequence.constraint == nullptr) return;
  std::vector<TokenId>& guesses = sequence.draft.guesses;
  size_t allowed = 0;
  while (allowed < guesses.size() && sequence.constraint->Accept(guesses[allowed])) ++allowed;
  sequence.constraint->Rollback(static_cast<int>(allowed));
  guesses.resize(allowed);
}

bool LeavesRoomForModel(const Sequence& sequence) {
  const Draft& draft = sequence.draft;
  const bool copies = draft.agreement >= kLongAgreement && !draft.guesses.empty() &&
                      draft.acceptance.Probability(draft.agreement) >= 0.5;
  return !copies && UsefulGuesses(sequence) > 0;
}

double Probability(const Draft& draft, size_t guess) {
  if (draft.source == Draft::Source::kModel) return draft.yield.Probability();
  return draft.acceptance.Probability(draft.agreement + static_cast<int>(guess));
}

}  // namespace

void Speculator::GuessFromContext(Sequence& sequence) {
  Draft& draft = sequence.draft;
  draft.index.Extend(sequence.tokens);
  const speculation::NgramIndex::Match match = draft.index.Find(sequence.tokens);
  draft.agreement = match.length;
  if (match.length == 0) return;
  const int64_t count =
      std::min({kMaxGuesses, UsefulGuesses(sequence), sequence.known() - match.next});
  if (count <= 0) return;
  const auto from = sequence.tokens.begin() + match.next;
  draft.guesses.assign(from, from + count);
}

int Speculator::DraftLength(std::span<Sequence* const> asking, size_t decoding, bool* a_try) {
  double probability = 0;
  for (const Sequence* sequence : asking) probability += sequence->draft.yield.Probability();
  probability /= static_cast<double>(asking.size());
  const int length = speculation::ChooseDraftLength(
      probability, static_cast<int>(asking.size()), static_cast<int>(decoding),
      draft_->seconds_per_guess(), costs_, kMaxModelGuesses);
  *a_try = length == 0;
  if (length > 0) return length;
  bool due = false;
  for (Sequence* sequence : asking) due = sequence->draft.yield.TimeToTry() || due;
  // What a plain step takes must be known, or nothing is learnt from a try.
  return due && costs_.Seconds(static_cast<int>(decoding)) > 0 ? kTryGuesses : 0;
}

void Speculator::GuessFromModel(std::span<Sequence* const> decoding) {
  std::vector<Sequence*> asking;
  for (Sequence* sequence : decoding) {
    if (LeavesRoomForModel(*sequence)) asking.push_back(sequence);
  }
  if (asking.empty()) return;
  bool a_try = false;
  const int length = DraftLength(asking, decoding.size(), &a_try);
  if (length == 0) return;
  std::vector<speculation::DraftTask> tasks;
  for (const Sequence* sequence : asking) {
    tasks.push_back(
        {.id = sequence->id,
         .tokens = sequence->tokens,
         .count = static_cast<int>(std::min<int64_t>(length, UsefulGuesses(*sequence)))});
  }
  if (const Status status = draft_->Guess(tasks); !status.ok()) {
    obs::Warn("engine", "the draft model failed and is not asked any more",
              {{"why", status.message()}});
    draft_ = nullptr;
    return;
  }
  for (size_t i = 0; i < tasks.size(); ++i) {
    Draft& draft = asking[i]->draft;
    if (tasks[i].guesses.empty()) continue;  // it is still reading
    draft.yield.Asked(!a_try);
    draft.source = Draft::Source::kModel;
    draft.guesses = std::move(tasks[i].guesses);
  }
}

void Speculator::Guess(std::span<Sequence* const> running) {
  std::vector<Sequence*> decoding;
  for (Sequence* sequence : running) {
    Draft& draft = sequence->draft;
    draft.guesses.clear();
    draft.chosen = 0;
    draft.source = Draft::Source::kText;
    draft.agreement = 0;
    if (!sequence->can_guess()) continue;
    if (mode_ == Speculation::kNgram || mode_ == Speculation::kAuto) GuessFromContext(*sequence);
    decoding.push_back(sequence);
  }
  if (draft_ != nullptr && (mode_ == Speculation::kDraft || mode_ == Speculation::kAuto)) {
    GuessFromModel(decoding);
  }
  std::vector<speculation::GuessProbabilities> probabilities;
  for (Sequence* sequence : decoding) {
    KeepAllowed(*sequence);
    speculation::GuessProbabilities& row = probabilities.emplace_back();
    for (size_t i = 0; i < sequence->draft.guesses.size(); ++i) {
      row.push_back(Probability(sequence->draft, i));
    }
  }
  const std::vector<int> lengths =
      speculation::ChooseDraftLengths(probabilities, costs_, kMaxStepTokens);
  for (size_t i = 0; i < decoding.size(); ++i) decoding[i]->draft.chosen = lengths[i];
}

void Speculator::Judge(Sequence& sequence, int64_t first) {
  Draft& draft = sequence.draft;
  const auto fresh = std::span(sequence.tokens).subspan(static_cast<size_t>(first));
  for (size_t i = 0; i < std::min(fresh.size(), draft.guesses.size()); ++i) {
    const bool right = fresh[i] == draft.guesses[i];
    if (draft.source == Draft::Source::kModel) {
      draft.yield.Observe(right);
    } else {
      draft.acceptance.Observe(draft.agreement + static_cast<int>(i), right);
    }
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

void Speculator::End(const Sequence& sequence) {
  if (draft_ != nullptr) draft_->End(sequence.id);
}

Status Speculator::CheckIntegrity() const {
  return draft_ == nullptr ? OkStatus() : draft_->CheckIntegrity();
}

}  // namespace ac::engine
