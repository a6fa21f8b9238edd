// Where in a reply's prose we are: at the start of a line, in a code fence, in inline code, behind
// a quotation mark.
//
// A call that stands in code is an example. A value of finitely many states.
#pragma once

#include <compare>
#include <cstdint>
#include <string_view>

namespace ac::toolcall {

class Place {
 public:
  void Advance(std::string_view text) {
    for (const char c : text) Advance(c);
  }

  bool at_line_start() const { return line_start_; }
  bool in_fence() const { return fence_ != 0; }
  bool in_inline_code() const { return fence_ == 0 && inline_code_; }
  bool behind_quote() const { return quote_ == Quote::kWhole; }

  friend auto operator<=>(const Place&, const Place&) = default;

 private:
  // How much of a quotation mark the text ends with: one byte, two (U+00AB), or three (U+2018 to
  // U+201F).
  enum class Quote : uint8_t { kNone, kTwoBytes, kThreeBytes, kLastByte, kWhole };

  static Quote After(Quote quote, uint8_t c) {
    if (c == '"' || c == '\'') return Quote::kWhole;
    if (quote == Quote::kTwoBytes && c == 0xAB) return Quote::kWhole;
    if (quote == Quote::kThreeBytes && c == 0x80) return Quote::kLastByte;
    if (quote == Quote::kLastByte && c >= 0x98 && c <= 0x9F) return Quote::kWhole;
    return c == 0xC2 ? Quote::kTwoBytes : c == 0xE2 ? Quote::kThreeBytes : Quote::kNone;
  }

  void Advance(char c) {
    constexpr int kFenceLength = 3;
    quote_ = After(quote_, static_cast<uint8_t>(c));
    if (c == '\n') {
      line_start_ = true;
      inline_code_ = false;
      run_ = 0;
      run_char_ = 0;
      only_run_ = true;
      return;
    }
    if (c == '`' || c == '~') {
      run_ = c != run_char_ ? 1 : run_ <= kFenceLength ? run_ + 1 : run_;
      run_char_ = c;
      if (only_run_ && run_ == kFenceLength && (fence_ == 0 || fence_ == c)) {
        fence_ = fence_ == 0 ? c : 0;
        inline_code_ = false;
      } else if (c == '`' && run_ == 1) {
        inline_code_ = !inline_code_;
      }
    } else {
      run_ = 0;
      run_char_ = 0;
      if (c != ' ' && c != '\t') only_run_ = false;
    }
    if (c != ' ' && c != '\t' && c != '\r') line_start_ = false;
  }

  bool line_start_ = true;
  bool inline_code_ = false;
  bool only_run_ = true;  // the line so far is blanks and one run of fence characters
  char fence_ = 0;        // the character of the open fence
  char run_char_ = 0;
  int run_ = 0;  // its length, up to one more than a fence has
  Quote quote_ = Quote::kNone;
};

}  // namespace ac::toolcall
