// Products of a few query rows with one block of keys and values, in pairs of bf16. A row's
// additions come in the same order for any number of rows.
#pragma once

#include "kernels/avx512bf16/pair_rows.h"

namespace {

// Rows whose sums stay in registers beside a row of kKeyVectors operands.
constexpr int kPairRows = 6;
// Vectors of a row's sums that are computed at once.
constexpr int kValueVectors = 4;

inline VI BroadcastPair(const uint32_t* pair) { return _mm512_set1_epi32(static_cast<int>(*pair)); }

// Products of kRows query rows, `words` pairs each, with expanded keys.
template <int kRows>
inline void PairScores(const uint32_t* q, int64_t words, const uint32_t* keys,
                       V (*dots)[kKeyVectors]) {
  for (int r = 0; r < kRows; ++r) {
    for (int i = 0; i < kKeyVectors; ++i) dots[r][i] = Zero();
  }
  for (int64_t w = 0; w < words; ++w) {
    VI key[kKeyVectors];
    for (int i = 0; i < kKeyVectors; ++i) key[i] = LoadI(keys + w * kKeys + i * kWidth);
    for (int r = 0; r < kRows; ++r) {
      const VI x = BroadcastPair(q + r * words + w);
      for (int i = 0; i < kKeyVectors; ++i) dots[r][i] = DotPairs(dots[r][i], x, key[i]);
    }
  }
}

// The same with keys where they lie, turned in registers; dots as they come, [kRows, kKeys].
template <ac_kv_type kType, int kRows>
inline void PairScoresInPlace(const uint32_t* q, const KeyBlock& at, float* dots) {
  const int64_t words = PaddedDim(at.keys.dim) / 2;
  for (int k = 0; k < at.count; k += kWidth) {
    V sums[kRows];
    for (int r = 0; r < kRows; ++r) sums[r] = Zero();
    for (int64_t d = 0; d < at.keys.dim; d += kPairColumns) {
      VI turned[kWidth];
      TurnKeyPairs<kType>(at.keys, k, at.count, d, turned);
      for (int i = 0; i < kWidth; ++i) {
        __builtin_prefetch(at.next_keys + ((k + i) * at.keys.dim + d) * kElementBytes<kType>, 0, 2);
      }
      for (int i = 0; i < kWidth; ++i) {
        for (int r = 0; r < kRows; ++r) {
          sums[r] = DotPairs(sums[r], BroadcastPair(q + r * words + d / 2 + i), turned[i]);
        }
      }
    }
    for (int r = 0; r < kRows; ++r) Store(dots + r * kKeys + k, sums[r]);
  }
}

// sums += weights * values, from expanded values and then from those in the cache.
template <int kRows>
inline void AddPairValues(const uint32_t* weights, const uint32_t* values, int pairs, int64_t dim,
                          float* sums) {
  for (int64_t d = 0; d < dim; d += kValueVectors * kWidth) {
    V acc[kRows][kValueVectors];
    for (int r = 0; r < kRows; ++r) {
      for (int i = 0; i < kValueVectors; ++i) acc[r][i] = Load(sums + r * dim + d + i * kWidth);
    }
    for (int k = 0; k < pairs; ++k) {
      VI value[kValueVectors];
      for (int i = 0; i < kValueVectors; ++i) value[i] = LoadI(values + k * dim + d + i * kWidth);
      for (int r = 0; r < kRows; ++r) {
        const VI p = BroadcastPair(weights + r * kKeyPairs + k);
        for (int i = 0; i < kValueVectors; ++i) acc[r][i] = DotPairs(acc[r][i], p, value[i]);
      }
    }
    for (int r = 0; r < kRows; ++r) {
      for (int i = 0; i < kValueVectors; ++i) Store(sums + r * dim + d + i * kWidth, acc[r][i]);
    }
  }
}

template <ac_kv_type kType, int kRows>
inline void AddPairValuesInPlace(const uint32_t* weights, const KeyBlock& at, float* sums) {
  const int64_t dim = PaddedDim(at.values.dim);
  for (int64_t d = 0; d < at.values.dim; d += kPairColumns) {
    V low[kRows], high[kRows];
    for (int r = 0; r < kRows; ++r) {
      low[r] = Load(sums + r * dim + d);
      high[r] = Load(sums + r * dim + d + kWidth);
    }
    for (int k = 0; k < at.count; k += 2) {
      const ValuePairs value = LoadValuePairs<kType>(at.values, k, at.count, d);
      const unsigned char* const next =
          at.next_values + (k * at.values.dim + d) * kElementBytes<kType>;
      __builtin_prefetch(next, 0, 2);
      __builtin_prefetch(next + at.values.dim * kElementBytes<kType>, 0, 2);
      for (int r = 0; r < kRows; ++r) {
        const VI p = BroadcastPair(weights + r * kKeyPairs + k / 2);
        low[r] = DotPairs(low[r], p, value.low);
        high[r] = DotPairs(high[r], p, value.high);
      }
    }
    for (int r = 0; r < kRows; ++r) {
      Store(sums + r * dim + d, low[r]);
      Store(sums + r * dim + d + kWidth, high[r]);
    }
  }
}

}  // namespace
