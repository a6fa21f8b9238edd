// Where in a reply's prose we are: at the start of a line, in a code fence, in inline code.
//
// A call that stands in code is an example. Not thread-safe.
#pragma once

#include <string_view>

namespace ac::toolcall::internal {

class Place {
 public:
  void Advance(std::string_view text) {
    for (const char c : text) Advance(c);
  }

  bool at_line_start() const { return line_start_; }
  bool in_fence() const { return fence_ != 0; }
  bool in_inline_code() const { return fence_ == 0 && inline_code_; }

 private:
  void Advance(char c) {
    constexpr int kFenceLength = 3;
    if (c == '\n') {
      line_start_ = true;
      inline_code_ = false;
      run_ = 0;
      only_run_ = true;
      return;
    }
    if (c == '`' || c == '~') {
      run_ = c == run_char_ ? run_ + 1 : 1;
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
  int run_ = 0;
};

}  // namespace ac::toolcall::internal
