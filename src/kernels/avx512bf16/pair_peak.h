// The fastest products of floats here: bf16 pairs, on registers alone.
#pragma once

#include "kernels/avx512bf16/pair_page.h"
#include "kernels/simd/peak.h"

namespace {

int64_t PairPeakFloats(int64_t rounds) {
  V sums[kPeakChains];
  for (int i = 0; i < kPeakChains; ++i) sums[i] = Set1(static_cast<float>(i));
  const VI x = RoundToPairs(Set1(0.5f), Set1(0.25f));
  for (int64_t r = 0; r < rounds; ++r) {
    for (int i = 0; i < kPeakChains; ++i) sums[i] = DotPairs(sums[i], x, x);
  }
  V all = Zero();
  for (int i = 0; i < kPeakChains; ++i) all = Add(all, sums[i]);
  volatile float sink = Sum(all);
  (void)sink;
  return rounds * kPeakChains * kWidth * 4;
}

}  // namespace
