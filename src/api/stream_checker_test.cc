#include "api/stream_checker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ac::api {
namespace {

using namespace ac::chat;  // NOLINT: every name below is one of its events
using ::testing::HasSubstr;

ChatEvent Begin() { return {MessageStart{"msg_1", "m", {}, {}}}; }
ChatEvent OpenText(int index) { return {BlockStart{index, {Text{}, ""}}}; }
ChatEvent OpenCall(int index, std::string id = "toolu_1") {
  return {BlockStart{index, {ToolUse{std::move(id), "f", ""}, ""}}};
}
ChatEvent Say(int index) { return {TextDelta{index, "x", {}}}; }
ChatEvent Args(int index, std::string text) { return {ToolArgsDelta{index, std::move(text)}}; }
ChatEvent Close(int index) { return {BlockStop{index}}; }
ChatEvent Delta(StopReason reason = StopReason::kEndTurn) { return {MessageDelta{reason, "", {}}}; }
ChatEvent Stop() { return {MessageStop{}}; }

std::string Verdict(const std::vector<ChatEvent>& events, StreamRules rules = {}) {
  return CheckEvents(events, rules).message();
}

TEST(StreamChecker, AcceptsWhatKeepsTheRules) {
  EXPECT_EQ(Verdict({{Ping{}},
                     Begin(),
                     {Ping{}},
                     OpenText(0),
                     Say(0),
                     {Ping{}},
                     Close(0),
                     OpenCall(1),
                     Args(1, "{}"),
                     Close(1),
                     OpenCall(2, "toolu_2"),
                     Close(2),
                     Delta(StopReason::kToolUse),
                     Stop()}),
            "");
  EXPECT_EQ(Verdict({Begin(), OpenText(0), {Error{Internal("x"), 0}}}), "");
  EXPECT_EQ(Verdict({{Error{Internal("x"), 0}}}), "");
}

struct BadStream {
  std::vector<ChatEvent> events;
  std::string complaint;
};

TEST(StreamChecker, NamesTheFirstViolation) {
  const ChatEvent thinking{ThinkingDelta{0, "x"}};
  const std::vector<BadStream> cases = {
      {{}, "no message_stop"},
      {{Begin()}, "no message_stop"},
      {{OpenText(0)}, "event 0 (block_start): comes before message_start"},
      {{Begin(), Begin()}, "second message_start"},
      {{{MessageStart{}}}, "no id"},
      {{Begin(), OpenText(1)}, "event 1 (block_start): expected block 0, got 1"},
      {{Begin(), OpenText(0), OpenText(1)}, "block 0 is still open"},
      {{Begin(), Say(0)}, "event 1 (text_delta): block 0 is not open"},
      {{Begin(), OpenText(0), Say(1)}, "block 1 is not open"},
      {{Begin(), OpenText(0), thinking}, "block 0 is of another kind"},
      {{Begin(), OpenText(0), {TextDelta{0, "\xC3", {}}}}, "not valid UTF-8"},
      {{Begin(), OpenText(0), Close(0), Say(0)}, "block 0 is not open"},
      {{Begin(), OpenText(0), Close(0), Close(0)}, "block 0 is not open"},
      {{Begin(), OpenText(0), Delta()}, "block 0 is still open"},
      {{Begin(), Stop()}, "no message_delta"},
      {{Begin(), Delta(), Delta()}, "had its message_delta"},
      {{Begin(), Delta(), Stop(), {Ping{}}}, "nothing may follow"},
      {{Begin(), Delta(), Stop(), Stop()}, "nothing may follow"},
      {{Begin(), OpenCall(0), Close(0), OpenText(1)}, "text after a tool call"},
      {{Begin(), OpenCall(0), Close(0), OpenCall(1)}, "toolu_1 repeats"},
      {{Begin(), OpenCall(0, "")}, "needs an id and a name"},
      {{Begin(), OpenCall(0), Args(0, "{\"a\":"), Close(0), Delta(StopReason::kToolUse)},
       "tool arguments are no JSON object: {\"a\":"},
      {{Begin(), OpenCall(0), Args(0, "[]"), Close(0), Delta(StopReason::kToolUse)},
       "no JSON object"},
  };
  for (const BadStream& bad : cases) EXPECT_THAT(Verdict(bad.events), HasSubstr(bad.complaint));
}

TEST(StreamChecker, RulesCanBeRelaxedForRemoteStreams) {
  const std::vector<ChatEvent> late = {Begin(), OpenCall(0), Close(0), OpenText(1),
                                       Say(1),  Close(1),    Delta(),  Stop()};
  EXPECT_EQ(Verdict(late, {.text_after_tool_call = true}), "");
  const std::vector<ChatEvent> cut = {Begin(),  OpenCall(0), Args(0, "{"),
                                      Close(0), Delta(),     Stop()};
  EXPECT_NE(Verdict(cut), "");
  EXPECT_EQ(Verdict(cut, {.broken_tool_arguments = true}), "");
}

TEST(StreamChecker, ChoicesAreCountedApart) {
  ChatEvent second = OpenText(0);
  second.choice = 1;
  ChatEvent second_close = Close(0);
  second_close.choice = 1;
  ChatEvent second_delta = Delta();
  second_delta.choice = 1;
  EXPECT_EQ(Verdict({Begin(), OpenText(0), second, Close(0), second_close, Delta(), second_delta,
                     Stop()}),
            "");
  EXPECT_THAT(Verdict({Begin(), OpenText(0), second, Close(0), second_close, Delta(), Stop()}),
              HasSubstr("no message_delta"));
  second.choice = -1;
  EXPECT_THAT(Verdict({Begin(), second}), HasSubstr("out of range"));
}

TEST(SseChecker, FindsWhatClientsWouldTripOver) {
  const std::string start =
      "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\"}}\n\n";
  const std::string end =
      "event: message_delta\ndata: "
      "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}}\n\n"
      "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
  const auto verdict = [](const std::string& bytes) {
    return CheckSse(Endpoint::kMessages, bytes).message();
  };
  EXPECT_EQ(verdict(start + end), "");
  EXPECT_THAT(verdict(start + "data: {\"type\":\"ping\"}\n\n" + end), HasSubstr("no event name"));
  EXPECT_THAT(verdict(start + "event: x\ndata: {\"type\":\"ping\"}\n\n" + end),
              HasSubstr("is named x"));
  EXPECT_THAT(
      verdict(start +
              "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n"),
      HasSubstr("block 0 is not open"));
  EXPECT_THAT(verdict(start), HasSubstr(""));
  EXPECT_THAT(verdict(start + "event: message_stop\ndata: {\"type\":\"message_stop\"}\n"),
              HasSubstr("not terminated"));
  const auto chat = [](const std::string& bytes) {
    return CheckSse(Endpoint::kChatCompletions, bytes).message();
  };
  EXPECT_THAT(chat("data: {\"id\":\"a\",\"choices\":[]}\n\n"), HasSubstr("[DONE]"));
  EXPECT_THAT(chat("data: {\"id\":\"a\",\"choices\":[{\"index\":0,\"delta\":{}}]}\n\n"),
              HasSubstr("role"));
  EXPECT_THAT(
      chat("data: {\"id\":\"a\",\"choices\":[]}\n\ndata: {\"id\":\"b\",\"choices\":[]}\n\n"),
      HasSubstr("id is missing or changes"));
}

}  // namespace
}  // namespace ac::api
