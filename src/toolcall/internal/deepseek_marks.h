// DeepSeek's special tokens, spelled in UTF-8 bytes: EF BD 9C is the full-width bar, E2 96 81 the
// low block that stands for a blank.
#pragma once

#include <string_view>

namespace ac::toolcall::internal {

#define AC_DEEPSEEK_MARK(words) "<\xEF\xBD\x9C" words "\xEF\xBD\x9C>"
#define AC_DEEPSEEK_BLANK "\xE2\x96\x81"

inline constexpr std::string_view kDeepSeekCallsBegin =
    AC_DEEPSEEK_MARK("tool" AC_DEEPSEEK_BLANK "calls" AC_DEEPSEEK_BLANK "begin");
inline constexpr std::string_view kDeepSeekCallsEnd =
    AC_DEEPSEEK_MARK("tool" AC_DEEPSEEK_BLANK "calls" AC_DEEPSEEK_BLANK "end");
inline constexpr std::string_view kDeepSeekCallBegin =
    AC_DEEPSEEK_MARK("tool" AC_DEEPSEEK_BLANK "call" AC_DEEPSEEK_BLANK "begin");
inline constexpr std::string_view kDeepSeekCallEnd =
    AC_DEEPSEEK_MARK("tool" AC_DEEPSEEK_BLANK "call" AC_DEEPSEEK_BLANK "end");
inline constexpr std::string_view kDeepSeekSeparator =
    AC_DEEPSEEK_MARK("tool" AC_DEEPSEEK_BLANK "sep");
inline constexpr std::string_view kDeepSeekEndOfSentence =
    AC_DEEPSEEK_MARK("end" AC_DEEPSEEK_BLANK "of" AC_DEEPSEEK_BLANK "sentence");

#undef AC_DEEPSEEK_MARK
#undef AC_DEEPSEEK_BLANK

}  // namespace ac::toolcall::internal
