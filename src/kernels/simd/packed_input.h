// Inputs of products with quantised weights, packed to signed bytes by the rounding of table.h.
#pragma once

#include <math.h>

#include "kernels/simd/unpack.h"
#include "kernels/table.h"

namespace {

inline int64_t RoundUp(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

// One token's input: bytes, then per 32 and per 16 columns the scale and scale * sum of bytes.
// Padded with zeros, so that whole vectors may be read.
struct PackedRow {
  int8_t* bytes;
  float* scales32;  // [cols / 32]
  float* sums32;    // [cols / 32]
  float* scales16;  // [cols / 16]
  float* sums16;    // [cols / 16]
};

template <int kGroup>
const float* ScalesOf(const PackedRow& x) {
  return kGroup == 32 ? x.scales32 : x.scales16;
}
template <int kGroup>
const float* SumsOf(const PackedRow& x) {
  return kGroup == 32 ? x.sums32 : x.sums16;
}

inline int64_t PaddedCols(int64_t cols) { return RoundUp(cols, 512); }
inline int64_t PackedRowBytes(int64_t cols) { return PaddedCols(cols) * 7 / 4; }

inline PackedRow RowOf(const void* packed, int64_t token, int64_t cols) {
  const int64_t padded = PaddedCols(cols);
  char* base = static_cast<char*>(const_cast<void*>(packed)) + token * PackedRowBytes(cols);
  float* scales = reinterpret_cast<float*>(base + padded);
  return {reinterpret_cast<int8_t*>(base), scales, scales + padded / 32, scales + padded / 16,
          scales + padded / 8};
}

// Columns whose inputs are rounded together; 0 for weights that are not codes.
inline int RoundingBlock(ac_quant_type type) {
  if (GroupOf(type) == 0) return 0;
  switch (type) {
    case AC_Q2_K:
    case AC_Q3_K:
    case AC_Q4_K:
    case AC_Q5_K:
    case AC_Q6_K:
    case AC_IQ4_XS:
      return 256;
    default:
      return 32;
  }
}

inline void PackBlock(const float* x, int columns, int64_t first, PackedRow row) {
  V largest = Zero();
  for (int i = 0; i < columns; i += kWidth) {
    const V v = Load(x + i);
    largest = Max(largest, Max(v, Sub(Zero(), v)));
  }
  const float max = MaxOf(largest);
  const float up = max >= AC_ROUND_MIN ? 127.0f / max : 0.0f;
  const float down = max >= AC_ROUND_MIN ? 1.0f / up : 0.0f;
  int8_t* bytes = row.bytes + first;
  for (int i = 0; i < columns; ++i) bytes[i] = static_cast<int8_t>(nearbyintf(x[i] * up));
  for (int i = 0; i < columns; i += 16) {
    int sum = 0;
    for (int j = 0; j < 16; ++j) sum += bytes[i + j];
    row.sums16[(first + i) / 16] = down * static_cast<float>(sum);
    row.scales16[(first + i) / 16] = down;
  }
  for (int i = 0; i < columns; i += 32) {
    int sum = 0;
    for (int j = 0; j < 32; ++j) sum += bytes[i + j];
    row.sums32[(first + i) / 32] = down * static_cast<float>(sum);
    row.scales32[(first + i) / 32] = down;
  }
}

inline void PackColumns(int block, const float* x, int64_t first, PackedRow row) {
  // Constant widths let the compiler unroll and vectorise.
  if (block == 32) PackBlock(x, 32, first, row);
  if (block == 256) PackBlock(x, 256, first, row);
}

// Tokens [begin, end) one after the other.
void PackRows(int block, const float* x, int64_t cols, int64_t begin, int64_t end, void* packed) {
  for (int64_t t = begin; t < end; ++t) {
    const PackedRow row = RowOf(packed, t, cols);
    memset(row.bytes, 0, static_cast<size_t>(PackedRowBytes(cols)));
    for (int64_t c = 0; c < cols; c += block) PackColumns(block, x + t * cols + c, c, row);
  }
}

}  // namespace
