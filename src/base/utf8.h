// UTF-8: decode one code point, validate, repair, encode.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ac {

// One decoded code point. `length` is 0 at the end of the text; an invalid sequence gives
// valid = false, code_point U+FFFD and the length of its maximal ill-formed prefix (at least 1).
struct Utf8Char {
  uint32_t code_point = 0;
  uint8_t length = 0;
  bool valid = false;
};

Utf8Char DecodeUtf8(std::string_view text, size_t offset);
bool IsValidUtf8(std::string_view text);
// A surrogate or a number beyond U+10FFFF is appended as U+FFFD: the output is always valid.
void AppendUtf8(uint32_t code_point, std::string* out);
// Every ill-formed sequence becomes one U+FFFD (the replacement practice of the Unicode standard).
std::string RepairUtf8(std::string_view text);
// Bytes at the end of `text` that start a sequence which more bytes could still complete (0 to 3).
size_t IncompleteUtf8Suffix(std::string_view text);

}  // namespace ac
