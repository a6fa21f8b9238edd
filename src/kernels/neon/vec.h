// Vectors of four floats or sixteen bytes: what the shared loops of kernels/simd are made of.
#pragma once

#include <arm_neon.h>
#include <stdint.h>
#include <string.h>

#include "kernels/neon/bytes.h"

namespace {

constexpr int kWidth = 4;         // floats in a vector; four times as many bytes
constexpr int kTokenBlock = 8;    // tokens that products with float weights take at once
constexpr int kPanelBlock = 8;    // tokens a panel of codes is multiplied with at once
constexpr int kRowBlock = 4;      // query rows attention computes at once
constexpr bool kWideDot = false;  // Dot() takes both sides signed: codes must stay below 128

using V = float32x4_t;
using VI = int32x4_t;

inline V Load(const float* p) { return vld1q_f32(p); }
inline void Store(float* p, V v) { vst1q_f32(p, v); }
inline V Set1(float x) { return vdupq_n_f32(x); }
inline V Zero() { return vdupq_n_f32(0.0f); }
inline V Add(V a, V b) { return vaddq_f32(a, b); }
inline V Sub(V a, V b) { return vsubq_f32(a, b); }
inline V Mul(V a, V b) { return vmulq_f32(a, b); }
inline V Div(V a, V b) { return vdivq_f32(a, b); }
inline V Max(V a, V b) { return vmaxq_f32(a, b); }
inline V Min(V a, V b) { return vminq_f32(a, b); }
inline V Fma(V a, V b, V c) { return vfmaq_f32(c, a, b); }   // a * b + c
inline V Fnma(V a, V b, V c) { return vfmsq_f32(c, a, b); }  // c - a * b
inline V Round(V a) { return vrndnq_f32(a); }
inline V Pow2(V n) {  // n whole, in [-126, 127]
  return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(vcvtq_s32_f32(n), vdupq_n_s32(127)), 23));
}
// Lanes i and i + 2 first, then these: panels (simd/panel_matmul.h) add in the same order.
inline float Sum(V v) {
  const float32x2_t half = vadd_f32(vget_low_f32(v), vget_high_f32(v));
  return vget_lane_f32(half, 0) + vget_lane_f32(half, 1);
}
inline float MaxOf(V v) { return vmaxvq_f32(v); }

inline float HalfToFloat(uint16_t bits) {
  __fp16 half;
  memcpy(&half, &bits, 2);
  return static_cast<float>(half);
}
inline V LoadHalf(const uint16_t* p) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p))); }
inline V LoadBf16(const uint16_t* p) { return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16)); }
inline V LoadInt8(const int8_t* p) {
  int32_t four;
  memcpy(&four, p, 4);
  const int8x8_t bytes = vreinterpret_s8_s32(vdup_n_s32(four));
  return vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(bytes))));
}

// Of words that hold two bf16 or four signed bytes: one of them in each lane, as a float.
inline V LowBf16(V words) {
  return vreinterpretq_f32_u32(vshlq_n_u32(vreinterpretq_u32_f32(words), 16));
}
inline V HighBf16(V words) {
  return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(words), vdupq_n_u32(0xffff0000u)));
}
template <int kByte>
inline V SignedByte(V words) {
  const int32x4_t top = vshlq_n_s32(vreinterpretq_s32_f32(words), 24 - 8 * kByte);
  return vcvtq_f32_s32(vshrq_n_s32(top, 24));
}

inline VI LoadI(const void* p) {
  return vreinterpretq_s32_u8(vld1q_u8(static_cast<const uint8_t*>(p)));
}
inline VI ZeroI() { return vdupq_n_s32(0); }
inline VI Broadcast4(const int8_t* p) {
  int32_t four;
  memcpy(&four, p, 4);
  return vdupq_n_s32(four);
}
inline V ToFloat(VI v) { return vcvtq_f32_s32(v); }
// Each 32-bit lane gains the sum of its four products of signed bytes.
inline VI DotSigned(VI sum, VI codes, VI x) {
  return vdotq_s32(sum, vreinterpretq_s8_s32(codes), vreinterpretq_s8_s32(x));
}
inline VI Dot(VI sum, VI codes, VI x) { return DotSigned(sum, codes, x); }

// Dots of kWidth consecutive groups of columns, given as kGroup / 4 vectors of Dot() results: lane
// i is the sum over group i.
template <int kGroup>
inline VI GroupSums(const VI* dots) {
  VI sums[4];
  for (int i = 0; i < 4; ++i) {
    sums[i] = kGroup == 16 ? dots[i] : vaddq_s32(dots[2 * i], dots[2 * i + 1]);
  }
  return vpaddq_s32(vpaddq_s32(sums[0], sums[1]), vpaddq_s32(sums[2], sums[3]));
}

// rows[i][j] to rows[j][i].
inline void Transpose(V rows[kWidth]) {
  const float64x2_t a = vreinterpretq_f64_f32(vtrn1q_f32(rows[0], rows[1]));
  const float64x2_t b = vreinterpretq_f64_f32(vtrn2q_f32(rows[0], rows[1]));
  const float64x2_t c = vreinterpretq_f64_f32(vtrn1q_f32(rows[2], rows[3]));
  const float64x2_t d = vreinterpretq_f64_f32(vtrn2q_f32(rows[2], rows[3]));
  rows[0] = vreinterpretq_f32_f64(vtrn1q_f64(a, c));
  rows[1] = vreinterpretq_f32_f64(vtrn1q_f64(b, d));
  rows[2] = vreinterpretq_f32_f64(vtrn2q_f64(a, c));
  rows[3] = vreinterpretq_f32_f64(vtrn2q_f64(b, d));
}

}  // namespace
