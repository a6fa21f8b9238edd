#include "tokenizer/internal/merger.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <queue>

namespace ac::tokenizer::internal {

void PairTable::Reserve(size_t pairs) {
  // At most two thirds full: look-ups that miss are the common case.
  slots_.assign(std::bit_ceil(pairs + pairs / 2 + 2), Slot{});
  mask_ = slots_.size() - 1;
}

void PairTable::Insert(Symbol left, Symbol right, uint32_t rank, Symbol result) {
  const uint64_t key = Key(left, right);
  size_t i = Hash(key) & mask_;
  while (slots_[i].key != kEmpty && slots_[i].key != key) i = (i + 1) & mask_;
  if (slots_[i].key == key && slots_[i].entry.rank <= rank) return;
  slots_[i] = {key, {rank, result}};
}

size_t MergeShort(const PairTable& pairs, Symbol* symbols, size_t count) {
  // entries[i] is the merge of symbols i and i + 1.
  PairTable::Entry entries[kShortWord];
  for (size_t i = 0; i + 1 < count; ++i) entries[i] = pairs.Find(symbols[i], symbols[i + 1]);
  while (count > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < count; ++i) {
      if (entries[i].rank < entries[best].rank) best = i;
    }
    if (entries[best].rank == PairTable::kNoRank) break;
    symbols[best] = entries[best].result;
    std::copy(symbols + best + 2, symbols + count, symbols + best + 1);
    std::copy(entries + best + 1, entries + count - 1, entries + best);
    --count;
    if (best > 0) entries[best - 1] = pairs.Find(symbols[best - 1], symbols[best]);
    if (best + 1 < count) entries[best] = pairs.Find(symbols[best], symbols[best + 1]);
  }
  return count;
}

namespace {

// A pair waiting in the heap. It is stale when a symbol at its place has changed since.
struct Candidate {
  uint32_t rank;
  ptrdiff_t left;
  ptrdiff_t right;
  Symbol left_symbol;
  Symbol right_symbol;
  Symbol result;

  friend bool operator<(const Candidate& a, const Candidate& b) {  // std::priority_queue: best last
    return a.rank != b.rank ? a.rank > b.rank : a.left > b.left;
  }
};

}  // namespace

size_t MergeLong(const PairTable& pairs, Symbol* symbols, size_t count) {
  // A doubly linked list over the places; a place that was merged away has next == kGone.
  constexpr ptrdiff_t kGone = -2;
  const auto n = static_cast<ptrdiff_t>(count);
  std::vector<ptrdiff_t> previous(count);
  std::vector<ptrdiff_t> next(count);
  for (ptrdiff_t i = 0; i < n; ++i) {
    previous[i] = i - 1;
    next[i] = i + 1;
  }
  std::priority_queue<Candidate> heap;
  const auto add = [&](ptrdiff_t left, ptrdiff_t right) {
    if (left < 0 || right >= n) return;
    const PairTable::Entry entry = pairs.Find(symbols[left], symbols[right]);
    if (entry.rank == PairTable::kNoRank) return;
    heap.push({entry.rank, left, right, symbols[left], symbols[right], entry.result});
  };
  for (ptrdiff_t i = 0; i + 1 < n; ++i) add(i, i + 1);
  while (!heap.empty()) {
    const Candidate c = heap.top();
    heap.pop();
    if (next[c.left] != c.right || symbols[c.left] != c.left_symbol ||
        symbols[c.right] != c.right_symbol) {
      continue;
    }
    symbols[c.left] = c.result;
    next[c.left] = next[c.right];
    if (next[c.right] < n) previous[next[c.right]] = c.left;
    next[c.right] = kGone;
    add(previous[c.left], c.left);
    add(c.left, next[c.left]);
  }
  size_t left = 0;
  for (ptrdiff_t i = 0; i < n; i = next[i]) symbols[left++] = symbols[i];
  return left;
}

}  // namespace ac::tokenizer::internal
