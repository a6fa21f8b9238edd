#include "quant/quant.h"

#include <array>
#include <bit>
#include <cctype>
#include <cstring>

namespace ac::quant {
namespace {

static_assert(std::endian::native == std::endian::little, "block layouts are little-endian");
static_assert(sizeof(ac_block_q4_0) == 18);
static_assert(sizeof(ac_block_q4_1) == 20);
static_assert(sizeof(ac_block_q5_0) == 22);
static_assert(sizeof(ac_block_q5_1) == 24);
static_assert(sizeof(ac_block_q8_0) == 34);
static_assert(sizeof(ac_block_iq4_nl) == 18);
static_assert(sizeof(ac_block_mxfp4) == 17);
static_assert(sizeof(ac_block_q2_k) == 84);
static_assert(sizeof(ac_block_q3_k) == 110);
static_assert(sizeof(ac_block_q4_k) == 144);
static_assert(sizeof(ac_block_q5_k) == 176);
static_assert(sizeof(ac_block_q6_k) == 210);
static_assert(sizeof(ac_block_iq4_xs) == 136);

constexpr std::array<TypeInfo, AC_QUANT_TYPE_COUNT> kTypes = [] {
  std::array<TypeInfo, AC_QUANT_TYPE_COUNT> types;
  types[AC_F32] = {"F32", 1, 4};
  types[AC_F16] = {"F16", 1, 2};
  types[AC_BF16] = {"BF16", 1, 2};
  types[AC_Q8_0] = {"Q8_0", 32, sizeof(ac_block_q8_0)};
  types[AC_Q4_0] = {"Q4_0", 32, sizeof(ac_block_q4_0)};
  types[AC_Q4_1] = {"Q4_1", 32, sizeof(ac_block_q4_1)};
  types[AC_Q5_0] = {"Q5_0", 32, sizeof(ac_block_q5_0)};
  types[AC_Q5_1] = {"Q5_1", 32, sizeof(ac_block_q5_1)};
  types[AC_Q2_K] = {"Q2_K", 256, sizeof(ac_block_q2_k)};
  types[AC_Q3_K] = {"Q3_K", 256, sizeof(ac_block_q3_k)};
  types[AC_Q4_K] = {"Q4_K", 256, sizeof(ac_block_q4_k)};
  types[AC_Q5_K] = {"Q5_K", 256, sizeof(ac_block_q5_k)};
  types[AC_Q6_K] = {"Q6_K", 256, sizeof(ac_block_q6_k)};
  types[AC_IQ4_NL] = {"IQ4_NL", 32, sizeof(ac_block_iq4_nl)};
  types[AC_IQ4_XS] = {"IQ4_XS", 256, sizeof(ac_block_iq4_xs)};
  types[AC_MXFP4] = {"MXFP4", 32, sizeof(ac_block_mxfp4)};
  types[AC_MLX_AFFINE] = {"MLX_AFFINE", 0, 0};
  return types;
}();

bool SameIgnoringCase(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (std::toupper(static_cast<unsigned char>(a[i])) !=
        std::toupper(static_cast<unsigned char>(b[i]))) {
      return false;
    }
  }
  return true;
}

}  // namespace

const TypeInfo& InfoOf(ac_quant_type type) { return kTypes[static_cast<size_t>(type)]; }

std::optional<ac_quant_type> TypeByName(std::string_view name) {
  for (size_t i = 0; i < kTypes.size(); ++i) {
    if (SameIgnoringCase(kTypes[i].name, name)) return static_cast<ac_quant_type>(i);
  }
  return std::nullopt;
}

Result<size_t> RowBytes(ac_quant_type type, int64_t cols) {
  const TypeInfo& info = InfoOf(type);
  if (info.block_elements == 0) {
    return InvalidArgument("[quant] a row of " + std::string(info.name) +
                           " has no size of its own: it depends on the tensor's bits and group");
  }
  if (cols < 0 || cols % info.block_elements != 0) {
    return InvalidArgument("[quant] a row of " + std::to_string(cols) +
                           " elements does not divide into " + std::string(info.name) +
                           " blocks of " + std::to_string(info.block_elements));
  }
  return static_cast<size_t>(cols / info.block_elements) * static_cast<size_t>(info.block_bytes);
}

float F16ToF32(ac_f16 bits) {
  const uint32_t sign = (bits & 0x8000u) << 16;
  const uint32_t exponent = (bits >> 10) & 0x1Fu;
  const uint32_t mantissa = bits & 0x3FFu;
  if (exponent == 0) {  // zero and subnormals: mantissa * 2^-24 is exact in F32
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return sign != 0 ? -magnitude : magnitude;
  }
  const uint32_t wide = exponent == 31 ? 255u : exponent + (127u - 15u);
  return std::bit_cast<float>(sign | wide << 23 | mantissa << 13);
}

ac_f16 F32ToF16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint16_t>((bits >> 16) & 0x8000u);
  const uint32_t magnitude = bits & 0x7FFFFFFFu;
  if (magnitude > 0x7F800000u) return static_cast<ac_f16>(sign | 0x7E00u);  // NaN
  // 65520 is the midpoint between the largest half and the next power of two.
  if (magnitude >= 0x477FF000u) return static_cast<ac_f16>(sign | 0x7C00u);
  if (magnitude < 0x38800000u) {
    // Below 2^-14: adding 0.5 leaves the half's bits, rounded to even, at the end of the mantissa.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<ac_f16>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3F000000u));
  }
  const uint32_t odd = (magnitude >> 13) & 1u;
  const uint32_t rounded = magnitude + 0xFFFu + odd - ((127u - 15u) << 23);
  return static_cast<ac_f16>(sign | (rounded >> 13));
}

float BF16ToF32(ac_bf16 bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

ac_bf16 F32ToBF16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7FFFFFFFu) > 0x7F800000u) {
    return static_cast<ac_bf16>((bits >> 16) |
                                0x40u);  // quiet, so that rounding cannot make it Inf
  }
  return static_cast<ac_bf16>((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}

}  // namespace ac::quant
