#include "backend/joined_replies.h"

#include <gtest/gtest.h>

namespace ac::backend {
namespace {

// Hands out its sinks, so that the test says when something is told.
class HeldBackend : public Backend {
 public:
  class HeldCall : public Call {
   public:
    explicit HeldCall(int* ended) : ended_(ended) {}
    ~HeldCall() override { ++*ended_; }

   private:
    int* ended_;
  };
  std::unique_ptr<Call> Start(chat::ChatRequest, std::shared_ptr<chat::ChatSink> sink) override {
    sinks.push_back(std::move(sink));
    return std::make_unique<HeldCall>(&ended);
  }
  void CountTokens(chat::ChatRequest, std::function<void(Result<int64_t>)>) override {}
  std::vector<api::ModelInfo> Models() const override { return {}; }

  std::vector<std::shared_ptr<chat::ChatSink>> sinks;
  int ended = 0;
};

class CountingSink : public chat::ChatSink {
 public:
  void OnEvent(chat::ChatEvent event) override {
    if (const auto* delta = event.As<chat::TextDelta>()) text += delta->text;
    if (const auto* start = event.As<chat::MessageStart>()) {
      id = start->id;
      served_by = start->served_by;
    }
    ends += event.As<chat::MessageStop>() != nullptr;
  }
  std::string text;
  std::string id;
  std::string served_by = "nobody yet";
  int ends = 0;
};

class JoinedRepliesTest : public ::testing::Test {
 protected:
  struct Client {
    std::shared_ptr<CountingSink> sink = std::make_shared<CountingSink>();
    std::unique_ptr<Call> call;
  };
  Client Ask(const std::string& twin, bool stream = true) {
    Client client;
    chat::ChatRequest request;
    request.metadata.twin = twin;
    request.stream = stream;
    client.call = joined_.Start(std::move(request), client.sink);
    return client;
  }
  void Say(const std::string& text) {
    inner_.sinks.back()->OnEvent({.value = chat::TextDelta{.index = 0, .text = text}});
  }
  void Begin() { inner_.sinks.back()->OnEvent({.value = chat::MessageStart{.id = "msg_1"}}); }
  void End() { inner_.sinks.back()->OnEvent({.value = chat::MessageStop{}}); }

  HeldBackend inner_;
  FakeClock clock_;
  obs::Metrics metrics_;
  JoinedReplies joined_{inner_, clock_, metrics_};
};

TEST_F(JoinedRepliesTest, ATwinHearsWhatWasSaidAndWhatComes) {
  const Client first = Ask("a");
  Begin();
  Say("one ");
  const Client second = Ask("a");
  Say("two");
  End();
  EXPECT_EQ(inner_.sinks.size(), 1u);
  for (const Client* client : {&first, &second}) {
    EXPECT_EQ(client->sink->text, "one two");
    EXPECT_EQ(client->sink->id, "msg_1");
    EXPECT_EQ(client->sink->ends, 1);
  }
}

TEST_F(JoinedRepliesTest, OnlyTheFirstIsServedByTheBackendItself) {
  const Client first = Ask("a");
  const Client early = Ask("a");
  Begin();
  const Client late = Ask("a");
  EXPECT_EQ(first.sink->served_by, "");
  EXPECT_EQ(early.sink->served_by, kServedByTwin);
  EXPECT_EQ(late.sink->served_by, kServedByTwin);
}

TEST_F(JoinedRepliesTest, OtherRequestsAndThoseWithoutATwinRunAlone) {
  const Client a = Ask("a");
  const Client b = Ask("b");
  const Client c = Ask("");
  const Client d = Ask("");
  EXPECT_EQ(inner_.sinks.size(), 4u);
}

TEST_F(JoinedRepliesTest, TheWorkStopsWhenTheLastClientLeaves) {
  Client first = Ask("a");
  Client second = Ask("a");
  first.call.reset();
  EXPECT_EQ(inner_.ended, 0);
  Say("x");
  EXPECT_EQ(first.sink->text, "") << "who left hears nothing";
  EXPECT_EQ(second.sink->text, "x");
  second.call.reset();
  EXPECT_EQ(inner_.ended, 1);
  const Client third = Ask("a");
  EXPECT_EQ(inner_.sinks.size(), 2u) << "what was stopped is begun again";
}

TEST_F(JoinedRepliesTest, AFinishedStreamAnswersTheFallbackWithoutOneForAMinute) {
  Client first = Ask("a");
  Begin();
  Say("all of it");
  End();
  first.call.reset();
  const Client again = Ask("a", /*stream=*/false);
  EXPECT_EQ(again.sink->text, "all of it");
  EXPECT_EQ(again.sink->ends, 1);
  EXPECT_EQ(inner_.sinks.size(), 1u);
  clock_.Advance(std::chrono::seconds(61));
  const Client late = Ask("a", /*stream=*/false);
  EXPECT_EQ(inner_.sinks.size(), 2u);
}

TEST_F(JoinedRepliesTest, AskingAgainAfterTheEndGetsAnAnswerOfItsOwn) {
  Client first = Ask("a");
  End();
  first.call.reset();
  const Client second = Ask("a");
  EXPECT_EQ(inner_.sinks.size(), 2u);
}

TEST_F(JoinedRepliesTest, AFailedReplyIsNotHandedOn) {
  const Client first = Ask("a");
  inner_.sinks.back()->OnEvent({.value = chat::Error{.status = Internal("broken")}});
  const Client second = Ask("a", /*stream=*/false);
  EXPECT_EQ(inner_.sinks.size(), 2u);
}

}  // namespace
}  // namespace ac::backend
