// Rows of Q4_0, Q4_K and Q6_K times one token or two, straight from the blocks of the file: codes
// and scales are made in registers by the table's blocks.h, where simd/code_matmul.h would store
// and load them again. The same sums in the same order.
#pragma once

#include "kernels/simd/code_rows.h"

namespace {

constexpr int64_t kNibbleBlock = sizeof(ac_block_q4_0);
// Rows follow each other in memory: what lies this far ahead is needed soon. It is fetched a little
// at a time while there is something to compute; a whole row at once fills the queue of requests
// and then waits. Addresses behind the last row do no harm.
constexpr int64_t kNibbleAhead = 6144;
inline void FetchAhead(const uint8_t* data, int64_t bytes) {
  for (int64_t at = 0; at < bytes; at += 64) {
    __builtin_prefetch(data + kNibbleAhead + at, 0, 2);
  }
}

// The first `count` of kWidth blocks, group g of the columns and those after it. All are read; the
// inputs of the others are zeros.
inline V AddNibbles(const uint8_t* blocks, int64_t count, const PackedRow& x, int64_t g, V sum) {
  VI dots[8];
  for (int i = 0; i < 8; ++i) {
    dots[i] = Dot(ZeroI(), NibbleCodes(blocks, i), LoadI(x.bytes + g * 32 + i * kWidth * 4));
  }
  V scales = NibbleScales(blocks);
  if (count < kWidth) scales = FirstLanes(scales, count);
  sum = Fma(ToFloat(GroupSums<32>(dots)), Mul(scales, Load(x.scales32 + g)), sum);
  return Fnma(Mul(Set1(8.0f), scales), Load(x.sums32 + g), sum);
}

// `end`: of the bytes that may be read.
inline float NibbleRowDot(const uint8_t* row, const uint8_t* end, const PackedRow& x,
                          int64_t cols) {
  const int64_t groups = cols / 32;
  V sum = Zero();
  int64_t g = 0;
  for (; g + kWidth <= groups; g += kWidth, row += kWidth * kNibbleBlock) {
    FetchAhead(row, kWidth * kNibbleBlock);
    sum = AddNibbles(row, kWidth, x, g, sum);
  }
  if (g == groups) return Sum(sum);
  if (end - row >= kWidth * kNibbleBlock) return Sum(AddNibbles(row, groups - g, x, g, sum));
  uint8_t last[kWidth * kNibbleBlock] = {};
  memcpy(last, row, static_cast<size_t>((groups - g) * kNibbleBlock));
  return Sum(AddNibbles(last, groups - g, x, g, sum));
}

inline float Q4KRowDot(const uint8_t* row, const PackedRow& x, int64_t cols) {
  const int64_t groups = cols / 32;
  V sum = Zero();
  for (int64_t g = 0; g < groups; g += kWidth) {
    FetchAhead(row + g * kQ4KBytes / 8, kWidth * kQ4KBytes / 8);
    VI dots[8];
    for (int i = 0; i < 8; ++i) {
      const int64_t c = g * 32 + i * kWidth * 4;
      dots[i] = Dot(ZeroI(), Q4KCodes(row, c, cols), LoadI(x.bytes + c));
    }
    const RowFactors factors = Q4KFactors(row, g, groups);
    const V products = Mul(factors.scales, Load(x.scales32 + g));
    sum = Fma(ToFloat(GroupSums<32>(dots)), products, sum);
    sum = Fnma(factors.mins, Load(x.sums32 + g), sum);
  }
  return Sum(sum);
}

inline float Q6KRowDot(const uint8_t* row, const PackedRow& x, int64_t cols) {
  V sum = Zero();
  for (int64_t g = 0; g < cols / 16; g += kWidth) {
    FetchAhead(row + g * kQ6KBytes / 16, kWidth * kQ6KBytes / 16);
    VI dots[4];
    for (int i = 0; i < 4; ++i) {
      dots[i] = Dot(ZeroI(), Q6KCodes(row, g, i), LoadI(x.bytes + g * 16 + i * kWidth * 4));
    }
    const V scales = Q6KScales(row, g);
    sum = Fma(ToFloat(GroupSums<16>(dots)), Mul(scales, Load(x.scales16 + g)), sum);
    sum = Fnma(Mul(Set1(32.0f), scales), Load(x.sums16 + g), sum);
  }
  return Sum(sum);
}

// From three tokens on, codes that are made once and read again are quicker.
constexpr int64_t kNibbleTokens = 2;
inline bool TakesNibbleRows(const ac_matmul* m) {
  const ac_quant_type type = m->weights->type;
  return m->tokens <= kNibbleTokens && (type == AC_Q4_0 || type == AC_Q4_K || type == AC_Q6_K);
}

inline void NibbleRows(const ac_matmul* m, int64_t begin, int64_t end) {
  const ac_matrix* const w = m->weights;
  const uint8_t* const data = static_cast<const uint8_t*>(w->data);
  const int64_t row_bytes = static_cast<int64_t>(w->row_bytes);
  for (int64_t r = begin; r < end; ++r) {
    const uint8_t* const row = data + r * row_bytes;
    for (int64_t t = 0; t < m->tokens; ++t) {
      const PackedRow x = RowOf(m->packed, t, w->cols);
      m->out[t * m->out_stride + r] =
          w->type == AC_Q4_K   ? Q4KRowDot(row, x, w->cols)
          : w->type == AC_Q6_K ? Q6KRowDot(row, x, w->cols)
                               : NibbleRowDot(row, data + w->rows * row_bytes, x, w->cols);
    }
  }
}

}  // namespace
