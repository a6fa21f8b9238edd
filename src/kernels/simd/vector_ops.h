// Norms, rotations and element-wise operations over the vectors of the including file's vec.h.
#pragma once

#include <math.h>
#include <string.h>

#include "kernels/table.h"

namespace {

// e^x to about 2 units in the last place; 0 below -87, never infinite.
inline V Exp(V x) {
  x = Min(Max(x, Set1(-87.0f)), Set1(88.0f));
  const V n = Round(Mul(x, Set1(1.44269504f)));
  // ln 2 in two parts, so that the remainder keeps its low bits.
  const V r = Fnma(n, Set1(-2.12194440e-4f), Fnma(n, Set1(0.693359375f), x));
  V p = Set1(1.0f / 720);
  p = Fma(p, r, Set1(1.0f / 120));
  p = Fma(p, r, Set1(1.0f / 24));
  p = Fma(p, r, Set1(1.0f / 6));
  p = Fma(p, r, Set1(0.5f));
  p = Fma(p, r, Set1(1.0f));
  p = Fma(p, r, Set1(1.0f));
  return Mul(p, Pow2(n));
}

void RmsNorm(const float* x, const float* weight, float eps, int64_t rows, int64_t n, float* out) {
  for (int64_t r = 0; r < rows; ++r, x += n, out += n) {
    V squares = Zero();
    int64_t i = 0;
    for (; i + kWidth <= n; i += kWidth) squares = Fma(Load(x + i), Load(x + i), squares);
    float sum = Sum(squares);
    for (; i < n; ++i) sum += x[i] * x[i];
    const float scale = 1.0f / sqrtf(sum / static_cast<float>(n) + eps);
    for (i = 0; i < n; ++i) out[i] = x[i] * scale * weight[i];
  }
}

void Rope(float* x, int64_t tokens, int32_t n_heads, int32_t head_dim, int32_t dims,
          ac_rope_style style, const float* cos, const float* sin) {
  const int32_t half = dims / 2;
  for (int64_t t = 0; t < tokens; ++t, cos += half, sin += half) {
    for (int32_t h = 0; h < n_heads; ++h, x += head_dim) {
      if (style == AC_ROPE_NORMAL) {
        for (int32_t i = 0; i < half; ++i) {
          const float a = x[2 * i];
          const float b = x[2 * i + 1];
          x[2 * i] = a * cos[i] - b * sin[i];
          x[2 * i + 1] = a * sin[i] + b * cos[i];
        }
      } else {
        for (int32_t i = 0; i < half; ++i) {
          const float a = x[i];
          const float b = x[i + half];
          x[i] = a * cos[i] - b * sin[i];
          x[i + half] = a * sin[i] + b * cos[i];
        }
      }
    }
  }
}

inline V Silu(V gate) { return Div(gate, Add(Set1(1.0f), Exp(Sub(Zero(), gate)))); }

// An element's result does not depend on whether it falls into the last, partly filled vector.
void SiluMul(const float* gate, const float* up, int64_t n, float* out) {
  int64_t i = 0;
  for (; i + kWidth <= n; i += kWidth) Store(out + i, Mul(Silu(Load(gate + i)), Load(up + i)));
  if (i == n) return;
  float rest[kWidth] = {};
  memcpy(rest, gate + i, static_cast<size_t>(n - i) * sizeof(float));
  Store(rest, Silu(Load(rest)));
  for (int64_t k = i; k < n; ++k) out[k] = rest[k - i] * up[k];
}

void AddScaled(float* x, const float* y, float scale, int64_t n) {
  int64_t i = 0;
  for (; i + kWidth <= n; i += kWidth) Store(x + i, Fma(Set1(scale), Load(y + i), Load(x + i)));
  for (; i < n; ++i) x[i] = __builtin_fmaf(scale, y[i], x[i]);
}

// The sum is taken in stretches, because a narrow vector's partial sums lose a bit for every
// doubling of their number.
void Softmax(float* x, int64_t n) {
  constexpr int64_t kStretch = 512;
  float max = x[0];
  for (int64_t i = 1; i < n; ++i) max = fmaxf(max, x[i]);
  double sum = 0;
  int64_t i = 0;
  while (i + kWidth <= n) {
    V sums = Zero();
    const int64_t stop = n - i < kStretch ? n : i + kStretch;
    for (; i + kWidth <= stop; i += kWidth) {
      const V e = Exp(Sub(Load(x + i), Set1(max)));
      sums = Add(sums, e);
      Store(x + i, e);
    }
    sum += static_cast<double>(Sum(sums));
  }
  for (; i < n; ++i) {
    x[i] = expf(x[i] - max);
    sum += static_cast<double>(x[i]);
  }
  const float scale = static_cast<float>(1.0 / sum);
  for (i = 0; i < n; ++i) x[i] *= scale;
}

}  // namespace
