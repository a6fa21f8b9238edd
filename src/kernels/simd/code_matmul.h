// Products with quantised weights over the vectors of the including file's vec.h.
//
// Inputs are packed to signed bytes, weights unpacked to unsigned ones, products summed in integers
// per group of columns and scaled in floats. Few tokens: each row is a dot product along the
// columns. Many: a panel of kWidth rows is turned so that its rows lie in the lanes, and each
// token's bytes are broadcast against it.
//
// A result has the same bits however many tokens are computed with it: both ways sum integers per
// group (exact), then add group g to partial sum g mod kWidth, then the partial sums in SumTree()'s
// order.
#pragma once

#include "kernels/simd/code_rows.h"
#include "kernels/simd/packed_input.h"

namespace {

// From this many tokens on, turning a panel pays.
constexpr int64_t kPanelTokens = 6;

// True when the codes of this type must be made signed for Dot's sake.
inline bool IsSigned(ac_quant_type type) { return !kWideDot && HasWideCodes(type); }

template <bool kSigned>
inline VI DotOf(VI sum, VI codes, VI x) {
  return kSigned ? DotSigned(sum, codes, x) : Dot(sum, codes, x);
}

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

// The sum of kWidth vectors, in the order in which Sum() adds lanes.
inline V SumTree(V* parts) {
  for (int half = kWidth / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) parts[i] = Add(parts[i], parts[i + half]);
  }
  return parts[0];
}

// The panel times kTokens tokens; results in out[t], one lane per row.
template <int kGroup, bool kSigned, int kTokens>
inline void PanelDot(const CodeScratch& s, const PackedRow* x, int64_t cols, V* out) {
  V parts[kTokens][kWidth];
  for (int part = 0; part < kWidth; ++part) {
    V sums[kTokens];
    for (int t = 0; t < kTokens; ++t) sums[t] = Zero();
    for (int64_t g = part; g < cols / kGroup; g += kWidth) {
      VI dots[kTokens];
      for (int t = 0; t < kTokens; ++t) dots[t] = ZeroI();
      const uint8_t* codes = s.panel + g * kGroup * kWidth;
      for (int c = 0; c < kGroup; c += 4) {
        const VI four = LoadI(codes + c * kWidth);
        for (int t = 0; t < kTokens; ++t) {
          dots[t] = DotOf<kSigned>(dots[t], four, Broadcast4(x[t].bytes + g * kGroup + c));
        }
      }
      const V scales = Load(s.panel_scales + g * kWidth);
      const V mins = Load(s.panel_mins + g * kWidth);
      for (int t = 0; t < kTokens; ++t) {
        const V products = Mul(scales, Set1(ScalesOf<kGroup>(x[t])[g]));
        sums[t] = Fma(ToFloat(dots[t]), products, sums[t]);
        sums[t] = Fnma(mins, Set1(SumsOf<kGroup>(x[t])[g]), sums[t]);
      }
    }
    for (int t = 0; t < kTokens; ++t) parts[t][part] = sums[t];
  }
  for (int t = 0; t < kTokens; ++t) out[t] = SumTree(parts[t]);
}

inline void StoreRows(float* out, V v, int64_t count) {
  if (count == kWidth) return Store(out, v);
  float lanes[kWidth];
  Store(lanes, v);
  for (int64_t i = 0; i < count; ++i) out[i] = lanes[i];
}

template <int kGroup, bool kSigned>
void ManyTokens(const ac_matmul* m, int64_t begin, int64_t end, const CodeScratch& s) {
  const int64_t cols = m->weights->cols;
  for (int64_t first = begin; first < end; first += kWidth) {
    const int64_t count = end - first < kWidth ? end - first : kWidth;
    TurnPanel(m->weights, first, count, kGroup, s);
    PackedRow x[kTokenBlock];
    V out[kTokenBlock];
    int64_t t = 0;
    for (; t + kTokenBlock <= m->tokens; t += kTokenBlock) {
      for (int i = 0; i < kTokenBlock; ++i) x[i] = RowOf(m->packed, t + i, cols);
      PanelDot<kGroup, kSigned, kTokenBlock>(s, x, cols, out);
      for (int i = 0; i < kTokenBlock; ++i) {
        StoreRows(m->out + (t + i) * m->out_stride + first, out[i], count);
      }
    }
    for (; t < m->tokens; ++t) {
      x[0] = RowOf(m->packed, t, cols);
      PanelDot<kGroup, kSigned, 1>(s, x, cols, out);
      StoreRows(m->out + t * m->out_stride + first, out[0], count);
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
