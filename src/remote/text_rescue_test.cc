#include "remote/text_rescue.h"

#include <gtest/gtest.h>

#include "api/stream_checker.h"
#include "chat/reply.h"

namespace ac::remote {
namespace {

using chat::ChatEvent;

std::vector<chat::ToolSpec> Tools() {
  return {{.name = "Bash",
           .description = "Runs a command",
           .input_schema = R"({"type":"object","properties":{"command":{"type":"string"}}})"}};
}

// A reply of one text block, cut into pieces of `size` bytes.
std::vector<ChatEvent> TextReply(const std::string& text, size_t size,
                                 chat::StopReason reason = chat::StopReason::kEndTurn) {
  std::vector<ChatEvent> events = {{chat::MessageStart{.id = "m", .model = "x"}},
                                   {chat::BlockStart{0, {chat::Text{}, ""}}}};
  for (size_t i = 0; i < text.size(); i += size) {
    events.push_back({chat::TextDelta{0, text.substr(i, size), {}}});
  }
  events.push_back({chat::BlockStop{0}});
  events.push_back({chat::MessageDelta{.stop_reason = reason}});
  events.push_back({chat::MessageStop{}});
  return events;
}

chat::Reply Rescue(std::vector<ChatEvent> events, std::vector<chat::ToolSpec> tools = Tools()) {
  chat::SequenceIds ids;
  TextRescue rescue(std::move(tools), ids);
  std::vector<ChatEvent> out;
  for (ChatEvent& event : events) rescue.Pass(std::move(event), &out);
  chat::ReplyBuilder builder;
  api::StreamChecker checker({.broken_tool_arguments = true});
  for (const ChatEvent& event : out) {
    EXPECT_TRUE(checker.Observe(event).ok());
    builder.Apply(event);
  }
  EXPECT_TRUE(builder.reply().complete);
  return builder.Take();
}

TEST(TextRescueTest, ACallWrittenAsTextBecomesACallWhereverTheStreamIsCut) {
  const std::string text =
      "I look.\n<tool_call>\n{\"name\": \"Bash\", \"arguments\": {\"command\": \"ls\"}}\n"
      "</tool_call>";
  for (size_t size = 1; size <= text.size(); ++size) {
    const chat::Reply reply = Rescue(TextReply(text, size));
    ASSERT_EQ(reply.choices[0].blocks.size(), 2u) << size;
    EXPECT_EQ(reply.choices[0].blocks[0].As<chat::Text>()->text.substr(0, 7), "I look.");
    const auto* call = reply.choices[0].blocks[1].As<chat::ToolUse>();
    ASSERT_NE(call, nullptr);
    EXPECT_EQ(call->name, "Bash");
    EXPECT_EQ(call->input, R"({"command": "ls"})");
    EXPECT_EQ(reply.choices[0].stop_reason, chat::StopReason::kToolUse);
  }
}

TEST(TextRescueTest, ThinkingTagsInTextBecomeThinking) {
  const chat::Reply reply = Rescue(TextReply("<think>hm</think>\n\nDone.", 3));
  ASSERT_EQ(reply.choices[0].blocks.size(), 2u);
  EXPECT_EQ(reply.choices[0].blocks[0].As<chat::Thinking>()->text, "hm");
  EXPECT_NE(reply.choices[0].blocks[1].As<chat::Text>(), nullptr);
  EXPECT_EQ(reply.choices[0].stop_reason, chat::StopReason::kEndTurn);
}

TEST(TextRescueTest, ACallThatWasCutByTheLimitIsNotCompleted) {
  const chat::Reply reply =
      Rescue(TextReply("<tool_call>\n{\"name\": \"Bash\", \"arguments\": {\"command\": \"rm -rf", 5,
                       chat::StopReason::kMaxTokens));
  EXPECT_EQ(reply.choices[0].stop_reason, chat::StopReason::kMaxTokens);
  for (const chat::Block& block : reply.choices[0].blocks) {
    if (const auto* call = block.As<chat::ToolUse>()) {
      EXPECT_EQ(call->input.find('}'), std::string::npos) << "the model did not close it";
    }
  }
}

TEST(TextRescueTest, CallsThatTheServerFoundItselfAreLeftAlone) {
  std::vector<ChatEvent> events = {
      {chat::MessageStart{.id = "m", .model = "x"}},
      {chat::BlockStart{0, {chat::Thinking{}, ""}}},
      {chat::ThinkingDelta{0, "t"}},
      {chat::BlockStop{0}},
      {chat::BlockStart{1, {chat::Text{}, ""}}},
      {chat::TextDelta{1, "ok <", {}}},  // the parser holds the bracket back until the block ends
      {chat::BlockStop{1}},
      {chat::BlockStart{2, {chat::ToolUse{"toolu_aaaaaaaa", "Bash", ""}, ""}}},
      {chat::ToolArgsDelta{2, "{}"}},
      {chat::BlockStop{2}},
      {chat::MessageDelta{.stop_reason = chat::StopReason::kToolUse}},
      {chat::MessageStop{}}};
  const chat::Reply reply = Rescue(events);
  ASSERT_EQ(reply.choices[0].blocks.size(), 3u);
  EXPECT_EQ(reply.choices[0].blocks[1].As<chat::Text>()->text, "ok <");
  EXPECT_EQ(reply.choices[0].blocks[2].As<chat::ToolUse>()->id, "toolu_aaaaaaaa");
}

TEST(TextRescueTest, WithoutToolsNothingIsTouched) {
  const std::string text = "<tool_call>{\"name\":\"Bash\",\"arguments\":{}}</tool_call>";
  const chat::Reply reply = Rescue(TextReply(text, 7), {});
  ASSERT_EQ(reply.choices[0].blocks.size(), 1u);
  EXPECT_EQ(reply.choices[0].blocks[0].As<chat::Text>()->text, text);
}

}  // namespace
}  // namespace ac::remote
