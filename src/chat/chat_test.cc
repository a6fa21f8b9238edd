#include <gtest/gtest.h>

#include <set>

#include "chat/dump.h"
#include "chat/ids.h"
#include "chat/reply.h"
#include "json/json.h"

namespace ac::chat {
namespace {

std::vector<ChatEvent> ToolTurn() {
  const Usage usage{.input_tokens = 3, .cache_read = 64, .cache_creation = 0, .output_tokens = 9};
  const PromptFacts facts{.from_memory = 60,
                          .from_disk = 4,
                          .computed = 3,
                          .restore_ms = 1.5,
                          .prefill_ms = 20,
                          .divergence = Divergence{64, 2, "tool Bash", "the", "old", "new", 0.25}};
  return {
      {MessageStart{"msg_1", "m", usage, CacheDiagnosis{"tools_changed", 12}, "", facts}},
      {Ping{10, 20}},
      {BlockStart{0, {Thinking{}, ""}}},
      {ThinkingDelta{0, "hm"}},
      {SignatureDelta{0, "sig"}},
      {BlockStop{0}},
      {BlockStart{1, {Text{}, ""}}},
      {TextDelta{1, "a", {{"a", -0.5, {{"a", -0.5}, {"b", -1.5}}}}}},
      {TextDelta{1, "b", {}}},
      {BlockStop{1}},
      {BlockStart{2, {ToolUse{"toolu_1", "Bash", ""}, ""}}},
      {ToolArgsDelta{2, "{\"x\""}},
      {ToolArgsDelta{2, ":1}"}},
      {BlockStop{2}},
      {MessageDelta{StopReason::kToolUse, "", usage, facts}},
      {MessageStop{}},
  };
}

TEST(Reply, CollectsBlocksUsageAndStopReason) {
  ReplyBuilder builder;
  for (const ChatEvent& event : ToolTurn()) builder.Apply(event);
  const Reply& reply = builder.reply();
  EXPECT_TRUE(reply.complete);
  ASSERT_EQ(reply.choices.size(), 1u);
  const ReplyChoice& choice = reply.choices[0];
  ASSERT_EQ(choice.blocks.size(), 3u);
  EXPECT_EQ(choice.blocks[0].As<Thinking>()->text, "hm");
  EXPECT_EQ(choice.blocks[0].As<Thinking>()->signature, "sig");
  EXPECT_EQ(choice.blocks[1].As<Text>()->text, "ab");
  EXPECT_EQ(choice.blocks[2].As<ToolUse>()->input, "{\"x\":1}");
  EXPECT_EQ(choice.stop_reason, StopReason::kToolUse);
  EXPECT_EQ(choice.logprobs.size(), 1u);
  EXPECT_EQ(reply.usage.PromptTokens(), 67);
}

TEST(Reply, IgnoresDeltasForBlocksThatAreNotOpen) {
  ReplyBuilder builder;
  builder.Apply({TextDelta{7, "x", {}}});
  builder.Apply({BlockStart{0, {Text{}, ""}}});
  builder.Apply({ToolArgsDelta{0, "{}"}});
  builder.Apply({ThinkingDelta{-1, "x"}, -5});
  EXPECT_EQ(builder.reply().choices[0].blocks[0].As<Text>()->text, "");
}

TEST(Dump, EventsSurviveTheRoundTrip) {
  std::vector<ChatEvent> events = ToolTurn();
  events.push_back(
      {BlockStart{0, {ServerToolResult{"web_search_tool_result", "srv", "[]"}, ""}}, 1});
  events.push_back({Error{Unavailable("gone"), 3}});
  for (const ChatEvent& event : events) {
    const std::string text = json::Write(EventToJson(event));
    const Result<ChatEvent> back = EventFromJson(EventToJson(event));
    ASSERT_TRUE(back.ok()) << text << back.status();
    EXPECT_EQ(json::Write(EventToJson(*back)), text);
  }
}

TEST(Dump, RefusesUnknownEvents) {
  EXPECT_FALSE(EventFromJson(*json::Parse(R"({"event":"sing"})")).ok());
  EXPECT_FALSE(EventFromJson(*json::Parse(R"({"event":"block_start"})")).ok());
  EXPECT_FALSE(EventFromJson(*json::Parse("[]")).ok());
}

TEST(Dump, LeavesOutDefaults) {
  ChatRequest request;
  request.model = "m";
  EXPECT_EQ(json::Write(ToJson(request)), R"({"model":"m"})");
}

TEST(Ids, NeverRepeat) {
  std::set<std::string> seen;
  for (int i = 0; i < 2000; ++i) {
    const std::string id = IdSource::Random().Next(kToolUseIdPrefix);
    EXPECT_EQ(id.size(), kToolUseIdPrefix.size() + 24);
    EXPECT_TRUE(seen.insert(id).second) << id;
  }
}

TEST(StopReason, NamesRoundTrip) {
  for (const StopReason reason :
       {StopReason::kEndTurn, StopReason::kMaxTokens, StopReason::kStopSequence,
        StopReason::kToolUse, StopReason::kPauseTurn, StopReason::kRefusal,
        StopReason::kContextWindow}) {
    EXPECT_EQ(StopReasonFromName(StopReasonName(reason)), reason);
  }
  EXPECT_EQ(StopReasonFromName("tired"), std::nullopt);
}

TEST(JoinText, SkipsWhatIsNotText) {
  EXPECT_EQ(JoinText({{Text{"a"}, ""}, {Image{}, ""}, {Text{"b"}, ""}}, "\n"), "a\nb");
}

}  // namespace
}  // namespace ac::chat
