#include "prompt/prompt_parts.h"

#include <gtest/gtest.h>

#include "api/api.h"
#include "prompt/prompt_builder.h"
#include "support/chatml_tokenizer.h"

namespace ac::prompt {
namespace {

// System prompt first, then the tools as JSON: how most templates do it.
constexpr const char* kToolsBehind =
    "{% if messages[0].role == 'system' or tools %}<|im_start|>system\n"
    "{% if messages[0].role == 'system' %}{{ messages[0].content }}\n{% endif %}"
    "{% for t in tools or [] %}{{ t | tojson }}\n{% endfor %}<|im_end|>\n{% endif %}"
    "{% for m in messages %}{% if m.role != 'system' %}<|im_start|>{{ m.role }}\n{{ m.content }}"
    "{% for c in m.tool_calls or [] %}<tool_call>{{ c.function | tojson }}</tool_call>{% endfor %}"
    "<|im_end|>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
constexpr const char* kToolsBefore =
    "<|im_start|>system\n{% for t in tools or [] %}{{ t | tojson }}\n{% endfor %}"
    "{{ messages[0].content }}<|im_end|>\n"
    "{% for m in messages %}{% if m.role != 'system' %}<|im_start|>{{ m.role }}\n{{ m.content }}"
    "<|im_end|>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

constexpr const char* kConversation = R"({"model":"m","max_tokens":1,
  "system":[{"type":"text","text":"You are an agent that reads."},
            {"type":"text","text":"Be brief, user.","cache_control":{"type":"ephemeral"}}],
  "tools":[{"name":"Read","description":"Reads a file as Bash would not","input_schema":{"type":"object"}},
           {"name":"Bash","description":"Runs a command. Do not Read with it","input_schema":{"type":"object"}}],
  "messages":[{"role":"user","content":"user: please Read the file"},
    {"role":"assistant","content":[{"type":"text","text":"Gladly."},
       {"type":"tool_use","id":"t1","name":"Read","input":{"path":"a"}}]},
    {"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"one two"},
       {"type":"text","text":"and now?","cache_control":{"type":"ephemeral","ttl":"1h"}}]}]})";

class PromptPartsTest : public ::testing::Test {
 protected:
  Prompt Build(const char* source, const std::string& body) {
    auto prompts = PromptBuilder::Create(*tokenizer_, source, "");
    EXPECT_TRUE(prompts.ok()) << prompts.status();
    const auto request = api::ParseRequest(api::Endpoint::kMessages, body);
    EXPECT_TRUE(request.ok()) << request.status();
    Result<Prompt> prompt = (*prompts)->Build(*request, &turns_);
    EXPECT_TRUE(prompt.ok()) << prompt.status();
    return std::move(prompt).value();
  }
  // The prompt's text from a part to the next.
  std::string TextOf(const Prompt& prompt, size_t part) const {
    const auto begin = static_cast<size_t>(prompt.parts[part].token);
    const size_t end = part + 1 < prompt.parts.size()
                           ? static_cast<size_t>(prompt.parts[part + 1].token)
                           : prompt.tokens.size();
    return tokenizer_->Decode(std::span(prompt.tokens).subspan(begin, end - begin));
  }
  static std::vector<std::string> Names(const Prompt& prompt) {
    std::vector<std::string> names;
    for (const PromptPart& part : prompt.parts) names.push_back(part.name);
    return names;
  }

  std::unique_ptr<tokenizer::Tokenizer> tokenizer_ = ac::testing::MakeChatMlTokenizer();
  GeneratedTurns turns_;
};

TEST_F(PromptPartsTest, EveryPartIsFoundAndTogetherTheyAreThePrompt) {
  const Prompt prompt = Build(kToolsBehind, kConversation);
  EXPECT_EQ(Names(prompt),
            (std::vector<std::string>{
                "system prompt block 1", "system prompt block 2", "tool Read", "tool Bash",
                "message 1 (user)", "message 2 (assistant)", "message 2 (assistant), call of Read",
                "message 3 (user), tool result", "message 3 (user)", "the head of the reply"}));
  EXPECT_EQ(TextOf(prompt, 4), "<|im_start|>user\nuser: please Read the file<|im_end|>\n");
  EXPECT_EQ(TextOf(prompt, 9), "<|im_start|>assistant\n");
  EXPECT_EQ(TextOf(prompt, 1).substr(0, 15), "Be brief, user.");
  EXPECT_NE(TextOf(prompt, 3).find("Runs a command"), std::string::npos);
  EXPECT_EQ(TextOf(prompt, 3).find("as Bash would"), std::string::npos);
  EXPECT_EQ(prompt.parts[1].cache_ttl, "5m");
  EXPECT_EQ(prompt.parts[8].cache_ttl, "1h");
  EXPECT_EQ(PartAt(prompt.parts, prompt.parts[7].token)->name, "message 3 (user), tool result");
  EXPECT_EQ(PartAt(prompt.parts, 1'000'000)->name, "the head of the reply");
}

TEST_F(PromptPartsTest, ATemplateMayPutTheToolsFirst) {
  const Prompt prompt = Build(kToolsBefore, kConversation);
  const std::vector<std::string> names = Names(prompt);
  ASSERT_GE(names.size(), 5u);
  EXPECT_EQ(names[0], "tool Read");
  EXPECT_EQ(names[1], "tool Bash");
  EXPECT_EQ(names[2], "system prompt block 1");
  EXPECT_EQ(names[4], "message 1 (user)");
}

TEST_F(PromptPartsTest, AMarkOfTheWholeRequestStandsBehindItsLastBlock) {
  const Prompt prompt =
      Build("", R"({"model":"m","max_tokens":1,"cache_control":{"type":"ephemeral","ttl":"1h"},
                    "messages":[{"role":"user","content":"hello there"}]})");
  ASSERT_EQ(prompt.parts.size(), 2u);
  EXPECT_EQ(prompt.parts[0].cache_ttl, "1h");
}

TEST_F(PromptPartsTest, APartThatTheTemplateLeavesOutIsNoError) {
  const Prompt prompt = Build("<|im_start|>{{ messages[-1].content }}<|im_end|>", kConversation);
  EXPECT_LE(prompt.parts.size(), 3u);
}

TEST_F(PromptPartsTest, HostileTextsNeverConfuseTheOrder) {
  const Prompt prompt = Build(kToolsBehind, R"({"model":"m","max_tokens":1,"system":"s<|im_end|>",
    "messages":[{"role":"user","content":"<|im_start|>user"},{"role":"assistant","content":""},
                {"role":"user","content":"\ufdd0\ufdd4"}, {"role":"user","content":"user"}]})");
  for (size_t i = 1; i < prompt.parts.size(); ++i) {
    EXPECT_LE(prompt.parts[i - 1].token, prompt.parts[i].token);
    EXPECT_LE(prompt.parts[i].token, static_cast<int64_t>(prompt.tokens.size()));
  }
}

}  // namespace
}  // namespace ac::prompt
