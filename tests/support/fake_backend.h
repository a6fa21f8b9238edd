// A backend for tests that says what the test tells it to, at once.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backend/backend.h"

namespace ac::routing {

inline std::vector<chat::ChatEvent> TextReply(const std::string& text, chat::Usage usage = {}) {
  return {{chat::MessageStart{.id = "msg_1", .model = "own name"}},
          {chat::BlockStart{0, {chat::Text{}, ""}}},
          {chat::TextDelta{0, text, {}}},
          {chat::BlockStop{0}},
          {chat::MessageDelta{.stop_reason = chat::StopReason::kEndTurn, .usage = usage}},
          {chat::MessageStop{}}};
}

class FakeBackend : public backend::Backend {
 public:
  std::unique_ptr<backend::Call> Start(chat::ChatRequest request,
                                       std::shared_ptr<chat::ChatSink> sink) override {
    models.push_back(request.model);
    if (before_events) before_events();
    for (const chat::ChatEvent& event : events) sink->OnEvent(event);
    last_sink = std::move(sink);
    return std::make_unique<backend::Call>();
  }
  void CountTokens(chat::ChatRequest, std::function<void(Result<int64_t>)> done) override {
    done(7);
  }
  std::vector<api::ModelInfo> Models() const override { return {{.id = "m"}}; }

  std::vector<chat::ChatEvent> events;
  std::function<void()> before_events;
  std::vector<std::string> models;  // asked for, one per Start
  std::shared_ptr<chat::ChatSink> last_sink;
};

class CollectingChatSink : public chat::ChatSink {
 public:
  void OnEvent(chat::ChatEvent event) override { events.push_back(std::move(event)); }
  std::string Text() const {
    std::string text;
    for (const chat::ChatEvent& event : events) {
      if (const auto* delta = event.As<chat::TextDelta>()) text += delta->text;
    }
    return text;
  }
  const chat::Error* Failure() const {
    return events.empty() ? nullptr : events.back().As<chat::Error>();
  }
  std::vector<chat::ChatEvent> events;
};

}  // namespace ac::routing
