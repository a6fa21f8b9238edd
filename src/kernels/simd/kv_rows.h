// Rows of keys and values in the cache, read as vectors of floats: where they lie, what they hold.
#pragma once

#include <string.h>

#include "kernels/table.h"

namespace {

// Keys handled together: one page, or a part of a large one.
constexpr int kKeys = AC_KV_BLOCK;

inline int64_t PaddedDim(int32_t dim) { return (dim + 63) / 64 * 64; }

// The keys or the values of one head in one block of positions, all of one page.
struct KvRows {
  const unsigned char* rows;
  const float* scales;  // AC_KV_Q8
  int32_t dim;
};

template <ac_kv_type kType>
constexpr int64_t kElementBytes = kType == AC_KV_F32    ? 4
                                  : kType == AC_KV_BF16 ? 2
                                                        : 1;

template <ac_kv_type kType>
inline KvRows RowsAt(const ac_kv_view& kv, size_t offset, int32_t head, int64_t position) {
  const int64_t in_page = position % kv.page_tokens;
  const int64_t row_bytes = kv.head_dim * kElementBytes<kType>;
  const unsigned char* const rows =
      kv.pages[position / kv.page_tokens] + offset + static_cast<size_t>(head) * kv.head_bytes;
  const unsigned char* const scales = rows + kv.page_tokens * row_bytes;
  return {rows + in_page * row_bytes, reinterpret_cast<const float*>(scales) + in_page,
          kv.head_dim};
}

// kWidth elements of a row, from element i on.
template <ac_kv_type kType>
inline V LoadKv(const KvRows& kv, int64_t row, int64_t i) {
  const unsigned char* const from = kv.rows + (row * kv.dim + i) * kElementBytes<kType>;
  if (kType == AC_KV_F32) return Load(reinterpret_cast<const float*>(from));
  if (kType == AC_KV_BF16) return LoadBf16(reinterpret_cast<const uint16_t*>(from));
  return Mul(LoadInt8(reinterpret_cast<const int8_t*>(from)), Set1(kv.scales[row]));
}

template <ac_kv_type kType>
inline float ReadKv(const KvRows& kv, int64_t row, int64_t i) {
  const unsigned char* const from = kv.rows + (row * kv.dim + i) * kElementBytes<kType>;
  if (kType == AC_KV_Q8) return static_cast<float>(static_cast<int8_t>(*from)) * kv.scales[row];
  uint32_t bits = 0;
  if (kType == AC_KV_F32) {
    memcpy(&bits, from, 4);
  } else {
    uint16_t half;
    memcpy(&half, from, 2);
    bits = static_cast<uint32_t>(half) << 16;
  }
  float value;
  memcpy(&value, &bits, 4);
  return value;
}

// Elements in a 4-byte word of a row.
template <ac_kv_type kType>
constexpr int kWordElements = 4 / static_cast<int>(kElementBytes<kType>);

// kWidth keys from `key` on and kWidth words of their elements from `element` on, turned: words[i]
// holds word i of every key. Keys beyond `count` repeat the last one; their scores are masked.
template <ac_kv_type kType>
inline void TurnKeyWords(const KvRows& kv, int64_t key, int64_t count, int64_t element, V* words) {
  for (int i = 0; i < kWidth; ++i) {
    const int64_t row = key + i < count ? key + i : count - 1;
    const unsigned char* const from = kv.rows + (row * kv.dim + element) * kElementBytes<kType>;
    words[i] = Load(reinterpret_cast<const float*>(from));
  }
  Transpose(words);
}

// Element kElement of turned words as floats; `scales` are those of the keys.
template <ac_kv_type kType, int kElement>
inline V ElementOf(V words, V scales) {
  if constexpr (kType == AC_KV_F32) return words;
  if constexpr (kType == AC_KV_BF16) return kElement == 0 ? LowBf16(words) : HighBf16(words);
  if constexpr (kType == AC_KV_Q8) return Mul(SignedByte<kElement>(words), scales);
}

template <ac_kv_type kType>
inline V KeyScales(const KvRows& kv, int64_t key) {
  return kType == AC_KV_Q8 ? Load(kv.scales + key) : Zero();
}

template <ac_kv_type kType, int kElement = 0>
inline void StoreTurned(V words, V scales, float* keys) {
  Store(keys + kElement * kKeys, ElementOf<kType, kElement>(words, scales));
  if constexpr (kElement + 1 < kWordElements<kType>) {
    StoreTurned<kType, kElement + 1>(words, scales, keys);
  }
}

// The first `count` keys, turned.
template <ac_kv_type kType>
inline void TurnKeys(const KvRows& kv, int count, float* keys) {
  constexpr int kColumns = kWidth * kWordElements<kType>;
  const int64_t whole = kv.dim / kColumns * kColumns;
  for (int k = 0; k < count; k += kWidth) {
    const V scales = KeyScales<kType>(kv, k);
    for (int64_t d = 0; d < whole; d += kColumns) {
      V words[kWidth];
      TurnKeyWords<kType>(kv, k, count, d, words);
      for (int i = 0; i < kWidth; ++i) {
        StoreTurned<kType>(words[i], scales, keys + (d + i * kWordElements<kType>)*kKeys + k);
      }
    }
  }
  for (int64_t d = whole; d < kv.dim; ++d) {
    for (int k = 0; k < count; ++k) keys[d * kKeys + k] = ReadKv<kType>(kv, k, d);
  }
}

// The first `count` values as floats, rows padded with zeros.
template <ac_kv_type kType>
inline void ExpandValues(const KvRows& kv, int count, float* values) {
  const int64_t padded = PaddedDim(kv.dim);
  const int64_t whole = kv.dim / kWidth * kWidth;
  for (int k = 0; k < count; ++k) {
    float* const to = values + k * padded;
    for (int64_t d = 0; d < whole; d += kWidth) Store(to + d, LoadKv<kType>(kv, k, d));
    for (int64_t d = whole; d < kv.dim; ++d) to[d] = ReadKv<kType>(kv, k, d);
    for (int64_t d = kv.dim; d < padded; ++d) to[d] = 0;
  }
}

}  // namespace
