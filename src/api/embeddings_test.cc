#include "api/embeddings.h"

#include <gtest/gtest.h>

#include <limits>

#include "json/json.h"

namespace ac::api {
namespace {

EmbeddingRequest Parsed(std::string_view body) {
  Result<EmbeddingRequest> request = ParseEmbeddings(body);
  EXPECT_TRUE(request.ok()) << request.status();
  return request.ok() ? std::move(request).value() : EmbeddingRequest{};
}

TEST(EmbeddingsTest, InputIsATextTokensOrAListOfEither) {
  EXPECT_EQ(Parsed(R"({"model":"m","input":"one"})").inputs.size(), 1u);
  EXPECT_EQ(Parsed(R"({"model":"m","input":["one","two"]})").inputs[1].text, "two");
  EXPECT_EQ(Parsed(R"({"model":"m","input":[1,2,3]})").inputs[0].tokens,
            (std::vector<int32_t>{1, 2, 3}));
  EXPECT_EQ(Parsed(R"({"model":"m","input":[[1],[2,3]]})").inputs[1].tokens.size(), 2u);
}

TEST(EmbeddingsTest, WhatIsWrongIsNamedByItsPath) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"input":"x"})", "model: field required"},
      {R"({"model":"m"})", "input: field required"},
      {R"({"model":"m","input":""})", "input: is empty"},
      {R"({"model":"m","input":[]})", "input: is empty"},
      {R"({"model":"m","input":["a",""]})", "input.1: is empty"},
      {R"({"model":"m","input":["a",7]})", "input.1: expected string or token ids"},
      {R"({"model":"m","input":[1,-2]})", "input.1: expected a token id"},
      {R"({"model":"m","input":{"a":1}})", "input: expected string or token ids"},
      {R"({"model":"m","input":"x","encoding_format":"hex"})", "encoding_format: expected float"},
      {R"({"model":"m",)", "line 1"},
  };
  for (const auto& [body, message] : cases) {
    const Result<EmbeddingRequest> request = ParseEmbeddings(body);
    ASSERT_FALSE(request.ok()) << body;
    EXPECT_EQ(request.status().code(), Code::kInvalidArgument) << body;
    EXPECT_NE(request.status().message().find(message), std::string::npos)
        << body << ": " << request.status();
  }
}

TEST(EmbeddingsTest, VectorsAreNumbersOrBase64OfLittleEndianFloats) {
  EmbeddingRequest request{.model = "m", .inputs = {}};
  const std::string numbers = EncodeEmbeddings(request, {{0.5f, -1.0f}}, 3);
  EXPECT_NE(numbers.find("[0.5,-1]"), std::string::npos) << numbers;
  EXPECT_NE(numbers.find(R"("usage":{"prompt_tokens":3,"total_tokens":3})"), std::string::npos);
  request.base64 = true;
  const std::string text = EncodeEmbeddings(request, {{0.5f, -1.0f}, {1.0f}}, 3);
  EXPECT_NE(text.find("\"AAAAPwAAgL8=\""), std::string::npos) << text;
  EXPECT_NE(text.find("\"AACAPw==\""), std::string::npos) << text;
  EXPECT_NE(text.find("\"index\":1"), std::string::npos) << text;
}

}  // namespace
}  // namespace ac::api
