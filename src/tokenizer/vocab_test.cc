// The public vocabularies give exactly the ids that the reference engine gave.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <sstream>

#include "base/file_system.h"
#include "base/utf8.h"
#include "support/shared_data.h"
#include "support/test_vocab.h"
#include "support/tokenizer_json_export.h"
#include "tokenizer/stream_decoder.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/tokenizer_json.h"

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

// Texts of every kind of character and of what source code is full of.
std::string RandomText(std::mt19937& random) {
  static const std::vector<std::string> pieces = {"int main",
                                                  "return ",
                                                  "_x1",
                                                  "\n    ",
                                                  "\t\t",
                                                  "\r\n",
                                                  "(",
                                                  ");",
                                                  " = ",
                                                  "//",
                                                  "'s",
                                                  "'RE",
                                                  "12345",
                                                  "0x7F",
                                                  " the",
                                                  "Hello",
                                                  "caf\xC3\xA9",
                                                  "e\xCC\x81",
                                                  "\xE6\x88\x91\xE6\x83\xB3",
                                                  "\xE3\x81\x93",
                                                  "\xEA\xB0\x80",
                                                  "\xF0\x9F\x98\x80",
                                                  "\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x92\xBB",
                                                  "\xD0\x9F\xD1\x80",
                                                  "\xD9\x85\xD8\xB1",
                                                  "\xE0\xB8\x81",
                                                  "\xC2\xA0",
                                                  "\xE2\x80\x83",
                                                  "   ",
                                                  "        ",
                                                  "<|im_start|>",
                                                  "<s>",
                                                  "</s>",
                                                  "<|endoftext|>",
                                                  "<|begin_of_text|>",
                                                  "<|end|>",
                                                  "\xC3\xB5"};
  std::string text;
  for (size_t i = random() % 30; i > 0; --i) {
    if (random() % 10 == 0) {
      const uint32_t c = static_cast<uint32_t>(random() % 0x30000);
      if (c < 0xD800 || c >= 0xE000) AppendUtf8(c, &text);
    } else {
      text += pieces[random() % pieces.size()];
    }
  }
  return text;
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
  // A random text that comes back as it was: Phi-3's </s> is matched in plain text and swallows the
  // space after it.
  std::string ReversibleText(std::mt19937& random) const {
    std::string text = RandomText(random);
    for (size_t at; std::string_view(GetParam()) == "phi-3" &&
                    (at = text.find("</s>")) != std::string::npos;) {
      text.erase(at, 4);
    }
    return text;
  }
  // SentencePiece models add a space after each special token.
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

TEST_P(VocabTest, GivesTextBack) {
  std::mt19937 random(11);
  for (int round = 0; round < 1000; ++round) {
    const std::string text = ReversibleText(random);
    ASSERT_EQ(tokenizer_->Decode(tokenizer_->Encode(text)), text);
    if (keeps_every_byte()) {
      ASSERT_EQ(tokenizer_->Decode(tokenizer_->Encode(text, {.parse_special = true})), text);
    }
  }
}

TEST_P(VocabTest, GivesBytesThatAreNotUtf8Back) {
  std::mt19937 random(12);
  for (int round = 0; round < 1000; ++round) {
    std::string text(random() % 100, '\0');
    for (char& c : text) c = static_cast<char>(random() % 256);
    // The deepseek-coder vocabulary has no token for bytes that never occur in UTF-8.
    if (std::string_view(GetParam()) == "deepseek-coder") {
      std::erase_if(text,
                    [](char c) { return (c & 0xFE) == 0xC0 || static_cast<uint8_t>(c) > 0xF4; });
    }
    ASSERT_EQ(tokenizer_->Decode(tokenizer_->Encode(text)), text);
  }
}

TEST_P(VocabTest, TakesAMegabyteOfAnything) {
  std::mt19937 random(13);
  std::string code;
  while (code.size() < (1u << 20)) code += ReversibleText(random);
  for (const std::string& text : {code, std::string(1u << 20, 'a'), std::string(1u << 20, ' '),
                                  std::string(1u << 20, '\n'), std::string(1u << 20, '=')}) {
    const auto ids = tokenizer_->Encode(text);
    EXPECT_LT(ids.size(), text.size() + 2);
    ASSERT_EQ(tokenizer_->Decode(ids), text);
  }
}

TEST_P(VocabTest, StreamsTheSameText) {
  std::mt19937 random(14);
  for (int round = 0; round < 300; ++round) {
    const std::string text = ReversibleText(random);
    StreamDecoder stream(*tokenizer_);
    std::string streamed;
    for (const int32_t id : tokenizer_->Encode(text)) streamed += stream.Push(id);
    streamed += stream.Flush();
    if (tokenizer_->has_space_prefix() && !text.empty()) streamed.erase(0, 1);
    ASSERT_EQ(streamed, text);
  }
}

// Unlike the reference texts these meet special tokens and invalid bytes.
TEST_P(VocabTest, ReadsTheSameFromTokenizerJson) {
  const weights::GgufFile file = weights::GgufFile::Open(path_).value();
  const Spec spec = SpecFromGgufMetadata(file.metadata()).value();
  auto read = SpecFromTokenizerJson(ac::testing::TokenizerJsonExport(spec).ToString(), "");
  ASSERT_TRUE(read.ok()) << read.status();
  auto copy = Tokenizer::Create(*std::move(read));
  ASSERT_TRUE(copy.ok()) << copy.status();
  std::mt19937 random(15);
  for (int round = 0; round < 1000; ++round) {
    const std::string text = RandomText(random);
    for (const bool parse : {false, true}) {
      EXPECT_EQ((*copy)->Encode(text, {.parse_special = parse}),
                tokenizer_->Encode(text, {.parse_special = parse}))
          << text;
    }
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
