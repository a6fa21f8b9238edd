// Regular expressions as pieces of a grammar: the part of ECMAScript's syntax that describes
// regular languages.
//
// Understood: alternation, groups (also named and non-capturing), classes, escapes \d \w \s \D \W
// \S \n \t \r \f \v \0 \xHH \uHHHH \u{...}, ".", quantifiers (lazy ones mean the same), ^ and $ at
// the ends. Not: look-around, back-references, \b, \p: kUnsupported naming the place.
#pragma once

#include <string_view>

#include "base/status.h"
#include "grammar/characters.h"
#include "grammar/program.h"

namespace ac::grammar {

struct RegexOptions {
  Spelling spelling = Spelling::kPlain;
  // Without ^ or $ the expression may match anywhere, as in JSON Schema's `pattern`.
  bool search = false;
};

struct CompiledRegex {
  Piece piece;
  uint64_t min_length = 0;  // in characters
  uint64_t max_length = 0;  // kUnlimited
};

Result<CompiledRegex> CompileRegex(std::string_view pattern, const RegexOptions& options);

// The inside of [...], shared with EBNF; `at` stands behind the bracket and ends behind the other.
Result<CharacterSet> ParseCharacterClass(std::string_view text, size_t* at);

}  // namespace ac::grammar
