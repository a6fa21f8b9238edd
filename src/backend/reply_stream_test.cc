#include "backend/reply_stream.h"

#include <gtest/gtest.h>

#include "chat/reply.h"

namespace ac::backend {
namespace {

chat::ChatRequest WithTool() {
  chat::ChatRequest request;
  request.tools = {{.name = "Read", .input_schema = R"({"type":"object"})"}};
  return request;
}

// Feeds the text in pieces of `step` bytes and collects the reply.
chat::ReplyChoice Collect(const ReplyFormat& format, std::string_view text, size_t step,
                          engine::FinishReason reason = engine::FinishReason::kEndToken,
                          std::vector<chat::ChatEvent>* all = nullptr) {
  chat::SequenceIds ids;
  ReplyStream stream(0, std::make_shared<const ReplyFormat>(format), ids);
  chat::ReplyBuilder builder;
  builder.Apply({.value = chat::MessageStart{.id = "m"}});
  const auto apply = [&](const std::vector<chat::ChatEvent>& events) {
    for (const chat::ChatEvent& event : events) {
      builder.Apply(event);
      if (all != nullptr) all->push_back(event);
    }
  };
  for (size_t i = 0; i < text.size(); i += step) {
    apply(stream.Token({.id = 1, .text = std::string(text.substr(i, step))}));
  }
  apply(stream.Finish({.reason = reason}, {}));
  return builder.reply().choices.at(0);
}

ReplyFormat Hermes() {
  return ReplyFormat::ForChat(WithTool(), toolcall::Family::kHermes, "<|im_start|>assistant\n");
}

TEST(ReplyStream, RawTextIsOneBlock) {
  const auto choice = Collect(ReplyFormat::Raw(), " <tool_call> is just text ", 3);
  ASSERT_EQ(choice.blocks.size(), 1u);
  EXPECT_EQ(choice.blocks[0].As<chat::Text>()->text, " <tool_call> is just text ");
  EXPECT_EQ(choice.stop_reason, chat::StopReason::kEndTurn);
}

TEST(ReplyStream, TextThenCallAtEverySplit) {
  const std::string text =
      "Reading.\n<tool_call>\n{\"name\": \"Read\", \"arguments\": {\"path\": "
      "\"a.txt\"}}\n</tool_call>";
  for (size_t step = 1; step <= text.size(); ++step) {
    const auto choice = Collect(Hermes(), text, step);
    ASSERT_EQ(choice.blocks.size(), 2u) << step;
    EXPECT_EQ(choice.blocks[0].As<chat::Text>()->text.substr(0, 8), "Reading.") << step;
    const auto* use = choice.blocks[1].As<chat::ToolUse>();
    ASSERT_NE(use, nullptr) << step;
    EXPECT_EQ(use->name, "Read");
    EXPECT_NE(use->input.find("a.txt"), std::string::npos) << use->input;
    EXPECT_EQ(choice.stop_reason, chat::StopReason::kToolUse);
  }
}

TEST(ReplyStream, ParallelCallsHaveTheirOwnBlocksAndIds) {
  const std::string call = "<tool_call>\n{\"name\": \"Read\", \"arguments\": {}}\n</tool_call>\n";
  const auto choice = Collect(Hermes(), call + call, 7);
  ASSERT_EQ(choice.blocks.size(), 2u);
  EXPECT_NE(choice.blocks[0].As<chat::ToolUse>()->id, choice.blocks[1].As<chat::ToolUse>()->id);
}

TEST(ReplyStream, TextBehindACallIsNotSent) {
  const auto choice = Collect(
      Hermes(), "<tool_call>\n{\"name\": \"Read\", \"arguments\": {}}\n</tool_call>\nDone!", 5);
  EXPECT_EQ(choice.blocks.size(), 1u);
}

TEST(ReplyStream, ThinkingThatThePromptOpenedComesFirst) {
  const auto format =
      ReplyFormat::ForChat(WithTool(), toolcall::Family::kHermes, "assistant\n<think>\n");
  const auto choice = Collect(format, "let me see</think>\n\nHello", 4);
  ASSERT_EQ(choice.blocks.size(), 2u);
  EXPECT_NE(choice.blocks[0].As<chat::Thinking>()->text.find("let me see"), std::string::npos);
  EXPECT_FALSE(choice.blocks[0].As<chat::Thinking>()->signature.empty());
  EXPECT_EQ(choice.blocks[1].As<chat::Text>()->text, "Hello");
}

TEST(ReplyStream, WithoutToolsNothingIsACall) {
  const auto format = ReplyFormat::ForChat({}, toolcall::Family::kHermes, "");
  const auto choice =
      Collect(format, "<tool_call>\n{\"name\": \"Read\", \"arguments\": {}}\n</tool_call>", 6);
  for (const chat::Block& block : choice.blocks) EXPECT_EQ(block.As<chat::ToolUse>(), nullptr);
}

TEST(ReplyStream, StopReasonsAreExact) {
  using engine::FinishReason;
  EXPECT_EQ(Collect(Hermes(), "a", 1, FinishReason::kMaxTokens).stop_reason,
            chat::StopReason::kMaxTokens);
  EXPECT_EQ(Collect(Hermes(), "a", 1, FinishReason::kStopString).stop_reason,
            chat::StopReason::kStopSequence);
  EXPECT_EQ(Collect(Hermes(), "a", 1, FinishReason::kContextFull).stop_reason,
            chat::StopReason::kContextWindow);
}

TEST(ReplyStream, BlocksOpenAndCloseInTurn) {
  std::vector<chat::ChatEvent> events;
  Collect(Hermes(), "Hi <tool_call>\n{\"name\": \"Read\", \"arguments\": {}}\n</tool_call>", 3,
          engine::FinishReason::kEndToken, &events);
  int open = -1;
  int next = 0;
  for (const chat::ChatEvent& event : events) {
    if (const auto* start = event.As<chat::BlockStart>()) {
      EXPECT_EQ(open, -1);
      EXPECT_EQ(start->index, next++);
      open = start->index;
    }
    if (const auto* stop = event.As<chat::BlockStop>()) {
      EXPECT_EQ(stop->index, open);
      open = -1;
    }
  }
  EXPECT_EQ(open, -1);
  EXPECT_EQ(next, 2);
}

TEST(ReplyStream, ACallThatMayBeARepetitionIsToldOnceItDiffersAtEverySplit) {
  ReplyFormat format = Hermes();
  format.repeated = chat::RepeatedCall{.tool = "Read", .arguments = R"({"path":"a"})"};
  const std::string before = "Reading.\n";
  const auto call = [](const std::string& path) {
    return "<tool_call>\n{\"name\": \"Read\", \"arguments\": {\"path\": \"" + path +
           "\"}}\n</tool_call>";
  };
  const std::string other = before + call("b");
  const std::string same = before + call("a");
  for (size_t step = 1; step <= same.size(); ++step) {
    const auto choice = Collect(format, other, step);
    ASSERT_EQ(choice.blocks.size(), 2u) << step;
    EXPECT_NE(choice.blocks[1].As<chat::ToolUse>()->input.find("\"b\""), std::string::npos);

    chat::SequenceIds ids;
    ReplyStream stream(0, std::make_shared<const ReplyFormat>(format), ids);
    chat::ReplyBuilder builder;
    builder.Apply({.value = chat::MessageStart{.id = "m"}});
    const auto feed = [&](std::string_view text) {
      for (size_t i = 0; i < text.size() && !stream.repeats(); i += step) {
        for (const auto& event :
             stream.Token({.id = 1, .text = std::string(text.substr(i, step))})) {
          EXPECT_EQ(event.As<chat::ToolArgsDelta>(), nullptr) << "held back";
          builder.Apply(event);
        }
      }
    };
    feed(same);
    ASSERT_TRUE(stream.repeats()) << step;
    EXPECT_TRUE(stream.Finish({}, {}).empty());
    const std::string told(stream.told_text());
    EXPECT_EQ(told, same.substr(0, std::min(same.size(), stream.told_tokens() * step))) << step;
    if (told.find('<') != std::string::npos) continue;  // the other try goes on inside the call
    stream.Rewind();
    EXPECT_FALSE(stream.repeats());
    // The other try says something else from there on.
    for (const auto& event : stream.Token({.id = 1, .text = "Nothing to read."})) {
      builder.Apply(event);
    }
    for (const auto& event : stream.Finish({}, {})) builder.Apply(event);
    const auto& blocks = builder.reply().choices.at(0).blocks;
    ASSERT_EQ(blocks.size(), 1u) << step;
    EXPECT_EQ(blocks[0].As<chat::Text>()->text, told + "Nothing to read.") << step;
  }
}

}  // namespace
}  // namespace ac::backend
