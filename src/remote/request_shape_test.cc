#include "remote/request_shape.h"

#include <gtest/gtest.h>

namespace ac::remote {
namespace {

using api::Endpoint;
constexpr Endpoint kChat = Endpoint::kChatCompletions;

chat::ChatRequest Request() {
  chat::ChatRequest request;
  request.model = "m";
  request.max_tokens = 32000;
  request.messages = {{chat::Role::kUser, {{chat::Text{"hi"}, ""}}}};
  request.tools = {{.name = "Bash", .input_schema = R"({"type":"object","properties":{"c":{"type":
    "string","pattern":"^x"}}})"},
                   {.name = "Edit", .input_schema = R"({"type":"object"})"}};
  return request;
}

TEST(AdaptToRefusalTest, FindsTheOutputLimitInEveryServersWords) {
  const struct {
    const char* text;
    int64_t accepted;
    int64_t learned;
  } cases[] = {
      {"max_tokens: 32000 > 8192, which is the maximum allowed number of output tokens", 8192,
       8192},
      {"max_tokens is too large: 32000. This model supports at most 16384 completion tokens", 16384,
       16384},
      {"This model's maximum context length is 40960 tokens. However, you requested 44000 tokens "
       "(12000 in the messages, 32000 in the completion).",
       28960, 0},
      {"'max_tokens' is too large: 32000. This model's maximum context length is 40960 tokens and "
       "your request has 12000 input tokens (32000 > 40960 - 12000).",
       28960, 0}};
  for (const auto& [text, accepted, known] : cases) {
    chat::ChatRequest request = Request();
    Learned learned;
    EXPECT_TRUE(AdaptToRefusal(400, text, kChat, &request, &learned)) << text;
    EXPECT_EQ(request.max_tokens, accepted) << text;
    EXPECT_EQ(learned.max_output, known) << text;
  }
}

TEST(AdaptToRefusalTest, APromptThatIsTooLongIsNotArguedWith) {
  chat::ChatRequest request = Request();
  Learned learned;
  EXPECT_FALSE(AdaptToRefusal(400, "the request exceeds the available context size", kChat,
                              &request, &learned));
  EXPECT_FALSE(AdaptToRefusal(400, "prompt is too long: 210000 tokens > 200000 maximum", kChat,
                              &request, &learned));
  EXPECT_EQ(request.max_tokens, 32000);
}

TEST(AdaptToRefusalTest, OneToolIsDegradedBeforeAll) {
  chat::ChatRequest request = Request();
  Learned learned;
  ASSERT_TRUE(AdaptToRefusal(400, "JSON schema conversion failed for tool Bash", kChat, &request,
                             &learned));
  chat::ChatRequest shaped = ShapeRequest(request, *FindServerKind("sglang"), learned, kChat);
  EXPECT_EQ(shaped.tools[0].input_schema, R"({"type":"object"})");
  EXPECT_EQ(shaped.tools[1].input_schema, request.tools[1].input_schema);
  // No name in the text: simple schemas for all, then none.
  ASSERT_TRUE(AdaptToRefusal(500, "failed to parse grammar", kChat, &request, &learned));
  EXPECT_TRUE(learned.subset_schemas);
  ASSERT_TRUE(AdaptToRefusal(500, "failed to parse grammar", kChat, &request, &learned));
  EXPECT_TRUE(learned.all_untyped);
  EXPECT_FALSE(AdaptToRefusal(500, "failed to parse grammar", kChat, &request, &learned));
}

TEST(AdaptToRefusalTest, FieldsAreDroppedOnlyWhenTheyAreNamed) {
  chat::ChatRequest request = Request();
  request.sampling.top_k = 20;
  request.thinking.effort = "high";
  Learned learned;
  EXPECT_FALSE(AdaptToRefusal(400, "something else is wrong", kChat, &request, &learned));
  ASSERT_TRUE(AdaptToRefusal(400, "Unrecognized request argument supplied: top_k", kChat, &request,
                             &learned));
  ASSERT_TRUE(AdaptToRefusal(400, "\"qwen\" does not support thinking", kChat, &request, &learned));
  const chat::ChatRequest shaped =
      ShapeRequest(request, *FindServerKind("vllm-mlx"), learned, kChat);
  EXPECT_FALSE(shaped.sampling.top_k.has_value());
  EXPECT_TRUE(shaped.thinking.effort.empty());
  EXPECT_FALSE(AdaptToRefusal(400, "Unrecognized: top_k", kChat, &request, &learned))
      << "the same refusal twice teaches nothing";
}

TEST(AdaptToRefusalTest, AMissingNativeEndpointIsReplacedAndAMissingModelIsNot) {
  chat::ChatRequest request = Request();
  Learned learned;
  EXPECT_FALSE(
      AdaptToRefusal(404, "The model `m` does not exist", Endpoint::kMessages, &request, &learned));
  EXPECT_TRUE(AdaptToRefusal(404, "Not Found", Endpoint::kMessages, &request, &learned));
  EXPECT_TRUE(learned.no_native_endpoint);
  EXPECT_FALSE(AdaptToRefusal(404, "Not Found", kChat, &request, &learned));
}

TEST(ShapeRequestTest, SystemMessagesInTheMiddleBecomeRemindersInPlace) {
  chat::ChatRequest request = Request();
  request.messages = {
      {chat::Role::kUser, {{chat::Text{"one"}, ""}}},
      {chat::Role::kSystem, {{chat::Text{"note"}, ""}}},
      {chat::Role::kAssistant, {{chat::ToolUse{"toolu_1", "Bash", "{}"}, ""}}},
      {chat::Role::kUser, {{chat::ToolResult{"toolu_1", {{chat::Text{"out"}, ""}}, false}, ""}}},
      {chat::Role::kSystem, {{chat::Text{"late"}, ""}}}};
  const chat::ChatRequest shaped = ShapeRequest(request, *FindServerKind("ollama"), {}, kChat);
  ASSERT_EQ(shaped.messages.size(), 3u);
  EXPECT_EQ(chat::JoinText(shaped.messages[0].blocks, "|"),
            "one|<system-reminder>\nnote\n</system-reminder>");
  EXPECT_EQ(shaped.messages[2].role, chat::Role::kUser);
  EXPECT_NE(shaped.messages[2].blocks[0].As<chat::ToolResult>(), nullptr)
      << "the result must directly follow its call";
  const chat::ChatRequest kept = ShapeRequest(request, *FindServerKind("vllm"), {}, kChat);
  EXPECT_EQ(kept.messages.size(), 5u);
}

TEST(ShapeRequestTest, HybridModelsAreToldNotToThinkWhenTheClientAsksForThat) {
  const auto system_for = [](std::string_view model, chat::ThinkingConfig::Mode mode) {
    chat::ChatRequest request;
    request.system = {{.value = chat::Text{"Be brief."}}};
    request.thinking.mode = mode;
    TellNotToThink(model, &request);
    return chat::JoinText(request.system, "|");
  };
  using Mode = chat::ThinkingConfig::Mode;
  for (const char* model : {"qwen3-8b", "Qwen/Qwen3-30B-A3B-MLX-4bit", "qwen3:14b"}) {
    EXPECT_EQ(system_for(model, Mode::kDisabled), "Be brief.|/no_think") << model;
    EXPECT_EQ(system_for(model, Mode::kUnset), "Be brief.") << model;
  }
  for (const char* model :
       {"qwen3-coder-30b", "Qwen3-4B-Instruct-2507", "qwen3.6-27b", "llama-3"}) {
    EXPECT_EQ(system_for(model, Mode::kDisabled), "Be brief.") << model;
  }
}

TEST(ShapeRequestTest, ImagesAreKeptUntilTheServerSaysItCannotSee) {
  chat::ChatRequest request = Request();
  request.messages[0].blocks.push_back({chat::Image{"image/png", "aW1n", ""}, ""});
  Learned learned;
  ASSERT_NE(ShapeRequest(request, *FindServerKind("ollama"), learned, kChat)
                .messages[0]
                .blocks[1]
                .As<chat::Image>(),
            nullptr);
  ASSERT_TRUE(
      AdaptToRefusal(400, "image input is not supported - hint: you may need to provide the mmproj",
                     kChat, &request, &learned));
  const auto shaped = ShapeRequest(request, *FindServerKind("ollama"), learned, kChat);
  EXPECT_NE(shaped.messages[0].blocks[1].As<chat::Text>(), nullptr);
}

}  // namespace
}  // namespace ac::remote
