// Helpers of the grammar tests: a byte vocabulary and whole-text matching.
#pragma once

#include <memory>
#include <string_view>

#include "grammar/matcher.h"
#include "support/toy_tokenizer.h"

namespace ac::grammar {

inline std::shared_ptr<const Vocabulary> ByteVocabulary() {
  static const std::unique_ptr<tokenizer::Tokenizer> tokenizer = ac::testing::MakeToyTokenizer();
  static const auto vocabulary = std::make_shared<const Vocabulary>(*tokenizer);
  return vocabulary;
}

inline std::shared_ptr<const Grammar> GrammarOf(Program program) {
  return std::make_shared<const Grammar>(std::move(program), ByteVocabulary());
}

// The whole text, and it may end there.
inline bool Matches(const std::shared_ptr<const Grammar>& grammar, std::string_view text) {
  Matcher matcher(grammar);
  return matcher.AcceptBytes(text) && matcher.MayEnd();
}

}  // namespace ac::grammar
