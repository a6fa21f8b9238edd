// The merge loop of byte-pair encoding: repeatedly join the adjacent pair of best rank, leftmost
// first on a tie, until no pair is in the table.
//
// A PairTable is filled once and then read-only; Merge works on the caller's memory, so both are
// thread-safe. Words up to kShortWord symbols are scanned again after each merge (everything sits
// in one cache line or two); longer ones use a heap, O(n log n).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ac::tokenizer::internal {

// Negative symbols are characters without a token: they never merge.
using Symbol = int32_t;

class PairTable {
 public:
  static constexpr uint32_t kNoRank = 0xFFFFFFFFu;
  struct Entry {
    uint32_t rank = kNoRank;
    Symbol result = -1;
  };

  void Reserve(size_t pairs);
  // The better rank stays when the pair is there already. Never more pairs than reserved.
  void Insert(Symbol left, Symbol right, uint32_t rank, Symbol result);
  Entry Find(Symbol left, Symbol right) const {
    const uint64_t key = Key(left, right);
    for (size_t i = Hash(key) & mask_; slots_[i].key != kEmpty; i = (i + 1) & mask_) {
      if (slots_[i].key == key) return slots_[i].entry;
    }
    return {};
  }

 private:
  // Two negative symbols: never looked up with success, never inserted.
  static constexpr uint64_t kEmpty = ~uint64_t{0};
  struct Slot {
    uint64_t key = kEmpty;
    Entry entry;
  };
  static uint64_t Key(Symbol left, Symbol right) {
    return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
  }
  static uint64_t Hash(uint64_t key) {
    key *= 0x9E3779B97F4A7C15u;
    return key ^ (key >> 32);
  }
  std::vector<Slot> slots_ = std::vector<Slot>(1);
  size_t mask_ = 0;
};

inline constexpr size_t kShortWord = 48;

// Merges in place and returns the number of symbols left at the front of `symbols`.
size_t MergeShort(const PairTable& pairs, Symbol* symbols, size_t count);  // count <= kShortWord
size_t MergeLong(const PairTable& pairs, Symbol* symbols, size_t count);
inline size_t Merge(const PairTable& pairs, Symbol* symbols, size_t count) {
  return count <= kShortWord ? MergeShort(pairs, symbols, count) : MergeLong(pairs, symbols, count);
}

}  // namespace ac::tokenizer::internal
