// Norms, rotations and element-wise operations of the reference table.
#include <cmath>

#include "kernels/ref/ref.h"

namespace ac::kernels::ref {
namespace {

// Partial sums of a dot product: enough that the compiler may keep them in vector registers without
// being allowed to reorder anything.
constexpr int64_t kSums = 16;

}  // namespace

float Dot(const float* a, const float* b, int64_t n) {
  float sums[kSums] = {};
  int64_t i = 0;
  for (; i + kSums <= n; i += kSums) {
    for (int64_t j = 0; j < kSums; ++j) sums[j] += a[i + j] * b[i + j];
  }
  for (int64_t j = 0; i + j < n; ++j) sums[j] += a[i + j] * b[i + j];
  for (int64_t width = kSums / 2; width > 0; width /= 2) {
    for (int64_t j = 0; j < width; ++j) sums[j] += sums[j + width];
  }
  return sums[0];
}

void RmsNorm(const float* x, const float* weight, float eps, int64_t rows, int64_t n, float* out) {
  for (int64_t r = 0; r < rows; ++r, x += n, out += n) {
    double squares = 0;
    for (int64_t i = 0; i < n; ++i)
      squares += static_cast<double>(x[i]) * static_cast<double>(x[i]);
    const double mean = squares / static_cast<double>(n);
    const auto scale = static_cast<float>(1.0 / std::sqrt(mean + static_cast<double>(eps)));
    for (int64_t i = 0; i < n; ++i) out[i] = x[i] * scale * weight[i];
  }
}

void Rope(float* x, int64_t tokens, int32_t n_heads, int32_t head_dim, int32_t dims,
          ac_rope_style style, const float* cos, const float* sin) {
  const int32_t half = dims / 2;
  for (int64_t t = 0; t < tokens; ++t, cos += half, sin += half) {
    for (int32_t h = 0; h < n_heads; ++h, x += head_dim) {
      for (int32_t i = 0; i < half; ++i) {
        const int32_t first = style == AC_ROPE_NORMAL ? 2 * i : i;
        const int32_t second = style == AC_ROPE_NORMAL ? 2 * i + 1 : i + half;
        const float a = x[first];
        const float b = x[second];
        x[first] = a * cos[i] - b * sin[i];
        x[second] = a * sin[i] + b * cos[i];
      }
    }
  }
}

void SiluMul(const float* gate, const float* up, int64_t n, float* out) {
  for (int64_t i = 0; i < n; ++i) out[i] = gate[i] / (1.0f + std::exp(-gate[i])) * up[i];
}

void AddScaled(float* x, const float* y, float scale, int64_t n) {
  for (int64_t i = 0; i < n; ++i) x[i] += scale * y[i];
}

void Softmax(float* x, int64_t n) {
  float max = x[0];
  for (int64_t i = 1; i < n; ++i) max = x[i] > max ? x[i] : max;
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) {
    x[i] = std::exp(x[i] - max);
    sum += static_cast<double>(x[i]);
  }
  const auto scale = static_cast<float>(1.0 / sum);
  for (int64_t i = 0; i < n; ++i) x[i] *= scale;
}

// The products of matmul.cc are of floats, whatever the weights are.
int64_t PeakFloats(int64_t rounds) {
  float sums[kSums] = {};
  for (int64_t r = 0; r < rounds; ++r) {
    for (int64_t j = 0; j < kSums; ++j) sums[j] = sums[j] * 0.5f + 0.25f;
  }
  volatile float sink = Dot(sums, sums, kSums);
  static_cast<void>(sink);
  return rounds * kSums * 2;
}

int64_t PeakBytes(int64_t rounds) { return PeakFloats(rounds); }

}  // namespace ac::kernels::ref
