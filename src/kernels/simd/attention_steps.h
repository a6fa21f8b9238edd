// What a few query rows do with one block of keys and values: scores, weights, weighed values.
#pragma once

#include <string.h>

#include "kernels/simd/attention_rows.h"
#include "kernels/simd/vector_ops.h"

namespace {

// Vectors a query row accumulates at once; kRowBlock * kLanes sums stay in registers.
constexpr int kLanes = 4;
// Scores of kRows query rows; q rows lie `dim` apart inside a token, see QueryRow.
template <int kRows>
inline void Scores(const float* const* q, int32_t dim, float scale, const float* keys,
                   float* const* scores) {
  for (int k = 0; k < kKeys; k += kLanes * kWidth) {
    V sums[kRows][kLanes];
    for (int r = 0; r < kRows; ++r) {
      for (int i = 0; i < kLanes; ++i) sums[r][i] = Zero();
    }
    for (int32_t d = 0; d < dim; ++d) {
      V key[kLanes];
      for (int i = 0; i < kLanes; ++i) key[i] = Load(keys + d * kKeys + k + i * kWidth);
      for (int r = 0; r < kRows; ++r) {
        const V x = Set1(q[r][d]);
        for (int i = 0; i < kLanes; ++i) sums[r][i] = Fma(x, key[i], sums[r][i]);
      }
    }
    for (int r = 0; r < kRows; ++r) {
      for (int i = 0; i < kLanes; ++i) {
        Store(scores[r] + k + i * kWidth, Mul(sums[r][i], Set1(scale)));
      }
    }
  }
}

template <ac_kv_type kType, int kRows, int kElement = 0>
inline void AddElements(V words, V scales, const float* const* q, int64_t d, V* sums) {
  const V key = ElementOf<kType, kElement>(words, scales);
  for (int r = 0; r < kRows; ++r) sums[r] = Fma(Set1(q[r][d + kElement]), key, sums[r]);
  if constexpr (kElement + 1 < kWordElements<kType>) {
    AddElements<kType, kRows, kElement + 1>(words, scales, q, d, sums);
  }
}

// The same from the keys where they lie, turned in registers: for few rows. The products are added
// in the same order. `next` are the keys that will be read after these; fetching them all at once
// would leave nothing to compute meanwhile.
template <int kRows, ac_kv_type kType>
inline void ScoresInPlace(const float* const* q, const KvRows& keys, const unsigned char* next,
                          int count, float scale, float* const* scores) {
  constexpr int kColumns = kWidth * kWordElements<kType>;
  for (int k = 0; k < count; k += kWidth) {
    const V scales = KeyScales<kType>(keys, k);
    V sums[kRows];
    for (int r = 0; r < kRows; ++r) sums[r] = Zero();
    for (int64_t d = 0; d < keys.dim; d += kColumns) {
      V words[kWidth];
      TurnKeyWords<kType>(keys, k, count, d, words);
      for (int i = 0; i < kWidth; ++i) {
        __builtin_prefetch(next + ((k + i) * keys.dim + d) * kElementBytes<kType>, 0, 2);
      }
      for (int i = 0; i < kWidth; ++i) {
        AddElements<kType, kRows>(words[i], scales, q, d + i * kWordElements<kType>, sums);
      }
    }
    for (int r = 0; r < kRows; ++r) Store(scores[r] + k, Mul(sums[r], Set1(scale)));
  }
}

// sums += scores * values for kRows query rows. Values are read where they lie; they have the same
// bits as the expanded ones.
template <int kRows, ac_kv_type kType>
inline void AddValues(float* const* scores, const KvRows& values, const unsigned char* next,
                      int count, float* const* sums) {
  for (int64_t d = 0; d < values.dim; d += kLanes * kWidth) {
    V acc[kRows][kLanes];
    for (int r = 0; r < kRows; ++r) {
      for (int i = 0; i < kLanes; ++i) acc[r][i] = Load(sums[r] + d + i * kWidth);
    }
    for (int k = 0; k < count; ++k) {
      V value[kLanes];
      for (int i = 0; i < kLanes; ++i) value[i] = LoadKv<kType>(values, k, d + i * kWidth);
      if (next != nullptr) {
        const unsigned char* const ahead = next + (k * values.dim + d) * kElementBytes<kType>;
        for (int64_t at = 0; at < kLanes * kWidth * kElementBytes<kType>; at += 64) {
          __builtin_prefetch(ahead + at, 0, 2);
        }
      }
      for (int r = 0; r < kRows; ++r) {
        const V p = Set1(scores[r][k]);
        for (int i = 0; i < kLanes; ++i) acc[r][i] = Fma(p, value[i], acc[r][i]);
      }
    }
    for (int r = 0; r < kRows; ++r) {
      for (int i = 0; i < kLanes; ++i) Store(sums[r] + d + i * kWidth, acc[r][i]);
    }
  }
}

// Scores [low, high) of the row become weights relative to its maximum so far, the others 0.
inline void Weigh(float* scores, int low, int high, float* max, float* total, float* sums,
                  int64_t dim) {
  for (int k = 0; k < low; ++k) scores[k] = kMinusInfinity;
  for (int k = high; k < kKeys; ++k) scores[k] = kMinusInfinity;
  V best = Load(scores);
  for (int k = kWidth; k < kKeys; k += kWidth) best = Max(best, Load(scores + k));
  const float new_max = fmaxf(*max, MaxOf(best));
  V sum = Zero();
  for (int k = 0; k < kKeys; k += kWidth) {
    const V p = Exp(Sub(Load(scores + k), Set1(new_max)));
    sum = Add(sum, p);
    Store(scores + k, p);
  }
  // Exp() of a masked score is tiny, not zero.
  for (int k = 0; k < low; ++k) scores[k] = 0;
  for (int k = high; k < kKeys; ++k) scores[k] = 0;
  if (new_max != *max) {
    const float shrink = *max == kMinusInfinity ? 0.0f : expf(*max - new_max);
    for (int64_t d = 0; d < dim; d += kWidth) {
      Store(sums + d, Mul(Load(sums + d), Set1(shrink)));
    }
    *total *= shrink;
    *max = new_max;
  }
  *total += Sum(sum);
}

}  // namespace
