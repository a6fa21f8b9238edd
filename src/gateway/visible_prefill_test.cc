#include "gateway/visible_prefill.h"

#include <gtest/gtest.h>

#include "api/stream_checker.h"
#include "support/fake_backend.h"

namespace ac::gateway {
namespace {

using routing::CollectingChatSink;
using routing::FakeBackend;

class VisiblePrefillTest : public ::testing::Test {
 protected:
  // What the client gets of a prompt that is read in steps of `step`.
  std::vector<chat::ChatEvent> Read(Nanos step, bool takes_notes = true) {
    auto sink = std::make_shared<CollectingChatSink>();
    chat::ChatRequest request;
    request.metadata.takes_notes = takes_notes;
    const auto call = noting_.Start(std::move(request), sink);
    const std::shared_ptr<chat::ChatSink> inner = inner_.last_sink;
    const std::vector<chat::ChatEvent> reply = routing::TextReply("Hello");
    inner->OnEvent(reply[0]);
    for (int64_t done = 0; done < 4000; done += 1000) {
      inner->OnEvent({chat::Ping{.prompt_done = done, .prompt_total = 4000}});
      clock_.Advance(step);
    }
    for (size_t i = 1; i < reply.size(); ++i) inner->OnEvent(reply[i]);
    EXPECT_TRUE(api::CheckEvents(sink->events).ok()) << api::CheckEvents(sink->events);
    return sink->events;
  }

  FakeClock clock_;
  FakeBackend inner_;
  VisiblePrefill noting_{inner_, clock_};
};

std::string Notes(const std::vector<chat::ChatEvent>& events) {
  std::string text;
  for (const chat::ChatEvent& event : events) {
    if (const auto* delta = event.As<chat::ThinkingDelta>()) text += delta->text;
  }
  return text;
}

TEST_F(VisiblePrefillTest, ALongPromptIsSeenBeingReadBeforeTheReply) {
  EXPECT_EQ(Notes(Read(std::chrono::seconds(2))),
            "Reading the prompt: 1000 of 4000 tokens, about 6 s left.\n"
            "Reading the prompt: 2000 of 4000 tokens, about 4 s left.\n"
            "Reading the prompt: 3000 of 4000 tokens, about 2 s left.\n");
}

TEST_F(VisiblePrefillTest, APromptThatIsReadAtOnceShowsNothing) {
  const auto events = Read(std::chrono::milliseconds(100));
  EXPECT_EQ(Notes(events), "");
  EXPECT_NE(events[5].As<chat::BlockStart>(), nullptr);
  EXPECT_EQ(events[5].As<chat::BlockStart>()->index, 0);
}

TEST_F(VisiblePrefillTest, ARequestThatTakesNoNotesGetsNone) {
  EXPECT_EQ(Notes(Read(std::chrono::seconds(2), false)), "");
}

TEST_F(VisiblePrefillTest, TheNoteNeverReachesTheModelAgain) {
  std::string signature;
  for (const chat::ChatEvent& event : Read(std::chrono::seconds(2))) {
    if (const auto* delta = event.As<chat::SignatureDelta>()) signature = delta->signature;
  }
  ASSERT_FALSE(signature.empty());
  chat::ChatRequest request;
  request.messages = {{.role = chat::Role::kAssistant,
                       .blocks = {{chat::Thinking{"Reading the prompt", signature}, ""},
                                  {chat::Thinking{"a thought", "sig_1"}, ""},
                                  {chat::Text{"Hello"}, ""}}}};
  DropPrefillNotes(&request);
  ASSERT_EQ(request.messages[0].blocks.size(), 2u);
  EXPECT_EQ(request.messages[0].blocks[0].As<chat::Thinking>()->text, "a thought");
}

}  // namespace
}  // namespace ac::gateway
