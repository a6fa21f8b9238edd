#include <bit>
#include <cstring>
#include <limits>

#include "quant/quant.h"

// One function per format. Each follows the layout written in its comment and nothing else; no
// blocking, no vectors: this is what kernels are compared with.
namespace ac::quant {
namespace {

// The sixteen levels of IQ4_NL and IQ4_XS.
constexpr int8_t kIq4Levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                   1,    13,   25,  38,  53,  69,  89,  113};

// e2m1: sign, two exponent bits, one mantissa bit.
constexpr float kE2m1Levels[16] = {0.0f,  0.5f,  1.0f,  1.5f,  2.0f,  3.0f,  4.0f,  6.0f,
                                   -0.0f, -0.5f, -1.0f, -1.5f, -2.0f, -3.0f, -4.0f, -6.0f};

// Blocks may lie at any address in a mapped file.
template <typename T>
T Load(const void* base, int64_t index) {
  T value;
  std::memcpy(&value, static_cast<const char*>(base) + index * static_cast<int64_t>(sizeof(T)),
              sizeof(T));
  return value;
}

void Expand(const ac_block_q8_0& b, float* out) {
  const float d = F16ToF32(b.d);
  for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(b.qs[i]);
}

void Expand(const ac_block_q4_0& b, float* out) {
  const float d = F16ToF32(b.d);
  for (int i = 0; i < 16; ++i) {
    out[i] = d * static_cast<float>((b.qs[i] & 15) - 8);
    out[i + 16] = d * static_cast<float>((b.qs[i] >> 4) - 8);
  }
}

void Expand(const ac_block_q4_1& b, float* out) {
  const float d = F16ToF32(b.d);
  const float m = F16ToF32(b.m);
  for (int i = 0; i < 16; ++i) {
    out[i] = d * static_cast<float>(b.qs[i] & 15) + m;
    out[i + 16] = d * static_cast<float>(b.qs[i] >> 4) + m;
  }
}

// The fifth bit of element i is bit i of qh.
int FiveBits(const uint8_t* qs, uint32_t qh, int i) {
  const int low = i < 16 ? qs[i] & 15 : qs[i - 16] >> 4;
  return low | static_cast<int>((qh >> i) & 1u) << 4;
}

void Expand(const ac_block_q5_0& b, float* out) {
  const float d = F16ToF32(b.d);
  const auto qh = Load<uint32_t>(b.qh, 0);
  for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(FiveBits(b.qs, qh, i) - 16);
}

void Expand(const ac_block_q5_1& b, float* out) {
  const float d = F16ToF32(b.d);
  const float m = F16ToF32(b.m);
  const auto qh = Load<uint32_t>(b.qh, 0);
  for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(FiveBits(b.qs, qh, i)) + m;
}

void Expand(const ac_block_iq4_nl& b, float* out) {
  const float d = F16ToF32(b.d);
  for (int i = 0; i < 16; ++i) {
    out[i] = d * static_cast<float>(kIq4Levels[b.qs[i] & 15]);
    out[i + 16] = d * static_cast<float>(kIq4Levels[b.qs[i] >> 4]);
  }
}

void Expand(const ac_block_mxfp4& b, float* out) {
  // e8m0: 2^(e - 127); 255 is NaN; e = 0 is the subnormal 2^-127.
  float scale = std::bit_cast<float>(static_cast<uint32_t>(b.e) << 23);
  if (b.e == 0) scale = 0x1p-127f;
  if (b.e == 255) scale = std::numeric_limits<float>::quiet_NaN();
  for (int i = 0; i < 16; ++i) {
    out[i] = scale * kE2m1Levels[b.qs[i] & 15];
    out[i + 16] = scale * kE2m1Levels[b.qs[i] >> 4];
  }
}

// 16 groups of 16. Two halves of 128 elements share 32 bytes of qs; bit pair p of byte l is element
// 32 p + l of the half. A scale byte holds the scale (low nibble) and the minimum (high nibble).
void Expand(const ac_block_q2_k& b, float* out) {
  const float d = F16ToF32(b.d);
  const float dmin = F16ToF32(b.dmin);
  for (int i = 0; i < 256; ++i) {
    const int half = i / 128;
    const int pair = i % 128 / 32;
    const int q = (b.qs[half * 32 + i % 32] >> (2 * pair)) & 3;
    const int scale = b.scales[i / 16];
    out[i] = d * static_cast<float>(scale & 15) * static_cast<float>(q) -
             dmin * static_cast<float>(scale >> 4);
  }
}

// As Q2_K, plus a third bit: bit i / 32 of hmask[i % 32], which adds 4 to the value in [-4, -1].
// The sixteen 6-bit scales keep their low nibbles in bytes 0-7 and their top bits in bytes 8-11.
void Expand(const ac_block_q3_k& b, float* out) {
  const float d = F16ToF32(b.d);
  for (int i = 0; i < 256; ++i) {
    const int half = i / 128;
    const int pair = i % 128 / 32;
    const int low = (b.qs[half * 32 + i % 32] >> (2 * pair)) & 3;
    const int high = (b.hmask[i % 32] >> (i / 32)) & 1;
    const int g = i / 16;
    const int scale_low = g < 8 ? b.scales[g] & 15 : b.scales[g - 8] >> 4;
    const int scale_high = (b.scales[8 + g % 4] >> (2 * (g / 4))) & 3;
    const int scale = (scale_low | scale_high << 4) - 32;
    out[i] = d * static_cast<float>(scale) * static_cast<float>(low - (high != 0 ? 0 : 4));
  }
}

struct ScaleMin {
  int scale;
  int min;
};

// Q4_K and Q5_K pack eight 6-bit scales and eight 6-bit minima into 12 bytes: groups 0-3 in the low
// six bits of bytes 0-7, groups 4-7 in the nibbles of bytes 8-11 with their top bits in bytes 0-7.
ScaleMin UnpackScaleMin(const uint8_t* scales, int group) {
  if (group < 4) return {scales[group] & 63, scales[group + 4] & 63};
  const uint8_t low = scales[group + 4];
  return {(low & 15) | (scales[group - 4] >> 6) << 4, (low >> 4) | (scales[group] >> 6) << 4};
}

// Eight groups of 32; groups 2k and 2k+1 are the low and high nibbles of bytes 32k..32k+31.
void Expand(const ac_block_q4_k& b, float* out) {
  const float d = F16ToF32(b.d);
  const float dmin = F16ToF32(b.dmin);
  for (int g = 0; g < 8; ++g) {
    const ScaleMin s = UnpackScaleMin(b.scales, g);
    const float scale = d * static_cast<float>(s.scale);
    const float min = dmin * static_cast<float>(s.min);
    for (int l = 0; l < 32; ++l) {
      const uint8_t byte = b.qs[g / 2 * 32 + l];
      const int q = g % 2 == 0 ? byte & 15 : byte >> 4;
      out[g * 32 + l] = scale * static_cast<float>(q) - min;
    }
  }
}

// As Q4_K, plus a fifth bit: bit g of qh[l].
void Expand(const ac_block_q5_k& b, float* out) {
  const float d = F16ToF32(b.d);
  const float dmin = F16ToF32(b.dmin);
  for (int g = 0; g < 8; ++g) {
    const ScaleMin s = UnpackScaleMin(b.scales, g);
    const float scale = d * static_cast<float>(s.scale);
    const float min = dmin * static_cast<float>(s.min);
    for (int l = 0; l < 32; ++l) {
      const uint8_t byte = b.qs[g / 2 * 32 + l];
      const int low = g % 2 == 0 ? byte & 15 : byte >> 4;
      const int q = low | ((b.qh[l] >> g) & 1) << 4;
      out[g * 32 + l] = scale * static_cast<float>(q) - min;
    }
  }
}

// Two halves of 128 elements. Quarter r of a half takes its low nibbles from 32 bytes of ql
// (quarters 0 and 1 the low ones, 2 and 3 the high ones) and its top two bits from bit pair r of
// qh.
void Expand(const ac_block_q6_k& b, float* out) {
  const float d = F16ToF32(b.d);
  for (int i = 0; i < 256; ++i) {
    const int half = i / 128;
    const int quarter = i % 128 / 32;
    const int l = i % 32;
    const uint8_t byte = b.ql[half * 64 + quarter % 2 * 32 + l];
    const int low = quarter < 2 ? byte & 15 : byte >> 4;
    const int high = (b.qh[half * 32 + l] >> (2 * quarter)) & 3;
    const int q = (low | high << 4) - 32;
    out[i] = d * static_cast<float>(b.scales[i / 16]) * static_cast<float>(q);
  }
}

// Eight groups of 32 with 6-bit scales: low nibbles in scales_l, top bit pairs in scales_h.
void Expand(const ac_block_iq4_xs& b, float* out) {
  const float d = F16ToF32(b.d);
  for (int g = 0; g < 8; ++g) {
    const int low = (b.scales_l[g / 2] >> (4 * (g % 2))) & 15;
    const int high = (b.scales_h >> (2 * g)) & 3;
    const float scale = d * static_cast<float>((low | high << 4) - 32);
    for (int l = 0; l < 16; ++l) {
      const uint8_t byte = b.qs[g * 16 + l];
      out[g * 32 + l] = scale * static_cast<float>(kIq4Levels[byte & 15]);
      out[g * 32 + l + 16] = scale * static_cast<float>(kIq4Levels[byte >> 4]);
    }
  }
}

template <typename Block, int kElements>
void ExpandRow(const void* data, int64_t cols, float* out) {
  for (int64_t i = 0; i < cols / kElements; ++i) Expand(Load<Block>(data, i), out + i * kElements);
}

float LoadScale(ac_quant_type type, const void* data, int64_t index) {
  switch (type) {
    case AC_F16:
      return F16ToF32(Load<ac_f16>(data, index));
    case AC_BF16:
      return BF16ToF32(Load<ac_bf16>(data, index));
    default:
      return Load<float>(data, index);
  }
}

// A row is a stream of bits, element i at bits [i * bits, (i + 1) * bits), low bits first.
void ExpandMlxRow(const ac_matrix& matrix, int64_t row, float* out) {
  const auto* data =
      static_cast<const uint8_t*>(matrix.data) + row * static_cast<int64_t>(matrix.row_bytes);
  const int64_t groups = matrix.cols / matrix.group_size;
  const uint32_t mask = (1u << matrix.bits) - 1u;
  for (int64_t i = 0; i < matrix.cols; ++i) {
    const int64_t bit = i * matrix.bits;
    uint32_t window = data[bit / 8];
    // An element of up to 8 bits spans at most two bytes, and the second exists when it does.
    if (bit % 8 + matrix.bits > 8) window |= static_cast<uint32_t>(data[bit / 8 + 1]) << 8;
    const uint32_t q = (window >> (bit % 8)) & mask;
    const int64_t group = row * groups + i / matrix.group_size;
    out[i] = LoadScale(matrix.scale_type, matrix.scales, group) * static_cast<float>(q) +
             LoadScale(matrix.scale_type, matrix.biases, group);
  }
}

}  // namespace

void DequantizeRow(const ac_matrix& matrix, int64_t row, float* out) {
  const int64_t cols = matrix.cols;
  const void* data = matrix.data == nullptr ? nullptr
                                            : static_cast<const char*>(matrix.data) +
                                                  row * static_cast<int64_t>(matrix.row_bytes);
  switch (matrix.type) {
    case AC_F32:
      std::memcpy(out, data, static_cast<size_t>(cols) * sizeof(float));
      break;
    case AC_F16:
      for (int64_t i = 0; i < cols; ++i) out[i] = F16ToF32(Load<ac_f16>(data, i));
      break;
    case AC_BF16:
      for (int64_t i = 0; i < cols; ++i) out[i] = BF16ToF32(Load<ac_bf16>(data, i));
      break;
    case AC_Q8_0:
      ExpandRow<ac_block_q8_0, 32>(data, cols, out);
      break;
    case AC_Q4_0:
      ExpandRow<ac_block_q4_0, 32>(data, cols, out);
      break;
    case AC_Q4_1:
      ExpandRow<ac_block_q4_1, 32>(data, cols, out);
      break;
    case AC_Q5_0:
      ExpandRow<ac_block_q5_0, 32>(data, cols, out);
      break;
    case AC_Q5_1:
      ExpandRow<ac_block_q5_1, 32>(data, cols, out);
      break;
    case AC_Q2_K:
      ExpandRow<ac_block_q2_k, 256>(data, cols, out);
      break;
    case AC_Q3_K:
      ExpandRow<ac_block_q3_k, 256>(data, cols, out);
      break;
    case AC_Q4_K:
      ExpandRow<ac_block_q4_k, 256>(data, cols, out);
      break;
    case AC_Q5_K:
      ExpandRow<ac_block_q5_k, 256>(data, cols, out);
      break;
    case AC_Q6_K:
      ExpandRow<ac_block_q6_k, 256>(data, cols, out);
      break;
    case AC_IQ4_NL:
      ExpandRow<ac_block_iq4_nl, 32>(data, cols, out);
      break;
    case AC_IQ4_XS:
      ExpandRow<ac_block_iq4_xs, 256>(data, cols, out);
      break;
    case AC_MXFP4:
      ExpandRow<ac_block_mxfp4, 32>(data, cols, out);
      break;
    case AC_MLX_AFFINE:
      ExpandMlxRow(matrix, row, out);
      break;
    case AC_QUANT_TYPE_COUNT:
      break;
  }
}

}  // namespace ac::quant
