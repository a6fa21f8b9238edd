// Small parsers for the text files under /proc and /sys. Pure functions; views borrow their input.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace ac::cpu::internal {

inline std::string_view Trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

// The part of `rest` before the next separator; `rest` moves past it.
inline std::string_view TakePart(std::string_view* rest, char separator) {
  const size_t end = rest->find(separator);
  const std::string_view part = rest->substr(0, end);
  *rest = end == std::string_view::npos ? std::string_view() : rest->substr(end + 1);
  return part;
}

inline std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) parts.push_back(TakePart(&text, separator));
  return parts;
}

// A leading decimal number, spaces before it allowed; nullopt when there is none or it overflows.
inline std::optional<int64_t> LeadingNumber(std::string_view text) {
  text = Trim(text);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  return value;
}

// The number after "key" at the start of a line: NumberOf("MemTotal: 12 kB", "MemTotal:") = 12.
inline std::optional<int64_t> NumberOf(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const std::string_view line = TakePart(&text, '\n');
    if (line.starts_with(key)) return LeadingNumber(line.substr(key.size()));
  }
  return std::nullopt;
}

}  // namespace ac::cpu::internal
