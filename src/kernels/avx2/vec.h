// Vectors of eight floats or thirty-two bytes: what the shared loops of kernels/simd are made of.
#pragma once

#include <immintrin.h>
#include <stdint.h>

#include "kernels/simd/x86_bytes.h"

namespace {

constexpr int kWidth = 8;         // floats in a vector; four times as many bytes
constexpr int kTokenBlock = 4;    // tokens that products with float weights take at once
constexpr int kPanelBlock = 4;    // tokens a panel of codes is multiplied with at once
constexpr int kRowBlock = 2;      // query rows attention computes at once
constexpr bool kWideDot = false;  // Dot() adds pairs in 16 bits: codes must stay below 128

using V = __m256;
using VI = __m256i;

inline V Load(const float* p) { return _mm256_loadu_ps(p); }
inline void Store(float* p, V v) { _mm256_storeu_ps(p, v); }
inline V Set1(float x) { return _mm256_set1_ps(x); }
inline V Zero() { return _mm256_setzero_ps(); }
inline V Add(V a, V b) { return _mm256_add_ps(a, b); }
inline V Sub(V a, V b) { return _mm256_sub_ps(a, b); }
inline V Mul(V a, V b) { return _mm256_mul_ps(a, b); }
inline V Div(V a, V b) { return _mm256_div_ps(a, b); }
inline V Max(V a, V b) { return _mm256_max_ps(a, b); }
inline V Min(V a, V b) { return _mm256_min_ps(a, b); }
inline V Fma(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }    // a * b + c
inline V Fnma(V a, V b, V c) { return _mm256_fnmadd_ps(a, b, c); }  // c - a * b
inline V Round(V a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
inline V Pow2(V n) {  // n whole, in [-126, 127]
  const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
  return _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23));
}
// Lanes i and i + 4 first, then halves of that: panels (simd/panel_matmul.h) add in the same order.
inline float Sum(V v) {
  const __m128 half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  const __m128 pair = _mm_add_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_add_ss(pair, _mm_movehdup_ps(pair)));
}
inline float MaxOf(V v) {
  const __m128 half = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  const __m128 pair = _mm_max_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_max_ss(pair, _mm_movehdup_ps(pair)));
}

inline float HalfToFloat(uint16_t bits) { return _cvtsh_ss(bits); }
inline V LoadHalf(const uint16_t* p) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
inline V LoadBf16(const uint16_t* p) {
  const __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}
inline V LoadInt8(const int8_t* p) {
  const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
}

// Of words that hold two bf16 or four signed bytes: one of them in each lane, as a float.
inline V LowBf16(V words) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(words), 16));
}
inline V HighBf16(V words) {
  const __m256i mask = _mm256_set1_epi32(static_cast<int>(0xffff0000u));
  return _mm256_castsi256_ps(_mm256_and_si256(_mm256_castps_si256(words), mask));
}
template <int kByte>
inline V SignedByte(V words) {
  const __m256i top = _mm256_slli_epi32(_mm256_castps_si256(words), 24 - 8 * kByte);
  return _mm256_cvtepi32_ps(_mm256_srai_epi32(top, 24));
}

inline VI LoadI(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
inline VI ZeroI() { return _mm256_setzero_si256(); }
inline VI Broadcast4(const int8_t* p) {
  int32_t four;
  __builtin_memcpy(&four, p, 4);
  return _mm256_set1_epi32(four);
}
inline V ToFloat(VI v) { return _mm256_cvtepi32_ps(v); }
inline VI AddPairs(VI sum, VI pairs) {
  return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}
// Each 32-bit lane gains the sum of its four products of unsigned and signed bytes.
inline VI Dot(VI sum, VI codes, VI x) { return AddPairs(sum, _mm256_maddubs_epi16(codes, x)); }
// The same for signed codes: 2 * 128 * 127 still fits 16 bits.
inline VI DotSigned(VI sum, VI codes, VI x) {
  return AddPairs(sum, _mm256_maddubs_epi16(_mm256_abs_epi8(codes), _mm256_sign_epi8(x, codes)));
}

// Lane-wise sums of pairs: four vectors to one that holds, in half h, a[h], b[h], c[h], d[h], each
// the sum of that vector's half h.
inline VI HalfSums(VI a, VI b, VI c, VI d) {
  const VI ab = _mm256_add_epi32(_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
  const VI cd = _mm256_add_epi32(_mm256_unpacklo_epi32(c, d), _mm256_unpackhi_epi32(c, d));
  return _mm256_add_epi32(_mm256_unpacklo_epi64(ab, cd), _mm256_unpackhi_epi64(ab, cd));
}
// Dots of kWidth consecutive groups of columns, given as kGroup / 4 vectors of Dot() results: lane
// i is the sum over group i.
template <int kGroup>
inline VI GroupSums(const VI* dots) {
  const VI first = HalfSums(dots[0], dots[1], dots[2], dots[3]);
  if (kGroup == 16) {
    return _mm256_permutevar8x32_epi32(first, _mm256_set_epi32(7, 3, 6, 2, 5, 1, 4, 0));
  }
  const VI second = HalfSums(dots[4], dots[5], dots[6], dots[7]);
  return _mm256_add_epi32(_mm256_permute2x128_si256(first, second, 0x20),
                          _mm256_permute2x128_si256(first, second, 0x31));
}

// rows[i][j] to rows[j][i].
inline void Transpose(V rows[kWidth]) {
  V t[8];
  for (int i = 0; i < 8; i += 2) {
    t[i] = _mm256_unpacklo_ps(rows[i], rows[i + 1]);
    t[i + 1] = _mm256_unpackhi_ps(rows[i], rows[i + 1]);
  }
  V u[8];
  for (int i = 0; i < 8; i += 4) {
    u[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
    u[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
    u[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
    u[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
  }
  for (int c = 0; c < 4; ++c) {
    rows[c] = _mm256_permute2f128_ps(u[c], u[4 + c], 0x20);
    rows[4 + c] = _mm256_permute2f128_ps(u[c], u[4 + c], 0x31);
  }
}

}  // namespace
