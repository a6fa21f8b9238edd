#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "quant/quant.h"

// Every block here is filled by hand and the expected values are written out as arithmetic on the
// fields, so that a wrong shift or a swapped nibble shows up as a wrong number.
namespace ac::quant {
namespace {

constexpr ac_f16 kHalf = 0x3800;      // 0.5
constexpr ac_f16 kOne = 0x3C00;       // 1
constexpr ac_f16 kTwo = 0x4000;       // 2
constexpr ac_f16 kQuarter = 0x3400;   // 0.25
constexpr ac_f16 kMinusTwo = 0xC000;  // -2

template <typename Block>
std::vector<float> Expand(ac_quant_type type, const Block& block) {
  const int elements = InfoOf(type).block_elements;
  EXPECT_EQ(InfoOf(type).block_bytes, sizeof(Block));
  ac_matrix matrix = {};
  matrix.type = type;
  matrix.rows = 1;
  matrix.cols = elements;
  matrix.data = &block;
  matrix.row_bytes = sizeof(Block);
  std::vector<float> out(static_cast<size_t>(elements), -12345.0f);
  DequantizeRow(matrix, 0, out.data());
  return out;
}

TEST(Halves, KnownValuesConvertBothWays) {
  const struct {
    ac_f16 bits;
    float value;
  } cases[] = {{0x0000, 0.0f},     {0x3C00, 1.0f},           {0xC000, -2.0f},
               {0x7BFF, 65504.0f}, {0x0001, 0x1p-24f},       {0x03FF, 1023 * 0x1p-24f},
               {0x0400, 0x1p-14f}, {0x3555, 0.333251953125f}};
  for (const auto& c : cases) {
    EXPECT_EQ(F16ToF32(c.bits), c.value) << c.bits;
    EXPECT_EQ(F32ToF16(c.value), c.bits) << c.value;
  }
}

TEST(Halves, EveryBitPatternSurvivesTheRoundTrip) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = F16ToF32(static_cast<ac_f16>(bits));
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(F16ToF32(F32ToF16(value))));
    } else {
      ASSERT_EQ(F32ToF16(value), bits);
    }
    const float brain = BF16ToF32(static_cast<ac_bf16>(bits));
    if (std::isnan(brain)) {
      EXPECT_TRUE(std::isnan(BF16ToF32(F32ToBF16(brain))));
    } else {
      ASSERT_EQ(F32ToBF16(brain), bits);
    }
  }
}

TEST(Halves, TiesRoundToEvenAndOverflowIsInfinite) {
  EXPECT_EQ(F32ToF16(1.0f + 0x1p-11f), 0x3C00);      // halfway between 0x3C00 and 0x3C01
  EXPECT_EQ(F32ToF16(1.0f + 3 * 0x1p-11f), 0x3C02);  // halfway between 0x3C01 and 0x3C02
  EXPECT_EQ(F32ToF16(0x1p-25f), 0x0000);             // halfway between 0 and the smallest
  EXPECT_EQ(F32ToF16(std::nextafter(0x1p-25f, 1.0f)), 0x0001);
  EXPECT_EQ(F32ToF16(65519.0f), 0x7BFF);
  EXPECT_EQ(F32ToF16(65520.0f), 0x7C00);
  EXPECT_EQ(F32ToF16(-1e30f), 0xFC00);
  EXPECT_EQ(F32ToBF16(1.0f + 0x1p-8f), 0x3F80);
  EXPECT_EQ(F32ToBF16(1.0f + 3 * 0x1p-8f), 0x3F82);
}

TEST(Dequantize, Q8_0IsScaleTimesInteger) {
  ac_block_q8_0 b = {};
  b.d = kHalf;
  b.qs[0] = -128;
  b.qs[1] = 127;
  b.qs[31] = 3;
  const auto x = Expand(AC_Q8_0, b);
  EXPECT_EQ(x[0], 0.5f * -128);
  EXPECT_EQ(x[1], 0.5f * 127);
  EXPECT_EQ(x[2], 0.0f);
  EXPECT_EQ(x[31], 0.5f * 3);
}

TEST(Dequantize, Q4_0TakesLowNibblesFirstAndSubtractsEight) {
  ac_block_q4_0 b = {};
  b.d = kTwo;
  b.qs[0] = 0xF0;   // element 0 is 0, element 16 is 15
  b.qs[15] = 0x2B;  // element 15 is 11, element 31 is 2
  const auto x = Expand(AC_Q4_0, b);
  EXPECT_EQ(x[0], 2.0f * (0 - 8));
  EXPECT_EQ(x[16], 2.0f * (15 - 8));
  EXPECT_EQ(x[15], 2.0f * (11 - 8));
  EXPECT_EQ(x[31], 2.0f * (2 - 8));
}

TEST(Dequantize, Q4_1AddsTheMinimum) {
  ac_block_q4_1 b = {};
  b.d = kHalf;
  b.m = kMinusTwo;
  b.qs[3] = 0x7C;  // element 3 is 12, element 19 is 7
  const auto x = Expand(AC_Q4_1, b);
  EXPECT_EQ(x[0], -2.0f);
  EXPECT_EQ(x[3], 0.5f * 12 - 2.0f);
  EXPECT_EQ(x[19], 0.5f * 7 - 2.0f);
}

TEST(Dequantize, Q5_0TakesBitIOfTheHighWordForElementI) {
  ac_block_q5_0 b = {};
  b.d = kOne;
  b.qs[0] = 0x21;  // element 0 low 1, element 16 low 2
  b.qs[9] = 0xF5;  // element 9 low 5, element 25 low 15
  b.qh[0] = 0x01;  // element 0 high
  b.qh[3] = 0x02;  // bit 25: element 25 high
  const auto x = Expand(AC_Q5_0, b);
  EXPECT_EQ(x[0], 1 + 16 - 16);
  EXPECT_EQ(x[16], 2 - 16);
  EXPECT_EQ(x[9], 5 - 16);
  EXPECT_EQ(x[25], 15 + 16 - 16);
}

TEST(Dequantize, Q5_1IsUnsignedPlusMinimum) {
  ac_block_q5_1 b = {};
  b.d = kQuarter;
  b.m = kOne;
  b.qs[7] = 0x3E;  // element 7 low 14, element 23 low 3
  b.qh[0] = 0x80;  // element 7 high
  b.qh[2] = 0x80;  // bit 23: element 23 high
  const auto x = Expand(AC_Q5_1, b);
  EXPECT_EQ(x[7], 0.25f * (14 + 16) + 1.0f);
  EXPECT_EQ(x[23], 0.25f * (3 + 16) + 1.0f);
  EXPECT_EQ(x[0], 1.0f);
}

TEST(Dequantize, Q2_KSplitsScaleAndMinimumNibblesPerSixteen) {
  ac_block_q2_k b = {};
  b.d = kHalf;
  b.dmin = kQuarter;
  b.scales[0] = 0x53;   // elements 0-15: scale 3, minimum 5
  b.scales[3] = 0x07;   // elements 48-63: scale 7
  b.scales[15] = 0xF2;  // elements 240-255: scale 2, minimum 15
  b.qs[0] = 0x02;       // element 0: 2
  b.qs[17] = 0x0C;      // pair 1 of byte 17: element 32 + 17 = 49 is 3
  b.qs[63] = 0x40;      // half 1, pair 3 of byte 31: element 128 + 96 + 31 = 255 is 1
  const auto x = Expand(AC_Q2_K, b);
  EXPECT_EQ(x[0], 0.5f * 3 * 2 - 0.25f * 5);
  EXPECT_EQ(x[1], -0.25f * 5);
  EXPECT_EQ(x[49], 0.5f * 7 * 3);
  EXPECT_EQ(x[255], 0.5f * 2 * 1 - 0.25f * 15);
  EXPECT_EQ(x[254], -0.25f * 15);
}

TEST(Dequantize, Q3_KReassemblesSixBitScalesAndTheThirdBit) {
  ac_block_q3_k b = {};
  b.d = kHalf;
  b.scales[0] = 0x95;                  // low nibble of scale 0 is 5, of scale 8 is 9
  b.scales[7] = 0xA3;                  // low nibble of scale 7 is 3, of scale 15 is 10
  b.scales[8] = 0x2 | 0x3 << 4;        // top bits: scale 0 gets 2, scale 8 gets 3
  b.scales[11] = 0x1 << 2 | 0x2 << 6;  // scale 7 gets 1, scale 15 gets 2
  b.qs[0] = 0x03;                      // element 0 low bits 3
  b.hmask[0] = 0x11;                   // third bit of elements 0 and 128
  b.qs[32] = 0x01;                     // element 128 low bits 1
  b.qs[16] = 0x80;                     // pair 3 of byte 16: element 112 is 2
  b.qs[63] = 0xC0;                     // element 255 is 3
  b.hmask[31] = 0x80;                  // third bit of element 255
  const auto x = Expand(AC_Q3_K, b);
  const int scale0 = (5 | 2 << 4) - 32;    // 5
  const int scale7 = (3 | 1 << 4) - 32;    // -13
  const int scale8 = (9 | 3 << 4) - 32;    // 25
  const int scale15 = (10 | 2 << 4) - 32;  // 10
  EXPECT_EQ(x[0], 0.5f * static_cast<float>(scale0 * 3));
  EXPECT_EQ(x[1], 0.5f * static_cast<float>(scale0 * -4));
  EXPECT_EQ(x[112], 0.5f * static_cast<float>(scale7 * (2 - 4)));
  EXPECT_EQ(x[128], 0.5f * static_cast<float>(scale8 * 1));
  EXPECT_EQ(x[255], 0.5f * static_cast<float>(scale15 * 3));
}

// Scale of group 0 is 17 (low six bits of byte 0), minimum 33 (byte 4); scale of group 5 is 0x2B,
// minimum 0x15: nibbles in byte 9, top bits in bytes 1 and 5.
void FillScaleMin(uint8_t* scales) {
  scales[0] = 17;
  scales[4] = 33;
  scales[9] = 0x5B;      // low nibble of the scale is 0xB, of the minimum 0x5
  scales[1] = 0x2 << 6;  // 0x2B >> 4
  scales[5] = 0x1 << 6;  // 0x15 >> 4
}

TEST(Dequantize, Q4_KUnpacksTwelveScaleBytes) {
  ac_block_q4_k b = {};
  b.d = kHalf;
  b.dmin = kQuarter;
  FillScaleMin(b.scales);
  b.qs[0] = 0x9C;           // element 0 is 12, element 32 is 9
  b.qs[2 * 32 + 4] = 0x70;  // groups 4 and 5, byte 4: element 164 is 7
  const auto x = Expand(AC_Q4_K, b);
  EXPECT_EQ(x[0], 0.5f * 17 * 12 - 0.25f * 33);
  EXPECT_EQ(x[1], -0.25f * 33);
  EXPECT_EQ(x[32], 0.0f);  // group 1 has scale 0 in its low six bits
  EXPECT_EQ(x[164], 0.5f * 0x2B * 7 - 0.25f * 0x15);
  EXPECT_EQ(x[165], -0.25f * 0x15);
}

TEST(Dequantize, Q5_KAddsBitGOfTheHighByte) {
  ac_block_q5_k b = {};
  b.d = kHalf;
  b.dmin = kQuarter;
  FillScaleMin(b.scales);
  b.qs[0] = 0x9C;
  b.qh[0] = 0x01;  // group 0, element 0
  b.qs[2 * 32 + 4] = 0x70;
  b.qh[4] = 0x20;  // group 5, element 164
  const auto x = Expand(AC_Q5_K, b);
  EXPECT_EQ(x[0], 0.5f * 17 * (12 + 16) - 0.25f * 33);
  EXPECT_EQ(x[164], 0.5f * 0x2B * (7 + 16) - 0.25f * 0x15);
  EXPECT_EQ(x[160], -0.25f * 0x15);
}

TEST(Dequantize, Q6_KPlacesQuartersInNibblesAndBitPairs) {
  ac_block_q6_k b = {};
  b.d = kHalf;
  b.scales[0] = 3;            // elements 0-15
  b.scales[2] = -5;           // elements 32-47
  b.scales[5] = 7;            // elements 80-95
  b.scales[15] = 127;         // elements 240-255
  b.ql[1] = 0x0D;             // element 1 low 13
  b.qh[1] = 0x2 | 0x3 << 2;   // element 1 high 2; element 33 high 3
  b.ql[32 + 1] = 0x04;        // element 33 low 4
  b.ql[16] = 0xA0;            // element 64 + 16 = 80 low 10
  b.qh[16] = 0x1 << 4;        // element 80 high 1
  b.ql[64 + 32 + 31] = 0xF0;  // element 255 low 15
  b.qh[32 + 31] = 0x3 << 6;   // element 255 high 3
  const auto x = Expand(AC_Q6_K, b);
  EXPECT_EQ(x[1], 0.5f * 3 * ((13 | 2 << 4) - 32));
  EXPECT_EQ(x[0], 0.5f * 3 * -32);
  EXPECT_EQ(x[33], 0.5f * -5 * ((4 | 3 << 4) - 32));
  EXPECT_EQ(x[80], 0.5f * 7 * ((10 | 1 << 4) - 32));
  EXPECT_EQ(x[255], 0.5f * 127 * ((15 | 3 << 4) - 32));
}

TEST(Dequantize, Iq4NlLooksLevelsUp) {
  ac_block_iq4_nl b = {};
  b.d = kTwo;
  b.qs[0] = 0xF0;  // element 0 level -127, element 16 level 113
  b.qs[5] = 0x78;  // element 5 level 1, element 21 level -10
  const auto x = Expand(AC_IQ4_NL, b);
  EXPECT_EQ(x[0], 2.0f * -127);
  EXPECT_EQ(x[16], 2.0f * 113);
  EXPECT_EQ(x[5], 2.0f * 1);
  EXPECT_EQ(x[21], 2.0f * -10);
}

TEST(Dequantize, Iq4XsSplitsSixBitScales) {
  ac_block_iq4_xs b = {};
  b.d = kHalf;
  b.scales_l[0] = 0x94;                     // groups 0 and 1: low nibbles 4 and 9
  b.scales_l[3] = 0xE0;                     // group 7: low nibble 14
  b.scales_h = 0x3 | 0x1 << 2 | 0x2 << 14;  // top bits: group 0 is 3, group 1 is 1, group 7 is 2
  b.qs[0] = 0x0F;                           // element 0 level 113, element 16 level -127
  b.qs[16 + 3] = 0x60;                      // group 1: element 35 index 0, element 51 index 6
  b.qs[7 * 16 + 15] = 0x40;                 // group 7: element 255 index 4
  const auto x = Expand(AC_IQ4_XS, b);
  EXPECT_EQ(x[0], 0.5f * ((4 | 3 << 4) - 32) * 113);
  EXPECT_EQ(x[16], 0.5f * ((4 | 3 << 4) - 32) * -127);
  EXPECT_EQ(x[35], 0.5f * ((9 | 1 << 4) - 32) * -127);
  EXPECT_EQ(x[51], 0.5f * ((9 | 1 << 4) - 32) * -22);
  EXPECT_EQ(x[255], 0.5f * ((14 | 2 << 4) - 32) * -49);
}

TEST(Dequantize, Mxfp4ScalesByAPowerOfTwo) {
  ac_block_mxfp4 b = {};
  b.e = 126;       // 2^-1
  b.qs[0] = 0x7F;  // element 0 is -6, element 16 is 6
  b.qs[1] = 0x13;  // element 1 is 1.5, element 17 is 0.5
  auto x = Expand(AC_MXFP4, b);
  EXPECT_EQ(x[0], 0.5f * -6.0f);
  EXPECT_EQ(x[16], 0.5f * 6.0f);
  EXPECT_EQ(x[1], 0.5f * 1.5f);
  EXPECT_EQ(x[17], 0.5f * 0.5f);
  b.e = 0;
  EXPECT_EQ(Expand(AC_MXFP4, b)[0], 0x1p-127f * -6.0f);
  b.e = 255;
  EXPECT_TRUE(std::isnan(Expand(AC_MXFP4, b)[0])) << "the format reserves 255 for NaN";
}

TEST(Dequantize, FloatsAreCopied) {
  const float f[3] = {1.5f, -2.0f, 3e-38f};
  ac_matrix m = {};
  m.type = AC_F32;
  m.rows = 1;
  m.cols = 3;
  m.data = f;
  m.row_bytes = sizeof f;
  float out[3];
  DequantizeRow(m, 0, out);
  EXPECT_EQ(std::memcmp(f, out, sizeof f), 0);
}

// Packs q with an independent bit-by-bit writer, so that the reader's windows are checked.
std::vector<uint8_t> PackBits(const std::vector<uint32_t>& q, int bits) {
  std::vector<uint8_t> out((q.size() * static_cast<size_t>(bits) + 7) / 8);
  size_t at = 0;
  for (const uint32_t value : q) {
    for (int b = 0; b < bits; ++b, ++at) {
      if ((value >> b & 1u) != 0) out[at / 8] = static_cast<uint8_t>(out[at / 8] | 1u << (at % 8));
    }
  }
  return out;
}

TEST(Dequantize, MlxWordsHoldElementsFromTheLowBits) {
  // 4 bits, group 32: the first word 0x76543210 is the elements 0..7.
  std::vector<uint32_t> words(4, 0x76543210u);
  const float scale[1] = {0.5f};
  const float bias[1] = {-1.0f};
  ac_matrix m = {};
  m.type = AC_MLX_AFFINE;
  m.rows = 1;
  m.cols = 32;
  m.data = words.data();
  m.row_bytes = 16;
  m.scales = scale;
  m.biases = bias;
  m.scale_type = AC_F32;
  m.bits = 4;
  m.group_size = 32;
  float out[32];
  DequantizeRow(m, 0, out);
  for (int i = 0; i < 32; ++i) EXPECT_EQ(out[i], 0.5f * static_cast<float>(i % 8) - 1.0f);
}

TEST(Dequantize, MlxThreeBitElementTenCrossesAWord) {
  // Element 10 of a 3-bit row is bits 30, 31 of word 0 and bit 0 of word 1.
  uint32_t words[3] = {0x2u << 30, 0x1u, 0};
  const ac_f16 scale[1] = {kTwo};
  const ac_f16 bias[1] = {kOne};
  ac_matrix m = {};
  m.type = AC_MLX_AFFINE;
  m.rows = 1;
  m.cols = 32;
  m.data = words;
  m.row_bytes = 12;
  m.scales = scale;
  m.biases = bias;
  m.scale_type = AC_F16;
  m.bits = 3;
  m.group_size = 32;
  float out[32];
  DequantizeRow(m, 0, out);
  for (int i = 0; i < 32; ++i) EXPECT_EQ(out[i], i == 10 ? 2.0f * (2 + 4) + 1.0f : 1.0f) << i;
}

TEST(Dequantize, MlxEveryWidthAndGroupReadsEveryRow) {
  for (const int bits : {2, 3, 4, 5, 6, 8}) {
    for (const int group : {32, 64, 128}) {
      const int cols = 256;
      const int rows = 3;
      std::vector<uint32_t> q;
      for (int i = 0; i < rows * cols; ++i)
        q.push_back(static_cast<uint32_t>(i * 7 + i / 5) % (1u << bits));
      const std::vector<uint8_t> data = PackBits(q, bits);
      std::vector<ac_bf16> scales;
      std::vector<ac_bf16> biases;
      for (int g = 0; g < rows * cols / group; ++g) {
        scales.push_back(F32ToBF16(0.25f * static_cast<float>(g + 1)));
        biases.push_back(F32ToBF16(-0.5f * static_cast<float>(g)));
      }
      ac_matrix m = {};
      m.type = AC_MLX_AFFINE;
      m.rows = rows;
      m.cols = cols;
      m.data = data.data();
      m.row_bytes = static_cast<size_t>(cols * bits / 8);
      m.scales = scales.data();
      m.biases = biases.data();
      m.scale_type = AC_BF16;
      m.bits = bits;
      m.group_size = group;
      std::vector<float> out(static_cast<size_t>(cols));
      for (int r = 0; r < rows; ++r) {
        DequantizeRow(m, r, out.data());
        for (int c = 0; c < cols; ++c) {
          const int g = (r * cols + c) / group;
          const float want = 0.25f * static_cast<float>(g + 1) *
                                 static_cast<float>(q[static_cast<size_t>(r * cols + c)]) -
                             0.5f * static_cast<float>(g);
          ASSERT_EQ(out[static_cast<size_t>(c)], want)
              << bits << " bits, group " << group << ", row " << r << ", column " << c;
        }
      }
    }
  }
}

TEST(Types, NamesAndSizesAgree) {
  for (int i = 0; i < AC_QUANT_TYPE_COUNT; ++i) {
    const auto type = static_cast<ac_quant_type>(i);
    EXPECT_EQ(TypeByName(InfoOf(type).name), type);
  }
  EXPECT_EQ(TypeByName("q4_k"), AC_Q4_K);
  EXPECT_EQ(TypeByName("Q9_Z"), std::nullopt);
  EXPECT_EQ(*RowBytes(AC_Q6_K, 512), 420u);
  EXPECT_EQ(RowBytes(AC_Q4_K, 128).status().code(), Code::kInvalidArgument);
  EXPECT_EQ(RowBytes(AC_F32, -1).status().code(), Code::kInvalidArgument);
  EXPECT_FALSE(RowBytes(AC_MLX_AFFINE, 64).ok());
}

}  // namespace
}  // namespace ac::quant
