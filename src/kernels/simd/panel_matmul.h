// Products of a panel of kWidth rows of codes, which lie in the lanes, with many tokens, whose
// bytes are broadcast against it.
#pragma once

#include "kernels/simd/code_rows.h"

namespace {

// True when the codes of this type must be made signed for Dot's sake.
inline bool IsSigned(ac_quant_type type) { return !kWideDot && HasWideCodes(type); }

template <bool kSigned>
inline VI DotOf(VI sum, VI codes, VI x) {
  return kSigned ? DotSigned(sum, codes, x) : Dot(sum, codes, x);
}

// The panel times kTokens tokens from `slot` of their block on; results in out[t], a lane per row.
// Partial sums come in an order in which they can be added as Sum() adds lanes: what is waiting for
// its other half lies in `halves`, which never holds more than one of each size.
template <int kGroup, bool kSigned, int kTokens>
inline void PanelDots(const Panel& panel, const PanelInput& x, int64_t slot, int64_t groups,
                      V* out) {
  V halves[kWidth][kTokens];
  const uint8_t* codes = panel.codes;
  const float* factors = panel.factors;
  const int8_t* bytes = x.bytes + slot * kGroup;
  const float* inputs = x.factors + slot;
  for (int part = 0; part < kWidth; ++part) {
    V sums[kTokens];
    for (int t = 0; t < kTokens; ++t) sums[t] = Zero();
    for (int64_t g = GroupsOfPart(ReversedPart(part), groups); g > 0; --g) {
      VI dots[kTokens];
      for (int t = 0; t < kTokens; ++t) dots[t] = ZeroI();
      for (int c = 0; c < kGroup; c += 4) {
        const VI four = LoadI(codes + c * kWidth);
        for (int t = 0; t < kTokens; ++t) {
          dots[t] = DotOf<kSigned>(dots[t], four, Broadcast4(bytes + t * kGroup + c));
        }
      }
      const V scales = Load(factors), mins = Load(factors + kWidth);
      for (int t = 0; t < kTokens; ++t) {
        sums[t] = Fma(ToFloat(dots[t]), Mul(scales, Set1(inputs[t])), sums[t]);
        sums[t] = Fnma(mins, Set1(inputs[kPanelBlock + t]), sums[t]);
      }
      codes += kGroup * kWidth;
      factors += 2 * kWidth;
      bytes += kGroup * kPanelBlock;
      inputs += 2 * kPanelBlock;
    }
    int size = 0;
    for (; part >> size & 1; ++size) {
      for (int t = 0; t < kTokens; ++t) sums[t] = Add(halves[size][t], sums[t]);
    }
    V* const to = part + 1 < kWidth ? halves[size] : out;
    for (int t = 0; t < kTokens; ++t) to[t] = sums[t];
  }
}

inline void StoreRows(float* out, V v, int64_t count) {
  if (count == kWidth) return Store(out, v);
  float lanes[kWidth];
  Store(lanes, v);
  for (int64_t i = 0; i < count; ++i) out[i] = lanes[i];
}

// The panels of rows [first, end) times tokens from `begin` on, kTokens at a time as long as there
// are so many; returns the first token left over.
template <int kGroup, bool kSigned, int kTokens>
inline int64_t PanelTokens(const ac_matmul* m, int64_t first, int64_t end, const CodeScratch& s,
                           int64_t begin) {
  const int64_t cols = m->weights->cols;
  int64_t t = begin;
  for (; t + kTokens <= m->tokens; t += kTokens) {
    const int64_t slot = t % kPanelBlock;
    const PanelInput x = PanelInputAt(m->packed, t - slot, kGroup, cols);
    for (int64_t row = first; row < end; row += kWidth) {
      V out[kTokens];
      PanelDots<kGroup, kSigned, kTokens>(s.PanelAt((row - first) / kWidth), x, slot, cols / kGroup,
                                          out);
      for (int i = 0; i < kTokens; ++i) {
        StoreRows(m->out + (t + i) * m->out_stride + row, out[i],
                  end - row < kWidth ? end - row : kWidth);
      }
    }
  }
  return t;
}

template <int kGroup, bool kSigned>
void ManyTokens(const ac_matmul* m, int64_t begin, int64_t end, const CodeScratch& s) {
  const Walk walk = WalkOf(m->weights->cols / kGroup);
  const int64_t rows = PanelsAtOnce(m->weights->cols) * kWidth;
  for (int64_t first = begin; first < end; first += rows) {
    const int64_t stop = end - first < rows ? end : first + rows;
    for (int64_t row = first; row < stop; row += kWidth) {
      TurnPanel<kGroup>(m->weights, row, stop - row < kWidth ? stop - row : kWidth, walk, s,
                        s.PanelAt((row - first) / kWidth));
    }
    int64_t t = PanelTokens<kGroup, kSigned, kPanelBlock>(m, first, stop, s, 0);
    t = PanelTokens<kGroup, kSigned, 4>(m, first, stop, s, t);
    PanelTokens<kGroup, kSigned, 1>(m, first, stop, s, t);
  }
}

}  // namespace
