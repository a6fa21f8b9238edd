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

// The first `count` keys, turned.
template <ac_kv_type kType>
inline void TurnKeys(const KvRows& kv, int count, float* keys) {
  const int64_t whole = kv.dim / kWidth * kWidth;
  for (int k = 0; k < count; k += kWidth) {
    const int tile = count - k < kWidth ? count - k : kWidth;
    for (int64_t d = 0; d < whole; d += kWidth) {
      V rows[kWidth];
      // Keys that are not there repeat the last one; their scores are masked.
      for (int i = 0; i < kWidth; ++i) {
        rows[i] = LoadKv<kType>(kv, k + (i < tile ? i : tile - 1), d);
      }
      Transpose(rows);
      for (int i = 0; i < kWidth; ++i) Store(keys + (d + i) * kKeys + k, rows[i]);
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
