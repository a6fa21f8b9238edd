#include "tokenizer/internal/scanners.h"

#include <utf8proc.h>

#include <array>

#include "base/utf8.h"

namespace ac::tokenizer::internal {

const std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
const std::string_view kLlama3Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|)"
    R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
const std::string_view kQwen2Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|)"
    R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
const std::string_view kQwen35Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}|)"
    R"( ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
const std::string_view kGpt4oPattern =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
    R"(\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
const std::string_view kTekkenPattern =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|)"
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|)"
    R"(\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

namespace {

// Character classes, as bits so that a union is an OR.
enum : uint8_t {
  kLetter = 1,
  kNumber = 2,
  kMark = 4,
  kSpace = 8,     // White_Space
  kNewline = 16,  // \r \n
  kUpper = 32,    // Lu Lt Lm Lo M: may come first in a capitalised word
  kLower = 64,    // Ll Lm Lo M
  kOther = 128,   // none of letter, number, mark, space
};

uint8_t ClassOf(uint32_t c) {
  if (c == '\r' || c == '\n') return kSpace | kNewline;
  if (IsSpaceChar(c)) return kSpace;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LT:
      return kLetter | kUpper;
    case UTF8PROC_CATEGORY_LL:
      return kLetter | kLower;
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
      return kLetter | kUpper | kLower;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
      return kMark | kUpper | kLower;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return kNumber;
    default:
      return kOther;
  }
}

constexpr std::array<uint8_t, 128> kAsciiClass = [] {
  std::array<uint8_t, 128> table = {};
  for (int c = 0; c < 128; ++c) {
    if (c >= 'A' && c <= 'Z') {
      table[c] = kLetter | kUpper;
    } else if (c >= 'a' && c <= 'z') {
      table[c] = kLetter | kLower;
    } else if (c >= '0' && c <= '9') {
      table[c] = kNumber;
    } else if (c == '\r' || c == '\n') {
      table[c] = kSpace | kNewline;
    } else if (c == ' ' || (c >= 9 && c <= 13)) {
      table[c] = kSpace;
    } else {
      table[c] = kOther;
    }
  }
  return table;
}();

// One character of the text. At the end of the text: no class, length 0.
struct Char {
  uint8_t classes = 0;
  uint8_t length = 0;
};

inline Char CharAt(std::string_view text, size_t at) {
  if (at >= text.size()) return {};
  const auto byte = static_cast<uint8_t>(text[at]);
  if (byte < 128) return {kAsciiClass[byte], 1};
  const Utf8Char c = DecodeUtf8(text, at);
  return {c.valid ? ClassOf(c.code_point) : static_cast<uint8_t>(kOther), c.length};
}

// Where the run of characters with any of `classes` that begins at `at` ends.
inline size_t Run(std::string_view text, size_t at, uint8_t classes) {
  while (at < text.size()) {
    const Char c = CharAt(text, at);
    if (!(c.classes & classes)) break;
    at += c.length;
  }
  return at;
}

// The end of (?i:'s|'t|'re|'ve|'m|'ll|'d) at `at`, or `at`. U+017F is an s to caseless patterns.
template <bool kCaseless>
size_t Contraction(std::string_view text, size_t at) {
  if (at + 1 >= text.size() || text[at] != '\'') return at;
  const auto lower = [&](size_t i) {
    const char c = i < text.size() ? text[i] : '\0';
    return kCaseless && c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
  };
  const char first = lower(at + 1);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return at + 2;
  const char second = lower(at + 2);
  if ((first == 'r' || first == 'v') && second == 'e') return at + 3;
  if (first == 'l' && second == 'l') return at + 3;
  if (kCaseless && text.substr(at + 1).starts_with("\xC5\xBF")) return at + 3;
  return at;
}

size_t Digits(std::string_view text, size_t at, int most) {
  for (int i = 0; i < most; ++i) {
    const Char c = CharAt(text, at);
    if (!(c.classes & kNumber)) break;
    at += c.length;
  }
  return at;
}

// \s+(?!\S)|\s+ at white space.
size_t Spaces(std::string_view text, size_t at) {
  size_t last = at;
  size_t end = at;
  while (end < text.size()) {
    const Char c = CharAt(text, end);
    if (!(c.classes & kSpace)) return last > at ? last : end;
    last = end;
    end += c.length;
  }
  return end;
}

// \s*[\r\n]+|\s+(?!\S)|\s+ at white space.
size_t SpacesOrLines(std::string_view text, size_t at) {
  size_t after_newline = at;
  size_t last = at;
  size_t end = at;
  while (end < text.size()) {
    const Char c = CharAt(text, end);
    if (!(c.classes & kSpace)) break;
    last = end;
    end += c.length;
    if (c.classes & kNewline) after_newline = end;
  }
  if (after_newline > at) return after_newline;
  return end < text.size() && last > at ? last : end;
}

//  ?[others]+[\r\n]* (or [\r\n/]*): its end, or `at`.
size_t Punctuation(std::string_view text, size_t at, uint8_t others, bool slash) {
  const size_t start = text[at] == ' ' ? at + 1 : at;
  size_t end = Run(text, start, others);
  if (end == start) return at;
  while (end < text.size() &&
         (text[end] == '\r' || text[end] == '\n' || (slash && text[end] == '/')))
    ++end;
  return end;
}

size_t ScanGpt2(std::string_view text, size_t at) {
  if (const size_t end = Contraction<false>(text, at); end > at) return end;
  const size_t start = text[at] == ' ' ? at + 1 : at;
  const uint8_t classes = CharAt(text, start).classes;
  for (const uint8_t kind : {uint8_t{kLetter}, uint8_t{kNumber}, uint8_t{kOther | kMark}}) {
    if (classes & kind) return Run(text, start, kind);
  }
  return Spaces(text, at);
}

// The cl100k family. With kMarks a mark is part of a word, else it is punctuation.
template <int kDigits, bool kMarks>
size_t ScanCl100k(std::string_view text, size_t at) {
  constexpr uint8_t kWord = kMarks ? kLetter | kMark : kLetter;
  constexpr uint8_t kPunctuation = kMarks ? kOther : kOther | kMark;
  if (const size_t end = Contraction<true>(text, at); end > at) return end;
  const Char c = CharAt(text, at);
  if (c.classes & kWord) return Run(text, at + c.length, kWord);
  if (!(c.classes & (kNumber | kNewline))) {
    const size_t end = Run(text, at + c.length, kWord);
    if (end > at + c.length) return end;
  }
  if (c.classes & kNumber) return Digits(text, at, kDigits);
  if (const size_t end = Punctuation(text, at, kPunctuation, false); end > at) return end;
  return SpacesOrLines(text, at);
}

// upper*lower+ where both classes share characters: its end, or `at`.
size_t CapitalisedWord(std::string_view text, size_t at) {
  size_t upper_end = at;
  size_t last_lower_end = at;  // after the last character of the upper run that is lower too
  while (upper_end < text.size()) {
    const Char c = CharAt(text, upper_end);
    if (!(c.classes & kUpper)) break;
    upper_end += c.length;
    if (c.classes & kLower) last_lower_end = upper_end;
  }
  const size_t end = Run(text, upper_end, kLower);
  return end > upper_end ? end : last_lower_end;
}

// The o200k family.
template <int kDigits, bool kSuffix>
size_t ScanO200k(std::string_view text, size_t at) {
  const Char c = CharAt(text, at);
  const bool prefix = !(c.classes & (kLetter | kNumber | kNewline));
  const size_t after = at + c.length;
  const auto with_suffix = [&](size_t end) { return kSuffix ? Contraction<true>(text, end) : end; };
  if (prefix) {
    if (const size_t end = CapitalisedWord(text, after); end > after) return with_suffix(end);
  }
  if (const size_t end = CapitalisedWord(text, at); end > at) return with_suffix(end);
  if (prefix) {
    if (const size_t end = Run(text, after, kUpper); end > after) return with_suffix(end);
  }
  if (const size_t end = Run(text, at, kUpper); end > at) return with_suffix(end);
  if (c.classes & kNumber) return Digits(text, at, kDigits);
  if (const size_t end = Punctuation(text, at, kOther | kMark, true); end > at) return end;
  return SpacesOrLines(text, at);
}

}  // namespace

bool IsSpaceChar(uint32_t c) {
  if (c < 0x80) return c == ' ' || (c >= 9 && c <= 13);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
         c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool IsWordChar(uint32_t c) {
  if (ClassOf(c) & (kLetter | kNumber | kMark)) return true;
  return utf8proc_category(static_cast<utf8proc_int32_t>(c)) == UTF8PROC_CATEGORY_PC;
}

Scanner ScannerFor(std::string_view pattern) {
  if (pattern == kGpt2Pattern) return ScanGpt2;
  if (pattern == kLlama3Pattern) return ScanCl100k<3, false>;
  if (pattern == kQwen2Pattern) return ScanCl100k<1, false>;
  if (pattern == kQwen35Pattern) return ScanCl100k<1, true>;
  if (pattern == kGpt4oPattern) return ScanO200k<3, true>;
  if (pattern == kTekkenPattern) return ScanO200k<1, false>;
  return nullptr;
}

}  // namespace ac::tokenizer::internal
