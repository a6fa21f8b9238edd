// Codes and scales of weights made in registers from the blocks of the file.
#pragma once

#include <string.h>

#include "kernels/neon/vec.h"
#include "quant/blocks.h"

namespace {

// The first n lanes, the others 0 whatever they held.
inline V FirstLanes(V v, int64_t n) {
  const int32_t lanes[kWidth] = {0, 1, 2, 3};
  const uint32x4_t mask = vcltq_s32(vld1q_s32(lanes), vdupq_n_s32(static_cast<int32_t>(n)));
  return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(v), mask));
}

// Of four blocks of Q4_0 (a half, then nibbles of 32 codes): half the codes of block i / 2.
inline VI NibbleCodes(const uint8_t* blocks, int i) {
  const uint8x16_t bytes = vld1q_u8(blocks + i / 2 * 18 + 2);
  return vreinterpretq_s32_u8(i % 2 == 0 ? vandq_u8(bytes, vdupq_n_u8(15)) : vshrq_n_u8(bytes, 4));
}

// Their scales.
inline V NibbleScales(const uint8_t* blocks) {
  float scales[kWidth];
  for (int i = 0; i < kWidth; ++i) {
    uint16_t half;
    memcpy(&half, blocks + i * 18, 2);
    scales[i] = HalfToFloat(half);
  }
  return Load(scales);
}

struct RowFactors {
  V scales;
  V mins;
};

constexpr int64_t kQ4KBytes = sizeof(ac_block_q4_k);
constexpr int64_t kQ6KBytes = sizeof(ac_block_q6_k);

// Codes [c, c + 16) of a row of Q4_K, whose bytes hold 64 codes in 32: low nibbles, then high ones.
inline VI Q4KCodes(const uint8_t* row, int64_t c, int64_t cols) {
  if (c >= cols) return ZeroI();
  const uint8x16_t bytes = vld1q_u8(row + c / 256 * kQ4KBytes + 16 + c % 256 / 64 * 32 + c % 32);
  const bool low = c % 64 < 32;
  return vreinterpretq_s32_u8(low ? vandq_u8(bytes, vdupq_n_u8(15)) : vshrq_n_u8(bytes, 4));
}

// Scales and minima of four groups of Q4_K from g on, half a block, which may not be there. A block
// begins with two halves and twelve bytes of 6-bit numbers: the first four scales and minima lie
// whole in the low bits of a byte, the others have four bits in the last bytes, two above those.
inline RowFactors Q4KFactors(const uint8_t* row, int64_t g, int64_t groups) {
  if (g >= groups) return {Zero(), Zero()};
  const uint8_t* const block = row + g / 8 * kQ4KBytes;
  uint16_t halves[2];
  memcpy(halves, block, sizeof(halves));
  float scales[kWidth], mins[kWidth];
  for (int i = 0; i < kWidth; ++i) {
    const int scale = block[4 + i], min = block[8 + i], last = block[12 + i];
    const bool whole = g % 8 == 0;
    scales[i] = static_cast<float>(whole ? scale & 63 : (last & 15) | scale >> 6 << 4);
    mins[i] = static_cast<float>(whole ? min & 63 : last >> 4 | min >> 6 << 4);
  }
  return {Mul(Set1(HalfToFloat(halves[0])), Load(scales)),
          Mul(Set1(HalfToFloat(halves[1])), Load(mins))};
}

// Codes [16 i, 16 i + 16) of the 64 columns of Q6_K that begin with group g: four low bits of 128
// codes in 64 bytes, two high bits in 32.
inline VI Q6KCodes(const uint8_t* row, int64_t g, int i) {
  const uint8_t* const block = row + g / 16 * kQ6KBytes;
  const int64_t half = g % 16 / 8, quarter = g % 8 / 4 * 2 + i / 2;
  const uint8x16_t bytes = vld1q_u8(block + half * 64 + quarter % 2 * 32 + i % 2 * 16);
  const uint8x16_t low = quarter < 2 ? vandq_u8(bytes, vdupq_n_u8(15)) : vshrq_n_u8(bytes, 4);
  const uint8x16_t high = vld1q_u8(block + 128 + half * 32 + i % 2 * 16);
  // Two bits for each code, at 2 * quarter, to where they belong.
  const uint8x16_t bits = vshlq_u8(high, vdupq_n_s8(static_cast<int8_t>(4 - 2 * quarter)));
  return vreinterpretq_s32_u8(vorrq_u8(low, vandq_u8(bits, vdupq_n_u8(0x30))));
}

// The scales of its groups; the minima are 32 of each.
inline V Q6KScales(const uint8_t* row, int64_t g) {
  const uint8_t* const block = row + g / 16 * kQ6KBytes;
  uint16_t d;
  memcpy(&d, block + 208, sizeof(d));
  float scales[kWidth];
  for (int i = 0; i < kWidth; ++i) {
    scales[i] = static_cast<float>(static_cast<int8_t>(block[192 + g % 16 + i]));
  }
  return Mul(Set1(HalfToFloat(d)), Load(scales));
}

}  // namespace
