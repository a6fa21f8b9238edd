// What --since means.
#pragma once

#include <charconv>
#include <cstdint>
#include <ctime>
#include <string>

#include "base/clock.h"
#include "base/status.h"

namespace ac::app {

// Milliseconds since the epoch: a local date ("2026-01-31"), a span before now ("7d", "12h",
// "30m"), or 0 for an empty text.
inline Result<int64_t> ReadSince(const std::string& text, const Clock& clock) {
  if (text.empty()) return int64_t{0};
  int64_t amount = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size() - 1, amount);
  const bool is_number = parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() - 1;
  const char unit = text.back();
  const int64_t seconds = unit == 'd' ? 86'400 : unit == 'h' ? 3600 : unit == 'm' ? 60 : 0;
  if (is_number && amount >= 0 && amount < 100'000 && seconds > 0) {
    const int64_t now =
        std::chrono::duration_cast<std::chrono::milliseconds>(clock.WallNow()).count();
    return now - amount * seconds * 1000;
  }
  std::tm day{};
  const char* end = strptime(text.c_str(), "%Y-%m-%d", &day);
  if (end == nullptr || *end != '\0') {
    return InvalidArgument(
        "--since takes a date (2026-01-31) or a time span (7d, 12h, 30m), not \"" + text + "\"");
  }
  day.tm_isdst = -1;
  return static_cast<int64_t>(std::mktime(&day)) * 1000;
}

}  // namespace ac::app
