// Finds stop strings in text that arrives in pieces.
//
// Text that could still become a stop string is held back until it is decided. The first stop
// string to begin in the text wins; of those beginning at the same place the one that completes
// first. Owns its patterns and the held text; not thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ac::engine {

class StopStrings {
 public:
  // Empty strings are ignored.
  explicit StopStrings(std::vector<std::string> stops);

  // Adds text and returns what is now final: no stop string can begin in it. After a match, the
  // text before the stop string is returned and further calls return nothing.
  std::string Push(std::string_view text);
  // The generation ended: returns what was held back.
  std::string Finish();

  bool matched() const { return matched_ != nullptr; }
  // The stop string found; empty before.
  std::string_view match() const { return matched_ == nullptr ? std::string_view() : *matched_; }

 private:
  std::vector<std::string> stops_;
  std::string held_;
  const std::string* matched_ = nullptr;
};

}  // namespace ac::engine
