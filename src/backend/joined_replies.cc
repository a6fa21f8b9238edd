#include "backend/joined_replies.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace ac::backend {
namespace {

constexpr std::chrono::seconds kKeepFinished{60};
constexpr size_t kMaxFinished = 8;

}  // namespace

// One reply and everybody who listens to it.
class JoinedReplies::SharedReply : public chat::ChatSink {
 public:
  SharedReply(bool streamed, Clock& clock) : streamed_(streamed), clock_(clock) {}

  void OnEvent(chat::ChatEvent event) override {
    MutexLock lock(mutex_);
    for (const Listener& listener : sinks_) Tell(listener, event);
    if (event.As<chat::Error>() != nullptr) state_ = State::kUseless;
    if (event.As<chat::MessageStop>() != nullptr) {
      state_ = State::kFinished;
      finished_at_ = clock_.Now();
    }
    // Who comes later needs no sign of life from before.
    if (event.As<chat::Ping>() == nullptr) events_.push_back(std::move(event));
  }

  // False: this reply is of no use to a new client. Replays what was said so far.
  bool Join(const std::shared_ptr<chat::ChatSink>& sink, bool stream, bool is_first) {
    MutexLock lock(mutex_);
    const bool fallback = state_ == State::kFinished && streamed_ && !stream &&
                          clock_.Now() - finished_at_ < kKeepFinished;
    if (state_ != State::kRunning && !fallback) return false;
    const Listener listener{sink, is_first};
    for (const chat::ChatEvent& event : events_) Tell(listener, event);
    sinks_.push_back(listener);
    return true;
  }

  void Leave(const chat::ChatSink* sink) {
    std::unique_ptr<Call> call;
    {
      MutexLock lock(mutex_);
      std::erase_if(sinks_, [&](const Listener& other) { return other.sink.get() == sink; });
      if (!sinks_.empty() || state_ != State::kRunning) return;
      state_ = State::kUseless;
      call = std::move(call_);
    }
    // Destroyed without the lock: the inner backend may be inside OnEvent, waiting for it.
  }

  void Adopt(std::unique_ptr<Call> call) {
    MutexLock lock(mutex_);
    if (state_ != State::kUseless) call_.swap(call);
  }

  bool useless() const {
    MutexLock lock(mutex_);
    return state_ == State::kUseless;
  }
  // When it ended; nothing while it runs.
  std::optional<Nanos> finished_at() const {
    MutexLock lock(mutex_);
    if (state_ != State::kFinished) return std::nullopt;
    return finished_at_;
  }

 private:
  enum class State { kRunning, kFinished, kUseless };
  struct Listener {
    std::shared_ptr<chat::ChatSink> sink;
    bool is_first;
  };

  static void Tell(const Listener& listener, chat::ChatEvent event) {
    auto* start = std::get_if<chat::MessageStart>(&event.value);
    if (start != nullptr && !listener.is_first) start->served_by = kServedByTwin;
    listener.sink->OnEvent(std::move(event));
  }

  const bool streamed_;
  Clock& clock_;
  mutable Mutex mutex_;
  State state_ AC_GUARDED_BY(mutex_) = State::kRunning;
  Nanos finished_at_ AC_GUARDED_BY(mutex_){0};
  std::vector<chat::ChatEvent> events_ AC_GUARDED_BY(mutex_);
  std::vector<Listener> sinks_ AC_GUARDED_BY(mutex_);
  std::unique_ptr<Call> call_ AC_GUARDED_BY(mutex_);
};

// A client's handle.
class JoinedReplies::Participation : public Call {
 public:
  Participation(std::shared_ptr<SharedReply> reply, std::shared_ptr<chat::ChatSink> sink)
      : reply_(std::move(reply)), sink_(std::move(sink)) {}
  ~Participation() override { reply_->Leave(sink_.get()); }

 private:
  const std::shared_ptr<SharedReply> reply_;
  const std::shared_ptr<chat::ChatSink> sink_;
};

JoinedReplies::JoinedReplies(Backend& inner, Clock& clock, obs::Metrics& metrics)
    : inner_(inner),
      clock_(clock),
      joined_(metrics.GetCounter("anyclaude_joined_requests_total",
                                 "Requests that got the reply of an identical one")) {}

JoinedReplies::~JoinedReplies() = default;

std::unique_ptr<Call> JoinedReplies::Start(chat::ChatRequest request,
                                           std::shared_ptr<chat::ChatSink> sink) {
  const std::string& twin = request.metadata.twin;
  if (twin.empty()) return inner_.Start(std::move(request), std::move(sink));
  std::shared_ptr<SharedReply> reply;
  bool is_new = false;
  {
    MutexLock lock(mutex_);
    ForgetOld();
    std::shared_ptr<SharedReply>& known = replies_[twin];
    if (known == nullptr || !known->Join(sink, request.stream, /*is_first=*/false)) {
      is_new = true;
      known = std::make_shared<SharedReply>(request.stream, clock_);
      known->Join(sink, request.stream, /*is_first=*/true);
    }
    reply = known;
  }
  if (is_new) {
    reply->Adopt(inner_.Start(std::move(request), reply));
  } else {
    joined_.Add();
  }
  return std::make_unique<Participation>(std::move(reply), std::move(sink));
}

void JoinedReplies::ForgetOld() {
  std::vector<std::pair<Nanos, std::string>> finished;
  for (auto it = replies_.begin(); it != replies_.end();) {
    const std::optional<Nanos> at = it->second->finished_at();
    if (it->second->useless() || (at && clock_.Now() - *at >= kKeepFinished)) {
      it = replies_.erase(it);
      continue;
    }
    if (at) finished.emplace_back(*at, it->first);
    ++it;
  }
  if (finished.size() <= kMaxFinished) return;
  std::sort(finished.begin(), finished.end());
  for (size_t i = 0; i + kMaxFinished < finished.size(); ++i) replies_.erase(finished[i].second);
}

void JoinedReplies::CountTokens(chat::ChatRequest request,
                                std::function<void(Result<int64_t>)> done) {
  inner_.CountTokens(std::move(request), std::move(done));
}

std::vector<api::ModelInfo> JoinedReplies::Models() const { return inner_.Models(); }

}  // namespace ac::backend
