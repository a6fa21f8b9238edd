// Codes and scales of weights made in registers from the blocks of the file.
#pragma once

#include "kernels/avx512/vec.h"
#include "quant/blocks.h"

namespace {

// The first n lanes, the others 0 whatever they held.
inline V FirstLanes(V v, int64_t n) {
  return _mm512_maskz_mov_ps(static_cast<__mmask16>((1u << n) - 1), v);
}

// Of sixteen blocks of Q4_0 (a half, then nibbles of 32 codes): the codes of blocks 2 i and 2 i
// + 1.
inline VI NibbleCodes(const uint8_t* blocks, int i) {
  const auto at = [&](int block) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(blocks + block * 18 + 2));
  };
  VI bytes = _mm512_broadcast_i32x4(at(2 * i));
  bytes = _mm512_mask_broadcast_i32x4(bytes, 0xff00, at(2 * i + 1));
  const VI shifts = _mm512_set_epi64(0x0004000400040004, 0x0004000400040004, 0, 0,
                                     0x0004000400040004, 0x0004000400040004, 0, 0);
  return _mm512_and_si512(_mm512_srlv_epi16(bytes, shifts), _mm512_set1_epi8(15));
}

// Their scales: words 0, 9, 18 ... of the blocks.
inline V NibbleScales(const uint8_t* blocks) {
  const VI low =
      _mm512_zextsi256_si512(_mm256_zextsi128_si256(_mm_set_epi16(63, 54, 45, 36, 27, 18, 9, 0)));
  const VI high = _mm512_zextsi256_si512(_mm256_inserti128_si256(
      _mm256_setzero_si256(), _mm_set_epi16(63, 54, 45, 36, 27, 18, 9, 0), 1));
  const VI a = _mm512_permutex2var_epi16(LoadI(blocks), low, LoadI(blocks + 64));
  // From word 72 on, so that nothing behind the last scale is read.
  const VI b = _mm512_permutex2var_epi16(LoadI(blocks + 144), high, LoadI(blocks + 208));
  return _mm512_cvtph_ps(_mm512_castsi512_si256(_mm512_mask_blend_epi16(0xff00, a, b)));
}

struct RowFactors {
  V scales;
  V mins;
};

constexpr int64_t kQ4KBytes = sizeof(ac_block_q4_k);
constexpr int64_t kQ6KBytes = sizeof(ac_block_q6_k);

// Codes [c, c + 64) of a row of Q4_K, whose bytes hold 64 codes in 32: low nibbles, then high ones.
inline VI Q4KCodes(const uint8_t* row, int64_t c, int64_t cols) {
  if (c >= cols) return ZeroI();
  const uint8_t* const qs = row + c / 256 * kQ4KBytes + 16 + c % 256 / 2;
  const VI bytes = _mm512_broadcast_i64x4(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(qs)));
  constexpr int64_t kFour = 0x0004000400040004;
  const VI shifts = _mm512_set_epi64(kFour, kFour, kFour, kFour, 0, 0, 0, 0);
  return _mm512_and_si512(_mm512_srlv_epi16(bytes, shifts), _mm512_set1_epi8(15));
}

// Scales and minima of two blocks of Q4_K from group g on, of which the second may not be there. A
// block begins with two halves and twelve bytes of 6-bit numbers: the first four scales and minima
// lie whole in the low bits of a byte, the others have four bits in the last bytes, two above
// those.
inline RowFactors Q4KFactors(const uint8_t* row, int64_t g, int64_t groups) {
  const __m128i* const at = reinterpret_cast<const __m128i*>(row + g / 8 * kQ4KBytes);
  const __m128i one = _mm_loadu_si128(at);
  const __m128i two = g + 8 < groups ? _mm_loadu_si128(at + kQ4KBytes / 16) : _mm_setzero_si128();
  const __m256i both = _mm256_inserti128_si256(_mm256_castsi128_si256(one), two, 1);
  const __m256i first = _mm256_and_si256(both, _mm256_set1_epi8(0x3f));
  const __m256i above = _mm256_and_si256(_mm256_srli_epi32(both, 2), _mm256_set1_epi8(0x30));
  const __m256i last =
      _mm256_srlv_epi32(_mm256_shuffle_epi32(both, 0xff), _mm256_set_epi32(0, 4, 0, 0, 0, 4, 0, 0));
  const __m256i second = _mm256_or_si256(above, _mm256_and_si256(last, _mm256_set1_epi8(0x0f)));
  // The second 32-bit word of each block is of scales, the third of minima.
  const __m256i scales = _mm256_permute4x64_epi64(_mm256_unpacklo_epi32(first, second), 0x0d);
  const __m256i mins = _mm256_permute4x64_epi64(_mm256_unpackhi_epi32(first, second), 0x08);
  const V halves = _mm512_castps128_ps512(_mm_cvtph_ps(_mm_unpacklo_epi32(one, two)));
  const VI of_scales = _mm512_set_epi32(2, 2, 2, 2, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0);
  const V d = _mm512_permutexvar_ps(of_scales, halves);
  const V dmin = _mm512_permutexvar_ps(_mm512_add_epi32(of_scales, _mm512_set1_epi32(1)), halves);
  return {Mul(d, ToFloat(_mm512_cvtepu8_epi32(_mm256_castsi256_si128(scales)))),
          Mul(dmin, ToFloat(_mm512_cvtepu8_epi32(_mm256_castsi256_si128(mins))))};
}

// Codes [64 i, 64 i + 64) of the block of Q6_K that begins with group g: four low bits of 128 codes
// in 64 bytes, two high bits in 32.
inline VI Q6KCodes(const uint8_t* row, int64_t g, int i) {
  const uint8_t* const block = row + g / 16 * kQ6KBytes;
  const VI bytes = LoadI(block + i / 2 * 64);
  const VI low = i % 2 == 0 ? bytes : _mm512_srli_epi16(bytes, 4);
  const VI high = _mm512_broadcast_i64x4(
      _mm256_loadu_si256(reinterpret_cast<const __m256i*>(block + 128 + i / 2 * 32)));
  // Two bits for each code, at 0 and 2 or at 4 and 6, to where they belong.
  const VI first = i % 2 == 0 ? _mm512_slli_epi16(high, 4) : high;
  const VI second = i % 2 == 0 ? _mm512_slli_epi16(high, 2) : _mm512_srli_epi16(high, 2);
  const VI both = _mm512_mask_blend_epi64(0xf0, first, second);
  return _mm512_or_si512(_mm512_and_si512(low, _mm512_set1_epi8(15)),
                         _mm512_and_si512(both, _mm512_set1_epi8(0x30)));
}

// The scales of its groups; the minima are 32 of each.
inline V Q6KScales(const uint8_t* row, int64_t g) {
  const uint8_t* const block = row + g / 16 * kQ6KBytes;
  uint16_t d;
  __builtin_memcpy(&d, block + 208, sizeof(d));
  return Mul(Set1(HalfToFloat(d)), LoadInt8(reinterpret_cast<const int8_t*>(block + 192)));
}

}  // namespace
