// Finds tokens that are written out in a text: control tokens and user-defined ones.
//
// The leftmost match wins, the longest one at its place (as Hugging Face's tokenizers do it).
// Built once, then read-only and thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tokenizer/spec.h"

namespace ac::tokenizer::internal {

class SpecialMatcher {
 public:
  struct Match {
    size_t begin = 0;  // with the white space that lstrip and rstrip tokens swallow
    size_t end = 0;
    int32_t id = kNoToken;
  };

  void Add(int32_t id, const Token& token);
  // The first match at or after `from`; control and unknown tokens only when `all`.
  std::optional<Match> Find(std::string_view text, size_t from, bool all) const;
  // The token with exactly this text, or kNoToken.
  int32_t FindExact(std::string_view text) const;

 private:
  struct Node {
    int32_t id = kNoToken;        // a token of any type ends here
    int32_t plain_id = kNoToken;  // ... a user-defined one
  };
  struct Flags {
    bool lstrip = false;
    bool rstrip = false;
    bool single_word = false;
  };
  static uint64_t Edge(uint32_t node, char byte) {
    return static_cast<uint64_t>(node) << 8 | static_cast<uint8_t>(byte);
  }
  std::optional<Match> MatchAt(std::string_view text, size_t at, size_t from, bool all) const;

  std::vector<Node> nodes_ = std::vector<Node>(1);  // a trie over bytes; node 0 is the root
  std::unordered_map<uint64_t, uint32_t> edges_;
  std::unordered_map<int32_t, Flags> flags_;  // only tokens that have any
  std::array<bool, 256> first_all_ = {};      // bytes a match can start with
  std::array<bool, 256> first_plain_ = {};
};

}  // namespace ac::tokenizer::internal
