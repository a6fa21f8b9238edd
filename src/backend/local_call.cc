#include "backend/local_call.h"

#include <algorithm>
#include <utility>

#include "backend/prompt_places.h"
#include "base/utf8.h"

namespace ac::backend {

// Receives one generation's tokens on the engine thread.
class LocalCall::ChoiceSink : public engine::TokenSink {
 public:
  ChoiceSink(std::shared_ptr<LocalCall> call, int choice)
      : call_(std::move(call)), choice_(choice) {}

  void OnStart(const engine::CacheReport& report) override { call_->OnStart(report); }
  void OnProgress(int64_t done, int64_t total) override { call_->OnProgress(choice_, done, total); }
  void OnToken(const engine::TokenEvent& event) override { call_->OnToken(choice_, event); }
  void OnFinish(const engine::FinishInfo& info) override { call_->OnFinish(choice_, info); }

 private:
  const std::shared_ptr<LocalCall> call_;
  const int choice_;
};

void LocalCall::Submit(const chat::ChatRequest& request, std::vector<std::vector<int32_t>> prompts,
                       const engine::GenerateRequest& settings, ReplyFormat format) {
  MutexLock lock(mutex_);
  if (sink_ == nullptr) return;  // detached while the prompt was prepared
  model_ = request.model;
  wants_logprobs_ = request.logprobs;
  const auto shared_format = std::make_shared<const ReplyFormat>(std::move(format));
  const size_t per_prompt = static_cast<size_t>(request.n);
  for (size_t i = 0; i < prompts.size() * per_prompt; ++i) {
    replies_.emplace_back(static_cast<int>(i), shared_format, ids_);
  }
  sampled_.resize(replies_.size());
  prompt_tokens_ = prompts.empty() ? 0 : static_cast<int64_t>(prompts.front().size());
  for (size_t i = 0; i < replies_.size(); ++i) {
    engine::GenerateRequest generate = settings;
    generate.prompt = prompts[i / per_prompt];
    generate.sampling.seed += i;  // replies to one prompt must differ
    Result<engine::RequestId> id = engine_.Submit(
        std::move(generate), std::make_shared<ChoiceSink>(shared_from_this(), static_cast<int>(i)));
    if (!id.ok()) return FailLocked(id.status());
    requests_.push_back(*id);
  }
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
  prompt::GeneratedTurn turn = replies_[static_cast<size_t>(choice)].told();
  turn.opening = opening_;
  turn.tokens = std::move(sampled_[static_cast<size_t>(choice)]);
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
  for (const engine::RequestId id : requests_) engine_.Cancel(id);
}

void LocalCall::Detach() {
  MutexLock lock(mutex_);
  sink_ = nullptr;
  for (const engine::RequestId id : requests_) engine_.Cancel(id);
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

void LocalCall::OnToken(int choice, const engine::TokenEvent& event) {
  MutexLock lock(mutex_);
  if (sink_ == nullptr) return;
  ReplyStream& reply = replies_[static_cast<size_t>(choice)];
  if (turn_listener_) sampled_[static_cast<size_t>(choice)].push_back(event.id);
  if (!wants_logprobs_) return EmitAll(reply.Token(event));
  chat::TokenLogprob logprob{.token = std::string(tokenizer_.TokenBytes(event.id)),
                             .logprob = static_cast<double>(event.logprobs.chosen)};
  for (const engine::TokenLogprob& entry : event.logprobs.top) {
    logprob.top.emplace_back(tokenizer_.TokenBytes(entry.id), static_cast<double>(entry.logprob));
  }
  EmitAll(reply.Token(event, &logprob));
}

void LocalCall::OnFinish(int choice, const engine::FinishInfo& info) {
  MutexLock lock(mutex_);
  if (sink_ == nullptr) return;
  if (info.reason == engine::FinishReason::kFailed ||
      info.reason == engine::FinishReason::kCancelled) {
    return FailLocked(info.status);
  }
  usage_.output_tokens += info.output_tokens;
  std::vector<chat::ChatEvent> events = replies_[static_cast<size_t>(choice)].Finish(info, usage_);
  for (chat::ChatEvent& event : events) {
    auto* delta = std::get_if<chat::MessageDelta>(&event.value);
    if (delta == nullptr || choice != 0) continue;
    delta->prompt = FactsOf(info.cache);
    delta->prompt->queue_ms = Seconds(info.queued) * 1e3;
    delta->prompt->prefill_ms = Seconds(info.prefill) * 1e3;
    delta->prompt->decode_ms = Seconds(info.decode) * 1e3;
  }
  EmitAll(std::move(events));
  // A stop string is in the tokens but was never told: such a turn is rendered when it comes back.
  if (turn_listener_ && info.reason != engine::FinishReason::kStopString) TellTurn(choice);
  if (++finished_ < replies_.size()) return;
  Emit({.value = chat::MessageStop{}});
  sink_ = nullptr;
}

}  // namespace ac::backend
