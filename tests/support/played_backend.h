// A backend that answers every request with the same events, from a thread of its own.
#pragma once

#include <atomic>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "backend/backend.h"
#include "base/mutex.h"
#include "chat/reply.h"

namespace ac::testing {

class PlayedBackend : public backend::Backend {
 public:
  std::unique_ptr<backend::Call> Start(chat::ChatRequest request,
                                       std::shared_ptr<chat::ChatSink> sink) override {
    {
      MutexLock lock(mutex_);
      requests_.push_back(std::move(request));
    }
    ++started;
    return std::make_unique<PlayedCall>(*this, std::move(sink));
  }
  void CountTokens(chat::ChatRequest, std::function<void(Result<int64_t>)> done) override {
    done(int64_t{7});
  }
  std::vector<api::ModelInfo> Models() const override { return {{.id = "played"}}; }

  std::vector<chat::ChatRequest> requests() {
    MutexLock lock(mutex_);
    return requests_;
  }

  // The events of a reply that says `text`.
  static std::vector<chat::ChatEvent> Saying(const std::string& text, chat::Usage usage = {}) {
    return {{.value = chat::MessageStart{.id = "msg_1", .model = "m", .usage = usage}},
            {.value = chat::BlockStart{.index = 0, .block = {.value = chat::Text{}}}},
            {.value = chat::TextDelta{.index = 0, .text = text}},
            {.value = chat::BlockStop{.index = 0}},
            {.value = chat::MessageDelta{.usage = usage}},
            {.value = chat::MessageStop{}}};
  }
  // The events of a reply that calls one tool.
  static std::vector<chat::ChatEvent> Calling(const std::string& id, const std::string& name,
                                              const std::string& input) {
    return {{.value = chat::MessageStart{.id = "msg_1", .model = "m"}},
            {.value = chat::BlockStart{.index = 0,
                                       .block = {.value = chat::ToolUse{.id = id, .name = name}}}},
            {.value = chat::ToolArgsDelta{.index = 0, .partial_json = input}},
            {.value = chat::BlockStop{.index = 0}},
            {.value = chat::MessageDelta{.stop_reason = chat::StopReason::kToolUse}},
            {.value = chat::MessageStop{}}};
  }

  // One list per request, the last one for all that follow.
  std::vector<std::vector<chat::ChatEvent>> replies;
  std::atomic<int> started{0};

 private:
  class PlayedCall : public backend::Call {
   public:
    PlayedCall(PlayedBackend& owner, std::shared_ptr<chat::ChatSink> sink) {
      const size_t at = static_cast<size_t>(owner.started - 1);
      const auto events = owner.replies.empty()
                              ? std::vector<chat::ChatEvent>()
                              : owner.replies[std::min(at, owner.replies.size() - 1)];
      thread_ = std::thread([events, sink = std::move(sink)] {
        for (const chat::ChatEvent& event : events) sink->OnEvent(event);
      });
    }
    ~PlayedCall() override {
      // The last event may destroy its own call.
      if (thread_.get_id() == std::this_thread::get_id()) {
        thread_.detach();
      } else {
        thread_.join();
      }
    }

   private:
    std::thread thread_;
  };

  Mutex mutex_;
  std::vector<chat::ChatRequest> requests_ AC_GUARDED_BY(mutex_);
};

// Collects a reply and lets a test wait for its end.
class WaitingSink : public chat::ChatSink {
 public:
  void OnEvent(chat::ChatEvent event) override {
    MutexLock lock(mutex_);
    reply_.Apply(event);
    if (const auto* start = event.As<chat::MessageStart>()) served_by_ = start->served_by;
    if (event.As<chat::MessageStop>() || event.As<chat::Error>()) over_ = true;
    events_.push_back(std::move(event));
    changed_.NotifyAll();
  }
  const chat::Reply& Wait() {
    MutexLock lock(mutex_);
    for (int i = 0; i < 3000 && !over_; ++i)
      changed_.WaitFor(mutex_, std::chrono::milliseconds(10));
    return reply_.reply();
  }
  std::string Text() {
    const chat::Reply& reply = Wait();
    return reply.choices.empty() ? "" : chat::JoinText(reply.choices[0].blocks, "");
  }
  std::string served_by() {
    MutexLock lock(mutex_);
    return served_by_;
  }
  std::vector<chat::ChatEvent> events() {
    MutexLock lock(mutex_);
    return events_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  chat::ReplyBuilder reply_ AC_GUARDED_BY(mutex_);
  std::vector<chat::ChatEvent> events_ AC_GUARDED_BY(mutex_);
  std::string served_by_ AC_GUARDED_BY(mutex_);
  bool over_ AC_GUARDED_BY(mutex_) = false;
};

}  // namespace ac::testing
