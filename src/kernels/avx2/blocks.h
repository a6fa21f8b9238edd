// Codes and scales of weights made in registers from the blocks of the file.
#pragma once

#include "kernels/avx2/vec.h"
#include "quant/blocks.h"

namespace {

// The first n lanes, the others 0 whatever they held.
inline V FirstLanes(V v, int64_t n) {
  const VI lanes = _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0);
  const VI mask = _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), lanes);
  return _mm256_and_ps(v, _mm256_castsi256_ps(mask));
}

// Of eight blocks of Q4_0 (a half, then nibbles of 32 codes): the codes of block i.
inline VI NibbleCodes(const uint8_t* blocks, int i) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(blocks + i * 18 + 2));
  const VI both =
      _mm256_inserti128_si256(_mm256_castsi128_si256(bytes), _mm_srli_epi16(bytes, 4), 1);
  return _mm256_and_si256(both, _mm256_set1_epi8(15));
}

// Their scales.
inline V NibbleScales(const uint8_t* blocks) {
  const auto at = [&](int block) {
    int16_t half;
    __builtin_memcpy(&half, blocks + block * 18, 2);
    return half;
  };
  return _mm256_cvtph_ps(_mm_set_epi16(at(7), at(6), at(5), at(4), at(3), at(2), at(1), at(0)));
}

struct RowFactors {
  V scales;
  V mins;
};

constexpr int64_t kQ4KBytes = sizeof(ac_block_q4_k);
constexpr int64_t kQ6KBytes = sizeof(ac_block_q6_k);

// Codes [c, c + 32) of a row of Q4_K, whose bytes hold 64 codes in 32: low nibbles, then high ones.
inline VI Q4KCodes(const uint8_t* row, int64_t c, int64_t cols) {
  if (c >= cols) return ZeroI();
  const VI bytes = LoadI(row + c / 256 * kQ4KBytes + 16 + c % 256 / 64 * 32);
  return _mm256_and_si256(c % 64 == 0 ? bytes : _mm256_srli_epi16(bytes, 4), _mm256_set1_epi8(15));
}

// Scales and minima of the block of Q4_K that begins with group g, which may not be there. A block
// begins with two halves and twelve bytes of 6-bit numbers: the first four scales and minima lie
// whole in the low bits of a byte, the others have four bits in the last bytes, two above those.
inline RowFactors Q4KFactors(const uint8_t* row, int64_t g, int64_t groups) {
  if (g >= groups) return {Zero(), Zero()};
  const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(row + g / 8 * kQ4KBytes));
  const __m128i first = _mm_and_si128(block, _mm_set1_epi8(0x3f));
  const __m128i above = _mm_and_si128(_mm_srli_epi32(block, 2), _mm_set1_epi8(0x30));
  const __m128i last = _mm_srlv_epi32(_mm_shuffle_epi32(block, 0xff), _mm_set_epi32(0, 4, 0, 0));
  const __m128i second = _mm_or_si128(above, _mm_and_si128(last, _mm_set1_epi8(0x0f)));
  // The second 32-bit word is of scales, the third of minima.
  const __m128i scales = _mm_srli_si128(_mm_unpacklo_epi32(first, second), 8);
  const __m128i mins = _mm_unpackhi_epi32(first, second);
  const __m128 halves = _mm_cvtph_ps(block);
  const V d = _mm256_broadcastss_ps(halves);
  const V dmin = _mm256_broadcastss_ps(_mm_movehdup_ps(halves));
  return {Mul(d, ToFloat(_mm256_cvtepu8_epi32(scales))),
          Mul(dmin, ToFloat(_mm256_cvtepu8_epi32(mins)))};
}

// Codes [32 i, 32 i + 32) of the half block of Q6_K that begins with group g: four low bits of 128
// codes in 64 bytes, two high bits in 32.
inline VI Q6KCodes(const uint8_t* row, int64_t g, int i) {
  const uint8_t* const block = row + g / 16 * kQ6KBytes;
  const int64_t half = g % 16 / 8;
  const VI bytes = LoadI(block + half * 64 + i % 2 * 32);
  const VI low = i < 2 ? bytes : _mm256_srli_epi16(bytes, 4);
  const VI high = LoadI(block + 128 + half * 32);
  // Two bits for each code, at 2 i, to where they belong.
  const VI bits = i == 0   ? _mm256_slli_epi16(high, 4)
                  : i == 1 ? _mm256_slli_epi16(high, 2)
                  : i == 2 ? high
                           : _mm256_srli_epi16(high, 2);
  return _mm256_or_si256(_mm256_and_si256(low, _mm256_set1_epi8(15)),
                         _mm256_and_si256(bits, _mm256_set1_epi8(0x30)));
}

// The scales of its groups; the minima are 32 of each.
inline V Q6KScales(const uint8_t* row, int64_t g) {
  const uint8_t* const block = row + g / 16 * kQ6KBytes;
  uint16_t d;
  __builtin_memcpy(&d, block + 208, sizeof(d));
  return Mul(Set1(HalfToFloat(d)), LoadInt8(reinterpret_cast<const int8_t*>(block + 192 + g % 16)));
}

}  // namespace
