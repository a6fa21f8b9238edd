// Products with float and MLX weights: plain fused multiply-adds over the vectors of the including
// file's vec.h. Every result is one chain of them per lane, whichever function computes it.
#pragma once

#include "kernels/simd/packed_input.h"

namespace {

constexpr int kFloatRows = 4;

// MLX elements of 4 and 8 bits; other widths through the scalar expansion.
template <typename ReadScale>
void ExpandMlx(const ac_matrix* w, int64_t row, ReadScale scale_at, float* out) {
  const uint8_t* data =
      static_cast<const uint8_t*>(w->data) + row * static_cast<int64_t>(w->row_bytes);
  const int64_t groups = w->cols / w->group_size;
  for (int64_t g = 0; g < groups; ++g) {
    const float scale = scale_at(w->scales, row * groups + g);
    const float bias = scale_at(w->biases, row * groups + g);
    float* to = out + g * w->group_size;
    if (w->bits == 8) {
      const uint8_t* from = data + g * w->group_size;
      for (int i = 0; i < w->group_size; ++i) to[i] = scale * static_cast<float>(from[i]) + bias;
    } else {
      const uint8_t* from = data + g * w->group_size / 2;
      for (int i = 0; i < w->group_size / 2; ++i) {
        to[2 * i] = scale * static_cast<float>(from[i] & 15) + bias;
        to[2 * i + 1] = scale * static_cast<float>(from[i] >> 4) + bias;
      }
    }
  }
}

inline float HalfAt(const void* values, int64_t i) {
  return Half(static_cast<const char*>(values) + 2 * i);
}
inline float Bf16At(const void* values, int64_t i) {
  uint16_t bits;
  memcpy(&bits, static_cast<const char*>(values) + 2 * i, 2);
  const uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float value;
  memcpy(&value, &wide, 4);
  return value;
}

inline void ExpandFloats(const ac_matrix* w, int64_t row, float* out) {
  const char* data = static_cast<const char*>(w->data) + row * static_cast<int64_t>(w->row_bytes);
  const uint16_t* halves = reinterpret_cast<const uint16_t*>(data);
  int64_t c = 0;
  if (w->type == AC_F32) {
    memcpy(out, data, static_cast<size_t>(w->cols) * sizeof(float));
  } else if (w->type == AC_F16) {
    for (; c + kWidth <= w->cols; c += kWidth) Store(out + c, LoadHalf(halves + c));
    for (; c < w->cols; ++c) out[c] = HalfAt(data, c);
  } else if (w->type == AC_BF16) {
    for (; c + kWidth <= w->cols; c += kWidth) Store(out + c, LoadBf16(halves + c));
    for (; c < w->cols; ++c) out[c] = Bf16At(data, c);
  } else if ((w->bits == 4 || w->bits == 8) && w->scale_type == AC_F16) {
    ExpandMlx(w, row, HalfAt, out);
  } else if ((w->bits == 4 || w->bits == 8) && w->scale_type == AC_BF16) {
    ExpandMlx(w, row, Bf16At, out);
  } else {
    ac_dequantize_row(w, row, out);
  }
}

struct LoadF32Weights {
  static constexpr int64_t kBytes = 4;
  static V Vector(const char* p) { return Load(reinterpret_cast<const float*>(p)); }
  static float Scalar(const char* p) {
    float value;
    memcpy(&value, p, 4);
    return value;
  }
};
struct LoadF16Weights {
  static constexpr int64_t kBytes = 2;
  static V Vector(const char* p) { return LoadHalf(reinterpret_cast<const uint16_t*>(p)); }
  static float Scalar(const char* p) { return HalfAt(p, 0); }
};
struct LoadBf16Weights {
  static constexpr int64_t kBytes = 2;
  static V Vector(const char* p) { return LoadBf16(reinterpret_cast<const uint16_t*>(p)); }
  static float Scalar(const char* p) { return Bf16At(p, 0); }
};

// The columns of a row that fill no vector.
inline float AddTail(float sum, float weight, float x) { return __builtin_fmaf(weight, x, sum); }

// Few tokens: weights are used once or twice, so they are not expanded into memory first. Four rows
// at a time keep four sums in flight.
template <typename Weights>
void FloatRowDots(const ac_matmul* m, int64_t begin, int64_t end) {
  const int64_t cols = m->weights->cols;
  for (int64_t t = 0; t < m->tokens; ++t) {
    const float* x = m->x + t * cols;
    for (int64_t first = begin; first < end; first += kFloatRows) {
      const char* w[kFloatRows];
      V sums[kFloatRows];
      for (int r = 0; r < kFloatRows; ++r) {
        const int64_t row = first + r < end ? first + r : end - 1;
        w[r] = static_cast<const char*>(m->weights->data) +
               row * static_cast<int64_t>(m->weights->row_bytes);
        sums[r] = Zero();
      }
      int64_t c = 0;
      for (; c + kWidth <= cols; c += kWidth) {
        const V input = Load(x + c);
        for (int r = 0; r < kFloatRows; ++r) {
          sums[r] = Fma(Weights::Vector(w[r] + c * Weights::kBytes), input, sums[r]);
        }
      }
      for (int r = 0; r < kFloatRows && first + r < end; ++r) {
        float sum = Sum(sums[r]);
        for (int64_t i = c; i < cols; ++i) {
          sum = AddTail(sum, Weights::Scalar(w[r] + i * Weights::kBytes), x[i]);
        }
        m->out[t * m->out_stride + first + r] = sum;
      }
    }
  }
}

// kFloatRows rows times kTokens tokens; rows lie `stride` apart, padded with zeros.
template <int kTokens>
inline void FloatDots(const float* rows, int64_t stride, const float* x, int64_t cols,
                      float (*out)[kTokens]) {
  V sums[kFloatRows][kTokens];
  for (int r = 0; r < kFloatRows; ++r) {
    for (int t = 0; t < kTokens; ++t) sums[r][t] = Zero();
  }
  int64_t c = 0;
  for (; c + kWidth <= cols; c += kWidth) {
    V input[kTokens];
    for (int t = 0; t < kTokens; ++t) input[t] = Load(x + t * cols + c);
    for (int r = 0; r < kFloatRows; ++r) {
      const V weights = Load(rows + r * stride + c);
      for (int t = 0; t < kTokens; ++t) sums[r][t] = Fma(weights, input[t], sums[r][t]);
    }
  }
  for (int r = 0; r < kFloatRows; ++r) {
    for (int t = 0; t < kTokens; ++t) {
      float sum = Sum(sums[r][t]);
      for (int64_t i = c; i < cols; ++i) {
        sum = AddTail(sum, rows[r * stride + i], x[t * cols + i]);
      }
      out[r][t] = sum;
    }
  }
}

template <int kTokens>
inline void FloatBlock(const ac_matmul* m, int64_t t, int64_t first, int64_t count,
                       const float* rows, int64_t stride) {
  float out[kFloatRows][kTokens];
  FloatDots<kTokens>(rows, stride, m->x + t * m->weights->cols, m->weights->cols, out);
  for (int64_t r = 0; r < count; ++r) {
    for (int i = 0; i < kTokens; ++i) m->out[(t + i) * m->out_stride + first + r] = out[r][i];
  }
}

inline void FloatMatMul(const ac_matmul* m, int64_t begin, int64_t end, float* rows) {
  const int64_t stride = RoundUp(m->weights->cols, 16);
  for (int64_t first = begin; first < end; first += kFloatRows) {
    const int64_t count = end - first < kFloatRows ? end - first : kFloatRows;
    for (int64_t r = 0; r < kFloatRows; ++r) {
      ExpandFloats(m->weights, first + (r < count ? r : 0), rows + r * stride);
    }
    int64_t t = 0;
    for (; t + kTokenBlock / 2 <= m->tokens; t += kTokenBlock / 2) {
      FloatBlock<kTokenBlock / 2>(m, t, first, count, rows, stride);
    }
    for (; t < m->tokens; ++t) FloatBlock<1>(m, t, first, count, rows, stride);
  }
}

}  // namespace
