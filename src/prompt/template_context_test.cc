#include "prompt/template_context.h"

#include <gtest/gtest.h>

#include "api/api.h"
#include "json/json.h"

namespace ac::prompt {
namespace {

// The messages and tools that a client's body becomes.
std::string Context(const std::string& body, const ContextOptions& options = {}) {
  const Result<chat::ChatRequest> request = api::ParseRequest(api::Endpoint::kMessages, body);
  if (!request.ok()) return request.status().ToString();
  const Result<json::Value> context = BuildTemplateContext(*request, options);
  if (!context.ok()) return context.status().ToString();
  json::Object shown{{"messages", *json::Find(*context, "messages")}};
  const json::Value& tools = *json::Find(*context, "tools");
  if (!tools.is_null()) shown["tools"] = tools;
  return json::Write(shown);
}

TEST(TemplateContext, SystemComesFirstAndBlocksAreJoined) {
  EXPECT_EQ(
      Context(R"({"model":"m","max_tokens":1,
      "system":[{"type":"text","text":"A"},{"type":"text","text":"B"}],
      "messages":[{"role":"user","content":[{"type":"text","text":"x"},{"type":"text","text":"y"}]}]})"),
      R"({"messages":[{"role":"system","content":"A\n\nB"},{"role":"user","content":"x\ny"}]})");
}

TEST(TemplateContext, ToolCallsCarryTheirArgumentsAsAnObjectAndResultsTheirName) {
  EXPECT_EQ(Context(R"({"model":"m","max_tokens":1,"messages":[
      {"role":"user","content":"go"},
      {"role":"assistant","content":[{"type":"text","text":"ok"},
        {"type":"tool_use","id":"t1","name":"Read","input":{"path":"a","n":1}}]},
      {"role":"user","content":[{"type":"text","text":"and now?"},
        {"type":"tool_result","tool_use_id":"t1","content":"file"}]}]})"),
            R"({"messages":[{"role":"user","content":"go"},)"
            R"({"role":"assistant","content":"ok","tool_calls":[{"type":"function","id":"t1",)"
            R"("function":{"name":"Read","arguments":{"path":"a","n":1}}}]},)"
            R"({"role":"tool","content":"file","tool_call_id":"t1","name":"Read"},)"
            R"({"role":"user","content":"and now?"}]})");
}

TEST(TemplateContext, AFailedToolSaysSo) {
  const std::string context = Context(R"({"model":"m","max_tokens":1,"messages":[
      {"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"Read","input":{}}]},
      {"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"no such file","is_error":true}]}]})");
  EXPECT_NE(context.find("Error: no such file"), std::string::npos) << context;
}

TEST(TemplateContext, ASystemMessageStaysInItsPlace) {
  const std::string body = R"({"model":"m","max_tokens":1,"messages":[
      {"role":"user","content":"a"},{"role":"system","content":"S"}]})";
  EXPECT_EQ(Context(body),
            R"({"messages":[{"role":"user","content":"a"},{"role":"system","content":"S"}]})");
  EXPECT_EQ(Context(body, {.traits = {.system_anywhere = false}}),
            R"({"messages":[{"role":"user","content":"a"},)"
            R"({"role":"user","content":"<system>\nS\n</system>"}]})");
}

TEST(TemplateContext, DeferredToolsAppearWhereTheyAreReferencedAndNotInTheHead) {
  const std::string context = Context(R"({"model":"m","max_tokens":1,
      "tools":[{"name":"A","description":"a","input_schema":{"type":"object"}},
               {"name":"B","description":"bee","input_schema":{"type":"object"},"defer_loading":true},
               {"type":"web_search_20250305","name":"web_search","max_uses":8}],
      "messages":[
      {"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"ToolSearch","input":{}}]},
      {"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":[{"type":"tool_reference","tool_name":"B"}]}]}]})");
  const size_t tools = context.find("\"tools\"");
  ASSERT_NE(tools, std::string::npos) << context;
  EXPECT_EQ(context.find("\"name\":\"B\"", tools), std::string::npos) << context;
  EXPECT_EQ(context.find("web_search", tools), std::string::npos) << context;
  EXPECT_NE(context.find("Tool B is now available"), std::string::npos) << context;
}

TEST(TemplateContext, ImagesBecomeAStatedPlaceholder) {
  const std::string context =
      Context(R"({"model":"m","max_tokens":1,"messages":[{"role":"user","content":[
      {"type":"image","source":{"type":"base64","media_type":"image/png","data":"aGk="}}]}]})");
  EXPECT_NE(context.find("[image of type image/png omitted"), std::string::npos) << context;
}

TEST(TemplateContext, ThinkingIsPassedOnAsReasoning) {
  const std::string context = Context(R"({"model":"m","max_tokens":1,"messages":[
      {"role":"user","content":"a"},
      {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"text","text":"b"}]}]})");
  EXPECT_NE(context.find(R"("reasoning_content":"hm")"), std::string::npos) << context;
}

}  // namespace
}  // namespace ac::prompt
