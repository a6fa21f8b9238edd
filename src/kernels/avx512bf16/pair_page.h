// Rows of the cache as pairs of bf16, which the dot products of this table take: two neighbouring
// dimensions of a key, or two neighbouring keys' values, in one 32-bit word.
#pragma once

#include "kernels/simd/shared_attention.h"

namespace {

using PairDot = __m512bh;

constexpr int kPairColumns = 2 * kWidth;     // elements of a vector of pairs
constexpr int kKeyVectors = kKeys / kWidth;  // vectors with one lane for each key of a block
constexpr int kKeyPairs = kKeys / 2;

// Each lane gains the two products of its pairs.
inline V DotPairs(V sum, VI a, VI b) {
  return _mm512_dpbf16_ps(sum, reinterpret_cast<PairDot>(a), reinterpret_cast<PairDot>(b));
}

// Floats rounded to bf16: those of `low`, then those of `high`.
inline VI RoundToPairs(V low, V high) {
  return reinterpret_cast<VI>(_mm512_cvtne2ps_pbh(high, low));
}

inline __mmask32 ColumnsLeft(int64_t left) {
  return left >= kPairColumns ? ~__mmask32{0} : left <= 0 ? 0 : (__mmask32{1} << left) - 1;
}

// Elements [d, d + kPairColumns) of a row as bf16, zeros where it has ended. 8-bit codes are exact
// in bf16; their scales are applied to the results.
template <ac_kv_type kType>
inline VI LoadPairs(const KvRows& kv, int64_t row, int64_t d) {
  const __mmask32 columns = ColumnsLeft(kv.dim - d);
  const unsigned char* const from = kv.rows + (row * kv.dim + d) * kElementBytes<kType>;
  if (kType == AC_KV_BF16) return _mm512_maskz_loadu_epi16(columns, from);
  const __m256i codes = _mm256_maskz_loadu_epi8(columns, from);
  return RoundToPairs(ToFloat(_mm512_cvtepi8_epi32(_mm256_castsi256_si128(codes))),
                      ToFloat(_mm512_cvtepi8_epi32(_mm256_extracti128_si256(codes, 1))));
}

// kWidth keys from `key` on, turned: words[i] holds dimensions d + 2 i and d + 2 i + 1 of each.
// Keys beyond `count` repeat the last one; their scores are not looked at.
template <ac_kv_type kType>
inline void TurnKeyPairs(const KvRows& kv, int key, int count, int64_t d, VI* words) {
  V tile[kWidth];
  for (int i = 0; i < kWidth; ++i) {
    const int row = key + i < count ? key + i : count - 1;
    tile[i] = _mm512_castsi512_ps(LoadPairs<kType>(kv, row, d));
  }
  Transpose(tile);
  for (int i = 0; i < kWidth; ++i) words[i] = _mm512_castps_si512(tile[i]);
}

struct ValuePairs {
  VI low;   // dimensions d to d + 15 of both keys
  VI high;  // d + 16 to d + 31
};

// The values of keys k and k + 1; zeros beyond `count`, where anything may lie.
template <ac_kv_type kType>
inline ValuePairs LoadValuePairs(const KvRows& kv, int k, int count, int64_t d) {
  const VI one = k < count ? LoadPairs<kType>(kv, k, d) : ZeroI();
  const VI two = k + 1 < count ? LoadPairs<kType>(kv, k + 1, d) : ZeroI();
  const VI evens =
      _mm512_set_epi32(0x002f000f, 0x002e000e, 0x002d000d, 0x002c000c, 0x002b000b, 0x002a000a,
                       0x00290009, 0x00280008, 0x00270007, 0x00260006, 0x00250005, 0x00240004,
                       0x00230003, 0x00220002, 0x00210001, 0x00200000);
  const VI odds = _mm512_add_epi16(evens, _mm512_set1_epi16(kWidth));
  return {_mm512_permutex2var_epi16(one, evens, two), _mm512_permutex2var_epi16(one, odds, two)};
}

// Room for one block of expanded keys and values.
struct PairPage {
  uint32_t* keys;    // [padded dim / 2, kKeys]
  uint32_t* values;  // [kKeyPairs, padded dim]
};

inline int64_t PairPageBytes(const ac_kv_view& kv) {
  return 2 * kKeys * PaddedDim(kv.head_dim) * 2;
}

inline PairPage PairPageOf(const ac_kv_view& kv, void* scratch) {
  uint32_t* const words = static_cast<uint32_t*>(scratch);
  return {words, words + kKeyPairs * PaddedDim(kv.head_dim)};
}

// One block of keys and their values: where they lie, and in pairs if `expanded` is set.
struct PairBlock {
  KeyBlock at;
  PairPage page;
  bool expanded;
};

template <ac_kv_type kType>
inline void ExpandPairs(const KvRows& keys, const KvRows& values, int count, const PairPage& page) {
  const int64_t dim = PaddedDim(keys.dim);
  for (int k = 0; k < count; k += kWidth) {
    for (int64_t d = 0; d < dim; d += kPairColumns) {
      VI words[kWidth];
      TurnKeyPairs<kType>(keys, k, count, d, words);
      uint32_t* const to = page.keys + d / 2 * kKeys + k;
      for (int i = 0; i < kWidth; ++i) _mm512_storeu_si512(to + i * kKeys, words[i]);
    }
  }
  for (int k = 0; k < count; k += 2) {
    for (int64_t d = 0; d < dim; d += kPairColumns) {
      const ValuePairs pairs = LoadValuePairs<kType>(values, k, count, d);
      uint32_t* const to = page.values + k / 2 * dim + d;
      _mm512_storeu_si512(to, pairs.low);
      _mm512_storeu_si512(to + kWidth, pairs.high);
    }
  }
}

// The block from position `key` on. Expanding pays when it is used by many rows.
template <ac_kv_type kType>
inline PairBlock TakePairBlock(const ac_kv_view& kv, int32_t kv_head, int64_t key, int64_t last,
                               bool expand, const PairPage& page) {
  const int count = static_cast<int>(last - key + 1 < kKeys ? last - key + 1 : kKeys);
  const int64_t next = key + kKeys <= last ? key + kKeys : key;
  const KvRows next_keys = RowsAt<kType>(kv, kv.key_offset, kv_head, next);
  const KvRows next_values = RowsAt<kType>(kv, kv.value_offset, kv_head, next);
  const KeyBlock at{key,
                    count,
                    nullptr,
                    RowsAt<kType>(kv, kv.key_offset, kv_head, key),
                    RowsAt<kType>(kv, kv.value_offset, kv_head, key),
                    next_keys.rows,
                    next_values.rows};
  if (expand) {
    PrefetchRows<kType>(next_keys);
    PrefetchRows<kType>(next_values);
    ExpandPairs<kType>(at.keys, at.values, count, page);
  }
  return {at, page, expand};
}

}  // namespace
