#include "bench/local_session.h"

#include <future>
#include <memory>

#include "base/clock.h"

namespace ac::bench {
namespace {

// Remembers when the first token came; the rest is in the engine's own report.
class TimingSink : public engine::TokenSink {
 public:
  struct Reply {
    std::vector<engine::TokenId> tokens;
    Nanos first{0};
    Nanos last{0};
    engine::CacheReport cache;
    engine::FinishInfo info;
  };

  std::future<Reply> future() { return promise_.get_future(); }

  void OnStart(const engine::CacheReport& report) override { reply_.cache = report; }
  void OnToken(const engine::TokenEvent& event) override {
    if (reply_.tokens.empty()) reply_.first = Clock::Real().Now();
    reply_.tokens.push_back(event.id);
  }
  void OnProgress(int64_t, int64_t) override {}
  void OnFinish(const engine::FinishInfo& info) override {
    reply_.last = Clock::Real().Now();
    if (reply_.tokens.empty()) reply_.first = reply_.last;
    reply_.info = info;
    promise_.set_value(std::move(reply_));
  }

 private:
  Reply reply_;
  std::promise<Reply> promise_;
};

}  // namespace

void LocalSession::Append(int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    state_ = state_ * 1664525u + 1013904223u;
    conversation_.push_back(
        static_cast<engine::TokenId>((state_ >> 8) % static_cast<uint32_t>(vocabulary_)));
  }
}

Result<Turn> LocalSession::Ask(const SessionPlan& plan) {
  if (conversation_.empty()) Append(plan.prompt_tokens);
  Append(plan.turn_tokens);
  engine::GenerateRequest request;
  request.prompt = conversation_;
  request.max_tokens = plan.reply_tokens;
  request.ignore_end_tokens = true;
  auto sink = std::make_shared<TimingSink>();
  auto future = sink->future();
  const Nanos start = Clock::Real().Now();
  AC_RETURN_IF_ERROR(engine_->Submit(std::move(request), sink).status());
  const TimingSink::Reply reply = future.get();
  if (reply.info.reason == engine::FinishReason::kFailed ||
      reply.info.reason == engine::FinishReason::kCancelled) {
    return reply.info.status;
  }
  conversation_.insert(conversation_.end(), reply.tokens.begin(), reply.tokens.end());
  return Turn{.ttft_s = Seconds(reply.first - start),
              .total_s = Seconds(reply.last - start),
              .computed = reply.cache.computed(),
              .reused = reply.cache.from_memory + reply.cache.from_disk,
              .from_disk = reply.cache.from_disk,
              .output_tokens = static_cast<int64_t>(reply.tokens.size())};
}

}  // namespace ac::bench
