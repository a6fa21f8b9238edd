// Python's str as functions over UTF-8: code point positions, white space, case, character classes.
//
// Pure functions, thread-safe. Ill-formed bytes count as one character each and never match a
// class.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/utf8.h"

namespace ac::jinja {

bool IsAscii(std::string_view text);
size_t CountCodePoints(std::string_view text);
// The byte where code point `index` starts; the size of the text when it has fewer.
size_t ByteOffset(std::string_view text, size_t index);

// Calls visit(code_point, view of its bytes) for each character while it returns true.
template <typename Visit>
void ForEachCodePoint(std::string_view text, Visit visit) {
  for (size_t i = 0; i < text.size();) {
    const Utf8Char c = DecodeUtf8(text, i);
    if (!visit(c.code_point, text.substr(i, c.length))) return;
    i += c.length;
  }
}

bool IsSpace(uint32_t code_point);      // str.isspace, \s
bool IsAlpha(uint32_t code_point);      // str.isalpha
bool IsDecimal(uint32_t code_point);    // str.isdecimal
bool IsDigit(uint32_t code_point);      // str.isdigit
bool IsNumeric(uint32_t code_point);    // str.isnumeric
bool IsPrintable(uint32_t code_point);  // str.isprintable
bool IsWord(uint32_t code_point);       // \w
bool IsLowerCase(uint32_t code_point);
bool IsUpperCase(uint32_t code_point);  // not title case
bool IsTitleCase(uint32_t code_point);

bool IsUpperText(std::string_view text);  // str.isupper: some letter, and none of another case
bool IsLowerText(std::string_view text);
bool IsTitleText(std::string_view text);

std::string Upper(std::string_view text);
std::string Lower(std::string_view text);
std::string Capitalize(std::string_view text);
std::string Title(std::string_view text);  // str.title
std::string SwapCase(std::string_view text);
std::string CaseFold(std::string_view text);

enum class Side : uint8_t { kBoth, kLeft, kRight };
// str.strip and its sides; without `characters`, white space.
std::string_view Strip(std::string_view text, Side side,
                       std::optional<std::string_view> characters = std::nullopt);
// str.splitlines: \r\n counts once.
std::vector<std::string_view> SplitLines(std::string_view text, bool keep_ends);
// str.replace; a negative count replaces all.
std::string Replace(std::string_view text, std::string_view from, std::string_view to,
                    int64_t count);

std::string EscapeHtml(std::string_view text);

}  // namespace ac::jinja
