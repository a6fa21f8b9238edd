#include "store/trace_parts.h"

#include <gtest/gtest.h>

#include "json/json.h"

namespace ac::store {
namespace {

json::Value Trace(const std::string& body) {
  return *json::Parse(R"({"request":{"body":)" + body +
                      R"(},"usage":{"input_tokens":10,"cache_read":20,"cache_creation":3}})");
}

std::vector<PromptPart> Parts(const std::string& body) { return PromptParts(Trace(body)); }

std::string Names(const std::vector<PromptPart>& parts) {
  std::string names;
  for (const PromptPart& part : parts) names += part.section + ":" + part.name + ";";
  return names;
}

constexpr const char* kAnthropic = R"({
  "messages":[{"role":"user","content":[{"type":"text","text":"hi","cache_control":{"type":"ephemeral"}}]},
              {"role":"assistant","content":[{"type":"tool_use","id":"t","name":"Read","input":{}}]},
              {"role":"system","content":"late"}],
  "system":[{"type":"text","text":"one"},{"type":"text","text":"two"}],
  "tools":[{"name":"Read","input_schema":{}},{"name":"Later","defer_loading":true}]})";

TEST(TraceParts, AnAnthropicPromptIsToolsSystemAndMessages) {
  const auto parts = Parts(kAnthropic);
  EXPECT_EQ(Names(parts),
            "tools:Read;system:block 0;system:block 1;messages:0 user text;"
            "messages:1 assistant tool_use;messages:2 system text;");
  EXPECT_EQ(parts[3].text, "hi");
  EXPECT_EQ(parts[5].text, "late");
}

TEST(TraceParts, AnOpenAiPromptIsReadToo) {
  const auto parts = Parts(R"({"messages":[{"role":"system","content":"s"},
      {"role":"assistant","content":null,"tool_calls":[{"id":"1"}]}],
      "tools":[{"type":"function","function":{"name":"f"}}]})");
  EXPECT_EQ(Names(parts), "tools:f;messages:0 system text;messages:1 assistant text;");
  EXPECT_NE(parts[2].text.find("tool_calls"), std::string::npos);
  EXPECT_EQ(Names(Parts(R"({"input":"x","instructions":"i"})")), "system:text;messages:input;");
  EXPECT_EQ(Names(Parts(R"({"prompt":"x"})")), "messages:prompt;");
}

TEST(TraceParts, UnknownBodiesHaveNoParts) {
  EXPECT_TRUE(PromptParts(json::Value(json::Object{})).empty());
  EXPECT_TRUE(Parts("\"text\"").empty());
  EXPECT_TRUE(Parts("[1]").empty());
}

TEST(TraceParts, AMovedCacheMarkAndAStringForABlockAreTheSamePrompt) {
  const auto a = Parts(R"({"messages":[{"role":"user","content":"hi"}]})");
  const auto b = Parts(
      R"({"messages":[{"role":"user","content":[{"type":"text","text":"hi","cache_control":{}}]}]})");
  EXPECT_TRUE(Compare(a, b).identical);
}

TEST(TraceParts, TheFirstDifferenceIsFoundToTheByte) {
  const auto a = Parts(R"({"system":"same","messages":[{"role":"user","content":"hello world"}]})");
  const auto b = Parts(R"({"system":"same","messages":[{"role":"user","content":"hello there"}]})");
  const Divergence found = Compare(a, b);
  EXPECT_FALSE(found.identical);
  EXPECT_EQ(found.part, 1u);
  EXPECT_EQ(found.offset, 6u);
  EXPECT_EQ(found.common_bytes, 4u + 6u);
  EXPECT_EQ(found.left, "world");
  EXPECT_EQ(found.right, "there");
}

TEST(TraceParts, APromptThatGoesOnDivergesAtItsEnd) {
  const auto a = Parts(R"({"messages":[{"role":"user","content":"hi"}]})");
  const auto b =
      Parts(R"({"messages":[{"role":"user","content":"hi"},{"role":"user","content":"more"}]})");
  const Divergence found = Compare(a, b);
  EXPECT_FALSE(found.identical);
  EXPECT_EQ(found.common_bytes, 2u);
  EXPECT_EQ(found.left, "");
  EXPECT_EQ(found.right, "more");
}

TEST(TraceParts, TokensAreSharedInProportionToBytes) {
  EXPECT_EQ(PromptTokens(Trace("{}")), 33);
  EXPECT_EQ(ShareOfTokens(50, 200, 1000), 250);
  EXPECT_EQ(ShareOfTokens(50, 0, 1000), 0);
}

TEST(TraceParts, SnippetsNeverCutACharacter) {
  const std::string many = [] {
    std::string text;
    for (int i = 0; i < 40; ++i) text += "\xC3\xA9\xE4\xB8\xAD";
    return text;
  }();
  const std::vector<PromptPart> a{{"system", "text", many}};
  const std::vector<PromptPart> b{{"system", "text", "x"}};
  EXPECT_TRUE(Compare(a, b).left.ends_with("..."));
}

}  // namespace
}  // namespace ac::store
