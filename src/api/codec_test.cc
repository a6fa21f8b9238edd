#include "api/codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "api/stream_checker.h"
#include "base/utf8.h"
#include "chat/dump.h"
#include "json/json.h"

namespace ac::api {
namespace {

using namespace ac::chat;  // NOLINT: every name below is one of its events
using ::testing::HasSubstr;

constexpr StreamRules kRemote{.text_after_tool_call = true, .broken_tool_arguments = true};

std::vector<ChatEvent> Decode(Endpoint endpoint, std::string_view bytes, size_t piece = 0) {
  SequenceIds ids;
  const auto decoder = MakeEventDecoder(endpoint, {.model = "asked", .ids = &ids});
  std::vector<ChatEvent> events;
  if (piece == 0) piece = std::max<size_t>(1, bytes.size());
  for (size_t i = 0; i < bytes.size(); i += piece) decoder->Feed(bytes.substr(i, piece), &events);
  decoder->Finish(&events);
  EXPECT_TRUE(CheckEvents(events, kRemote).ok()) << CheckEvents(events, kRemote) << bytes;
  return events;
}

Reply ReplyOf(const std::vector<ChatEvent>& events) {
  ReplyBuilder builder;
  for (const ChatEvent& event : events) builder.Apply(event);
  return builder.Take();
}

Reply ReplyOf(Endpoint endpoint, std::string_view bytes) {
  return ReplyOf(Decode(endpoint, bytes));
}

// "text", "thinking:...", "name(args)" per block.
std::string Blocks(const Reply& reply, size_t choice = 0) {
  std::string out;
  if (reply.choices.size() <= choice) return out;
  for (const Block& block : reply.choices[choice].blocks) {
    if (!out.empty()) out += "|";
    if (const auto* text = block.As<Text>()) out += text->text;
    if (const auto* thinking = block.As<Thinking>()) {
      out += "thinking:" + thinking->text + thinking->signature;
    }
    if (const auto* call = block.As<ToolUse>()) out += call->name + "(" + call->input + ")";
    if (const auto* call = block.As<ServerToolUse>()) out += "server:" + call->name + call->input;
    if (const auto* result = block.As<ServerToolResult>()) out += result->content;
    if (const auto* redacted = block.As<RedactedThinking>()) out += "redacted:" + redacted->data;
  }
  return out;
}

std::string Chunk(const std::string& delta, const std::string& finish = "null") {
  return "data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":" + delta +
         ",\"finish_reason\":" + finish + "}]}\n\n";
}

const std::string kDone = "data: [DONE]\n\n";

TEST(ChatDecoder, ReadsTextThinkingAndParallelCalls) {
  const std::string bytes =
      Chunk(R"({"role":"assistant","content":""})") + ": comment\n\n" +
      Chunk(R"({"reasoning_content":"hm"})") + Chunk(R"({"content":"\n\nHi"})") +
      Chunk(R"({"content":" you"})") +
      Chunk(
          R"({"tool_calls":[{"index":0,"id":"call_aaaaaaaa","function":{"name":"f","arguments":""}}]})") +
      Chunk(R"({"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":"}}]})") +
      Chunk(R"({"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]})") +
      Chunk(
          R"({"tool_calls":[{"index":1,"id":"call_bbbbbbbb","function":{"name":"g","arguments":"{}"}}]})") +
      Chunk("{}", "\"tool_calls\"") +
      R"(data: {"choices":[],"usage":{"prompt_tokens":30,"completion_tokens":7,"prompt_tokens_details":{"cached_tokens":20},"completion_tokens_details":{"reasoning_tokens":2}}})" +
      "\n\n" + kDone;
  const Reply reply = ReplyOf(Endpoint::kChatCompletions, bytes);
  EXPECT_TRUE(reply.complete);
  EXPECT_EQ(reply.model, "asked");
  EXPECT_EQ(Blocks(reply), "thinking:hm|Hi you|f({\"a\":1})|g({})");
  EXPECT_EQ(reply.choices[0].stop_reason, StopReason::kToolUse);
  EXPECT_EQ(reply.choices[0].blocks[2].As<ToolUse>()->id, "call_aaaaaaaa");
  EXPECT_EQ(reply.usage, (Usage{.input_tokens = 10,
                                .cache_read = 20,
                                .cache_creation = 0,
                                .output_tokens = 7,
                                .thinking_tokens = 2}));
}

struct Quirk {
  std::string what;
  std::string bytes;
  std::string blocks;
  StopReason stop_reason;
};

TEST(ChatDecoder, BearsWhatServersDoDifferently) {
  const std::vector<Quirk> quirks = {
      {"no [DONE]", Chunk(R"({"content":"a"})", "\"stop\""), "a", StopReason::kEndTurn},
      {"stop although there is a call",
       Chunk(
           R"({"tool_calls":[{"index":0,"id":"call_aaaaaaaa","function":{"name":"f","arguments":"{}"}}]})",
           "\"stop\"") +
           kDone,
       "f({})", StopReason::kToolUse},
      {"no index",
       Chunk(
           R"({"tool_calls":[{"id":"call_aaaaaaaa","function":{"name":"f","arguments":"{}"}},{"id":"call_bbbbbbbb","function":{"name":"g","arguments":"{}"}}]})",
           "\"tool_calls\"") +
           kDone,
       "f({})|g({})", StopReason::kToolUse},
      {"neither index nor id",
       Chunk(R"({"tool_calls":[{"function":{"name":"f","arguments":"{}"}}]})") +
           Chunk(R"({"tool_calls":[{"function":{"name":"f","arguments":"{}"}}]})",
                 "\"tool_calls\"") +
           kDone,
       "f({})|f({})", StopReason::kToolUse},
      {"every call has index 0",
       Chunk(
           R"({"tool_calls":[{"index":0,"id":"call_aaaaaaaa","function":{"name":"f","arguments":"{}"}}]})") +
           Chunk(
               R"({"tool_calls":[{"index":0,"id":"call_bbbbbbbb","function":{"name":"g","arguments":"{}"}}]})",
               "\"tool_calls\"") +
           kDone,
       "f({})|g({})", StopReason::kToolUse},
      {"id and name on every piece",
       Chunk(
           R"({"tool_calls":[{"index":0,"id":"call_aaaaaaaa","function":{"name":"f","arguments":"{\"a\""}}]})") +
           Chunk(
               R"({"tool_calls":[{"index":0,"id":"call_aaaaaaaa","function":{"name":"f","arguments":":1}"}}]})",
               "\"tool_calls\"") +
           kDone,
       "f({\"a\":1})", StopReason::kToolUse},
      {"the name comes late",
       Chunk(R"({"tool_calls":[{"index":0,"id":"call_aaaaaaaa","function":{"arguments":"{}"}}]})") +
           Chunk(R"({"tool_calls":[{"index":0,"function":{"name":"f"}}]})", "\"tool_calls\"") +
           kDone,
       "f({})", StopReason::kToolUse},
      {"arguments as an object",
       Chunk(
           R"({"tool_calls":[{"index":0,"id":"call_aaaaaaaa","function":{"name":"f","arguments":{"a":1}}}]})",
           "\"tool_calls\"") +
           kDone,
       "f({\"a\":1})", StopReason::kToolUse},
      {"the old function_call",
       Chunk(R"({"function_call":{"name":"f","arguments":"{\"a\""}})") +
           Chunk(R"({"function_call":{"arguments":":1}"}})", "\"function_call\"") + kDone,
       "f({\"a\":1})", StopReason::kToolUse},
      {"whole messages in the chunks",
       "data: "
       "{\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"a\"},\"finish_"
       "reason\":\"stop\"}]}\n\n" +
           kDone,
       "a", StopReason::kEndTurn},
      {"CRLF and no blanks",
       "data:{\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"length\"}]}"
       "\r\n\r\ndata:[DONE]\r\n\r\n",
       "a", StopReason::kMaxTokens},
      {"no stop reason but [DONE]", Chunk(R"({"content":"a"})") + kDone, "a", StopReason::kEndTurn},
      {"content parts", Chunk(R"({"content":[{"type":"text","text":"a"}]})", "\"stop\"") + kDone,
       "a", StopReason::kEndTurn},
      {"blanks before a call and after it",
       Chunk(R"({"content":"\n\n"})") +
           Chunk(
               R"({"tool_calls":[{"index":0,"id":"call_aaaaaaaa","function":{"name":"f","arguments":"{}"}}]})") +
           Chunk(R"({"content":"\n"})", "\"tool_calls\"") + kDone,
       "f({})", StopReason::kToolUse},
      {"a body that is not a stream",
       R"({"id":"x","choices":[{"index":0,"message":{"role":"assistant","content":"a","reasoning":"t","tool_calls":[{"id":"call_aaaaaaaa","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":1,"completion_tokens":1}})",
       "thinking:t|a|f({})", StopReason::kToolUse},
      {"tool_calls announced but none there", Chunk(R"({"content":"a"})", "\"tool_calls\"") + kDone,
       "a", StopReason::kEndTurn},
  };
  for (const Quirk& quirk : quirks) {
    const Reply reply = ReplyOf(Endpoint::kChatCompletions, quirk.bytes);
    EXPECT_TRUE(reply.complete) << quirk.what << reply.error;
    EXPECT_EQ(Blocks(reply), quirk.blocks) << quirk.what;
    if (reply.choices.empty()) continue;
    EXPECT_EQ(reply.choices[0].stop_reason, quirk.stop_reason) << quirk.what;
  }
}

TEST(ChatDecoder, IdsThatRepeatAreReplaced) {
  const auto bytes = [](const std::string& id) {
    return Chunk(R"({"tool_calls":[{"index":0,"id":")" + id +
                 R"(","function":{"name":"f","arguments":"{}"}}]})") +
           Chunk(R"({"tool_calls":[{"index":1,"id":")" + id +
                     R"(","function":{"name":"f","arguments":"{}"}}]})",
                 "\"tool_calls\"") +
           kDone;
  };
  const Reply numbered = ReplyOf(Endpoint::kChatCompletions, bytes("call_0"));
  ASSERT_EQ(Blocks(numbered), "f({})|f({})") << bytes("call_0");
  EXPECT_EQ(numbered.choices[0].blocks[0].As<ToolUse>()->id, "toolu_2");
  EXPECT_EQ(numbered.choices[0].blocks[1].As<ToolUse>()->id, "toolu_3");
  const Reply twice = ReplyOf(Endpoint::kChatCompletions, bytes("call_longenough"));
  EXPECT_EQ(twice.choices[0].blocks[0].As<ToolUse>()->id, "call_longenough");
  EXPECT_EQ(twice.choices[0].blocks[1].As<ToolUse>()->id, "toolu_2");
}

TEST(ChatDecoder, FailuresEndTheStreamWithTheirReason) {
  const auto status = [](std::string_view bytes) {
    return ReplyOf(Endpoint::kChatCompletions, bytes).error;
  };
  EXPECT_EQ(status("").code(), Code::kUnavailable);
  EXPECT_THAT(status(Chunk(R"({"content":"a"})")).message(), HasSubstr("broke off"));
  EXPECT_THAT(status("data: {\"choices\":[{\n\n").message(), HasSubstr("not JSON"));
  EXPECT_EQ(status("data: {\"error\":{\"message\":\"slow\",\"code\":429}}\n\n"),
            Status(Code::kResourceExhausted, "slow"));
  EXPECT_EQ(status("{\"error\":{\"message\":\"no\",\"code\":401}}"),
            Status(Code::kUnauthenticated, "no"));
  EXPECT_THAT(status("{\"half\":").message(), HasSubstr("not valid JSON"));
  EXPECT_THAT(status("<html>busy</html>").message(), HasSubstr("empty reply"));
  SequenceIds ids;
  const auto decoder =
      MakeEventDecoder(Endpoint::kChatCompletions, {.ids = &ids, .max_event_bytes = 100});
  std::vector<ChatEvent> events;
  decoder->Feed("data: " + std::string(200, 'x'), &events);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].As<Error>()->status.code(), Code::kTooLarge);
}

TEST(ChatDecoder, KeepsChoicesApart) {
  const std::string bytes =
      R"(data: {"choices":[{"index":1,"delta":{"content":"b"},"finish_reason":null},{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]})"
      "\n\n"
      R"(data: {"choices":[{"index":1,"delta":{"content":"B"},"finish_reason":"length"}]})"
      "\n\n" +
      kDone;
  const Reply reply = ReplyOf(Endpoint::kChatCompletions, bytes);
  EXPECT_EQ(Blocks(reply, 0), "a");
  EXPECT_EQ(Blocks(reply, 1), "bB");
  EXPECT_EQ(reply.choices[1].stop_reason, StopReason::kMaxTokens);
}

std::string Named(const std::string& type, const std::string& fields) {
  return "event: " + type + "\ndata: {\"type\":\"" + type + "\"" + fields + "}\n\n";
}

TEST(AnthropicDecoder, BearsWhatServersDoDifferently) {
  const std::string start =
      Named("message_start", R"(,"message":{"id":"msg_1","model":"m","usage":{"input_tokens":3}})");
  const std::string stop =
      Named("message_delta", R"(,"delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2})") +
      Named("message_stop", "");
  const auto block = [](int index, const std::string& json_text) {
    return Named("content_block_start",
                 ",\"index\":" + std::to_string(index) + ",\"content_block\":" + json_text);
  };
  const auto delta = [](const std::string& json_text) {
    return Named("content_block_delta", ",\"index\":0,\"delta\":" + json_text);
  };
  const std::string end = Named("content_block_stop", ",\"index\":0");
  const std::string text = delta(R"({"type":"text_delta","text":"a"})");
  const std::vector<Quirk> quirks = {
      {"plain", start + block(0, R"({"type":"text","text":""})") + text + end + stop, "a",
       StopReason::kEndTurn},
      {"no event names",
       "data: {\"type\":\"message_start\",\"message\":{}}\n\ndata: " +
           std::string(
               R"({"type":"content_block_delta","delta":{"type":"text_delta","text":"a"}})") +
           "\n\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"max_tokens\"}}\n\n",
       "a", StopReason::kMaxTokens},
      {"no block start and stop", start + text + stop, "a", StopReason::kEndTurn},
      {"no message_stop",
       start + text + Named("message_delta", R"(,"delta":{"stop_reason":"end_turn"})"), "a",
       StopReason::kEndTurn},
      {"input only in the start",
       start + block(0, R"({"type":"tool_use","id":"toolu_abc","name":"f","input":{"a":1}})") +
           end + stop,
       "f({\"a\":1})", StopReason::kToolUse},
      {"input in both",
       start + block(0, R"({"type":"tool_use","id":"toolu_abc","name":"f","input":{"a":1}})") +
           delta(R"({"type":"input_json_delta","partial_json":"{\"a\":1}"})") + end + stop,
       "f({\"a\":1})", StopReason::kToolUse},
      {"thinking with signature, redacted, a server tool, an unknown block",
       start + block(0, R"({"type":"thinking","thinking":""})") +
           delta(R"({"type":"thinking_delta","thinking":"t"})") +
           delta(R"({"type":"signature_delta","signature":"S"})") + end +
           block(1, R"({"type":"redacted_thinking","data":"zz"})") + end +
           block(2, R"({"type":"hologram"})") + delta(R"({"type":"text_delta","text":"lost"})") +
           end +
           block(3,
                 R"({"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{}})") +
           delta(R"({"type":"input_json_delta","partial_json":"{}"})") + end +
           block(4,
                 R"({"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[1]})") +
           end + block(5, R"({"type":"text","text":""})") + text + end + stop,
       "thinking:tS|redacted:zz|server:web_search{}|[1]|a", StopReason::kEndTurn},
      {"a body that is not a stream",
       R"({"id":"msg_1","type":"message","model":"m","content":[{"type":"thinking","thinking":"t","signature":"S"},{"type":"text","text":"a"},{"type":"tool_use","id":"toolu_abc","name":"f","input":{}}],"stop_reason":"tool_use","usage":{"input_tokens":3,"output_tokens":2}})",
       "thinking:tS|a|f()", StopReason::kToolUse},
  };
  for (const Quirk& quirk : quirks) {
    const Reply reply = ReplyOf(Endpoint::kMessages, quirk.bytes);
    EXPECT_TRUE(reply.complete) << quirk.what << reply.error;
    EXPECT_EQ(Blocks(reply), quirk.blocks) << quirk.what;
    if (reply.choices.empty()) continue;
    EXPECT_EQ(reply.choices[0].stop_reason, quirk.stop_reason) << quirk.what;
  }
  const Reply failed =
      ReplyOf(Endpoint::kMessages,
              start + Named("error", R"(,"error":{"type":"overloaded_error","message":"full"})"));
  EXPECT_EQ(failed.error, Status(Code::kOverloaded, "full"));
  EXPECT_EQ(ReplyOf(Endpoint::kMessages, start + text).error.code(), Code::kUnavailable);
}

// --- properties over random replies -----------------------------------------------------------

std::string RandomText(std::mt19937* random) {
  static const std::vector<std::string> parts = {
      "a", " ", "\n", "\"", "\\", "\xC3\xA9", "{", "\r", "<", "data:", "event: x\n\n", "\x1b[0m"};
  std::string text = "x";
  for (size_t i = (*random)() % 8; i > 0; --i) text += parts[(*random)() % parts.size()];
  return text + "y";
}

std::vector<ChatEvent> RandomReply(std::mt19937* random) {
  const Usage usage{.input_tokens = 7, .cache_read = 3, .cache_creation = 0, .output_tokens = 5};
  std::vector<ChatEvent> events = {{MessageStart{"msg_abc", "m", usage, {}}}};
  int index = 0;
  if ((*random)() % 2 == 0) {
    events.push_back({BlockStart{index, {Thinking{}, ""}}});
    events.push_back({ThinkingDelta{index, RandomText(random)}});
    events.push_back({BlockStop{index++}});
  }
  if ((*random)() % 3 != 0) {
    events.push_back({BlockStart{index, {Text{}, ""}}});
    for (size_t i = (*random)() % 4; i > 0; --i) {
      events.push_back({TextDelta{index, RandomText(random), {}}});
      if ((*random)() % 3 == 0) events.push_back({Ping{}});
    }
    events.push_back({TextDelta{index, RandomText(random), {}}});
    events.push_back({BlockStop{index++}});
  }
  const size_t calls = (*random)() % 3;
  for (size_t i = 0; i < calls; ++i) {
    events.push_back({BlockStart{index, {ToolUse{"toolu_0000" + std::to_string(i), "f", ""}, ""}}});
    const std::string input = "{\"k\":" + json::Quote(RandomText(random)) + "}";
    size_t cut = 1 + (*random)() % (input.size() - 1);
    while (!IsValidUtf8(input.substr(cut))) ++cut;
    events.push_back({ToolArgsDelta{index, input.substr(0, cut)}});
    events.push_back({ToolArgsDelta{index, input.substr(cut)}});
    events.push_back({BlockStop{index++}});
  }
  events.push_back(
      {MessageDelta{calls > 0 ? StopReason::kToolUse : StopReason::kEndTurn, "", usage}});
  events.push_back({MessageStop{}});
  return events;
}

TEST(Codec, WhatIsEncodedDecodesToTheSameReplyHoweverItIsCut) {
  std::mt19937 random(3);
  for (int round = 0; round < 300; ++round) {
    const std::vector<ChatEvent> events = RandomReply(&random);
    ASSERT_TRUE(CheckEvents(events).ok()) << CheckEvents(events);
    const Reply sent = ReplyOf(events);
    for (const Endpoint endpoint : {Endpoint::kMessages, Endpoint::kChatCompletions}) {
      const auto encoder = MakeEventEncoder(endpoint, {.include_usage = true});
      std::string bytes;
      for (const ChatEvent& event : events) encoder->Encode(event, &bytes);
      EXPECT_TRUE(CheckSse(endpoint, bytes).ok()) << CheckSse(endpoint, bytes) << bytes;
      for (const size_t piece : {size_t{0}, size_t{1}, size_t{2}, 3 + random() % 40}) {
        const Reply got = ReplyOf(Decode(endpoint, bytes, piece));
        EXPECT_EQ(Blocks(got), Blocks(sent)) << bytes;
        EXPECT_EQ(got.usage, sent.usage);
      }
    }
    for (const Endpoint endpoint : {Endpoint::kCompletions, Endpoint::kResponses}) {
      const auto encoder = MakeEventEncoder(endpoint, {});
      std::string bytes;
      for (const ChatEvent& event : events) encoder->Encode(event, &bytes);
      EXPECT_TRUE(CheckSse(endpoint, bytes).ok()) << CheckSse(endpoint, bytes) << bytes;
    }
    for (const Endpoint endpoint : {Endpoint::kMessages, Endpoint::kChatCompletions}) {
      const Reply got = ReplyOf(Decode(endpoint, EncodeReply(endpoint, {}, sent)));
      EXPECT_EQ(Blocks(got), Blocks(sent));
      EXPECT_EQ(got.usage, sent.usage);
    }
  }
}

// Lines and bytes of good streams, shuffled and damaged: the events stay well-formed (checked in
// Decode) and independent of the cuts.
TEST(Codec, DamagedStreamsStillGiveWellFormedEvents) {
  std::mt19937 random(5);
  for (int round = 0; round < 500; ++round) {
    const Endpoint endpoint = round % 2 == 0 ? Endpoint::kMessages : Endpoint::kChatCompletions;
    const auto encoder = MakeEventEncoder(endpoint, {.include_usage = true});
    std::vector<std::string> records;
    for (const ChatEvent& event : RandomReply(&random)) {
      records.emplace_back();
      encoder->Encode(event, &records.back());
    }
    for (int i = 0; i < 3; ++i) {
      std::swap(records[random() % records.size()], records[random() % records.size()]);
      if (random() % 2 == 0)
        records.erase(records.begin() + static_cast<long>(random() % records.size()));
    }
    std::string bytes;
    for (const std::string& record : records) bytes += record;
    if (!bytes.empty() && random() % 2 == 0) {
      bytes[random() % bytes.size()] = static_cast<char>(random() % 256);
    }
    const auto dump = [](const std::vector<ChatEvent>& events) {
      std::string text;
      for (const ChatEvent& event : events) text += json::Write(EventToJson(event)) + "\n";
      return text;
    };
    EXPECT_EQ(dump(Decode(endpoint, bytes)), dump(Decode(endpoint, bytes, 1)));
  }
}

TEST(Encoder, ACallWithoutArgumentsIsAnEmptyObjectForEveryClient) {
  const std::vector<ChatEvent> events = {{MessageStart{"msg_1", "m", {}, {}}},
                                         {BlockStart{0, {ToolUse{"toolu_1", "f", ""}, ""}}},
                                         {BlockStop{0}},
                                         {MessageDelta{StopReason::kToolUse, "", {}}},
                                         {MessageStop{}}};
  const auto bytes = [&](Endpoint endpoint) {
    const auto encoder = MakeEventEncoder(endpoint, {});
    std::string out;
    for (const ChatEvent& event : events) encoder->Encode(event, &out);
    return out;
  };
  EXPECT_THAT(bytes(Endpoint::kChatCompletions), HasSubstr(R"("arguments":"{}")"));
  EXPECT_THAT(bytes(Endpoint::kResponses), HasSubstr(R"("arguments":"{}")"));
  EXPECT_THAT(bytes(Endpoint::kMessages), HasSubstr(R"("input":{})"));
}

TEST(Encoder, TheModelIsTheOneThatWasAskedFor) {
  for (const Endpoint endpoint : {Endpoint::kMessages, Endpoint::kChatCompletions,
                                  Endpoint::kCompletions, Endpoint::kResponses}) {
    std::string out;
    ChatRequest request;
    request.model = "claude-haiku-5-5";
    const auto encoder = MakeEventEncoder(endpoint, EncoderOptionsFor(request, 0));
    encoder->Encode({MessageStart{"msg_1", "qwen3.gguf", {}, {}}}, &out);
    encoder->Encode({MessageDelta{}}, &out);
    EXPECT_THAT(out, HasSubstr(R"("model":"claude-haiku-5-5")"));
    EXPECT_EQ(out.find("gguf"), std::string::npos);
  }
}

}  // namespace
}  // namespace ac::api
