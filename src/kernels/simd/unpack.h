// Rows of quantised weights as 8-bit codes with one scale and one minimum per group of columns:
// weight = scale * code - minimum. Plain loops that a compiler vectorises for the instruction set
// of the including file, which has included its vec.h before.
//
// Everything lies in an anonymous namespace: each sealed ISA file has its own copy.
#pragma once

#include <stdint.h>
#include <string.h>

#include "quant/blocks.h"

namespace {

// Columns that share a scale: 16 or 32; 0 for types that are not codes (floats and MLX).
inline int GroupOf(ac_quant_type type) {
  switch (type) {
    case AC_Q2_K:
    case AC_Q3_K:
    case AC_Q6_K:
      return 16;
    case AC_F32:
    case AC_F16:
    case AC_BF16:
    case AC_MLX_AFFINE:
    case AC_QUANT_TYPE_COUNT:
      return 0;
    default:
      return 32;
  }
}

// Types whose codes use all 8 bits; the others stay below 64.
inline bool HasWideCodes(ac_quant_type type) {
  return type == AC_Q8_0 || type == AC_IQ4_NL || type == AC_IQ4_XS;
}

// Codes, scales and minima of one row; cols / group of the latter two.
struct UnpackedRow {
  uint8_t* codes;
  float* scales;
  float* mins;
};

// Blocks lie at any address of a mapped file: access through these assumes no alignment.
using AnyQ8_0 [[gnu::aligned(1)]] = ac_block_q8_0;
using AnyQ4_0 [[gnu::aligned(1)]] = ac_block_q4_0;
using AnyQ4_1 [[gnu::aligned(1)]] = ac_block_q4_1;
using AnyQ5_0 [[gnu::aligned(1)]] = ac_block_q5_0;
using AnyQ5_1 [[gnu::aligned(1)]] = ac_block_q5_1;
using AnyIQ4_NL [[gnu::aligned(1)]] = ac_block_iq4_nl;
using AnyMXFP4 [[gnu::aligned(1)]] = ac_block_mxfp4;
using AnyQ2_K [[gnu::aligned(1)]] = ac_block_q2_k;
using AnyQ3_K [[gnu::aligned(1)]] = ac_block_q3_k;
using AnyQ4_K [[gnu::aligned(1)]] = ac_block_q4_k;
using AnyQ5_K [[gnu::aligned(1)]] = ac_block_q5_k;
using AnyQ6_K [[gnu::aligned(1)]] = ac_block_q6_k;
using AnyIQ4_XS [[gnu::aligned(1)]] = ac_block_iq4_xs;

inline float Half(const void* bits) {
  uint16_t value;
  memcpy(&value, bits, 2);
  return HalfToFloat(value);
}

// Dot() of some instruction sets takes no codes above 127. There the wide codes are signed bytes,
// that is, less by 128, and so is what the minimum makes up for.
constexpr uint8_t kWideFlip = kWideDot ? 0 : 0x80;
constexpr float kWideOffset = kWideDot ? 128.0f : 0.0f;

// The levels of IQ4_NL and IQ4_XS plus 128, and twice those of MXFP4 plus 12.
constexpr uint8_t kIq4Codes[16] = {
    1 ^ kWideFlip,   24 ^ kWideFlip,  45 ^ kWideFlip,  63 ^ kWideFlip,
    79 ^ kWideFlip,  93 ^ kWideFlip,  106 ^ kWideFlip, 118 ^ kWideFlip,
    129 ^ kWideFlip, 141 ^ kWideFlip, 153 ^ kWideFlip, 166 ^ kWideFlip,
    181 ^ kWideFlip, 197 ^ kWideFlip, 217 ^ kWideFlip, 241 ^ kWideFlip};
constexpr float kMxfp4Offset = 12.0f;
constexpr uint8_t kMxfp4Codes[16] = {12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0};

inline void Unpack(const AnyQ8_0* b, UnpackedRow out) {
  FlipBytes32(b->qs, kWideDot ? 0x80 : 0, out.codes);
  out.scales[0] = Half(&b->d);
  out.mins[0] = kWideOffset * out.scales[0];
}

inline void Unpack(const AnyQ4_0* b, UnpackedRow out) {
  SplitNibbles(b->qs, out.codes);
  out.scales[0] = Half(&b->d);
  out.mins[0] = 8 * out.scales[0];
}

inline void Unpack(const AnyQ4_1* b, UnpackedRow out) {
  SplitNibbles(b->qs, out.codes);
  out.scales[0] = Half(&b->d);
  out.mins[0] = -Half(&b->m);
}

inline void Unpack(const AnyQ5_0* b, UnpackedRow out) {
  SplitNibbles(b->qs, out.codes);
  AddBits(b->qh, 16, out.codes);
  out.scales[0] = Half(&b->d);
  out.mins[0] = 16 * out.scales[0];
}

inline void Unpack(const AnyQ5_1* b, UnpackedRow out) {
  SplitNibbles(b->qs, out.codes);
  AddBits(b->qh, 16, out.codes);
  out.scales[0] = Half(&b->d);
  out.mins[0] = -Half(&b->m);
}

inline void Unpack(const AnyIQ4_NL* b, UnpackedRow out) {
  SplitNibbles(b->qs, out.codes);
  LookUp(kIq4Codes, out.codes);
  out.scales[0] = Half(&b->d);
  out.mins[0] = kWideOffset * out.scales[0];
}

inline void Unpack(const AnyMXFP4* b, UnpackedRow out) {
  SplitNibbles(b->qs, out.codes);
  LookUp(kMxfp4Codes, out.codes);
  // Half of 2^(e - 127), because the codes are twice the levels; e = 255 is NaN.
  uint32_t bits = b->e >= 2 ? static_cast<uint32_t>(b->e - 1) << 23 : 0x200000u << b->e;
  if (b->e == 255) bits = 0x7fc00000u;
  memcpy(&out.scales[0], &bits, 4);
  out.mins[0] = kMxfp4Offset * out.scales[0];
}

inline void Unpack(const AnyQ2_K* b, UnpackedRow out) {
  for (int half = 0; half < 2; ++half) {
    for (int pair = 0; pair < 4; ++pair) {
      const uint8_t* qs = b->qs + half * 32;
      uint8_t* codes = out.codes + half * 128 + pair * 32;
      for (int l = 0; l < 32; ++l) codes[l] = static_cast<uint8_t>(qs[l] >> (2 * pair) & 3);
    }
  }
  const float d = Half(&b->d);
  const float dmin = Half(&b->dmin);
  for (int g = 0; g < 16; ++g) {
    out.scales[g] = d * static_cast<float>(b->scales[g] & 15);
    out.mins[g] = dmin * static_cast<float>(b->scales[g] >> 4);
  }
}

inline void Unpack(const AnyQ3_K* b, UnpackedRow out) {
  for (int half = 0; half < 2; ++half) {
    for (int pair = 0; pair < 4; ++pair) {
      for (int l = 0; l < 32; ++l) {
        const int low = b->qs[half * 32 + l] >> (2 * pair) & 3;
        const int high = b->hmask[l] >> (half * 4 + pair) & 1;
        out.codes[half * 128 + pair * 32 + l] = static_cast<uint8_t>(low | high << 2);
      }
    }
  }
  const float d = Half(&b->d);
  for (int g = 0; g < 16; ++g) {
    const int low = g < 8 ? b->scales[g] & 15 : b->scales[g - 8] >> 4;
    const int high = b->scales[8 + g % 4] >> (2 * (g / 4)) & 3;
    out.scales[g] = d * static_cast<float>((low | high << 4) - 32);
    out.mins[g] = 4 * out.scales[g];
  }
}

// Eight 6-bit scales and minima in 12 bytes, as Q4_K and Q5_K have them.
inline void ScalesAndMins(const uint8_t* packed, float d, float dmin, UnpackedRow out) {
  for (int g = 0; g < 4; ++g) {
    out.scales[g] = d * static_cast<float>(packed[g] & 63);
    out.mins[g] = dmin * static_cast<float>(packed[g + 4] & 63);
    const int low = packed[g + 8];
    out.scales[g + 4] = d * static_cast<float>((low & 15) | packed[g] >> 6 << 4);
    out.mins[g + 4] = dmin * static_cast<float>(low >> 4 | packed[g + 4] >> 6 << 4);
  }
}

inline void Unpack(const AnyQ4_K* b, UnpackedRow out) {
  for (int pair = 0; pair < 4; ++pair) {
    SplitNibbles32(b->qs + pair * 32, out.codes + pair * 64);
  }
  ScalesAndMins(b->scales, Half(&b->d), Half(&b->dmin), out);
}

inline void Unpack(const AnyQ5_K* b, UnpackedRow out) {
  for (int pair = 0; pair < 4; ++pair) {
    const uint8_t* qs = b->qs + pair * 32;
    uint8_t* codes = out.codes + pair * 64;
    for (int l = 0; l < 32; ++l) {
      codes[l] = static_cast<uint8_t>((qs[l] & 15) | (b->qh[l] >> (2 * pair) & 1) << 4);
    }
    for (int l = 0; l < 32; ++l) {
      codes[l + 32] = static_cast<uint8_t>(qs[l] >> 4 | (b->qh[l] >> (2 * pair + 1) & 1) << 4);
    }
  }
  ScalesAndMins(b->scales, Half(&b->d), Half(&b->dmin), out);
}

inline void Unpack(const AnyQ6_K* b, UnpackedRow out) {
  for (int half = 0; half < 2; ++half) {
    const uint8_t* ql = b->ql + half * 64;
    const uint8_t* qh = b->qh + half * 32;
    uint8_t* codes = out.codes + half * 128;
    for (int l = 0; l < 32; ++l) {
      codes[l] = static_cast<uint8_t>((ql[l] & 15) | (qh[l] & 3) << 4);
    }
    for (int l = 0; l < 32; ++l) {
      codes[l + 32] = static_cast<uint8_t>((ql[l + 32] & 15) | (qh[l] >> 2 & 3) << 4);
    }
    for (int l = 0; l < 32; ++l) {
      codes[l + 64] = static_cast<uint8_t>(ql[l] >> 4 | (qh[l] >> 4 & 3) << 4);
    }
    for (int l = 0; l < 32; ++l) {
      codes[l + 96] = static_cast<uint8_t>(ql[l + 32] >> 4 | qh[l] >> 6 << 4);
    }
  }
  const float d = Half(&b->d);
  for (int g = 0; g < 16; ++g) {
    out.scales[g] = d * static_cast<float>(b->scales[g]);
    out.mins[g] = 32 * out.scales[g];
  }
}

inline void Unpack(const AnyIQ4_XS* b, UnpackedRow out) {
  const float d = Half(&b->d);
  uint16_t high_bits;
  memcpy(&high_bits, &b->scales_h, 2);
  for (int g = 0; g < 8; ++g) {
    SplitNibbles(b->qs + g * 16, out.codes + g * 32);
    LookUp(kIq4Codes, out.codes + g * 32);
    const int low = b->scales_l[g / 2] >> (4 * (g % 2)) & 15;
    const int high = high_bits >> (2 * g) & 3;
    out.scales[g] = d * static_cast<float>((low | high << 4) - 32);
    out.mins[g] = kWideOffset * out.scales[g];
  }
}

template <typename Block, int kColumns, int kGroup>
void UnpackBlocks(const uint8_t* row, int64_t cols, UnpackedRow out) {
  for (int64_t c = 0; c < cols; c += kColumns, row += sizeof(Block)) {
    Unpack(reinterpret_cast<const Block*>(row), out);
    out.codes += kColumns;
    out.scales += kColumns / kGroup;
    out.mins += kColumns / kGroup;
  }
}

inline void UnpackRow(const ac_matrix* w, int64_t row, UnpackedRow out) {
  const uint8_t* data =
      static_cast<const uint8_t*>(w->data) + row * static_cast<int64_t>(w->row_bytes);
  const int64_t n = w->cols;
  switch (w->type) {
    case AC_Q8_0:
      return UnpackBlocks<ac_block_q8_0, 32, 32>(data, n, out);
    case AC_Q4_0:
      return UnpackBlocks<ac_block_q4_0, 32, 32>(data, n, out);
    case AC_Q4_1:
      return UnpackBlocks<ac_block_q4_1, 32, 32>(data, n, out);
    case AC_Q5_0:
      return UnpackBlocks<ac_block_q5_0, 32, 32>(data, n, out);
    case AC_Q5_1:
      return UnpackBlocks<ac_block_q5_1, 32, 32>(data, n, out);
    case AC_IQ4_NL:
      return UnpackBlocks<ac_block_iq4_nl, 32, 32>(data, n, out);
    case AC_MXFP4:
      return UnpackBlocks<ac_block_mxfp4, 32, 32>(data, n, out);
    case AC_Q2_K:
      return UnpackBlocks<ac_block_q2_k, 256, 16>(data, n, out);
    case AC_Q3_K:
      return UnpackBlocks<ac_block_q3_k, 256, 16>(data, n, out);
    case AC_Q4_K:
      return UnpackBlocks<ac_block_q4_k, 256, 32>(data, n, out);
    case AC_Q5_K:
      return UnpackBlocks<ac_block_q5_k, 256, 32>(data, n, out);
    case AC_Q6_K:
      return UnpackBlocks<ac_block_q6_k, 256, 16>(data, n, out);
    case AC_IQ4_XS:
      return UnpackBlocks<ac_block_iq4_xs, 256, 32>(data, n, out);
    default:
      return;
  }
}

}  // namespace
