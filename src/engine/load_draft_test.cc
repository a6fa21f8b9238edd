#include "engine/load_draft.h"

#include <gtest/gtest.h>

#include "support/toy_tokenizer.h"

namespace ac::engine {
namespace {

std::unique_ptr<tokenizer::Tokenizer> Vocabulary(const std::vector<std::string>& more,
                                                 int unused = 0) {
  tokenizer::Spec spec;
  for (int byte = 0; byte < 256; ++byte) {
    spec.tokens.push_back({.bytes = std::string(1, static_cast<char>(byte))});
    spec.byte_ids[static_cast<size_t>(byte)] = byte;
  }
  for (const std::string& bytes : more) spec.tokens.push_back({.bytes = bytes});
  for (int i = 0; i < unused; ++i) {
    spec.tokens.push_back(
        {.bytes = "[PAD" + std::to_string(i) + "]", .type = tokenizer::TokenType::kUnused});
  }
  auto tokenizer = tokenizer::Tokenizer::Create(std::move(spec));
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
  return std::move(tokenizer).value();
}

TEST(LoadDraftTest, RowsThatOnlyFillTheMatrixMakeNoDifference) {
  const auto large = Vocabulary({"ab", "cd"}, 7);
  const auto draft = Vocabulary({"ab", "cd"}, 1);
  EXPECT_TRUE(CheckDraftVocabulary(*large, *draft).ok());
  EXPECT_TRUE(CheckDraftVocabulary(*draft, *large).ok());
}

TEST(LoadDraftTest, AnotherVocabularyIsRefusedWithItsFirstDifference) {
  const auto large = Vocabulary({"ab", "cd"});
  const Status other = CheckDraftVocabulary(*large, *Vocabulary({"ab", "c\n"}));
  EXPECT_EQ(other.code(), Code::kInvalidArgument);
  EXPECT_NE(other.message().find("token 257 is \"c\\x0a\" there and \"cd\" in the model"),
            std::string::npos)
      << other;
  const Status shorter = CheckDraftVocabulary(*large, *Vocabulary({"ab"}));
  EXPECT_NE(shorter.message().find("not used"), std::string::npos) << shorter;
  EXPECT_FALSE(CheckDraftVocabulary(*Vocabulary({"ab"}), *large).ok());
}

}  // namespace
}  // namespace ac::engine
