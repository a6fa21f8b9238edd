#include "tokenizer/gguf_vocab.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tokenizer/internal/vocab_builder.h"
#include "tokenizer/tokenizer.h"

namespace ac::tokenizer {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// The fields of a small file, with the memory they point to.
struct VocabFile {
  std::vector<std::string> names;
  std::vector<std::string> merge_names;
  std::vector<int64_t> types;
  std::vector<double> scores;
  GgufVocabFields fields;

  void Add(std::string name, TokenType type, double score = 0) {
    names.push_back(std::move(name));
    types.push_back(static_cast<int64_t>(type));
    scores.push_back(score);
  }
  Result<Spec> Read() {
    fields.tokens.assign(names.begin(), names.end());
    fields.merges.assign(merge_names.begin(), merge_names.end());
    fields.types = types;
    if (fields.model == "llama") fields.scores = scores;
    return SpecFromGgufFields(fields);
  }
};

VocabFile ByteLevelFile() {
  VocabFile file;
  file.fields.model = "gpt2";
  file.fields.pre = "qwen2";
  for (int b = 0; b < 256; ++b) {
    const char byte = static_cast<char>(b);
    file.Add(internal::AlphabetFromBytes({&byte, 1}), TokenType::kNormal);
  }
  file.Add("\xC4\xA0h", TokenType::kNormal);  // 256: " h"
  file.Add("<|im_end|>", TokenType::kControl);
  file.Add("<tool>", TokenType::kUserDefined);
  file.merge_names = {"\xC4\xA0 h"};
  file.fields.eos_id = 257;
  return file;
}

TEST(GgufVocabTest, ReadsAByteLevelVocabulary) {
  auto spec = ByteLevelFile().Read();
  ASSERT_TRUE(spec.ok()) << spec.status();
  auto t = Tokenizer::Create(*std::move(spec));
  ASSERT_TRUE(t.ok()) << t.status();
  EXPECT_THAT((*t)->Encode("a h<tool>"), ElementsAre('a', 256, 258));
  EXPECT_EQ((*t)->TokenBytes(256), " h");
  EXPECT_TRUE((*t)->IsEndOfGeneration(257));
  EXPECT_EQ((*t)->bos(), kNoToken);
}

TEST(GgufVocabTest, AddsBosWhereTheFileOrTheFamilySaysSo) {
  VocabFile file = ByteLevelFile();
  file.fields.bos_id = 257;
  EXPECT_THAT(file.Read()->prefix_ids, ElementsAre());
  file.fields.add_bos = true;
  EXPECT_THAT(file.Read()->prefix_ids, ElementsAre(257));
  file.fields.add_bos.reset();
  file.fields.pre = "llama-bpe";
  EXPECT_THAT(file.Read()->prefix_ids, ElementsAre(257));
  file.fields.add_bos = false;
  EXPECT_THAT(file.Read()->prefix_ids, ElementsAre());
}

TEST(GgufVocabTest, EveryNameOfAPreTokeniserWorks) {
  const std::vector<std::string> names = SupportedPreTokenizers();
  EXPECT_THAT(names, Contains("llama-bpe"));
  EXPECT_THAT(names, Contains("deepseek-v3"));
  for (const std::string& name : names) {
    VocabFile file = ByteLevelFile();
    file.fields.pre = name;
    auto spec = file.Read();
    ASSERT_TRUE(spec.ok()) << name << ": " << spec.status();
    auto t = Tokenizer::Create(*std::move(spec));
    ASSERT_TRUE(t.ok()) << name << ": " << t.status();
    const std::string text =
        "It's 12345 caf\xC3\xA9s\r\n\t \xE6\x88\x91\xE3\x81\x93. x_y = {a};  !";
    EXPECT_EQ((*t)->Decode((*t)->Encode(text)), text) << name;
  }
}

TEST(GgufVocabTest, AnUnknownPreTokeniserIsRefusedWithTheKnownOnes) {
  for (const char* pre : {"", "no-such-model"}) {
    VocabFile file = ByteLevelFile();
    file.fields.pre = pre;
    const Status status = file.Read().status();
    EXPECT_EQ(status.code(), Code::kUnsupported);
    EXPECT_THAT(status.message(), AllOf(HasSubstr("qwen2"), HasSubstr("llama-bpe"))) << status;
  }
  VocabFile file = ByteLevelFile();
  file.fields.pre = "no-such-model";
  file.fields.pre_regexes = {R"(\w+|\W)"};
  EXPECT_TRUE(file.Read().ok());
}

TEST(GgufVocabTest, AnUnknownModelKindIsRefusedWithTheKnownOnes) {
  for (const char* model : {"", "bert", "t5", "rwkv"}) {
    VocabFile file = ByteLevelFile();
    file.fields.model = model;
    const Status status = file.Read().status();
    EXPECT_EQ(status.code(), Code::kUnsupported);
    EXPECT_THAT(status.message(), HasSubstr("supported: gpt2, llama"));
  }
}

TEST(GgufVocabTest, DamagedVocabulariesAreRefusedByName) {
  const auto refusal = [](auto change) {
    VocabFile file = ByteLevelFile();
    change(file);
    const Status status = file.Read().status();
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << status;
    return status.message();
  };
  EXPECT_THAT(refusal([](VocabFile& f) { f.names.clear(), f.types.clear(); }), HasSubstr("empty"));
  EXPECT_THAT(refusal([](VocabFile& f) { f.names[7] = f.names[9]; }), HasSubstr("tokens 7 and 9"));
  EXPECT_THAT(refusal([](VocabFile& f) { f.types.pop_back(); }), HasSubstr("token_type has 258"));
  EXPECT_THAT(refusal([](VocabFile& f) { f.merge_names[0] = "h zz"; }), HasSubstr("\"zz\""));
  EXPECT_THAT(refusal([](VocabFile& f) { f.merge_names[0] = "h i"; }), HasSubstr("\"hi\""));
  for (const char* merge : {"", " ", "h", "h ", "  "}) {
    EXPECT_THAT(refusal([&](VocabFile& f) { f.merge_names[0] = merge; }), HasSubstr("merge 0"));
  }
  EXPECT_THAT(refusal([](VocabFile& f) { f.fields.eos_id = 259; }), HasSubstr("eos token is 259"));
  EXPECT_THAT(refusal([](VocabFile& f) {
                f.names[5] = "0x05";
                f.types[5] = static_cast<int64_t>(TokenType::kByte);
              }),
              HasSubstr("<0x00> to <0xFF>"));
}

TEST(GgufVocabTest, OddButHarmlessFilesAreRead) {
  VocabFile file = ByteLevelFile();
  file.fields.bos_id = 0xFFFFFFFF;  // how some converters write "none"
  file.fields.pad_id = -1;
  file.names[3] = "";                            // a hole
  file.names[255] = std::string("a\0b\x01", 4);  // NUL, outside the byte alphabet
  file.types[100] = 77;                          // a type of the future
  auto spec = file.Read();
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->bos, kNoToken);
  EXPECT_EQ(spec->pad, kNoToken);
  EXPECT_EQ(spec->tokens[3].bytes, "");
  EXPECT_EQ(spec->tokens[255].bytes, std::string("a\0b\x01", 4));
  EXPECT_TRUE(Tokenizer::Create(*std::move(spec)).ok());
}

TEST(GgufVocabTest, SentencePieceVocabulariesNeedScores) {
  VocabFile file;
  file.fields.model = "llama";
  file.Add("<0x41>", TokenType::kByte);
  file.Add("\xE2\x96\x81", TokenType::kNormal, -1);
  auto spec = file.Read();
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->tokens[0].bytes, "A");
  EXPECT_EQ(spec->tokens[1].bytes, " ");
  EXPECT_EQ(spec->byte_ids['A'], 0);
  EXPECT_TRUE(spec->space_prefix);
  file.scores.clear();
  EXPECT_THAT(file.Read().status().message(), HasSubstr("scores"));
}

TEST(GgufVocabTest, Phi3TokensSwallowTheSpaceAfterThem) {
  VocabFile file = ByteLevelFile();
  file.fields.model_name = "Phi3 mini";
  const Spec spec = file.Read().value();
  EXPECT_TRUE(spec.tokens[257].rstrip);
  EXPECT_FALSE(spec.tokens[256].rstrip);
  EXPECT_FALSE(ByteLevelFile().Read()->tokens[257].rstrip);
}

TEST(VocabBuilderTest, TheByteAlphabetIsReversible) {
  std::string all;
  for (int b = 0; b < 256; ++b) all += static_cast<char>(b);
  EXPECT_EQ(internal::BytesFromAlphabet(internal::AlphabetFromBytes(all)), all);
  EXPECT_EQ(internal::AlphabetFromBytes(" the\n"), "\xC4\xA0the\xC4\x8A");
  EXPECT_EQ(internal::BytesFromAlphabet("a b"), std::nullopt);
  EXPECT_EQ(internal::BytesFromAlphabet("\xE4\xB8\xAD"), std::nullopt);
  EXPECT_EQ(internal::BytesFromAlphabet("\xFF"), std::nullopt);
}

}  // namespace
}  // namespace ac::tokenizer
