// What query rows do with one block of keys after the other.
//
// A block is turned into pairs (a lane for each key), its values into pairs of keys, and used by
// every query row of the call; for few rows both are made in registers.
#pragma once

#include "kernels/avx512bf16/pair_products.h"
#include "kernels/avx512bf16/pair_weights.h"

namespace {

// Scores and weights of up to kRows rows from `row` on.
template <ac_kv_type kType, int kRows>
inline void WeighTile(const PairSequence& s, int64_t row, const PairBlock& b) {
  if (s.rows - row < kRows) {
    if constexpr (kRows > 1) WeighTile<kType, kRows - 1>(s, row, b);
    return;
  }
  const int64_t words = PaddedDim(s.block.a->kv.head_dim) / 2;
  V dots[kRows][kKeyVectors];
  PairScores<kRows>(s.q + row * words, words, b.page.keys, dots);
  for (int r = 0; r < kRows; ++r) WeighPairs<kType>(s, row + r, b.at, dots[r]);
}

template <int kRows>
inline void ValueTile(const PairSequence& s, int64_t row, const PairBlock& b) {
  if (s.rows - row < kRows) {
    if constexpr (kRows > 1) ValueTile<kRows - 1>(s, row, b);
    return;
  }
  const int64_t dim = PaddedDim(s.block.a->kv.head_dim);
  AddPairValues<kRows>(s.weights + row * kKeyPairs, b.page.values, (b.at.count + 1) / 2, dim,
                       s.part.sums + row * dim);
}

// Everything for the last rows, at most kRows of them, with keys and values where they lie.
template <ac_kv_type kType, int kRows>
inline void AttendInPlace(const PairSequence& s, int64_t row, const PairBlock& b) {
  if (s.rows - row < kRows) {
    if constexpr (kRows > 1) AttendInPlace<kType, kRows - 1>(s, row, b);
    return;
  }
  const int64_t dim = PaddedDim(s.block.a->kv.head_dim);
  alignas(64) float dots[kRows * kKeys];
  PairScoresInPlace<kType, kRows>(s.q + row * dim / 2, b.at, dots);
  for (int r = 0; r < kRows; ++r) {
    V row_dots[kKeyVectors];
    for (int i = 0; i < kKeyVectors; ++i) {
      const bool written = i * kWidth < b.at.count;
      row_dots[i] = written ? Load(dots + r * kKeys + i * kWidth) : Zero();
    }
    WeighPairs<kType>(s, row + r, b.at, row_dots);
  }
  AddPairValuesInPlace<kType, kRows>(s.weights + row * kKeyPairs, b.at, s.part.sums + row * dim);
}

template <ac_kv_type kType>
inline void AttendPairBlock(const PairSequence& s, const PairBlock& b) {
  const int64_t first = s.block.Position(0);
  // Queries before the first key see nothing of the block.
  const int64_t begin = b.at.first > first ? (b.at.first - first) * s.block.group : 0;
  if (!b.expanded) return AttendInPlace<kType, kInPlaceRows>(s, begin, b);
  for (int64_t row = begin; row < s.rows; row += kPairRows) WeighTile<kType, kPairRows>(s, row, b);
  for (int64_t row = begin; row < s.rows; row += kPairRows) ValueTile<kPairRows>(s, row, b);
}

// Keys [first, last] of `count` sequences that have them in the same pages.
template <ac_kv_type kType>
void AttendPairs(const ac_kv_view& kv, int32_t kv_head, int64_t first, int64_t last,
                 const PairSequence* sequences, int32_t count, void* page) {
  int64_t rows = 0;
  for (int32_t m = 0; m < count; ++m) rows += sequences[m].rows;
  for (int64_t key = first; key <= last; key += kKeys) {
    const PairBlock block =
        TakePairBlock<kType>(kv, kv_head, key, last, rows > kInPlaceRows, PairPageOf(kv, page));
    for (int32_t m = 0; m < count; ++m) {
      StepPairRange(sequences[m], key);
      AttendPairBlock<kType>(sequences[m], block);
    }
  }
}

inline void AttendPairsOfType(const ac_kv_view& kv, int32_t kv_head, int64_t first, int64_t last,
                              const PairSequence* sequences, int32_t count, void* page) {
  if (kv.type == AC_KV_BF16) {
    AttendPairs<AC_KV_BF16>(kv, kv_head, first, last, sequences, count, page);
  } else {
    AttendPairs<AC_KV_Q8>(kv, kv_head, first, last, sequences, count, page);
  }
}

}  // namespace
