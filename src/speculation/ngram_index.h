// Finds where the end of a sequence occurred before in it: what followed there is likely to follow
// again. Edits repeat files that were read, and tool calls repeat each other.
//
// Grows with its sequence by a few instructions a token and holds 8 to 12 bytes for each. Not
// thread-safe; one per sequence.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace ac::speculation {

class NgramIndex {
 public:
  struct Match {
    int64_t next = 0;  // position behind the earlier occurrence
    int length = 0;    // tokens that agree; 0: none found
  };

  // A shorter agreement says nothing.
  static constexpr int kMinLength = 3;
  // Longer ones are all equally certain.
  static constexpr int kMaxLength = 64;

  // `tokens` is the whole sequence; what was there at the last call is the same. The end itself is
  // never found: an occurrence has at least one token behind it.
  void Extend(std::span<const int32_t> tokens);
  // The longest agreement with the end of `tokens` (those of the last Extend), and among equally
  // long ones the latest. Looks at a bounded number of places.
  Match Find(std::span<const int32_t> tokens) const;

 private:
  size_t Slot(std::span<const int32_t> tokens, int64_t end) const;
  void Insert(std::span<const int32_t> tokens, int64_t end);

  // Places are named by the position behind them. heads_[slot] is the latest place whose last
  // kMinLength tokens hash there, previous_[end] the one before it; 0: none.
  std::vector<int32_t> heads_;
  std::vector<int32_t> previous_;
};

}  // namespace ac::speculation
