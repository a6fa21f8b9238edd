#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/api.h"
#include "chat/dump.h"
#include "json/json.h"

namespace ac::api {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string MessageOf(Endpoint endpoint, std::string_view body, const RequestLimits& limits = {}) {
  const Result<chat::ChatRequest> request = ParseRequest(endpoint, body, {}, limits);
  return request.ok() ? "ok" : request.status().ToString();
}

struct BadBody {
  Endpoint endpoint;
  std::string body;
  std::string message;
};

TEST(Parse, ValidationNamesTheFieldsPath) {
  const std::string head = R"({"model":"m","messages":[)";
  const std::vector<BadBody> cases = {
      {Endpoint::kMessages, "[]", "invalid_argument: [api] body: expected object, got array"},
      {Endpoint::kMessages, "{}", "[api] model: field required"},
      {Endpoint::kMessages, R"({"model":"m"})", "[api] messages: field required"},
      {Endpoint::kMessages, R"({"model":3,"messages":[]})", "model: expected string, got number"},
      {Endpoint::kMessages, R"({"model":"m","messages":[]})", "at least one message"},
      {Endpoint::kMessages, head + R"({"role":"user"}]})", "messages.0.content: field required"},
      {Endpoint::kMessages, head + R"({"role":"robot","content":""}]})",
       "messages.0.role: expected"},
      {Endpoint::kMessages,
       head +
           R"({"role":"user","content":"a"},{"role":"user","content":[{"type":"text","text":5}]}]})",
       "[api] messages.1.content.0.text: expected string, got number"},
      {Endpoint::kMessages,
       head +
           R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"x","content":[7]}]}]})",
       "messages.0.content.0.content.0: expected object, got number"},
      {Endpoint::kMessages,
       head +
           R"({"role":"assistant","content":[{"type":"tool_use","id":"x","name":"n","input":"s"}]}]})",
       "messages.0.content.0.input: expected object, got string"},
      {Endpoint::kMessages,
       head +
           R"({"role":"user","content":[{"type":"image","source":{"type":"file","file_id":"f"}}]}]})",
       "messages.0.content.0.source.type: expected base64 or url"},
      {Endpoint::kMessages, head + R"({"role":"user","content":"a"}],"tools":[{"name":"x"}]})",
       "tools.0.input_schema: field required"},
      {Endpoint::kMessages, head + R"({"role":"user","content":"a"}],"temperature":"hot"})",
       "temperature: expected number, got string"},
      {Endpoint::kMessages, head + R"({"role":"user","content":"a"}],"max_tokens":-1})",
       "max_tokens: -1 is not between 0 and"},
      {Endpoint::kMessages, head + R"({"role":"user","content":"a"}],"max_tokens":1.5})",
       "max_tokens: expected integer"},
      {Endpoint::kMessages, head + R"({"role":"user","content":"a"}],"tool_choice":{"type":"x"}})",
       "tool_choice.type: expected auto"},
      {Endpoint::kChatCompletions, head + R"({"role":"tool","content":[{"type":"text"}]}]})",
       "messages.0.content.0.text: field required"},
      {Endpoint::kChatCompletions,
       head + R"({"role":"assistant","tool_calls":[{"id":"c","function":{"arguments":"{}"}}]}]})",
       "messages.0.tool_calls.0.function.name: field required"},
      {Endpoint::kChatCompletions, head + R"({"role":"user","content":"a"}],"n":0})",
       "n: 0 is not between 1 and 128"},
      {Endpoint::kChatCompletions, head + R"({"role":"user","content":"a"}],"n":129})",
       "n: 129 is not between 1 and 128"},
      {Endpoint::kChatCompletions, head + R"({"role":"user","content":"a"}],"logit_bias":{"a":1}})",
       "logit_bias.a: expected a token id"},
      {Endpoint::kChatCompletions,
       head + R"({"role":"user","content":"a"}],"response_format":{"type":"xml"}})",
       "response_format.type: expected text"},
      {Endpoint::kCompletions, R"({"model":"m","prompt":[[1,-2]]})",
       "prompt.0.1: expected a token id"},
      {Endpoint::kCompletions, R"({"model":"m","prompt":{}})", "prompt: expected string or array"},
      {Endpoint::kResponses, R"({"model":"m"})", "input: at least one message is required"},
      {Endpoint::kResponses, R"({"model":"m","input":[{"type":"function_call","name":"f"}]})",
       "input.0.call_id: field required"},
      {Endpoint::kResponses,
       R"({"model":"m","input":[{"role":"user","content":[{"type":"input_text"}]}]})",
       "input.0.content.0.text: field required"},
  };
  for (const BadBody& bad : cases) {
    EXPECT_THAT(MessageOf(bad.endpoint, bad.body), HasSubstr(bad.message)) << bad.body;
  }
}

TEST(Parse, BrokenJsonNamesLineAndColumn) {
  EXPECT_THAT(MessageOf(Endpoint::kMessages, "{\n\"model\": nope\n}"),
              HasSubstr("[api] the body is not valid JSON: line 2, column"));
  EXPECT_THAT(MessageOf(Endpoint::kMessages, "{\"model\":"), HasSubstr("ends early"));
  EXPECT_THAT(MessageOf(Endpoint::kChatCompletions, ""), HasSubstr("not valid JSON"));
}

TEST(Parse, LimitsAreKept) {
  const std::string body = R"({"model":"m","messages":[{"role":"user","content":"a"}],
      "tools":[{"name":"a","input_schema":{}},{"name":"b","input_schema":{}}],
      "stop_sequences":["a","b"]})";
  EXPECT_EQ(MessageOf(Endpoint::kMessages, body), "ok");
  EXPECT_THAT(MessageOf(Endpoint::kMessages, body, {.max_tools = 1}),
              HasSubstr("tools: more than 1"));
  EXPECT_THAT(MessageOf(Endpoint::kMessages, body, {.max_stop = 1}), HasSubstr("stop_sequences"));
  EXPECT_THAT(MessageOf(Endpoint::kMessages, body, {.max_bytes = 10}), HasSubstr("too_large"));
  EXPECT_THAT(MessageOf(Endpoint::kMessages, body, {.max_depth = 2}), HasSubstr("too_large"));
  std::string nested = R"({"type":"text","text":"x"})";
  for (int i = 0; i < 20; ++i) {
    nested.insert(0, R"({"type":"tool_result","tool_use_id":"t","content":[)");
    nested += "]}";
  }
  const std::string deep =
      R"({"model":"m","messages":[{"role":"user","content":[)" + nested + "]}]}";
  EXPECT_THAT(MessageOf(Endpoint::kMessages, deep), HasSubstr("nested too deep"));
  const std::string images = R"({"model":"m","messages":[{"role":"user","content":[
      {"type":"image","source":{"type":"url","url":"u"}},
      {"type":"image","source":{"type":"url","url":"u"}}]}]})";
  EXPECT_THAT(MessageOf(Endpoint::kMessages, images, {.max_images = 1}),
              HasSubstr("messages.0.content.1: more than 1 images"));
}

TEST(Parse, UnknownFieldsAreNamedOnceAndNeverRefused) {
  const auto request = ParseRequest(Endpoint::kMessages, R"({"model":"m","nova":1,"messages":[
      {"role":"user","content":[{"type":"text","text":"a","glow":1},{"type":"text","text":"b","glow":2}]},
      {"role":"user","content":[{"type":"tool_addition","tool":{"name":"x"}}]}],
      "tools":[{"name":"a","input_schema":{},"color":"red"}],"safeguards":{}})");
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_THAT(request->unknown_fields,
              ElementsAre("messages.content.glow", "messages.content[tool_addition]", "tools.color",
                          "nova", "safeguards"));
}

TEST(Parse, UnknownFieldsCannotGrowWithoutEnd) {
  std::string body = R"({"model":"m","messages":[{"role":"user","content":"a"}])";
  for (int i = 0; i < 1000; ++i) {
    body += ",\"" + std::string(500, 'x') + std::to_string(i) + "\":1";
    body += ",\"y" + std::to_string(i) + "\":1";
  }
  const auto request = ParseRequest(Endpoint::kMessages, body + "}");
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(request->unknown_fields.size(), 64u);
  for (const std::string& name : request->unknown_fields) EXPECT_LE(name.size(), 120u);
}

TEST(Parse, TheBillingLineIsDroppedInEveryFormat) {
  const std::vector<std::pair<std::string, size_t>> systems = {
      {R"([{"type":"text","text":"x-anthropic-billing-header: cc_version=2; cch=00000;"},{"type":"text","text":"S"}])",
       1},
      {R"([{"type":"text","text":"x-anthropic-billing-header:anything at all"}])", 0},
      {R"("x-anthropic-billing-header: v\nS")", 1},
      {R"([{"type":"text","text":"x-anthropic-billing-header: v\nS"}])", 1},
      {R"([{"type":"text","text":"S"}])", 1},
  };
  for (const auto& [system, blocks] : systems) {
    const auto request = ParseRequest(
        Endpoint::kMessages,
        R"({"model":"m","messages":[{"role":"user","content":"a"}],"system":)" + system + "}");
    ASSERT_TRUE(request.ok()) << request.status();
    ASSERT_EQ(request->system.size(), blocks) << system;
    if (blocks == 1) {
      EXPECT_EQ(request->system[0].As<chat::Text>()->text, "S") << system;
    }
  }
}

TEST(Parse, HeadersNameTheSession) {
  const std::string body = R"({"model":"m","messages":[{"role":"user","content":"a"}],
      "metadata":{"user_id":"{\"session_id\":\"from-body\"}"}})";
  EXPECT_EQ(ParseRequest(Endpoint::kMessages, body)->metadata.session_id, "from-body");
  const RequestHeaders headers{.session_id = "h", .agent_id = "a", .parent_agent_id = "p"};
  const auto request = ParseRequest(Endpoint::kMessages, body, headers);
  EXPECT_EQ(request->metadata.session_id, "h");
  EXPECT_EQ(request->metadata.agent_id, "a");
  EXPECT_EQ(request->metadata.parent_agent_id, "p");
}

TEST(Parse, NullReadsAsMissing) {
  EXPECT_EQ(
      MessageOf(Endpoint::kChatCompletions,
                R"({"model":"m","messages":[{"role":"assistant","content":null,"tool_calls":null},
                      {"role":"user","content":"x"}],"tools":null,"stop":null,"temperature":null,
                      "stream_options":null,"response_format":null,"tool_choice":null})"),
      "ok");
}

TEST(Parse, AStringAndOneTextBlockAreTheSame) {
  const auto a = ParseRequest(Endpoint::kMessages,
                              R"({"model":"m","messages":[{"role":"user","content":"hi"}]})");
  const auto b = ParseRequest(
      Endpoint::kMessages,
      R"({"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]})");
  EXPECT_EQ(json::Write(chat::ToJson(*a)), json::Write(chat::ToJson(*b)));
}

TEST(Parse, EveryCutOfARequestIsAnsweredWithAnError) {
  const std::string body = R"({"model":"m","messages":[{"role":"user","content":[{"type":"text",
      "text":"\u00e9"}]}],"tools":[{"name":"a","input_schema":{"type":"object"}}],"stream":true})";
  for (const Endpoint endpoint : {Endpoint::kMessages, Endpoint::kChatCompletions,
                                  Endpoint::kCompletions, Endpoint::kResponses}) {
    for (size_t i = 0; i < body.size(); ++i) {
      EXPECT_FALSE(ParseRequest(endpoint, body.substr(0, i)).ok());
    }
  }
}

TEST(Models, ListsHaveEachDialectsShape) {
  const std::vector<ModelInfo> models = {{"qwen3", "Qwen 3", 131072, 8192, 1700000000},
                                         {"claude-x", "", 0, 0, 0}};
  EXPECT_EQ(EncodeModelList(Dialect::kAnthropic, models),
            R"({"data":[{"type":"model","id":"anthropic-local-qwen3","display_name":"Qwen 3",)"
            R"("created_at":"2023-11-14T22:13:20Z","max_input_tokens":131072,"max_tokens":8192},)"
            R"({"type":"model","id":"claude-x","display_name":"claude-x",)"
            R"("created_at":"1970-01-01T00:00:00Z"}],"has_more":false,)"
            R"("first_id":"anthropic-local-qwen3","last_id":"claude-x"})");
  EXPECT_EQ(EncodeModelList(Dialect::kOpenAi, {models[0]}),
            R"({"object":"list","data":[{"id":"qwen3","object":"model","created":1700000000,)"
            R"("owned_by":"anyclaude","context_window":131072,"max_model_len":131072}]})");
  EXPECT_EQ(EncodeModelList(Dialect::kAnthropic, {}),
            R"({"data":[],"has_more":false,"first_id":null,"last_id":null})");
  EXPECT_EQ(EncodeTokenCount(42), R"({"input_tokens":42})");
}

TEST(Models, DiscoveryIdsLeadBackToTheModel) {
  EXPECT_EQ(ModelIdFromDiscovery(ModelIdForDiscovery("qwen3")), "qwen3");
  EXPECT_EQ(ModelIdFromDiscovery("anthropic-local-qwen3[1m]"), "qwen3");
  EXPECT_EQ(ModelIdFromDiscovery("claude-opus-5-5"), "claude-opus-5-5");
}

}  // namespace
}  // namespace ac::api
