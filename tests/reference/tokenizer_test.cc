// Our ids against Hugging Face's JavaScript tokenizers, on the same vocabularies.
#include "tokenizer/tokenizer.h"

#include <gtest/gtest.h>

#include <optional>
#include <ostream>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_system.h"
#include "base/utf8.h"
#include "json/json.h"
#include "support/node.h"
#include "support/shared_data.h"
#include "support/temp_dir.h"
#include "support/tokenizer_json_export.h"
#include "tokenizer/gguf_vocab.h"
#include "tokenizer/tokenizer_json.h"
#include "weights/gguf.h"

namespace ac::tokenizer {
namespace {

const std::vector<std::string>& Pieces() {
  static const std::vector<std::string> pieces = {
      // code
      "int main(void) {\n", "  return x_1 + 0x7F;\n", "}\n\n", "\t\tif (a!=b) ",
      "// note: ", "\r\n", "def f(self, *args):\n    pass\n", "\"quoted\\n\"", "SELECT * FROM t;",
      "</div>", "#include <a>", "camelCaseName", "SCREAMING_CASE", "kebab-case", "a.b::c->d",
      "===", "!!!", "...", "/*", "*/", "https://example.com/a?b=c&d=1/", "$1,234.56", "100%",
      "@user", "~/.x",
      // words and contractions
      " the", " quick", "Brown ", "don't", " I'LL", " we've", "'s", "'S", "'re", " '", "it'd",
      // numbers
      "7", "42", "365", "2024", "1234567890", " 3.14", "\xD9\xA1\xD9\xA2", "\xC2\xBD",
      "\xE2\x85\xA7",
      // white space
      " ", "  ", "   ", "        ", "\n", "\n\n\n", "\t", " \n ", "\xC2\xA0", "\xE2\x80\x83",
      "\xE3\x80\x80", "\xE2\x80\xA8",
      // scripts
      "caf\xC3\xA9", "e\xCC\x81", "na\xC3\xAFve", "\xC3\x9F", "\xD0\x9F\xD1\x80\xD0\xB8",
      "\xCE\xB1\xCE\xB2", "\xE6\x88\x91\xE6\x83\xB3\xE5\x9C\xA8", "\xE3\x81\x93\xE3\x82\x93",
      "\xEA\xB0\x80\xEB\x82\x98", "\xD9\x85\xD8\xB1\xD8\xAD\xD8\xA8\xD8\xA7",
      "\xD7\xA9\xD7\x9C\xD7\x95\xD7\x9D",
      "\xE0\xA4\xA8\xE0\xA4\xAE\xE0\xA4\xB8\xE0\xA5\x8D\xE0\xA4\xA4",
      "\xE0\xB8\x81\xE0\xB8\xB4\xE0\xB8\x99", "\xE1\x9E\x80\xE1\x9E\xB6", "\xCA\xB0", "\xC7\x85",
      // emoji, symbols, controls
      "\xF0\x9F\x98\x80", "\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x92\xBB", "\xE2\x9C\x85",
      "\xE2\x82\xAC", "\xF0\x9F\x87\xA9\xF0\x9F\x87\xAA", "\xE2\x80\x8B", "\x01", "\x7F",
      "\xEF\xBF\xBD", "\xE2\x96\x81",
      // special tokens of one vocabulary or another
      "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|begin_of_text|>", "<|eot_id|>",
      "<|start_header_id|>", "<s>", "</s>", "<unk>", "<|user|>", "<|end|>", "<|EOT|>", "<pad>",
      "<\uFF5Cbegin\u2581of\u2581sentence\uFF5C>", "<0x0A>", "\xC3\xB5"};
  return pieces;
}

std::vector<std::string> Corpus() {
  std::vector<std::string> texts = Pieces();
  texts.push_back(std::string(200, 'a'));
  texts.push_back(std::string(200, ' ') + "x");
  texts.push_back(std::string(100, '\n') + std::string(100, '='));
  std::mt19937 random(21);
  for (int round = 0; round < 600; ++round) {
    std::string text;
    for (size_t i = 1 + random() % 20; i > 0; --i) text += Pieces()[random() % Pieces().size()];
    texts.push_back(std::move(text));
  }
  return texts;
}

// Metadata of a file, with another pre-tokeniser.
struct WithPreTokenizer {
  const weights::GgufMetadata& metadata;
  std::string pre;

  std::optional<std::string_view> GetString(std::string_view key) const {
    if (key == "tokenizer.ggml.pre" && !pre.empty()) return pre;
    return metadata.GetString(key);
  }
  auto GetInt(std::string_view key) const { return metadata.GetInt(key); }
  auto GetBool(std::string_view key) const { return metadata.GetBool(key); }
  auto GetStringArray(std::string_view key) const { return metadata.GetStringArray(key); }
  auto GetFloatArray(std::string_view key) const { return metadata.GetFloatArray(key); }
  auto GetIntArray(std::string_view key) const { return metadata.GetIntArray(key); }
};

std::vector<std::vector<int32_t>> AskOracle(const std::string& tokenizer_json,
                                            const std::vector<std::string>& texts) {
  json::Array texts_json;
  for (const std::string& text : texts) texts_json.emplace_back(text);
  const ac::testing::TempDir dir;
  FileSystem& fs = FileSystem::Real();
  EXPECT_TRUE(WriteFileAtomic(fs, dir / "tokenizer.json", tokenizer_json).ok());
  EXPECT_TRUE(WriteFileAtomic(fs, dir / "texts.json", json::Write(texts_json)).ok());
  const auto answer = json::Parse(ac::testing::RunNode(
      "tests/reference/tokenizer_oracle.mjs", {dir / "tokenizer.json", dir / "texts.json"}));
  std::vector<std::vector<int32_t>> ids;
  if (!answer.ok() || json::AsArray(&*answer) == nullptr) return ids;
  for (const json::Value& list : *json::AsArray(&*answer)) {
    ids.emplace_back();
    for (const json::Value& id : *json::AsArray(&list)) {
      ids.back().push_back(static_cast<int32_t>(*json::AsInt(&id)));
    }
  }
  return ids;
}

// A vocabulary, and a pre-tokeniser when it is not the vocabulary's own.
struct Case {
  const char* vocabulary;
  const char* pre = "";

  friend void PrintTo(const Case& c, std::ostream* out) { *out << c.vocabulary << ' ' << c.pre; }
};

class TokenizerReferenceTest : public ::testing::TestWithParam<Case> {};

TEST_P(TokenizerReferenceTest, GivesTheIdsOfHuggingFacesTokenizers) {
  AC_REQUIRE_SHARED_DATA();
  AC_REQUIRE_NPM_PACKAGE("@huggingface/tokenizers");
  auto file = weights::GgufFile::Open(
      ac::testing::SharedData(std::string("vocab/ggml-vocab-") + GetParam().vocabulary + ".gguf"));
  ASSERT_TRUE(file.ok()) << file.status();
  const Spec spec =
      SpecFromGgufMetadata(WithPreTokenizer{file->metadata(), GetParam().pre}).value();
  const std::string exported = ac::testing::TokenizerJsonExport(spec).ToString();
  const std::vector<std::string> texts = Corpus();
  const auto expected = AskOracle(exported, texts);
  ASSERT_EQ(expected.size(), texts.size());

  const auto from_gguf = Tokenizer::Create(spec).value();
  const auto from_json = Tokenizer::Create(SpecFromTokenizerJson(exported, "").value()).value();
  for (size_t i = 0; i < texts.size(); ++i) {
    ASSERT_EQ(from_gguf->Encode(texts[i], {.parse_special = true}), expected[i])
        << json::Quote(texts[i]);
    ASSERT_EQ(from_json->Encode(texts[i], {.parse_special = true}), expected[i])
        << json::Quote(texts[i]);
  }
}

std::string NameOf(const ::testing::TestParamInfo<Case>& param) {
  std::string name = std::string(param.param.vocabulary) + param.param.pre;
  std::erase_if(name, [](char c) { return c == '-'; });
  return name;
}
INSTANTIATE_TEST_SUITE_P(Vocabularies, TokenizerReferenceTest,
                         ::testing::Values(Case{"deepseek-coder"}, Case{"gpt-2"}, Case{"llama-bpe"},
                                           Case{"llama-spm"}, Case{"phi-3"}, Case{"qwen2"}),
                         NameOf);
// One name for each other set of patterns.
INSTANTIATE_TEST_SUITE_P(PreTokenizers, TokenizerReferenceTest,
                         ::testing::Values(Case{"gpt-2", "default"}, Case{"gpt-2", "deepseek-llm"},
                                           Case{"gpt-2", "deepseek-v3"}, Case{"gpt-2", "falcon"},
                                           Case{"gpt-2", "qwen35"}, Case{"gpt-2", "tekken"},
                                           Case{"gpt-2", "seed-coder"}, Case{"gpt-2", "viking"},
                                           Case{"gpt-2", "gpt-4o"}, Case{"gpt-2", "starcoder"},
                                           Case{"gpt-2", "bloom"}, Case{"gpt-2", "bailingmoe"}),
                         NameOf);

}  // namespace
}  // namespace ac::tokenizer
