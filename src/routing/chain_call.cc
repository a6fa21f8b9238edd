#include "routing/chain_call.h"

#include <algorithm>
#include <utility>

#include "base/mutex.h"
#include "obs/log.h"

namespace ac::routing {
namespace {

// It may have begun to generate: unknown is treated as charged.
bool MayHaveCharged(Code code) {
  return code == Code::kDeadlineExceeded || code == Code::kDataLoss;
}

class Chain : public std::enable_shared_from_this<Chain> {
 public:
  Chain(chat::ChatRequest request, std::shared_ptr<chat::ChatSink> sink, std::vector<Step> steps,
        const Clock& clock)
      : request_(std::move(request)),
        steps_(std::move(steps)),
        clock_(clock),
        sink_(std::move(sink)) {}

  void StartStep(size_t at);
  void OnEvent(size_t at, chat::ChatEvent event);
  void Detach();

 private:
  // What is left to do without the lock: nothing, or the step to start.
  static constexpr size_t kNoStep = static_cast<size_t>(-1);
  size_t NextAfter(size_t at, Code code) const AC_REQUIRES(mutex_);
  // To the client, or kept until the reply is complete when the client gets it whole.
  void Pass(chat::ChatEvent event, bool last) AC_REQUIRES(mutex_);

  const chat::ChatRequest request_;
  const std::vector<Step> steps_;
  const Clock& clock_;

  Mutex mutex_;
  std::shared_ptr<chat::ChatSink> sink_ AC_GUARDED_BY(mutex_);  // null once over or detached
  size_t current_ AC_GUARDED_BY(mutex_) = 0;
  bool running_ AC_GUARDED_BY(mutex_) = false;  // the current step's on_end is due
  bool detached_ AC_GUARDED_BY(mutex_) = false;
  bool charged_ AC_GUARDED_BY(mutex_) = false;
  bool start_sent_ AC_GUARDED_BY(mutex_) = false;
  StepEnd end_ AC_GUARDED_BY(mutex_);
  std::vector<chat::ChatEvent> held_ AC_GUARDED_BY(mutex_);
  Nanos step_began_ AC_GUARDED_BY(mutex_){0};
  std::vector<std::unique_ptr<backend::Call>> calls_ AC_GUARDED_BY(mutex_);
};

class StepSink : public chat::ChatSink {
 public:
  StepSink(std::shared_ptr<Chain> chain, size_t at) : chain_(std::move(chain)), at_(at) {}
  void OnEvent(chat::ChatEvent event) override { chain_->OnEvent(at_, std::move(event)); }

 private:
  const std::shared_ptr<Chain> chain_;
  const size_t at_;
};

void Chain::StartStep(size_t at) {
  {
    MutexLock lock(mutex_);
    if (sink_ == nullptr) return;
    current_ = at;
    running_ = true;
    end_ = {};
    step_began_ = clock_.Now();
  }
  const Step& step = steps_[at];
  if (step.on_start) step.on_start();
  chat::ChatRequest request = request_;
  if (!step.model.empty()) request.model = step.model;
  std::unique_ptr<backend::Call> call =
      step.backend->Start(std::move(request), std::make_shared<StepSink>(shared_from_this(), at));
  MutexLock lock(mutex_);
  // A call that has failed is kept too: it must not be destroyed inside its own event. One that
  // came too late goes with this function, which destroys it after the lock.
  if (!detached_) calls_.push_back(std::move(call));
}

size_t Chain::NextAfter(size_t at, Code code) const {
  if (!MayFallBack(code)) return kNoStep;
  for (size_t next = at + 1; next < steps_.size(); ++next) {
    if (!charged_ || !steps_[next].charges) return next;
  }
  return kNoStep;
}

void Chain::Pass(chat::ChatEvent event, bool last) {
  held_.push_back(std::move(event));
  if (!request_.stream && !last) return;
  for (chat::ChatEvent& held : held_) sink_->OnEvent(std::move(held));
  held_.clear();
  if (last) sink_ = nullptr;
}

void Chain::OnEvent(size_t at, chat::ChatEvent event) {
  size_t next = kNoStep;
  StepEnd ended;
  bool has_ended = false;
  {
    MutexLock lock(mutex_);
    if (sink_ == nullptr || at != current_ || !running_) return;
    if (const auto* error = event.As<chat::Error>()) {
      end_.status = error->status;
      const Code code = error->status.code();
      charged_ |= steps_[at].charges && (end_.answered || MayHaveCharged(code));
      // A reply that the client gets whole has not reached it yet, however much has come.
      if (!end_.answered || !request_.stream) next = NextAfter(at, code);
      held_.clear();
    } else if (auto* start = std::get_if<chat::MessageStart>(&event.value)) {
      start->model = request_.model;
      if (start->served_by.empty() && steps_.size() > 1) start->served_by = steps_[at].name;
      if (std::exchange(start_sent_, request_.stream)) return;
    } else if (event.As<chat::Ping>() == nullptr && !std::exchange(end_.answered, true)) {
      end_.first_content = clock_.Now() - step_began_;
    }
    if (const auto* delta = event.As<chat::MessageDelta>()) end_.usage = delta->usage;
    const bool last =
        event.As<chat::Error>() != nullptr || event.As<chat::MessageStop>() != nullptr;
    if (last) {
      has_ended = true;
      ended = end_;
      running_ = false;
    }
    if (next == kNoStep) Pass(std::move(event), last);
  }
  if (has_ended && steps_[at].on_end) steps_[at].on_end(ended);
  if (next == kNoStep) return;
  obs::Warn("routing", "falling back",
            {{"from", std::string_view(steps_[at].name)},
             {"to", std::string_view(steps_[next].name)},
             {"reason", std::string_view(ended.status.message())}});
  StartStep(next);
}

void Chain::Detach() {
  std::vector<std::unique_ptr<backend::Call>> calls;
  std::shared_ptr<chat::ChatSink> sink;
  bool has_ended = false;
  size_t at = 0;
  {
    MutexLock lock(mutex_);
    detached_ = true;
    sink = std::move(sink_);
    sink_ = nullptr;
    calls.swap(calls_);
    has_ended = std::exchange(running_, false);
    at = current_;
  }
  calls.clear();
  if (!has_ended || !steps_[at].on_end) return;
  StepEnd end;
  end.cancelled = true;
  end.status = Status(Code::kCancelled, "the client left");
  steps_[at].on_end(end);
}

// Destroying it stops the work.
class ChainHandle : public backend::Call {
 public:
  explicit ChainHandle(std::shared_ptr<Chain> chain) : chain_(std::move(chain)) {}
  ~ChainHandle() override { chain_->Detach(); }

 private:
  const std::shared_ptr<Chain> chain_;
};

}  // namespace

bool MayFallBack(Code code) {
  return code != Code::kInvalidArgument && code != Code::kTooLarge && code != Code::kCancelled;
}

std::unique_ptr<backend::Call> StartChain(chat::ChatRequest request,
                                          std::shared_ptr<chat::ChatSink> sink,
                                          std::vector<Step> steps, const Clock& clock) {
  auto chain =
      std::make_shared<Chain>(std::move(request), std::move(sink), std::move(steps), clock);
  chain->StartStep(0);
  return std::make_unique<ChainHandle>(std::move(chain));
}

}  // namespace ac::routing
