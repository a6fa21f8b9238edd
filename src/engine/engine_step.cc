// The computing half of a step: what to run, running it, and what becomes of the logits.
#include <algorithm>
#include <limits>

#include "engine/engine.h"
#include "engine/internal/sequence.h"
#include "engine/internal/sequence_cache.h"

namespace ac::engine {
namespace {

// A prompt being read is published whenever it passes a multiple of this: often enough that little
// is left to write at its end, rarely enough that looking the whole prompt up costs nothing.
constexpr int64_t kPublishTokens = 1024;

}  // namespace

std::vector<PlannedChunk> Engine::Plan() {
  std::vector<Sequence*> running;
  for (const auto& sequence : running_) running.push_back(sequence.get());
  speculator_.Guess(running);
  CountActiveClients();
  std::vector<SequenceState> states;
  states.reserve(running_.size());
  for (const auto& sequence : running_) {
    states.push_back({.id = sequence->id,
                      .known_tokens = sequence->known(),
                      .computed_tokens = sequence->computed,
                      .drafted_tokens = sequence->draft.chosen,
                      .prompt_done = sequence->prompt_done(),
                      .priority = sequence->request.priority,
                      .client_tokens = client_tokens_[sequence->request.client]});
  }
  std::vector<PlannedChunk> plan = PlanStep(states, pacer_.Limits());
  for (PlannedChunk& chunk : plan) cache_->CutAtStatePlace(*FindRunning(chunk.id), &chunk);
  return plan;
}

// Drops clients that left. One that joins starts level with those that were served least, or it
// would keep everybody else waiting until it has had as much as they had since this morning.
void Engine::CountActiveClients() {
  std::unordered_map<std::string, int64_t> active;
  int64_t least = std::numeric_limits<int64_t>::max();
  for (const auto& sequence : running_) {
    const auto known = client_tokens_.find(sequence->request.client);
    if (known == client_tokens_.end()) continue;
    active.insert(*known);
    least = std::min(least, known->second);
  }
  if (active.empty()) least = 0;
  for (const auto& sequence : running_) active.try_emplace(sequence->request.client, least);
  client_tokens_ = std::move(active);
}

void Engine::BeginStep(std::span<const PlannedChunk> plan) {
  MutexLock lock(mutex_);
  in_step_.clear();
  for (const PlannedChunk& chunk : plan) in_step_.push_back(chunk.id);
  InterruptIfUnwanted();
}

void Engine::Compute(std::span<const PlannedChunk> plan) {
  std::vector<model::Chunk> batch;
  for (const PlannedChunk& chunk : plan) batch.push_back(InputOf(*Find(chunk.id), chunk));
  const auto vocab = static_cast<size_t>(model_.vocab_size());
  logits_.resize(static_cast<size_t>(model::CountLogitRows(batch)) * vocab);
  const Nanos begin = clock_.Now();
  BeginStep(plan);
  const Status status = model_.Forward(batch, cache_->pool(), logits_.data());
  const bool arriving = batch.front().arriving != nullptr;
  if (arriving && !FinishArrival(plan, begin)) return;
  // Nothing was computed; those who cancelled are taken out before the next step.
  if (status.code() == Code::kCancelled && interrupt_) return;
  if (!status.ok()) return ComputeFailed(plan, status);
  const double seconds = Seconds(clock_.Now() - begin);
  if (!arriving) {  // else it was perhaps the disk's time
    pacer_.Observe(plan, seconds);
    speculator_.Observe(plan, seconds);
  }
  metrics_.Step(plan, seconds);
  std::span<const float> rest(logits_);
  for (const PlannedChunk& chunk : plan) {
    const bool samples = chunk.samples && !Find(chunk.id)->request.embed;
    const size_t rows = samples ? 1 + static_cast<size_t>(chunk.drafted) : 0;
    Commit(*Find(chunk.id), chunk, rest.first(rows * vocab));
    rest = rest.subspan(rows * vocab);
  }
}

// The step ran beside the restore of its only sequence's prefix. False: not all of that came; the
// next step computes the rest.
bool Engine::FinishArrival(std::span<const PlannedChunk> plan, Nanos begin) {
  Sequence& sequence = *Find(plan.front().id);
  const bool whole = cache_->FinishArrival(sequence);
  if (!sequence.started) {
    Start(sequence);
    sequence.admitted = begin;  // the step was its work already
  }
  return whole;
}

model::Chunk Engine::InputOf(Sequence& sequence, const PlannedChunk& chunk) const {
  const std::span<const TokenId> known(sequence.tokens);
  const int certain = chunk.count - chunk.drafted;
  model::Chunk input{
      .tokens = known.subspan(static_cast<size_t>(chunk.begin), static_cast<size_t>(certain)),
      .position = chunk.begin,
      .pages = sequence.pages,
      .logits = chunk.samples ? model::LogitRows::kLast : model::LogitRows::kNone,
      .state = sequence.state,
      .arriving = sequence.arriving ? sequence.restore->restore.get() : nullptr};
  if (sequence.request.embed) {
    // Computed from its first token on, also when it was preempted: nothing comes from the cache.
    if (chunk.begin == 0) {
      sequence.pooled.assign(static_cast<size_t>(model_.embedding_size()), 0.0f);
    }
    input.pooled = sequence.pooled.data();
    input.logits = model::LogitRows::kNone;
  }
  if (chunk.drafted > 0) {
    speculation::Draft& draft = sequence.draft;
    draft.input.assign(input.tokens.begin(), input.tokens.end());
    draft.input.insert(draft.input.end(), draft.guesses.begin(),
                       draft.guesses.begin() + chunk.drafted);
    input.tokens = draft.input;
    input.logits = model::LogitRows::kAll;
  }
  return input;
}

// Nothing of the batch was computed; what was there before stays good. One request's failure must
// not be another's, so each is tried alone.
void Engine::ComputeFailed(std::span<const PlannedChunk> plan, const Status& status) {
  if (plan.size() == 1) {
    Finish(*Find(plan.front().id), FinishReason::kFailed, status);
    return;
  }
  for (size_t i = 0; i < plan.size(); ++i) Compute(plan.subspan(i, 1));
}

// `logits`: a row for each token of the chunk from the last known one on, if the chunk samples.
void Engine::Commit(Sequence& sequence, const PlannedChunk& chunk, std::span<const float> logits) {
  client_tokens_[sequence.request.client] += chunk.count;
  const int64_t known = sequence.known();
  sequence.computed = chunk.begin + chunk.count - chunk.drafted;
  cache_->KeepState(sequence, chunk.begin);
  if (!sequence.prompt_done()) {
    sequence.sink->OnProgress(sequence.computed,
                              static_cast<int64_t>(sequence.request.prompt.size()));
  }
  // The prompt's full pages are complete now: another request may share them at once, and the disk
  // has them before the reply begins.
  const bool filled = sequence.computed / kPublishTokens > chunk.begin / kPublishTokens;
  if (!sequence.prompt_done() && (chunk.samples || filled)) {
    cache_->Publish(sequence, /*finished=*/false);
  }
  if (!chunk.samples) return;
  if (sequence.request.embed) {
    for (float& value : sequence.pooled) value /= static_cast<float>(known);
    sequence.info.embedding = std::move(sequence.pooled);
    return Finish(sequence, FinishReason::kMaxTokens);
  }
  SampleChunk(sequence, chunk, logits);
  CountGuesses(sequence, chunk.drafted, known);
  speculator_.Judge(sequence, known);
}

// Chooses the next token, and goes on behind it as long as what was chosen had been guessed: then
// the logits behind it are there too.
void Engine::SampleChunk(Sequence& sequence, const PlannedChunk& chunk,
                         std::span<const float> logits) {
  const auto vocab = static_cast<size_t>(model_.vocab_size());
  const int64_t known = sequence.known();
  for (int64_t right = 0;;) {
    const auto row = logits.subspan(static_cast<size_t>(right) * vocab, vocab);
    Result<SampledToken> sampled =
        sequence.sampler.Sample(row, AllowedTokens(sequence), sequence.request.top_logprobs);
    if (!sampled.ok()) return Finish(sequence, FinishReason::kFailed, sampled.status());
    AcceptToken(sequence, *sampled);
    AcceptForcedTokens(sequence);
    if (sequence.finished) return;
    while (right < chunk.drafted && known + right < sequence.known() &&
           sequence.tokens[static_cast<size_t>(known + right)] ==
               sequence.draft.guesses[static_cast<size_t>(right)]) {
      ++right;
      ++sequence.computed;  // its keys and values are there
    }
    if (known + right < sequence.known()) return;
  }
}

std::span<const uint64_t> Engine::AllowedTokens(const Sequence& sequence) {
  if (sequence.constraint == nullptr) return usable_tokens_;
  const std::span<const uint64_t> allowed = sequence.constraint->Allowed();
  if (allowed.empty()) return usable_tokens_;
  allowed_tokens_.assign(static_cast<size_t>(model_.vocab_size() + 63) / 64, 0);
  const size_t words = std::min(allowed.size(), allowed_tokens_.size());
  for (size_t i = 0; i < words; ++i) {
    allowed_tokens_[i] = usable_tokens_.empty() ? allowed[i] : allowed[i] & usable_tokens_[i];
  }
  return allowed_tokens_;
}

// Appends what the constraint leaves no choice about; the next forward pass reads all of it at
// once. Not where log-probabilities were asked for: those need the model's opinion of each token.
void Engine::AcceptForcedTokens(Sequence& sequence) {
  if (sequence.constraint == nullptr || sequence.finished) return;
  if (sequence.request.top_logprobs >= 0) return;
  for (const TokenId token : sequence.constraint->Forced()) {
    if (sequence.finished) return;
    if (token < 0 || token >= std::min(tokenizer_.vocab_size(), model_.vocab_size())) {
      return Finish(sequence, FinishReason::kFailed,
                    Internal("[engine] the reply's grammar forces token " + std::to_string(token) +
                             ", which does not exist"));
    }
    AcceptToken(sequence, {.id = token, .logprobs = {}});
  }
}

// `computed` guesses of the tokens from `first` on; the sequence may have ended with them.
void Engine::CountGuesses(const Sequence& sequence, int computed, int64_t first) {
  if (computed == 0) return;
  const auto& guesses = sequence.draft.guesses;
  const auto source = sequence.draft.source;
  const auto said = std::span(sequence.tokens).subspan(static_cast<size_t>(first));
  const auto end = guesses.begin() + std::min<std::ptrdiff_t>(computed, std::ssize(said));
  const auto right = std::mismatch(guesses.begin(), end, said.begin()).first - guesses.begin();
  metrics_.Guesses(source, computed, static_cast<int>(right));
  MutexLock lock(mutex_);
  stats_.guessed_tokens += static_cast<uint64_t>(computed);
  stats_.guessed_right += static_cast<uint64_t>(right);
  if (source != speculation::Draft::Source::kModel) return;
  stats_.drafted_tokens += static_cast<uint64_t>(computed);
  stats_.drafted_right += static_cast<uint64_t>(right);
}

void Engine::AcceptToken(Sequence& sequence, const SampledToken& sampled) {
  const GenerateRequest& request = sequence.request;
  if (sequence.constraint != nullptr && !sequence.constraint->Accept(sampled.id)) {
    Finish(sequence, FinishReason::kFailed,
           Internal("[engine] token " + std::to_string(sampled.id) +
                    " was chosen against the reply's grammar"));
    return;
  }
  if (sequence.outputs == 0) sequence.first_token = clock_.Now();
  sequence.sampler.Accept(sampled.id);
  sequence.tokens.push_back(sampled.id);
  ++sequence.outputs;
  metrics_.Token();
  const bool ends = !request.ignore_end_tokens &&
                    (tokenizer_.IsEndOfGeneration(sampled.id) ||
                     std::find(request.stop_tokens.begin(), request.stop_tokens.end(),
                               sampled.id) != request.stop_tokens.end());
  TokenEvent event;
  event.id = sampled.id;
  event.logprobs = sampled.logprobs;
  if (!ends) event.text = sequence.stops.Push(sequence.decoder.Push(sampled.id));
  sequence.sink->OnToken(event);
  if (ends) {
    Finish(sequence, FinishReason::kEndToken);
  } else if (sequence.stops.matched()) {
    Finish(sequence, FinishReason::kStopString);
  } else if (sequence.outputs >= sequence.max_outputs) {
    const bool asked = request.max_tokens > 0 && sequence.outputs >= request.max_tokens;
    Finish(sequence, asked ? FinishReason::kMaxTokens : FinishReason::kContextFull);
  }
}

}  // namespace ac::engine
