#include "api/errors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "json/json.h"

namespace ac::api {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST(Errors, OverflowHasExactlyTheTextThatMakesTheAgentCompact) {
  const ErrorReply reply = EncodeError(Dialect::kAnthropic, PromptTooLong(210000, 200000));
  EXPECT_EQ(reply.http_status, 400);
  EXPECT_EQ(reply.body, R"({"type":"error","error":{"type":"invalid_request_error",)"
                        R"("message":"prompt is too long: 210000 tokens > 200000 maximum"}})");
  EXPECT_EQ(ErrorText(PromptTooLong(9, 8, "memory")),
            "prompt is too long: 9 tokens > 8 maximum (memory)");
  EXPECT_THAT(EncodeError(Dialect::kOpenAi, PromptTooLong(9, 8)).body,
              HasSubstr(R"("code":"context_length_exceeded")"));
}

struct Expected {
  Code code;
  int anthropic_status;
  std::string anthropic_type;
  int openai_status;
};

TEST(Errors, EveryCodeHasItsStatusAndType) {
  const std::vector<Expected> table = {
      {Code::kInvalidArgument, 400, "invalid_request_error", 400},
      {Code::kUnauthenticated, 401, "authentication_error", 401},
      {Code::kPermissionDenied, 403, "permission_error", 403},
      {Code::kNotFound, 404, "not_found_error", 404},
      {Code::kTooLarge, 413, "request_too_large", 413},
      {Code::kResourceExhausted, 429, "rate_limit_error", 429},
      {Code::kInternal, 500, "api_error", 500},
      {Code::kUnsupported, 501, "not_supported", 501},
      {Code::kUnavailable, 503, "api_error", 503},
      {Code::kDeadlineExceeded, 504, "timeout_error", 504},
      {Code::kOverloaded, 529, "overloaded_error", 503},
  };
  for (const Expected& expected : table) {
    const Status status(expected.code, "[x] why");
    const ErrorReply anthropic = EncodeError(Dialect::kAnthropic, status);
    EXPECT_EQ(anthropic.http_status, expected.anthropic_status) << status;
    const json::Value body = *json::Parse(anthropic.body);
    EXPECT_EQ(json::GetString(*json::Find(body, "error"), "type"), expected.anthropic_type);
    EXPECT_EQ(json::GetString(*json::Find(body, "error"), "message"), "why");
    const ErrorReply openai = EncodeError(Dialect::kOpenAi, status);
    EXPECT_EQ(openai.http_status, expected.openai_status) << status;
    EXPECT_EQ(json::GetString(*json::Find(*json::Parse(openai.body), "error"), "message"), "why");
  }
}

TEST(Errors, BusyServersSayWhenToComeBackAndDeadEndsSayNotTo) {
  const Status busy(Code::kOverloaded, "queue full");
  EXPECT_THAT(EncodeError(Dialect::kAnthropic, busy).headers, Contains(Pair("retry-after", "2")));
  EXPECT_THAT(EncodeError(Dialect::kOpenAi, busy, {.retry_after_s = 17}).headers,
              Contains(Pair("retry-after", "17")));
  for (const Code code : {Code::kUnauthenticated, Code::kUnsupported}) {
    EXPECT_THAT(EncodeError(Dialect::kAnthropic, Status(code, "x")).headers,
                Contains(Pair("x-should-retry", "false")));
  }
  EXPECT_THAT(EncodeError(Dialect::kAnthropic, InvalidArgument("x")).headers, IsEmpty());
}

TEST(Errors, OnlyOurOwnTagIsTakenOffTheMessage) {
  EXPECT_EQ(ErrorText(InvalidArgument("[api] messages.0: bad")), "messages.0: bad");
  EXPECT_EQ(ErrorText(InvalidArgument("[1,2] is no object")), "[1,2] is no object");
  EXPECT_EQ(ErrorText(InvalidArgument("")), "invalid_argument");
}

TEST(Errors, EventsEndARunningStreamInEachDialect) {
  const Status status(Code::kOverloaded, "[engine] full");
  EXPECT_EQ(EncodeErrorEvent(Endpoint::kMessages, status),
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\","
            "\"message\":\"full\"}}\n\n");
  EXPECT_THAT(EncodeErrorEvent(Endpoint::kChatCompletions, status),
              HasSubstr("data: {\"error\":{\"message\":\"full\""));
  EXPECT_THAT(EncodeErrorEvent(Endpoint::kResponses, status), HasSubstr("event: error\n"));
}

TEST(Errors, RemoteOverflowTextsBecomeOurs) {
  const std::vector<std::pair<int, std::string>> bodies = {
      {400,
       R"x({"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}})x"},
      {400,
       R"x({"error":{"message":"This model's maximum context length is 200000 tokens. However, you requested 210000 tokens (205000 in the messages, 5000 in the completion)."}})x"},
      {400,
       R"x({"error":{"code":400,"message":"the request exceeds the available context size, try increasing it","type":"exceed_context_size_error","n_prompt_tokens":210000,"n_ctx":200000}})x"},
      {400,
       R"x({"error":"Trying to keep the first 210000 tokens when context the overflows. However, the model is loaded with context length of only 200000 tokens, which is not enough."})x"},
      {500,
       R"x({"message":"The number of tokens to keep is greater than context length (n_keep: 210000 >= n_ctx: 200000)"})x"},
  };
  for (const auto& [http_status, body] : bodies) {
    EXPECT_EQ(StatusFromReply(http_status, body), PromptTooLong(210000, 200000)) << body;
  }
  EXPECT_EQ(StatusFromReply(400, R"({"error":{"message":"maximum context length"}})").message(),
            "maximum context length");
}

TEST(Errors, RemoteFailuresKeepTheirMeaning) {
  EXPECT_EQ(StatusFromReply(401, R"({"error":{"message":"bad key"}})"),
            Status(Code::kUnauthenticated, "bad key"));
  EXPECT_EQ(StatusFromReply(429, R"({"detail":"slow down"})"),
            Status(Code::kResourceExhausted, "slow down"));
  EXPECT_EQ(StatusFromReply(529, "<html>"),
            Status(Code::kOverloaded, "the server answered HTTP 529"));
  EXPECT_EQ(StatusFromReply(500, "").code(), Code::kUnavailable);
  EXPECT_EQ(StatusFromReply(422, "{}").code(), Code::kInvalidArgument);
  const auto stream = [](std::string_view text) {
    return StatusFromStreamError(*json::Parse(text));
  };
  EXPECT_EQ(stream(R"({"type":"error","error":{"type":"overloaded_error","message":"full"}})"),
            Status(Code::kOverloaded, "full"));
  EXPECT_EQ(stream(R"({"error":{"code":429,"message":"slow"}})"),
            Status(Code::kResourceExhausted, "slow"));
  EXPECT_EQ(stream(R"({"error":{"type":"api_error","message":"oops"}})").code(),
            Code::kUnavailable);
  EXPECT_EQ(stream(R"({"error":"plain"})"), Status(Code::kUnavailable, "plain"));
}

}  // namespace
}  // namespace ac::api
