// How a query row's products with one block of keys become weights.
#pragma once

#include "kernels/avx512bf16/pair_rows.h"

namespace {

// By how many powers of two a weight may exceed one before the reference moves.
constexpr float kSlack = 16.0f;
// What stands for the score of a key that the query does not see: its weight is exactly 0.
constexpr float kUnseen = -1e30f;
constexpr float kLog2E = 1.44269504f;

// 2^t to 7e-6, more exactly than the result will be stored; 1 for 0.
inline V Exp2(V t) {
  const V n = Round(t);
  const V r = Sub(t, n);
  V p = Set1(0.00965671029f);
  p = Fma(p, r, Set1(0.0558382829f));
  p = Fma(p, r, Set1(0.240225301f));
  p = Fma(p, r, Set1(0.693136734f));
  p = Fma(p, r, Set1(1.0f));
  return _mm512_scalef_ps(p, n);
}

constexpr uint64_t kAllSeen = ~uint64_t{0};

// The keys of the block that a row sees, one bit for each.
inline uint64_t SeenBy(const QueryBlock& block, int64_t row, int64_t first) {
  const int64_t position = block.Position(row);
  const int64_t window = block.a->window;
  const int64_t low = window > 0 ? position - window + 1 - first : 0;
  const int64_t high = position - first;
  if (high < 0 || low >= kKeys) return 0;
  const uint64_t to = high >= kKeys - 1 ? kAllSeen : (uint64_t{2} << high) - 1;
  return low > 0 ? to & (kAllSeen << low) : to;
}

// Scores in powers of two, relative to the reference.
inline void Distances(const V* dots, uint64_t seen, float scale, float reference, V* t) {
  for (int i = 0; i < kKeyVectors; ++i) {
    t[i] = Fma(dots[i], Set1(scale), Set1(-reference));
    if (seen != kAllSeen) {
      t[i] =
          _mm512_mask_blend_ps(static_cast<__mmask16>(seen >> (i * kWidth)), Set1(kUnseen), t[i]);
    }
  }
}

inline V Largest(const V* t) { return Max(Max(t[0], t[1]), Max(t[2], t[3])); }

// The row's reference becomes the next whole number above its largest score.
inline void MoveReference(const PairSequence& s, int64_t row, const V* dots, uint64_t seen,
                          float scale) {
  V t[kKeyVectors];
  Distances(dots, seen, scale, 0.0f, t);
  const float reference = ceilf(MaxOf(Largest(t)));
  const int64_t dim = PaddedDim(s.block.a->kv.head_dim);
  const V shrink = Pow2(Set1(s.part.reference[row] - reference));
  ScaleRow(s.part.sums + row * dim, dim, shrink);
  ScaleRow(s.part.totals + row * kWidth, kWidth, shrink);
  s.part.reference[row] = reference;
}

// Products with the block's keys become weights in pairs of bf16. The total is that of the rounded
// weights, so that equal values give just that value.
template <ac_kv_type kType>
inline void WeighPairs(const PairSequence& s, int64_t row, const KeyBlock& at, V* dots) {
  const uint64_t seen = SeenBy(s.block, row, at.first);
  const float scale = s.block.a->scale * kLog2E;
  if (kType == AC_KV_Q8) {
    for (int i = 0; i < kKeyVectors; ++i) {
      dots[i] = Mul(dots[i], Load(at.keys.scales + i * kWidth));
    }
  }
  V t[kKeyVectors];
  Distances(dots, seen, scale, s.part.reference[row], t);
  if (_mm512_cmp_ps_mask(Largest(t), Set1(kSlack), _CMP_GT_OQ) != 0) {
    MoveReference(s, row, dots, seen, scale);
    Distances(dots, seen, scale, s.part.reference[row], t);
  }
  V total = Load(s.part.totals + row * kWidth);
  for (int i = 0; i < kKeyVectors; i += 2) {
    V low = Exp2(t[i]), high = Exp2(t[i + 1]);
    if (kType == AC_KV_Q8) {
      total = Add(total, Add(low, high));
      const float* const scales = at.values.scales + i * kWidth;
      low = _mm512_maskz_mul_ps(static_cast<__mmask16>(seen >> (i * kWidth)), low, Load(scales));
      high = _mm512_maskz_mul_ps(static_cast<__mmask16>(seen >> (i * kWidth + kWidth)), high,
                                 Load(scales + kWidth));
    }
    const VI pairs = RoundToPairs(low, high);
    if (kType == AC_KV_BF16) {
      const V words = _mm512_castsi512_ps(pairs);
      total = Add(total, Add(LowBf16(words), HighBf16(words)));
    }
    _mm512_storeu_si512(s.weights + row * kKeyPairs + i / 2 * kWidth, pairs);
  }
  Store(s.part.totals + row * kWidth, total);
}

}  // namespace
