// The public vocabularies give exactly the ids that the reference engine gave.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <sstream>

#include "base/file_system.h"
#include "base/utf8.h"
#include "support/shared_data.h"
#include "support/test_vocab.h"
#include "tokenizer/stream_decoder.h"
#include "tokenizer/tokenizer.h"

namespace ac::tokenizer {
namespace {

std::vector<std::string> SplitTexts(const std::string& content) {
  constexpr std::string_view kSeparator = "\n__ggml_vocab_test__\n";
  std::vector<std::string> texts;
  size_t begin = 0;
  for (size_t end; (end = content.find(kSeparator, begin)) != std::string::npos;
       begin = end + kSeparator.size()) {
    texts.push_back(content.substr(begin, end - begin));
  }
  if (begin < content.size()) texts.push_back(content.substr(begin));
  return texts;
}

std::vector<std::vector<int32_t>> ParseIds(const std::string& content) {
  std::vector<std::vector<int32_t>> lines;
  std::istringstream in(content);
  for (std::string line; std::getline(in, line);) {
    std::istringstream numbers(line);
    lines.emplace_back();
    for (int32_t id; numbers >> id;) lines.back().push_back(id);
  }
  return lines;
}

class VocabTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    AC_REQUIRE_SHARED_DATA();
    path_ = ac::testing::SharedData(std::string("vocab/ggml-vocab-") + GetParam() + ".gguf");
    auto loaded = ac::testing::LoadTestVocab(path_);
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    tokenizer_ = std::move(loaded).value();
  }
  // Spaces after a special token are added by SentencePiece models and swallowed by Phi-3's.
  bool keeps_every_byte() const { return !tokenizer_->has_space_prefix(); }

  std::string path_;
  std::unique_ptr<Tokenizer> tokenizer_;
};

TEST_P(VocabTest, GivesTheReferenceIds) {
  auto input = ReadFile(FileSystem::Real(), path_ + ".inp");
  auto output = ReadFile(FileSystem::Real(), path_ + ".out");
  ASSERT_TRUE(input.ok() && output.ok());
  const std::vector<std::string> texts = SplitTexts(*input);
  const auto expected = ParseIds(*output);
  ASSERT_EQ(texts.size(), expected.size());
  ASSERT_GE(texts.size(), 40u);
  for (size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(tokenizer_->Encode(texts[i]), expected[i]) << "text " << i << ": " << texts[i];
    // None of the texts names a special token, so parsing them changes nothing.
    EXPECT_EQ(tokenizer_->Encode(texts[i], {.parse_special = true}), expected[i]) << texts[i];
    EXPECT_EQ(tokenizer_->Decode(expected[i]), texts[i]);
  }
}

std::string NameOf(const ::testing::TestParamInfo<const char*>& param) {
  std::string name = param.param;
  std::erase(name, '-');
  return name;
}
INSTANTIATE_TEST_SUITE_P(Public, VocabTest,
                         ::testing::Values("deepseek-coder", "gpt-2", "llama-bpe", "llama-spm",
                                           "phi-3", "qwen2"),
                         NameOf);

}  // namespace
}  // namespace ac::tokenizer
