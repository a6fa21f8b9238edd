// Vectors of sixteen floats or sixty-four bytes: what the shared loops of kernels/simd are made of.
#pragma once

#include <immintrin.h>
#include <stdint.h>

#include "kernels/simd/x86_bytes.h"

namespace {

constexpr int kWidth = 16;       // floats in a vector; four times as many bytes
constexpr int kTokenBlock = 8;   // tokens that products with float weights take at once
constexpr int kPanelBlock = 12;  // tokens a panel of codes is multiplied with at once
constexpr int kRowBlock = 4;     // query rows attention computes at once
constexpr bool kWideDot = true;  // Dot() takes codes up to 255

using V = __m512;
using VI = __m512i;

inline V Load(const float* p) { return _mm512_loadu_ps(p); }
inline void Store(float* p, V v) { _mm512_storeu_ps(p, v); }
inline V Set1(float x) { return _mm512_set1_ps(x); }
inline V Zero() { return _mm512_setzero_ps(); }
inline V Add(V a, V b) { return _mm512_add_ps(a, b); }
inline V Sub(V a, V b) { return _mm512_sub_ps(a, b); }
inline V Mul(V a, V b) { return _mm512_mul_ps(a, b); }
inline V Div(V a, V b) { return _mm512_div_ps(a, b); }
inline V Max(V a, V b) { return _mm512_max_ps(a, b); }
inline V Min(V a, V b) { return _mm512_min_ps(a, b); }
inline V Fma(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }    // a * b + c
inline V Fnma(V a, V b, V c) { return _mm512_fnmadd_ps(a, b, c); }  // c - a * b
inline V Round(V a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT); }
inline V Pow2(V n) { return _mm512_scalef_ps(_mm512_set1_ps(1.0f), n); }  // n whole
// Lanes i and i + 8 first, then halves of that: panels (simd/panel_matmul.h) add in the same order.
inline float Sum(V v) {
  const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
inline float MaxOf(V v) { return _mm512_reduce_max_ps(v); }

inline float HalfToFloat(uint16_t bits) { return _cvtsh_ss(bits); }
inline V LoadHalf(const uint16_t* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
inline V LoadBf16(const uint16_t* p) {
  const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}
inline V LoadInt8(const int8_t* p) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes));
}

// Of words that hold two bf16 or four signed bytes: one of them in each lane, as a float.
inline V LowBf16(V words) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(words), 16));
}
inline V HighBf16(V words) {
  const __m512i mask = _mm512_set1_epi32(static_cast<int>(0xffff0000u));
  return _mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(words), mask));
}
template <int kByte>
inline V SignedByte(V words) {
  const __m512i top = _mm512_slli_epi32(_mm512_castps_si512(words), 24 - 8 * kByte);
  return _mm512_cvtepi32_ps(_mm512_srai_epi32(top, 24));
}

inline VI LoadI(const void* p) { return _mm512_loadu_si512(p); }
inline VI ZeroI() { return _mm512_setzero_si512(); }
inline VI Broadcast4(const int8_t* p) {
  int32_t four;
  __builtin_memcpy(&four, p, 4);
  return _mm512_set1_epi32(four);
}
inline V ToFloat(VI v) { return _mm512_cvtepi32_ps(v); }
// Each 32-bit lane gains the sum of its four products of unsigned and signed bytes.
inline VI Dot(VI sum, VI codes, VI x) { return _mm512_dpbusd_epi32(sum, codes, x); }
inline VI DotSigned(VI sum, VI codes, VI x) { return Dot(sum, codes, x); }  // not used: kWideDot

// Lane-wise sums of pairs: four vectors to one that holds, in quarter q, a[q], b[q], c[q], d[q],
// each the sum of that vector's quarter q.
inline VI QuarterSums(VI a, VI b, VI c, VI d) {
  const VI ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
  const VI cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
  return _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
}
// Dots of kWidth consecutive groups of columns, given as kGroup / 4 vectors of Dot() results: lane
// i is the sum over group i.
template <int kGroup>
inline VI GroupSums(const VI* dots) {
  const VI first = QuarterSums(dots[0], dots[1], dots[2], dots[3]);
  if (kGroup == 16) {
    const VI order = _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
    return _mm512_permutexvar_epi32(order, first);
  }
  const VI second = QuarterSums(dots[4], dots[5], dots[6], dots[7]);
  const VI sums = _mm512_add_epi32(_mm512_shuffle_i32x4(first, second, 0x88),
                                   _mm512_shuffle_i32x4(first, second, 0xdd));
  // Groups 0 2 4 6, 1 3 5 7, 8 10 12 14, 9 11 13 15.
  const VI order = _mm512_set_epi32(15, 11, 14, 10, 13, 9, 12, 8, 7, 3, 6, 2, 5, 1, 4, 0);
  return _mm512_permutexvar_epi32(order, sums);
}

// rows[i][j] to rows[j][i].
inline void Transpose(V rows[kWidth]) {
  V t[16];
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_ps(rows[i], rows[i + 1]);
    t[i + 1] = _mm512_unpackhi_ps(rows[i], rows[i + 1]);
  }
  V u[16];
  for (int i = 0; i < 16; i += 4) {
    u[i] = _mm512_shuffle_ps(t[i], t[i + 2], 0x44);
    u[i + 1] = _mm512_shuffle_ps(t[i], t[i + 2], 0xee);
    u[i + 2] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0x44);
    u[i + 3] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0xee);
  }
  // u[4 k + c] holds column c of rows 4 k .. 4 k + 3 in each quarter: exchange quarters.
  for (int c = 0; c < 4; ++c) {
    const V a = _mm512_shuffle_f32x4(u[c], u[4 + c], 0x88);
    const V b = _mm512_shuffle_f32x4(u[c], u[4 + c], 0xdd);
    const V d = _mm512_shuffle_f32x4(u[8 + c], u[12 + c], 0x88);
    const V e = _mm512_shuffle_f32x4(u[8 + c], u[12 + c], 0xdd);
    rows[c] = _mm512_shuffle_f32x4(a, d, 0x88);
    rows[8 + c] = _mm512_shuffle_f32x4(a, d, 0xdd);
    rows[4 + c] = _mm512_shuffle_f32x4(b, e, 0x88);
    rows[12 + c] = _mm512_shuffle_f32x4(b, e, 0xdd);
  }
}

}  // namespace
