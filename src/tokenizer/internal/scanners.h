// Hand-written equivalents of the pre-tokeniser patterns most models use, and the character classes
// they are made of.
//
// A scanner takes a position that starts a word and returns where the word ends. Each one is tested
// against PCRE2 running the pattern it stands for. White space is Unicode's White_Space. Bytes that
// are not UTF-8 count as symbols. Stateless and thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ac::tokenizer::internal {

bool IsSpaceChar(uint32_t code_point);
bool IsWordChar(uint32_t code_point);  // \w: letter, mark, number or connector

using Scanner = size_t (*)(std::string_view text, size_t begin);

// The scanner for exactly this pattern, or null.
Scanner ScannerFor(std::string_view pattern);

// The patterns as their authors published them.
extern const std::string_view kGpt2Pattern;
extern const std::string_view kLlama3Pattern;
extern const std::string_view kQwen2Pattern;
extern const std::string_view kQwen35Pattern;
extern const std::string_view kGpt4oPattern;
extern const std::string_view kTekkenPattern;

}  // namespace ac::tokenizer::internal
