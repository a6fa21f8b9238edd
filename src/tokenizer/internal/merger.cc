#include "tokenizer/internal/merger.h"

#include <algorithm>
#include <bit>
#include <functional>

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

size_t MergeLong(const PairTable& pairs, Symbol* symbols, size_t count) {
  // A doubly linked list over the places. entries[i] is the merge of place i with the next one; a
  // place that was merged away has none.
  const auto n = static_cast<uint32_t>(count);
  std::vector<uint32_t> previous(n);
  std::vector<uint32_t> next(n);
  std::vector<PairTable::Entry> entries(n);
  // Rank above place: the smallest is the best pair, the leftmost on a tie. An element is stale
  // when the place has another rank by now.
  std::vector<uint64_t> heap;
  heap.reserve(n);
  const auto find = [&](uint32_t left) {
    const uint32_t right = next[left];
    entries[left] = right < n ? pairs.Find(symbols[left], symbols[right]) : PairTable::Entry{};
    if (entries[left].rank == PairTable::kNoRank) return false;
    heap.push_back(static_cast<uint64_t>(entries[left].rank) << 32 | left);
    return true;
  };
  const auto push = [&](uint32_t left) {
    if (find(left)) std::push_heap(heap.begin(), heap.end(), std::greater<>());
  };
  for (uint32_t i = 0; i < n; ++i) {
    previous[i] = i - 1;  // of the first: a place beyond the end
    next[i] = i + 1;
  }
  for (uint32_t i = 0; i < n; ++i) find(i);
  std::make_heap(heap.begin(), heap.end(), std::greater<>());
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), std::greater<>());
    const auto rank = static_cast<uint32_t>(heap.back() >> 32);
    const auto left = static_cast<uint32_t>(heap.back());
    heap.pop_back();
    if (entries[left].rank != rank) continue;
    symbols[left] = entries[left].result;
    const uint32_t right = next[left];
    entries[right] = {};
    next[left] = next[right];
    if (next[left] < n) previous[next[left]] = left;
    if (previous[left] < n) push(previous[left]);
    push(left);
  }
  size_t left = 0;
  for (uint32_t i = 0; i < n; i = next[i]) symbols[left++] = symbols[i];
  return left;
}

}  // namespace ac::tokenizer::internal
