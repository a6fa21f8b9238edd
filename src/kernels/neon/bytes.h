// Unpacking of weight bytes with NEON: what simd/x86_bytes.h is for the other tables.
#pragma once

#include <arm_neon.h>
#include <stdint.h>

namespace {

// Sixteen bytes to thirty-two: low nibbles, then high ones.
inline void SplitNibbles(const uint8_t* from, uint8_t* to) {
  const uint8x16_t bytes = vld1q_u8(from);
  vst1q_u8(to, vandq_u8(bytes, vdupq_n_u8(15)));
  vst1q_u8(to + 16, vshrq_n_u8(bytes, 4));
}
// Thirty-two bytes to sixty-four, the same way.
inline void SplitNibbles32(const uint8_t* from, uint8_t* to) {
  for (int half = 0; half < 32; half += 16) {
    const uint8x16_t bytes = vld1q_u8(from + half);
    vst1q_u8(to + half, vandq_u8(bytes, vdupq_n_u8(15)));
    vst1q_u8(to + 32 + half, vshrq_n_u8(bytes, 4));
  }
}
// Adds `value` to byte i of 32 where bit i is set.
inline void AddBits(const uint8_t* bits, int8_t value, uint8_t* codes) {
  constexpr uint8_t kBit[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
  const uint8x16_t bit = vld1q_u8(kBit);
  const uint8x16_t add = vdupq_n_u8(static_cast<uint8_t>(value));
  for (int half = 0; half < 2; ++half) {
    // Every byte gets the byte that holds its bit.
    const uint8x16_t spread = vcombine_u8(vdup_n_u8(bits[2 * half]), vdup_n_u8(bits[2 * half + 1]));
    uint8_t* const to = codes + 16 * half;
    vst1q_u8(to, vaddq_u8(vld1q_u8(to), vandq_u8(vtstq_u8(spread, bit), add)));
  }
}
// Replaces 32 codes below 16 by their entries in the table.
inline void LookUp(const uint8_t* table, uint8_t* codes) {
  const uint8x16_t entries = vld1q_u8(table);
  vst1q_u8(codes, vqtbl1q_u8(entries, vld1q_u8(codes)));
  vst1q_u8(codes + 16, vqtbl1q_u8(entries, vld1q_u8(codes + 16)));
}
// to = from ^ flip, 32 bytes.
inline void FlipBytes32(const int8_t* from, int flip, uint8_t* to) {
  const uint8x16_t mask = vdupq_n_u8(static_cast<uint8_t>(flip));
  const uint8_t* const bytes = reinterpret_cast<const uint8_t*>(from);
  vst1q_u8(to, veorq_u8(vld1q_u8(bytes), mask));
  vst1q_u8(to + 16, veorq_u8(vld1q_u8(bytes + 16), mask));
}

}  // namespace
