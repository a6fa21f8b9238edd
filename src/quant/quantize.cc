#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "quant/quant.h"

// Every encoder does the same three things for a group: propose a few scales around the one that
// spans the range, round the elements to each, and keep the scale whose weighted squared error
// after a least-squares refit is smallest. Weights favour large elements a little, because they
// move the outputs most. No randomness and no threads: equal input gives equal bytes.
namespace ac::quant {
namespace {

constexpr int kMaxGroup = 32;
// Candidate ranges are spread by these fractions of one step.
constexpr std::array<float, 9> kSteps = {-0.8f, -0.6f, -0.4f, -0.2f, 0.0f, 0.2f, 0.4f, 0.6f, 0.8f};

// Sums run in this many lanes, added in one fixed order at the end: the compiler may then use
// vectors of any width without changing a bit.
constexpr int kLanes = 8;
using Lanes = std::array<float, kLanes>;

float Total(const Lanes& lanes) {
  return ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) +
         ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]));
}

// A group's elements and weights; sizes are multiples of kLanes.
struct Group {
  const float* x;
  size_t size;
  alignas(32) std::array<float, kMaxGroup> weight;
};

Group MakeGroup(const float* x, size_t size) {
  Group group{x, size, {}};
  float sum = 0.0f;
  for (size_t i = 0; i < size; ++i) sum += x[i] * x[i];
  const float rms = std::sqrt(sum / static_cast<float>(size));
  for (size_t i = 0; i < size; ++i) group.weight[i] = rms + std::fabs(x[i]);
  return group;
}

// The nearest integer, ties to even, within [low, high]; branch-free, for |high| and |low| below
// 2^22.
float RoundWithin(float value, float low, float high) {
  constexpr float kShift = 12582912.0f;  // 1.5 * 2^23: adding it leaves no room for a fraction
  value = value > low ? value : low;     // NaN becomes `low`
  value = value < high ? value : high;
  return (value + kShift) - kShift;
}

int RoundTo(float value, int low, int high) {
  return static_cast<int>(RoundWithin(value, static_cast<float>(low), static_cast<float>(high)));
}

// The scale s that minimises sum w (x - s q)^2 over candidates, q in [low, high].
float FitScale(const Group& group, int low, int high) {
  float peak = 0.0f;
  for (size_t i = 0; i < group.size; ++i) {
    if (std::fabs(group.x[i]) > std::fabs(peak)) peak = group.x[i];
  }
  if (peak == 0.0f) return 0.0f;
  float best_scale = 0.0f;
  float best_gain = -1.0f;
  // The range has one more negative step: give the peak either end.
  for (const int end : {low, high}) {
    for (const float step : kSteps) {
      const float inverse = (static_cast<float>(end) + step) / peak;
      Lanes xq_lanes = {};
      Lanes qq_lanes = {};
      for (size_t i = 0; i < group.size; i += kLanes) {
        for (size_t k = 0; k < kLanes; ++k) {
          const float q = RoundWithin(group.x[i + k] * inverse, static_cast<float>(low),
                                      static_cast<float>(high));
          const float wq = group.weight[i + k] * q;
          xq_lanes[k] += wq * group.x[i + k];
          qq_lanes[k] += wq * q;
        }
      }
      const float xq = Total(xq_lanes);
      const float qq = Total(qq_lanes);
      // The error after the refit is sum w x^2 - xq^2 / qq.
      if (qq > 0.0f && xq * xq > best_gain * qq) {
        best_gain = xq * xq / qq;
        best_scale = xq / qq;
      }
    }
  }
  return best_scale;
}

struct ScaleOffset {
  float scale = 0.0f;
  float offset = 0.0f;
};

// Weighted moments of x and of q = round((x - offset) / scale).
struct Moments {
  float w = 0.0f;
  float q = 0.0f;
  float qq = 0.0f;
  float x = 0.0f;
  float xq = 0.0f;
};

Moments MomentsAt(const Group& group, int high, ScaleOffset proposal) {
  const float inverse = 1.0f / proposal.scale;
  Lanes w = {};
  Lanes q1 = {};
  Lanes q2 = {};
  Lanes x1 = {};
  Lanes xq = {};
  for (size_t i = 0; i < group.size; i += kLanes) {
    for (size_t k = 0; k < kLanes; ++k) {
      const float x = group.x[i + k];
      const float weight = group.weight[i + k];
      const float q = RoundWithin((x - proposal.offset) * inverse, 0.0f, static_cast<float>(high));
      w[k] += weight;
      q1[k] += weight * q;
      q2[k] += weight * q * q;
      x1[k] += weight * x;
      xq[k] += weight * x * q;
    }
  }
  return {Total(w), Total(q1), Total(q2), Total(x1), Total(xq)};
}

// Scale and offset that minimise sum w (x - scale q - offset)^2 over candidates, q in [0, high].
// K-quants can only subtract (offset <= 0): a positive optimum becomes zero.
ScaleOffset FitAffine(const Group& group, int high, bool offset_may_be_positive) {
  const auto [low_it, high_it] = std::minmax_element(group.x, group.x + group.size);
  const float low = offset_may_be_positive ? *low_it : std::min(*low_it, 0.0f);
  const float range = *high_it - low;
  if (range <= 0.0f) return {0.0f, low};
  ScaleOffset best{range / static_cast<float>(high), low};
  float best_gain = -1.0f;
  for (const float step : kSteps) {
    const ScaleOffset proposal{range / (static_cast<float>(high) + step), low};
    if (proposal.scale <= 0.0f) continue;  // underflow
    const Moments m = MomentsAt(group, high, proposal);
    const float determinant = m.w * m.qq - m.q * m.q;
    if (determinant <= 0.0f) continue;
    ScaleOffset fit{(m.w * m.xq - m.q * m.x) / determinant,
                    (m.qq * m.x - m.q * m.xq) / determinant};
    if (!offset_may_be_positive && fit.offset > 0.0f) fit = {m.xq / m.qq, 0.0f};
    // At the least-squares solution the error is sum w x^2 minus this.
    const float gain = fit.scale * m.xq + fit.offset * m.x;
    if (fit.scale > 0.0f && gain > best_gain) {
      best_gain = gain;
      best = fit;
    }
  }
  return best;
}

// The index of `value` on the grid offset + scale * q; 0 when the scale vanished in F16.
int GridIndex(float value, float scale, float offset, int low, int high) {
  return scale == 0.0f ? 0 : RoundTo((value - offset) / scale, low, high);
}

void Encode(const float* x, ac_block_q8_0* out) {
  float peak = 0.0f;
  for (int i = 0; i < 32; ++i) peak = std::max(peak, std::fabs(x[i]));
  out->d = F32ToF16(peak / 127.0f);
  const float d = F16ToF32(out->d);
  for (int i = 0; i < 32; ++i) out->qs[i] = static_cast<int8_t>(GridIndex(x[i], d, 0, -127, 127));
}

void Encode(const float* x, ac_block_q4_0* out) {
  out->d = F32ToF16(FitScale(MakeGroup(x, 32), -8, 7));
  const float d = F16ToF32(out->d);
  for (int i = 0; i < 16; ++i) {
    const int low = d == 0.0f ? 8 : GridIndex(x[i], d, 0, -8, 7) + 8;
    const int high = d == 0.0f ? 8 : GridIndex(x[i + 16], d, 0, -8, 7) + 8;
    out->qs[i] = static_cast<uint8_t>(low | high << 4);
  }
}

void Encode(const float* x, ac_block_q4_1* out) {
  const ScaleOffset fit = FitAffine(MakeGroup(x, 32), 15, true);
  out->d = F32ToF16(fit.scale);
  out->m = F32ToF16(fit.offset);
  const float d = F16ToF32(out->d);
  const float m = F16ToF32(out->m);
  for (int i = 0; i < 16; ++i) {
    out->qs[i] =
        static_cast<uint8_t>(GridIndex(x[i], d, m, 0, 15) | GridIndex(x[i + 16], d, m, 0, 15) << 4);
  }
}

// Splits 32 five-bit values into nibbles and a word of fifth bits.
void StoreFiveBits(const std::array<int, 32>& q, uint8_t* qs, uint8_t* qh) {
  uint32_t fifth = 0;
  for (size_t i = 0; i < 32; ++i) fifth |= static_cast<uint32_t>(q[i] >> 4) << i;
  for (size_t i = 0; i < 16; ++i) {
    qs[i] = static_cast<uint8_t>((q[i] & 15) | (q[i + 16] & 15) << 4);
  }
  std::memcpy(qh, &fifth, sizeof fifth);
}

void Encode(const float* x, ac_block_q5_0* out) {
  out->d = F32ToF16(FitScale(MakeGroup(x, 32), -16, 15));
  const float d = F16ToF32(out->d);
  std::array<int, 32> q;
  for (size_t i = 0; i < 32; ++i) q[i] = GridIndex(x[i], d, 0, -16, 15) + 16;
  StoreFiveBits(q, out->qs, out->qh);
}

void Encode(const float* x, ac_block_q5_1* out) {
  const ScaleOffset fit = FitAffine(MakeGroup(x, 32), 31, true);
  out->d = F32ToF16(fit.scale);
  out->m = F32ToF16(fit.offset);
  const float d = F16ToF32(out->d);
  const float m = F16ToF32(out->m);
  std::array<int, 32> q;
  for (size_t i = 0; i < 32; ++i) q[i] = GridIndex(x[i], d, m, 0, 31);
  StoreFiveBits(q, out->qs, out->qh);
}

// The parts Q4_K and Q5_K share: eight groups' scales and minima, rounded to 6 bits each and
// packed.
struct SuperBlock {
  ac_f16 d = 0;
  ac_f16 dmin = 0;
  std::array<uint8_t, 12> packed = {};
  std::array<int, 256> q = {};
};

void PackScaleMin(const std::array<int, 8>& scale, const std::array<int, 8>& min, uint8_t* packed) {
  for (size_t g = 0; g < 4; ++g) {
    packed[g] = static_cast<uint8_t>(scale[g] | (scale[g + 4] >> 4) << 6);
    packed[g + 4] = static_cast<uint8_t>(min[g] | (min[g + 4] >> 4) << 6);
    packed[g + 8] = static_cast<uint8_t>((scale[g + 4] & 15) | (min[g + 4] & 15) << 4);
  }
}

SuperBlock FitSuperBlock(const float* x, int high) {
  std::array<ScaleOffset, 8> fits;
  float peak_scale = 0.0f;
  float peak_min = 0.0f;
  for (size_t g = 0; g < 8; ++g) {
    fits[g] = FitAffine(MakeGroup(x + g * 32, 32), high, false);
    peak_scale = std::max(peak_scale, fits[g].scale);
    peak_min = std::max(peak_min, -fits[g].offset);
  }
  SuperBlock block;
  block.d = F32ToF16(peak_scale / 63.0f);
  block.dmin = F32ToF16(peak_min / 63.0f);
  const float d = F16ToF32(block.d);
  const float dmin = F16ToF32(block.dmin);
  std::array<int, 8> scale;
  std::array<int, 8> min;
  for (size_t g = 0; g < 8; ++g) {
    scale[g] = GridIndex(fits[g].scale, d, 0, 0, 63);
    min[g] = GridIndex(-fits[g].offset, dmin, 0, 0, 63);
    const float step = d * static_cast<float>(scale[g]);
    const float offset = -dmin * static_cast<float>(min[g]);
    for (size_t i = g * 32; i < g * 32 + 32; ++i)
      block.q[i] = GridIndex(x[i], step, offset, 0, high);
  }
  PackScaleMin(scale, min, block.packed.data());
  return block;
}

void Encode(const float* x, ac_block_q4_k* out) {
  const SuperBlock block = FitSuperBlock(x, 15);
  out->d = block.d;
  out->dmin = block.dmin;
  std::copy(block.packed.begin(), block.packed.end(), out->scales);
  for (size_t i = 0; i < 128; ++i) {
    const size_t first = i / 32 * 64 + i % 32;
    out->qs[i] = static_cast<uint8_t>(block.q[first] | block.q[first + 32] << 4);
  }
}

void Encode(const float* x, ac_block_q5_k* out) {
  const SuperBlock block = FitSuperBlock(x, 31);
  out->d = block.d;
  out->dmin = block.dmin;
  std::copy(block.packed.begin(), block.packed.end(), out->scales);
  std::fill(std::begin(out->qh), std::end(out->qh), uint8_t{0});
  for (size_t i = 0; i < 128; ++i) {
    const size_t first = i / 32 * 64 + i % 32;
    out->qs[i] = static_cast<uint8_t>((block.q[first] & 15) | (block.q[first + 32] & 15) << 4);
  }
  for (size_t i = 0; i < 256; ++i) {
    out->qh[i % 32] = static_cast<uint8_t>(out->qh[i % 32] | (block.q[i] >> 4) << (i / 32));
  }
}

void Encode(const float* x, ac_block_q6_k* out) {
  std::array<float, 16> fits;
  float peak = 0.0f;
  for (size_t g = 0; g < 16; ++g) {
    fits[g] = FitScale(MakeGroup(x + g * 16, 16), -32, 31);
    peak = std::max(peak, std::fabs(fits[g]));
  }
  out->d = F32ToF16(peak / 127.0f);
  const float d = F16ToF32(out->d);
  std::array<int, 256> q;
  for (size_t g = 0; g < 16; ++g) {
    out->scales[g] = static_cast<int8_t>(GridIndex(fits[g], d, 0, -127, 127));
    const float step = d * static_cast<float>(out->scales[g]);
    for (size_t i = g * 16; i < g * 16 + 16; ++i) q[i] = GridIndex(x[i], step, 0, -32, 31) + 32;
  }
  for (size_t half = 0; half < 2; ++half) {
    for (size_t l = 0; l < 32; ++l) {
      const int* quarter = &q[half * 128 + l];  // its four elements: quarter[0], [32], [64], [96]
      out->ql[half * 64 + l] = static_cast<uint8_t>((quarter[0] & 15) | (quarter[64] & 15) << 4);
      out->ql[half * 64 + 32 + l] =
          static_cast<uint8_t>((quarter[32] & 15) | (quarter[96] & 15) << 4);
      out->qh[half * 32 + l] =
          static_cast<uint8_t>(quarter[0] >> 4 | (quarter[32] >> 4) << 2 | (quarter[64] >> 4) << 4 |
                               (quarter[96] >> 4) << 6);
    }
  }
}

template <typename Block, int kElements>
void EncodeRow(const float* row, int64_t cols, void* out) {
  auto* bytes = static_cast<char*>(out);
  for (int64_t i = 0; i < cols / kElements; ++i) {
    Block block;
    Encode(row + i * kElements, &block);
    std::memcpy(bytes + i * static_cast<int64_t>(sizeof block), &block, sizeof block);
  }
}

template <typename Bits>
void EncodeHalves(const float* row, int64_t cols, void* out, Bits (*convert)(float)) {
  auto* bytes = static_cast<char*>(out);
  for (int64_t i = 0; i < cols; ++i) {
    const Bits bits = convert(row[i]);
    std::memcpy(bytes + i * 2, &bits, 2);
  }
}

// The largest magnitude whose scale still fits the format's 16-bit fields, with room for the fit.
float LargestMagnitude(ac_quant_type type) {
  switch (type) {
    case AC_F32:
      return std::numeric_limits<float>::max();
    case AC_BF16:
      return 3.38e38f;
    case AC_F16:
      return 65504.0f;
    default:
      return 60000.0f;  // offsets are stored as F16; scales are smaller than the range
  }
}

Status CheckValues(ac_quant_type type, const float* row, int64_t cols) {
  const float limit = LargestMagnitude(type);
  for (int64_t i = 0; i < cols; ++i) {
    if (std::fabs(row[i]) <= limit) continue;  // false for NaN
    const bool finite = std::isfinite(row[i]);
    return InvalidArgument("[quant] column " + std::to_string(i) + " is " +
                           (finite ? "too large for " + std::string(InfoOf(type).name)
                                   : std::string("NaN or infinite")) +
                           ": the source weights are damaged");
  }
  return OkStatus();
}

}  // namespace

Status QuantizeRow(ac_quant_type type, const float* row, int64_t cols, void* out) {
  AC_RETURN_IF_ERROR(RowBytes(type, cols).status());
  AC_RETURN_IF_ERROR(CheckValues(type, row, cols));
  switch (type) {
    case AC_F32:
      std::memcpy(out, row, static_cast<size_t>(cols) * sizeof(float));
      break;
    case AC_F16:
      EncodeHalves(row, cols, out, F32ToF16);
      break;
    case AC_BF16:
      EncodeHalves(row, cols, out, F32ToBF16);
      break;
    case AC_Q8_0:
      EncodeRow<ac_block_q8_0, 32>(row, cols, out);
      break;
    case AC_Q4_0:
      EncodeRow<ac_block_q4_0, 32>(row, cols, out);
      break;
    case AC_Q4_1:
      EncodeRow<ac_block_q4_1, 32>(row, cols, out);
      break;
    case AC_Q5_0:
      EncodeRow<ac_block_q5_0, 32>(row, cols, out);
      break;
    case AC_Q5_1:
      EncodeRow<ac_block_q5_1, 32>(row, cols, out);
      break;
    case AC_Q4_K:
      EncodeRow<ac_block_q4_k, 256>(row, cols, out);
      break;
    case AC_Q5_K:
      EncodeRow<ac_block_q5_k, 256>(row, cols, out);
      break;
    case AC_Q6_K:
      EncodeRow<ac_block_q6_k, 256>(row, cols, out);
      break;
    default:
      return Unsupported("[quant] cannot write " + std::string(InfoOf(type).name) +
                         "; targets are F32 F16 BF16 Q8_0 Q4_0 Q4_1 Q5_0 Q5_1 Q4_K Q5_K Q6_K");
  }
  return OkStatus();
}

}  // namespace ac::quant
