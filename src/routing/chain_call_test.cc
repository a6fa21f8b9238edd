#include "routing/chain_call.h"

#include <gtest/gtest.h>

#include "support/fake_backend.h"

namespace ac::routing {
namespace {

class ChainCallTest : public ::testing::Test {
 protected:
  std::unique_ptr<backend::Call> Run(bool first_charges = false, bool second_charges = false) {
    chat::ChatRequest request;
    request.model = "asked";
    request.stream = stream_;
    const auto end = [this](const StepEnd& step) { ends_.push_back(step); };
    return StartChain(
        request, sink_,
        {{.backend = &first_,
          .name = "first",
          .model = "m1",
          .charges = first_charges,
          .on_end = end},
         {.backend = &second_, .name = "second", .charges = second_charges, .on_end = end}});
  }
  static std::vector<chat::ChatEvent> FailWith(Code code,
                                               std::vector<chat::ChatEvent> before = {}) {
    before.push_back({chat::Error{Status(code, "[x] it failed")}});
    return before;
  }

  bool stream_ = true;
  FakeBackend first_, second_;
  std::shared_ptr<CollectingChatSink> sink_ = std::make_shared<CollectingChatSink>();
  std::vector<StepEnd> ends_;
};

TEST_F(ChainCallTest, AnAnswerKeepsTheNameTheClientAskedForAndSaysWhoAnswered) {
  first_.events = TextReply("hi", {.input_tokens = 5});
  const auto call = Run();
  EXPECT_EQ(sink_->Text(), "hi");
  EXPECT_EQ(first_.models, std::vector<std::string>{"m1"});
  EXPECT_TRUE(second_.models.empty());
  const auto* start = sink_->events[0].As<chat::MessageStart>();
  EXPECT_EQ(start->model, "asked");
  EXPECT_EQ(start->served_by, "first");
  ASSERT_EQ(ends_.size(), 1u);
  EXPECT_TRUE(ends_[0].status.ok() && ends_[0].answered);
  EXPECT_EQ(ends_[0].usage.input_tokens, 5);
}

TEST_F(ChainCallTest, AFailureBeforeContentFallsBackEvenAfterTheStart) {
  first_.events = FailWith(Code::kUnavailable, {{chat::MessageStart{.id = "m"}}, {chat::Ping{}}});
  second_.events = TextReply("from the second");
  const auto call = Run();
  EXPECT_EQ(sink_->Text(), "from the second");
  int starts = 0;
  for (const auto& event : sink_->events) starts += event.As<chat::MessageStart>() != nullptr;
  EXPECT_EQ(starts, 1);
  EXPECT_EQ(second_.models, std::vector<std::string>{"asked"});
  ASSERT_EQ(ends_.size(), 2u);
  EXPECT_FALSE(ends_[0].status.ok());
}

TEST_F(ChainCallTest, AFailureAfterContentIsTheClients) {
  first_.events = FailWith(Code::kUnavailable, {{chat::MessageStart{.id = "m"}},
                                                {chat::BlockStart{0, {chat::Text{}, ""}}},
                                                {chat::TextDelta{0, "half", {}}}});
  second_.events = TextReply("again");
  const auto call = Run();
  ASSERT_NE(sink_->Failure(), nullptr);
  EXPECT_EQ(sink_->Text(), "half");
  EXPECT_TRUE(second_.models.empty());
}

TEST_F(ChainCallTest, AReplyThatIsNotStreamedMayStillBeginAgain) {
  stream_ = false;
  first_.events = FailWith(Code::kUnavailable, {{chat::MessageStart{.id = "m"}},
                                                {chat::BlockStart{0, {chat::Text{}, ""}}},
                                                {chat::TextDelta{0, "half", {}}}});
  second_.events = TextReply("whole");
  const auto call = Run();
  EXPECT_EQ(sink_->Text(), "whole") << "the client has seen nothing of the first";
  EXPECT_NE(sink_->events[0].As<chat::MessageStart>(), nullptr);
  sink_->events.clear();
  const auto paid = Run(true, true);
  EXPECT_NE(sink_->Failure(), nullptr) << "but what was paid for is not paid for again";
}

TEST_F(ChainCallTest, AMistakeInTheRequestIsNotOfferedAround) {
  first_.events = FailWith(Code::kInvalidArgument);
  const auto call = Run();
  ASSERT_NE(sink_->Failure(), nullptr);
  EXPECT_EQ(sink_->Failure()->status.code(), Code::kInvalidArgument);
  EXPECT_TRUE(second_.models.empty());
}

TEST_F(ChainCallTest, NothingIsPaidTwice) {
  first_.events = FailWith(Code::kDeadlineExceeded);
  second_.events = TextReply("x");
  const auto both_charge = Run(true, true);
  ASSERT_NE(sink_->Failure(), nullptr) << "the first may have begun to work";
  EXPECT_TRUE(second_.models.empty());
  sink_->events.clear();
  const auto second_is_free = Run(true, false);
  EXPECT_EQ(sink_->Text(), "x");
  first_.events = FailWith(Code::kResourceExhausted);
  sink_->events.clear();
  const auto first_refused = Run(true, true);
  EXPECT_EQ(sink_->Text(), "x") << "a refusal costs nothing";
}

TEST_F(ChainCallTest, TheLastFailureIsToldWhenAllFail) {
  first_.events = FailWith(Code::kUnavailable);
  second_.events = FailWith(Code::kOverloaded);
  const auto call = Run();
  ASSERT_EQ(sink_->events.size(), 1u);
  EXPECT_EQ(sink_->Failure()->status.code(), Code::kOverloaded);
}

TEST_F(ChainCallTest, AClientThatLeavesHearsNothingMore) {
  first_.events = {{chat::MessageStart{.id = "m"}}};
  auto call = Run();
  const size_t heard = sink_->events.size();
  call.reset();
  first_.last_sink->OnEvent({chat::Error{Status(Code::kUnavailable, "late")}});
  EXPECT_EQ(sink_->events.size(), heard);
  EXPECT_TRUE(second_.models.empty());
  ASSERT_EQ(ends_.size(), 1u);
  EXPECT_TRUE(ends_[0].cancelled);
}

}  // namespace
}  // namespace ac::routing
