#include "batch/input.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ac::batch {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::vector<Item> Read(std::string_view text) {
  const Result<std::vector<Item>> items =
      ReadItems(text, {.model = "m", .max_tokens = 7, .system = "be short"});
  EXPECT_TRUE(items.ok()) << items.status();
  return items.ok() ? *items : std::vector<Item>{};
}

std::string Mistake(std::string_view text) {
  const Result<std::vector<Item>> items = ReadItems(text, {});
  EXPECT_FALSE(items.ok()) << text;
  return items.status().message();
}

TEST(BatchInputTest, APromptIsALineOfTextOrAJsonString) {
  const auto items = Read("Why?\n\n  \"Line\\nbreaks \\u00e4\"  \r\n");
  ASSERT_EQ(items.size(), 2u);
  EXPECT_EQ(items[0].path, "/v1/chat/completions");
  EXPECT_EQ(
      items[0].body,
      R"({"messages":[{"role":"system","content":"be short"},{"role":"user","content":"Why?"}],)"
      R"("max_tokens":7,"model":"m"})");
  EXPECT_EQ(items[0].custom_id, "line-1");
  EXPECT_EQ(items[1].line, 3);
  EXPECT_THAT(items[1].body, HasSubstr("Line\\nbreaks \xc3\xa4"));
}

TEST(BatchInputTest, OpenAiLinesKeepTheirBodyWithoutStreaming) {
  const auto items = Read(R"({"custom_id":"a","method":"POST","url":"/v1/completions",)"
                          R"("body":{"prompt":"x","stream":true,"model":"own"}})");
  ASSERT_EQ(items.size(), 1u);
  EXPECT_EQ(items[0].shape, Shape::kOpenAiBatch);
  EXPECT_EQ(items[0].custom_id, "a");
  EXPECT_EQ(items[0].path, "/v1/completions");
  EXPECT_EQ(items[0].body, R"({"prompt":"x","model":"own"})");
}

TEST(BatchInputTest, AnthropicLinesGetTheLimitThatTheirDialectDemands) {
  const auto items = Read(R"({"custom_id":"b","params":{"messages":[]}})");
  ASSERT_EQ(items.size(), 1u);
  EXPECT_EQ(items[0].shape, Shape::kAnthropicBatch);
  EXPECT_EQ(items[0].path, "/v1/messages");
  EXPECT_EQ(items[0].body, R"({"messages":[],"model":"m","max_tokens":7})");
}

TEST(BatchInputTest, BareBodiesAreToldApartByWhatOnlyOneDialectHas) {
  EXPECT_EQ(Read(R"({"messages":[],"system":"s"})")[0].shape, Shape::kAnthropicBody);
  EXPECT_EQ(Read(R"({"messages":[],"tools":[{"name":"t","input_schema":{}}]})")[0].shape,
            Shape::kAnthropicBody);
  EXPECT_EQ(Read(R"({"messages":[],"tools":[{"type":"function"}]})")[0].shape, Shape::kOpenAiBody);
  EXPECT_EQ(Read(R"({"messages":[]})")[0].shape, Shape::kOpenAiBody);
}

TEST(BatchInputTest, MistakesNameTheirLine) {
  EXPECT_THAT(Mistake("ok\n{\"messages\": [}"), AllOf(HasSubstr("line 2"), HasSubstr("column")));
  EXPECT_THAT(Mistake("{}"), HasSubstr("messages"));
  EXPECT_THAT(Mistake(R"({"body":1})"), HasSubstr("\"body\" must be an object"));
  EXPECT_THAT(Mistake(R"({"params":1})"), HasSubstr("\"params\" must be an object"));
  EXPECT_THAT(Mistake(R"({"url":"/v1/embeddings","body":{}})"), HasSubstr("/v1/embeddings"));
  EXPECT_THAT(
      Mistake("{\"custom_id\":\"a\",\"messages\":[]}\n{\"custom_id\":\"a\",\"messages\":[]}"),
      AllOf(HasSubstr("line 2"), HasSubstr("line 1")));
}

TEST(BatchInputTest, TheDigestChangesWithTheLineAndWithTheDefaults) {
  const auto first = Read("a");
  EXPECT_EQ(Read("a")[0].digest, first[0].digest);
  EXPECT_NE(Read("b")[0].digest, first[0].digest);
  EXPECT_NE((*ReadItems("a", {.max_tokens = 8}))[0].digest, first[0].digest);
}

}  // namespace
}  // namespace ac::batch
