// The fastest products of this instruction set on registers alone: what benchmarks compare with.
#pragma once

#include <stdint.h>

namespace {

// Enough independent sums to keep every multiplier busy, few enough for sixteen registers.
constexpr int kPeakChains = 12;

[[maybe_unused]] int64_t PeakFloats(int64_t rounds) {
  V sums[kPeakChains];
  for (int i = 0; i < kPeakChains; ++i) sums[i] = Set1(static_cast<float>(i));
  const V a = Set1(0.5f);
  const V b = Set1(0.25f);
  for (int64_t r = 0; r < rounds; ++r) {
    for (int i = 0; i < kPeakChains; ++i) sums[i] = Fma(sums[i], a, b);
  }
  // The sums are used, so that they are computed.
  V all = Zero();
  for (int i = 0; i < kPeakChains; ++i) all = Add(all, sums[i]);
  volatile float sink = Sum(all);
  (void)sink;
  return rounds * kPeakChains * kWidth * 2;
}

int64_t PeakBytes(int64_t rounds) {
  alignas(64) uint8_t codes[kWidth * 4];
  for (int i = 0; i < kWidth * 4; ++i) codes[i] = static_cast<uint8_t>(i % 8);
  VI sums[kPeakChains];
  for (int i = 0; i < kPeakChains; ++i) sums[i] = ZeroI();
  const VI x = LoadI(codes);
  for (int64_t r = 0; r < rounds; ++r) {
    for (int i = 0; i < kPeakChains; ++i) sums[i] = Dot(sums[i], x, x);
  }
  V all = Zero();
  for (int i = 0; i < kPeakChains; ++i) all = Add(all, ToFloat(sums[i]));
  volatile float sink = Sum(all);
  (void)sink;
  return rounds * kPeakChains * kWidth * 4 * 2;
}

}  // namespace
