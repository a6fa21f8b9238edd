// Rows of Q4_0 times few tokens, straight from the blocks of the file: the codes are made in
// registers, where simd/code_matmul.h would store and load them again. The same sums in the same
// order.
#pragma once

#include "kernels/simd/code_rows.h"

namespace {

constexpr int64_t kNibbleBlock = sizeof(ac_block_q4_0);
// Rows follow each other in memory: what lies this far ahead is needed soon. It is fetched a little
// at a time while there is something to compute; a whole row at once fills the queue of requests
// and then waits. Addresses behind the last row do no harm.
constexpr int64_t kNibbleAhead = 6144;

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
    for (int64_t at = 0; at < kWidth * kNibbleBlock; at += 64) {
      __builtin_prefetch(row + kNibbleAhead + at, 0, 2);
    }
    sum = AddNibbles(row, kWidth, x, g, sum);
  }
  if (g == groups) return Sum(sum);
  if (end - row >= kWidth * kNibbleBlock) return Sum(AddNibbles(row, groups - g, x, g, sum));
  uint8_t last[kWidth * kNibbleBlock] = {};
  memcpy(last, row, static_cast<size_t>((groups - g) * kNibbleBlock));
  return Sum(AddNibbles(last, groups - g, x, g, sum));
}

inline void NibbleRows(const ac_matmul* m, int64_t begin, int64_t end) {
  const ac_matrix* const w = m->weights;
  const uint8_t* const data = static_cast<const uint8_t*>(w->data);
  const int64_t row_bytes = static_cast<int64_t>(w->row_bytes);
  for (int64_t r = begin; r < end; ++r) {
    for (int64_t t = 0; t < m->tokens; ++t) {
      m->out[t * m->out_stride + r] = NibbleRowDot(data + r * row_bytes, data + w->rows * row_bytes,
                                                   RowOf(m->packed, t, w->cols), w->cols);
    }
  }
}

}  // namespace
