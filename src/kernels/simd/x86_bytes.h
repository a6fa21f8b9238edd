// Unpacking of weight bytes with AVX2, for every x86 table: what vec.h of another processor must
// provide beside its vectors.
#pragma once

#include <immintrin.h>
#include <stdint.h>

namespace {

// Sixteen bytes to thirty-two: low nibbles, then high ones.
inline void SplitNibbles(const uint8_t* from, uint8_t* to) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  // One store: what follows reads all 32 bytes, which two halves in flight would delay.
  const __m256i both =
      _mm256_inserti128_si256(_mm256_castsi128_si256(bytes), _mm_srli_epi16(bytes, 4), 1);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm256_and_si256(both, _mm256_set1_epi8(15)));
}
// Thirty-two bytes to sixty-four, the same way.
inline void SplitNibbles32(const uint8_t* from, uint8_t* to) {
  const __m256i mask = _mm256_set1_epi8(15);
  const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  const __m256i high = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), mask);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm256_and_si256(bytes, mask));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + 32), high);
}
// Adds `value` to byte i of 32 where bit i is set.
inline void AddBits(const uint8_t* bits, int8_t value, uint8_t* codes) {
  int32_t four;
  __builtin_memcpy(&four, bits, 4);
  // Every byte gets the byte that holds its bit, then keeps that bit only.
  const __m256i spread = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2,
                                          2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
  const __m256i bit = _mm256_set1_epi64x(static_cast<int64_t>(0x8040201008040201u));
  const __m256i all = _mm256_shuffle_epi8(_mm256_set1_epi32(four), spread);
  const __m256i set = _mm256_cmpeq_epi8(_mm256_and_si256(all, bit), bit);
  __m256i* const to = reinterpret_cast<__m256i*>(codes);
  const __m256i add = _mm256_and_si256(set, _mm256_set1_epi8(value));
  _mm256_storeu_si256(to, _mm256_add_epi8(_mm256_loadu_si256(to), add));
}
// Replaces 32 codes below 16 by their entries in the table.
inline void LookUp(const uint8_t* table, uint8_t* codes) {
  const __m256i entries =
      _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table)));
  __m256i* const to = reinterpret_cast<__m256i*>(codes);
  _mm256_storeu_si256(to, _mm256_shuffle_epi8(entries, _mm256_loadu_si256(to)));
}
// to = from ^ flip, 32 bytes.
inline void FlipBytes32(const int8_t* from, int flip, uint8_t* to) {
  const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to),
                      _mm256_xor_si256(bytes, _mm256_set1_epi8(static_cast<char>(flip))));
}

}  // namespace
