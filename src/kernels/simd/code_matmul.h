// Products with quantised weights over the vectors of the including file's vec.h.
//
// Inputs are packed to signed bytes, weights unpacked to unsigned ones, products summed in integers
// per group of columns and scaled in floats. Few tokens: each row is a dot product along the
// columns. Many (panel_matmul.h): a panel of kWidth rows is turned so that its rows lie in the
// lanes, and each token's bytes are broadcast against it.
//
// A result has the same bits however many tokens are computed with it: both ways sum integers per
// group (exact), then add group g to partial sum g mod kWidth, then the partial sums in Sum()'s
// order.
#pragma once

#include "kernels/simd/nibble_rows.h"
#include "kernels/simd/panel_matmul.h"

namespace {

// One row times one token.
template <int kGroup, bool kSigned>
float RowDot(const UnpackedRow& row, PackedRow x, int64_t cols) {
  constexpr int kColumns = kWidth * 4;
  const float* scales = ScalesOf<kGroup>(x);
  const float* sums = SumsOf<kGroup>(x);
  V sum = Zero();
  for (int64_t g = 0; g < cols / kGroup; g += kWidth) {
    VI dots[kGroup / 4];
    for (int i = 0; i < kGroup / 4; ++i) {
      const int64_t c = g * kGroup + i * kColumns;
      dots[i] = DotOf<kSigned>(ZeroI(), LoadI(row.codes + c), LoadI(x.bytes + c));
    }
    const V products = Mul(Load(row.scales + g), Load(scales + g));
    sum = Fma(ToFloat(GroupSums<kGroup>(dots)), products, sum);
    sum = Fnma(Load(row.mins + g), Load(sums + g), sum);
  }
  return Sum(sum);
}

template <int kGroup, bool kSigned>
void FewTokens(const ac_matmul* m, int64_t begin, int64_t end, const CodeScratch& s) {
  if (TakesNibbleRows(m)) return NibbleRows(m, begin, end);
  const int64_t cols = m->weights->cols;
  const UnpackedRow row = s.Row(0);
  memset(row.codes, 0, static_cast<size_t>(PaddedCols(cols)));
  memset(row.scales, 0, static_cast<size_t>(PaddedCols(cols) / 16) * sizeof(float));
  memset(row.mins, 0, static_cast<size_t>(PaddedCols(cols) / 16) * sizeof(float));
  for (int64_t r = begin; r < end; ++r) {
    PrefetchRow(m->weights, r + 2);
    UnpackRow(m->weights, r, row);
    for (int64_t t = 0; t < m->tokens; ++t) {
      m->out[t * m->out_stride + r] = RowDot<kGroup, kSigned>(row, RowOf(m->packed, t, cols), cols);
    }
  }
}

template <int kGroup, bool kSigned>
void CodeMatMul(const ac_matmul* m, int64_t begin, int64_t end, void* scratch) {
  const CodeScratch s = CodeScratchOf(scratch, m->weights->cols);
  if (m->tokens < kPanelTokens) {
    FewTokens<kGroup, kSigned>(m, begin, end, s);
  } else {
    ManyTokens<kGroup, kSigned>(m, begin, end, s);
  }
}

}  // namespace
