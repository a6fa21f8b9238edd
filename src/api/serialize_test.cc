#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "api/api.h"
#include "chat/dump.h"
#include "json/json.h"

namespace ac::api {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string Body(Endpoint endpoint, const chat::ChatRequest& request,
                 const SerializeOptions& options = {}) {
  const Result<std::string> body = SerializeRequest(endpoint, request, options);
  EXPECT_TRUE(body.ok()) << body.status();
  return body.ok() ? *body : "";
}

chat::ChatRequest Parsed(Endpoint endpoint, std::string_view body) {
  Result<chat::ChatRequest> request = ParseRequest(endpoint, body);
  EXPECT_TRUE(request.ok()) << request.status();
  return request.ok() ? *request : chat::ChatRequest();
}

std::string ReadAll(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// What we would send to a server of the same dialect means the same to it.
TEST(Serialize, ARequestSurvivesItsOwnDialect) {
  const std::vector<std::pair<std::string, Endpoint>> files = {
      {"anthropic/claude_code_first_turn", Endpoint::kMessages},
      {"anthropic/tool_turns", Endpoint::kMessages},
      {"openai_chat/agent", Endpoint::kChatCompletions},
  };
  for (const auto& [file, endpoint] : files) {
    chat::ChatRequest request =
        Parsed(endpoint, ReadAll(std::string(AC_SOURCE_DIR "/tests/golden/") + file + ".req.json"));
    request.unknown_fields.clear();
    if (request.tools.empty()) request.tool_choice = {};  // says nothing without tools
    chat::ChatRequest again = Parsed(endpoint, Body(endpoint, request));
    if (endpoint == Endpoint::kChatCompletions) {
      // The system's blocks are one text now; session, user and typed tools stay here.
      again.system = request.system;
      again.metadata = request.metadata;
      again.tools = request.tools;
      again.thinking.mode = request.thinking.mode;
    } else {
      again.metadata = request.metadata;
    }
    EXPECT_EQ(json::WritePretty(chat::ToJson(again)), json::WritePretty(chat::ToJson(request)))
        << file;
  }
}

TEST(Serialize, AnAgentsTurnReadsNaturallyToAnOpenAiServer) {
  const chat::ChatRequest request = Parsed(Endpoint::kMessages, R"({
      "model":"claude-x","max_tokens":100,"stream":true,"system":[{"type":"text","text":"S"},{"type":"text","text":"T"}],
      "messages":[
        {"role":"user","content":"go"},
        {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"text","text":"ok"},
          {"type":"tool_use","id":"toolu_1","name":"Shot","input":{"a":1}}]},
        {"role":"user","content":[
          {"type":"text","text":"note"},
          {"type":"tool_result","tool_use_id":"toolu_1","is_error":true,"content":[{"type":"text","text":"no"},
            {"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBO"}}]}]},
        {"role":"system","content":"late"}],
      "tools":[{"name":"Shot","input_schema":{"type":"object"}},{"type":"web_search_20250305","name":"web_search"}],
      "tool_choice":{"type":"any"}})");
  const std::string body = Body(Endpoint::kChatCompletions, request, {.model = "served"});
  EXPECT_EQ(
      body,
      R"({"model":"served","messages":[{"role":"system","content":"S\n\nT"},)"
      R"({"role":"user","content":"go"},)"
      R"({"role":"assistant","content":"ok","reasoning_content":"hm","tool_calls":[{"id":"toolu_1","type":"function","function":{"name":"Shot","arguments":"{\"a\":1}"}}]},)"
      R"({"role":"tool","tool_call_id":"toolu_1","content":"Error: no"},)"
      R"({"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBO"}},{"type":"text","text":"note"}]},)"
      R"({"role":"system","content":"late"}],)"
      R"("tools":[{"type":"function","function":{"name":"Shot","description":"","parameters":{"type":"object"}}}],)"
      R"("tool_choice":"required","max_tokens":100,"stream":true,"stream_options":{"include_usage":true}})");
  EXPECT_THAT(Body(Endpoint::kChatCompletions, request, {.reasoning_content = false}),
              Not(HasSubstr("reasoning_content")));
}

TEST(Serialize, DeferredToolsAppearOnlyOnceLoadedAndAtTheEnd) {
  const std::string head = R"({"model":"m","tools":[
      {"name":"Late","input_schema":{"type":"object"},"defer_loading":true},
      {"name":"Other","input_schema":{"type":"object"},"defer_loading":true},
      {"name":"Zed","input_schema":{"type":"object"}}],"messages":[{"role":"user","content":"a"})";
  const std::string before =
      Body(Endpoint::kChatCompletions, Parsed(Endpoint::kMessages, head + "]}"));
  EXPECT_THAT(before, HasSubstr("Zed"));
  EXPECT_THAT(before, Not(HasSubstr("Late")));
  const std::string after =
      Body(Endpoint::kChatCompletions,
           Parsed(Endpoint::kMessages,
                  head + R"(,{"role":"user","content":[{"type":"tool_result","tool_use_id":"t",
          "content":[{"type":"tool_reference","tool_name":"Late"}]}]}]})"));
  EXPECT_LT(after.find("\"name\":\"Zed\""), after.find("\"name\":\"Late\""));
  EXPECT_THAT(after, HasSubstr("The tool Late can now be called."));
  EXPECT_THAT(after, Not(HasSubstr("Other")));
}

TEST(Serialize, UnsignedThinkingIsNotSentToAServerThatSigns) {
  const chat::ChatRequest request = Parsed(Endpoint::kChatCompletions, R"({"model":"m","messages":[
      {"role":"user","content":"a"},{"role":"assistant","content":"b","reasoning_content":"secret"},
      {"role":"user","content":"c"}]})");
  EXPECT_THAT(Body(Endpoint::kMessages, request), Not(HasSubstr("secret")));
}

TEST(Serialize, BrokenToolInputsAreStillJson) {
  chat::ChatRequest request;
  request.model = "m";
  request.messages.push_back({chat::Role::kAssistant, {{chat::ToolUse{"t", "f", "{\"a\":"}, ""}}});
  EXPECT_THAT(Body(Endpoint::kMessages, request),
              HasSubstr(R"({"__unparsedToolInput":{"raw":"{\"a\":","len":5}})"));
}

TEST(Serialize, CountTokensHasNoLimitsAndNoStream) {
  chat::ChatRequest request = Parsed(
      Endpoint::kMessages,
      R"({"model":"m","max_tokens":5,"stream":true,"messages":[{"role":"user","content":"a"}]})");
  EXPECT_EQ(Body(Endpoint::kCountTokens, request),
            R"({"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a"}]}]})");
}

TEST(Serialize, OtherEndpointsAreRefused) {
  EXPECT_EQ(SerializeRequest(Endpoint::kResponses, {}).status().code(), Code::kUnsupported);
}

}  // namespace
}  // namespace ac::api
