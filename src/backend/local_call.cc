#include "backend/local_call.h"

#include <algorithm>
#include <span>
#include <utility>

#include "backend/prompt_places.h"
#include "base/utf8.h"
#include "obs/log.h"

namespace ac::backend {
namespace {

// Tries after the first one when a reply repeats a call.
constexpr int kMaxAttempts = 3;

}  // namespace

// Receives one generation's tokens on the engine thread.
class LocalCall::ChoiceSink : public engine::TokenSink {
 public:
  ChoiceSink(std::shared_ptr<LocalCall> call, int choice, int attempt)
      : call_(std::move(call)), choice_(choice), attempt_(attempt) {}

  void OnStart(const engine::CacheReport& report) override { call_->OnStart(report); }
  void OnProgress(int64_t done, int64_t total) override { call_->OnProgress(choice_, done, total); }
  void OnToken(const engine::TokenEvent& event) override {
    call_->OnToken(choice_, attempt_, event);
  }
  void OnFinish(const engine::FinishInfo& info) override {
    call_->OnFinish(choice_, attempt_, info);
  }

 private:
  const std::shared_ptr<LocalCall> call_;
  const int choice_;
  const int attempt_;
};

void LocalCall::Submit(const chat::ChatRequest& request, std::vector<std::vector<int32_t>> prompts,
                       const engine::GenerateRequest& settings, ReplyFormat format) {
  MutexLock lock(mutex_);
  if (sink_ == nullptr) return;  // detached while the prompt was prepared
  wants_logprobs_ = request.logprobs;
  const auto shared_format = std::make_shared<const ReplyFormat>(std::move(format));
  const size_t per_prompt = static_cast<size_t>(request.n);
  for (size_t i = 0; i < prompts.size() * per_prompt; ++i) {
    choices_.push_back({.reply = ReplyStream(static_cast<int>(i), shared_format, ids_)});
  }
  for (size_t i = 0; i < choices_.size(); ++i) {
    engine::GenerateRequest generate = settings;
    generate.prompt = prompts[i / per_prompt];
    generate.sampling.seed += i;  // replies to one prompt must differ
    if (shared_format->repeated) choices_[i].settings = generate;
    Result<engine::RequestId> id = SubmitChoice(static_cast<int>(i), std::move(generate));
    if (!id.ok()) return FailLocked(id.status());
  }
}

Result<engine::RequestId> LocalCall::SubmitChoice(int choice, engine::GenerateRequest generate) {
  Choice& state = choices_[static_cast<size_t>(choice)];
  Result<engine::RequestId> id = engine_.Submit(
      std::move(generate), std::make_shared<ChoiceSink>(shared_from_this(), choice, state.attempt));
  if (id.ok()) state.request = *id;
  return id;
}

void LocalCall::CountRepetitions(const RepetitionCounters* counters) {
  MutexLock lock(mutex_);
  repetitions_ = counters;
}

void LocalCall::ListenToTurns(std::string opening, TurnListener listener) {
  MutexLock lock(mutex_);
  opening_ = std::move(opening);
  turn_listener_ = std::move(listener);
}

void LocalCall::Diagnose(CacheDiagnosis* diagnosis, std::string previous_message_id,
                         RequestDigest digest) {
  MutexLock lock(mutex_);
  diagnosis_ = diagnosis;
  previous_message_id_ = std::move(previous_message_id);
  digest_ = std::move(digest);
}

void LocalCall::Describe(std::vector<prompt::PromptPart> parts, int64_t prompt_tokens) {
  MutexLock lock(mutex_);
  last_mark_ = LastMark(parts, prompt_tokens);
  parts_ = std::move(parts);
}

void LocalCall::Introduce(const std::string& model, int64_t prompt_tokens) {
  MutexLock lock(mutex_);
  model_ = model;
  prompt_tokens_ = prompt_tokens;
}

bool LocalCall::over() {
  MutexLock lock(mutex_);
  return sink_ == nullptr;
}

chat::PromptFacts LocalCall::FactsOf(const engine::CacheReport& report) const {
  chat::PromptFacts facts{.from_memory = report.from_memory,
                          .from_disk = report.from_disk,
                          .computed = report.computed(),
                          .restore_ms = Seconds(report.restore) * 1e3,
                          .twin_ms = Seconds(report.twin_wait) * 1e3,
                          .divergence = std::nullopt};
  if (!report.divergence) return facts;
  const engine::Divergence& found = *report.divergence;
  const prompt::PromptPart* part = prompt::PartAt(parts_, found.at);
  facts.divergence = chat::Divergence{.token = found.at,
                                      .lost = found.lost,
                                      .part = part != nullptr ? part->name : "",
                                      .before = RepairUtf8(found.before),
                                      .was = RepairUtf8(found.was),
                                      .now = RepairUtf8(found.now),
                                      .seconds = found.lost_seconds};
  if (found.lost_seconds == 0) {
    facts.divergence->seconds = report.token_seconds * static_cast<double>(found.lost);
  }
  return facts;
}

// Listeners only take a copy: this is the engine thread.
void LocalCall::TellTurn(int choice) {
  Choice& state = choices_[static_cast<size_t>(choice)];
  prompt::GeneratedTurn turn = state.reply.told();
  turn.opening = opening_;
  turn.tokens = std::move(state.sampled);
  turn_listener_(std::move(turn));
}

void LocalCall::Fail(const Status& status) {
  MutexLock lock(mutex_);
  FailLocked(status);
}

void LocalCall::FailLocked(const Status& status) {
  if (sink_ == nullptr) return;
  const int64_t retry_after =
      status.code() == Code::kOverloaded ? engine_.stats().retry_after_s : 0;
  Emit({.value = chat::Error{.status = status, .retry_after_s = retry_after}});
  sink_ = nullptr;
  for (const Choice& choice : choices_) engine_.Cancel(choice.request);
}

void LocalCall::Detach() {
  MutexLock lock(mutex_);
  sink_ = nullptr;
  for (const Choice& choice : choices_) engine_.Cancel(choice.request);
}

void LocalCall::Emit(chat::ChatEvent event) { sink_->OnEvent(std::move(event)); }

void LocalCall::EmitAll(std::vector<chat::ChatEvent> events) {
  for (chat::ChatEvent& event : events) Emit(std::move(event));
}

void LocalCall::Begin(chat::MessageStart start) {
  begun_ = true;
  start.id = ids_.Next(chat::kMessageIdPrefix);
  start.model = model_;
  start.usage = usage_;
  if (diagnosis_ != nullptr) diagnosis_->Remember(start.id, std::move(digest_));
  Emit({.value = std::move(start)});
}

void LocalCall::BeginEarly() {
  MutexLock lock(mutex_);
  if (sink_ == nullptr || begun_ || !previous_message_id_.empty()) return;
  usage_.input_tokens = prompt_tokens_;
  digest_.prompt_tokens = prompt_tokens_;
  Begin({.admitted = false});
}

void LocalCall::OnStart(const engine::CacheReport& report) {
  MutexLock lock(mutex_);
  if (sink_ == nullptr) return;
  // The n replies to one prompt share it: the others find it in the cache and it is counted once.
  if (admitted_) return;
  admitted_ = true;
  usage_.cache_read = report.from_memory + report.from_disk;
  // What was computed up to the client's last mark is what it asked to be stored.
  const int64_t marked = std::min(last_mark_, report.prompt_tokens) - usage_.cache_read;
  usage_.cache_creation = report.kept ? std::max<int64_t>(marked, 0) : 0;
  usage_.input_tokens = report.computed() - usage_.cache_creation;
  // The message's end repeats the usage, so a client that saw it begin early learns it there.
  if (begun_) return Emit({.value = chat::Ping{.prompt_done = 0, .prompt_total = prompt_tokens_}});
  chat::MessageStart start;
  start.prompt = FactsOf(report);
  if (diagnosis_ != nullptr) {
    start.diagnosis = diagnosis_->Diagnose(previous_message_id_, digest_, report);
    digest_.prompt_tokens = report.prompt_tokens;
  }
  Begin(std::move(start));
}

void LocalCall::OnProgress(int choice, int64_t done, int64_t total) {
  MutexLock lock(mutex_);
  if (sink_ == nullptr || choice != 0 || done == total) return;
  Emit({.value = chat::Ping{.prompt_done = done, .prompt_total = total}});
}

void LocalCall::OnToken(int choice, int attempt, const engine::TokenEvent& event) {
  MutexLock lock(mutex_);
  Choice& state = choices_[static_cast<size_t>(choice)];
  if (sink_ == nullptr || attempt != state.attempt) return;
  state.sampled.push_back(event.id);
  if (!wants_logprobs_) {
    EmitAll(state.reply.Token(event));
    return SettleRepetition(choice);
  }
  chat::TokenLogprob logprob{.token = std::string(tokenizer_.TokenBytes(event.id)),
                             .logprob = static_cast<double>(event.logprobs.chosen)};
  for (const engine::TokenLogprob& entry : event.logprobs.top) {
    logprob.top.emplace_back(tokenizer_.TokenBytes(entry.id), static_cast<double>(entry.logprob));
  }
  EmitAll(state.reply.Token(event, &logprob));
  SettleRepetition(choice);
}

// A call that is the same for the third time: tries again what was not told yet, and lets it
// through when that does not help.
void LocalCall::SettleRepetition(int choice) {
  Choice& state = choices_[static_cast<size_t>(choice)];
  if (!state.reply.repeats()) return;
  const bool again = TryAgain(choice);
  if (repetitions_ != nullptr) {
    (again ? repetitions_->resampled : repetitions_->let_through).Add();
  }
  state.notes.emplace_back(again
                               ? "the reply repeated the last two calls; it was sampled again"
                               : "the reply repeats the last two calls; other tries did the same");
  obs::Warn("backend", state.notes.back(), {{"attempt", state.attempt}});
  if (!again) EmitAll(state.reply.LetThrough());
}

bool LocalCall::TryAgain(int choice) {
  Choice& state = choices_[static_cast<size_t>(choice)];
  const size_t told = state.reply.told_tokens();
  const std::span<const int32_t> kept = std::span(state.sampled).first(told);
  size_t bytes = 0;
  for (const int32_t token : kept) bytes += tokenizer_.TokenBytes(token).size();
  // Text that the engine still holds back behind the last told token would be lost.
  if (state.attempt == kMaxAttempts || bytes != state.reply.told_text().size()) return false;
  engine::GenerateRequest generate = state.settings;
  generate.prompt.insert(generate.prompt.end(), kept.begin(), kept.end());
  if (generate.max_tokens > 0) generate.max_tokens -= static_cast<int64_t>(told);
  if (generate.constraint != nullptr) {
    std::unique_ptr<engine::TokenConstraint> constraint = generate.constraint->Fork();
    for (const int32_t token : kept) {
      if (!constraint->Accept(token)) return false;
    }
    generate.constraint = std::move(constraint);
  }
  ++state.attempt;
  // Another draw, from the model's own distribution at least: a greedy one would come out the same.
  constexpr uint64_t kSeedStep = 0x9e3779b97f4a7c15u;
  generate.sampling.seed += kSeedStep * static_cast<uint64_t>(state.attempt);
  generate.sampling.temperature = std::max(1.0, generate.sampling.temperature);
  const engine::RequestId before = state.request;
  if (!SubmitChoice(choice, std::move(generate)).ok()) {
    --state.attempt;
    return false;
  }
  engine_.Cancel(before);
  state.kept_tokens = static_cast<int64_t>(told);
  state.sampled.resize(told);
  state.reply.Rewind();
  return true;
}

void LocalCall::EmitFinish(int choice, const engine::FinishInfo& info, const chat::Usage& usage) {
  Choice& state = choices_[static_cast<size_t>(choice)];
  std::vector<chat::ChatEvent> events = state.reply.Finish(info, usage, state.notes);
  for (chat::ChatEvent& event : events) {
    auto* delta = std::get_if<chat::MessageDelta>(&event.value);
    if (delta == nullptr || choice != 0) continue;
    delta->prompt = FactsOf(info.cache);
    delta->prompt->queue_ms = Seconds(info.queued) * 1e3;
    delta->prompt->prefill_ms = Seconds(info.prefill) * 1e3;
    delta->prompt->decode_ms = Seconds(info.decode) * 1e3;
  }
  EmitAll(std::move(events));
}

void LocalCall::OnFinish(int choice, int attempt, const engine::FinishInfo& info) {
  MutexLock lock(mutex_);
  Choice& state = choices_[static_cast<size_t>(choice)];
  if (sink_ == nullptr || attempt != state.attempt) return;
  if (info.reason == engine::FinishReason::kFailed ||
      info.reason == engine::FinishReason::kCancelled) {
    return FailLocked(info.status);
  }
  chat::Usage usage = usage_;
  usage.output_tokens += state.kept_tokens + info.output_tokens;
  EmitFinish(choice, info, usage);
  if (state.reply.repeats()) {
    SettleRepetition(choice);
    if (state.attempt != attempt) return;
    EmitFinish(choice, info, usage);
  }
  usage_ = usage;
  if (state.reply.told().call_ids.empty() && state.reply.may_call() &&
      toolcall::MentionsCall(state.reply.told().text)) {
    obs::Warn("toolcall", "a reply writes about a call, or a call in it could not be read",
              {{"text_bytes", static_cast<int64_t>(state.reply.told().text.size())}});
  }
  // A stop string is in the tokens but was never told: such a turn is rendered when it comes back.
  if (turn_listener_ && info.reason != engine::FinishReason::kStopString) TellTurn(choice);
  if (++finished_ < choices_.size()) return;
  Emit({.value = chat::MessageStop{}});
  sink_ = nullptr;
}

}  // namespace ac::backend
