// The loops of ops.h. Compiled once for each table (CMakeLists.txt), with AC_TRAIN_TABLE naming it
// and, for bf16 products, AC_TRAIN_BF16.
#include "ops.h"

#include <math.h>
#include <string.h>
#ifdef AC_TRAIN_BF16
#include <immintrin.h>
#endif

namespace {

#if defined(__AVX512F__)
constexpr int64_t kLanes = 16;
constexpr int64_t kRows = 12;
#elif defined(__AVX2__)
constexpr int64_t kLanes = 8;
constexpr int64_t kRows = 6;
#else
constexpr int64_t kLanes = 4;
constexpr int64_t kRows = 4;
#endif
constexpr int64_t kColumns = 2 * kLanes;
#ifdef AC_TRAIN_BF16
constexpr int64_t kPair = 2;
#else
constexpr int64_t kPair = 1;
#endif

typedef float Vec __attribute__((vector_size(kLanes * 4), aligned(4)));

int64_t Min(int64_t a, int64_t b) { return a < b ? a : b; }
int64_t Units(int64_t k) { return (k + kPair - 1) / kPair; }

uint32_t Bits(float x) {
  uint32_t bits;
  memcpy(&bits, &x, 4);
  return bits;
}

// Two values as bf16, rounded to nearest even, the first one in the low half.
uint32_t Unit(float first, [[maybe_unused]] float second) {
#ifdef AC_TRAIN_BF16
  const uint32_t a = Bits(first);
  const uint32_t b = Bits(second);
  const uint32_t low = (a + 0x7FFF + ((a >> 16) & 1)) >> 16;
  const uint32_t high = (b + 0x7FFF + ((b >> 16) & 1)) & 0xFFFF0000u;
  return low | high;
#else
  return Bits(first);
#endif
}

// Panels of `height` rows: out[panel][unit][row]. Element (row, k) is at x[row * row_step + k *
// k_step].
template <int64_t height>
void Pack(const float* x, int64_t row_step, int64_t k_step, int64_t rows, int64_t k,
          uint32_t* out) {
  const int64_t units = Units(k);
  for (int64_t panel = 0; panel < rows; panel += height, out += height * units) {
    const int64_t used = Min(height, rows - panel);
    const float* const from = x + panel * row_step;
    if (used < height) memset(out, 0, static_cast<size_t>(height * units) * 4);
    const int64_t whole = k / kPair;
    if (row_step == 1) {
      for (int64_t u = 0; u < whole; ++u) {
        const float* const first = from + u * kPair * k_step;
        const float* const second = first + (kPair - 1) * k_step;
        uint32_t* const to = out + u * height;
        if (used == height) {
          for (int64_t r = 0; r < height; ++r) to[r] = Unit(first[r], second[r]);
        } else {
          for (int64_t r = 0; r < used; ++r) to[r] = Unit(first[r], second[r]);
        }
      }
    } else {
      for (int64_t r = 0; r < used; ++r) {
        const float* const row = from + r * row_step;
        for (int64_t u = 0; u < whole; ++u) {
          out[u * height + r] =
              Unit(row[u * kPair * k_step], row[(u * kPair + kPair - 1) * k_step]);
        }
      }
    }
    if (whole < units) {
      for (int64_t r = 0; r < used; ++r) {
        out[whole * height + r] = Unit(from[r * row_step + whole * kPair * k_step], 0.0f);
      }
    }
  }
}

void PackA(const float* a, int64_t ld, int transposed, int64_t m, int64_t k, uint32_t* out) {
  if (transposed) {
    Pack<kRows>(a, 1, ld, m, k, out);
  } else {
    Pack<kRows>(a, ld, 1, m, k, out);
  }
}

void PackB(const float* b, int64_t ld, int transposed, int64_t n, int64_t k, uint32_t* out) {
  if (transposed) {
    Pack<kColumns>(b, ld, 1, n, k, out);
  } else {
    Pack<kColumns>(b, 1, ld, n, k, out);
  }
}

Vec Load(const float* p) {
  Vec v;
  memcpy(&v, p, sizeof v);
  return v;
}
void Store(float* p, Vec v) { memcpy(p, &v, sizeof v); }

Vec MultiplyAdd(Vec sum, uint32_t a, Vec b) {
#ifdef AC_TRAIN_BF16
  const __m512i left = _mm512_set1_epi32(static_cast<int>(a));
  return (Vec)_mm512_dpbf16_ps((__m512)sum, (__m512bh)left, (__m512bh)b);
#else
  float value;
  memcpy(&value, &a, 4);
  return sum + value * b;
#endif
}

// One tile of kRows x kColumns sums.
void Tile(int64_t units, const uint32_t* a, const uint32_t* b, Vec sums[kRows][2]) {
  Vec s[kRows][2];
  for (int64_t r = 0; r < kRows; ++r) s[r][0] = s[r][1] = Vec{};
  for (int64_t u = 0; u < units; ++u, a += kRows, b += kColumns) {
    Vec b0, b1;
    memcpy(&b0, b, sizeof b0);
    memcpy(&b1, b + kLanes, sizeof b1);
#pragma GCC unroll 16
    for (int64_t r = 0; r < kRows; ++r) {
      s[r][0] = MultiplyAdd(s[r][0], a[r], b0);
      s[r][1] = MultiplyAdd(s[r][1], a[r], b1);
    }
  }
#pragma GCC unroll 16
  for (int64_t r = 0; r < kRows; ++r) {
    sums[r][0] = s[r][0];
    sums[r][1] = s[r][1];
  }
}

void Multiply(int64_t m, int64_t n, int64_t k, const uint32_t* a, const uint32_t* b, float* c,
              int64_t ldc, int accumulate) {
  const int64_t units = Units(k);
  for (int64_t column = 0; column < n; column += kColumns, b += kColumns * units) {
    const int64_t width = Min(kColumns, n - column);
    const uint32_t* panel = a;
    for (int64_t row = 0; row < m; row += kRows, panel += kRows * units) {
      const int64_t height = Min(kRows, m - row);
      Vec sums[kRows][2];
      Tile(units, panel, b, sums);
      for (int64_t r = 0; r < height; ++r) {
        float* const to = c + (row + r) * ldc + column;
        if (width == kColumns) {
          Store(to, accumulate ? Load(to) + sums[r][0] : sums[r][0]);
          Store(to + kLanes, accumulate ? Load(to + kLanes) + sums[r][1] : sums[r][1]);
          continue;
        }
        float values[kColumns];
        memcpy(values, sums[r], sizeof values);
        for (int64_t i = 0; i < width; ++i) to[i] = accumulate ? to[i] + values[i] : values[i];
      }
    }
  }
}

typedef int32_t Ints __attribute__((vector_size(kLanes * 4), aligned(4)));

Vec All(float x) { return Vec{} + x; }

// e^x to about 2 ulp, by a polynomial over [-ln 2 / 2, ln 2 / 2].
Vec Exp(Vec x) {
  x = x < All(-87.0f) ? All(-87.0f) : x;
  x = x > All(88.0f) ? All(88.0f) : x;
  const Vec scaled = x * 1.44269504f;
  const Vec half = scaled < Vec{} ? All(-0.5f) : All(0.5f);
  const Ints whole = __builtin_convertvector(scaled + half, Ints);
  const Vec n = __builtin_convertvector(whole, Vec);
  const Vec r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  Vec p = All(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const Ints exponent = (whole + 127) << 23;
  Vec power;
  memcpy(&power, &exponent, sizeof power);
  return p * power;
}

// The first n lanes; the whole vector without a detour through memory.
Vec LoadPart(const float* p, int64_t n, float rest) {
  if (n == kLanes) return Load(p);
  Vec v = All(rest);
  memcpy(&v, p, static_cast<size_t>(n) * sizeof(float));
  return v;
}
void StorePart(float* p, int64_t n, Vec v) {
  if (n == kLanes) return Store(p, v);
  memcpy(p, &v, static_cast<size_t>(n) * sizeof(float));
}

float Sum(Vec v) {
  float sum = 0;
  for (int64_t i = 0; i < kLanes; ++i) sum += v[i];
  return sum;
}

float Largest(const float* s, int64_t n) {
  Vec top = All(s[0]);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const Vec v = Load(s + i);
    top = v > top ? v : top;
  }
  const Vec v = LoadPart(s + i, n - i, s[0]);
  top = v > top ? v : top;
  float largest = top[0];
  for (int64_t lane = 1; lane < kLanes; ++lane) largest = top[lane] > largest ? top[lane] : largest;
  return largest;
}

// s = e^((s - top) * scale); returns the sum.
float ExpRow(float* s, int64_t n, float top, float scale) {
  Vec sum = Vec{};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const Vec e = Exp((Load(s + i) - top) * scale);
    sum += e;
    Store(s + i, e);
  }
  float total = Sum(sum);
  const Vec e = Exp((LoadPart(s + i, n - i, top) - top) * scale);
  for (int64_t lane = 0; lane < n - i; ++lane) total += e[lane];
  StorePart(s + i, n - i, e);
  return total;
}

void RmsNorm(const float* x, const float* w, float eps, int64_t rows, int64_t width, float* y,
             float* inverse) {
  for (int64_t row = 0; row < rows; ++row, x += width, y += width) {
    float sum = 0;
    for (int64_t i = 0; i < width; ++i) sum += x[i] * x[i];
    const float scale = 1.0f / sqrtf(sum / static_cast<float>(width) + eps);
    inverse[row] = scale;
    for (int64_t i = 0; i < width; ++i) y[i] = x[i] * scale * w[i];
  }
}

void RmsNormBack(const float* dy, const float* x, const float* w, const float* inverse,
                 int64_t rows, int64_t width, float* dx, int accumulate, float* dw) {
  for (int64_t row = 0; row < rows; ++row, dy += width, x += width, dx += width) {
    const float scale = inverse[row];
    float dot = 0;
    for (int64_t i = 0; i < width; ++i) {
      dot += dy[i] * w[i] * x[i];
      dw[i] += dy[i] * x[i] * scale;
    }
    const float along = dot * scale * scale * scale / static_cast<float>(width);
    for (int64_t i = 0; i < width; ++i) {
      const float d = dy[i] * w[i] * scale - x[i] * along;
      dx[i] = accumulate ? dx[i] + d : d;
    }
  }
}

Vec Sigmoid(Vec x) { return 1.0f / (1.0f + Exp(-x)); }

void SiluMul(const float* gate, const float* up, int64_t n, float* out) {
  for (int64_t i = 0; i < n; i += kLanes) {
    const int64_t part = Min(kLanes, n - i);
    const Vec g = LoadPart(gate + i, part, 0);
    const Vec u = LoadPart(up + i, part, 0);
    StorePart(out + i, part, g * Sigmoid(g) * u);
  }
}

void SiluMulBack(const float* dout, float* gate, float* up, int64_t n) {
  for (int64_t i = 0; i < n; i += kLanes) {
    const int64_t part = Min(kLanes, n - i);
    const Vec d = LoadPart(dout + i, part, 0);
    const Vec g = LoadPart(gate + i, part, 0);
    const Vec u = LoadPart(up + i, part, 0);
    const Vec sigmoid = Sigmoid(g);
    const Vec silu = g * sigmoid;
    StorePart(gate + i, part, d * u * (sigmoid + silu * (1.0f - sigmoid)));
    StorePart(up + i, part, d * silu);
  }
}

void Rope(float* x, int64_t rows, int64_t heads, int64_t width, const float* cos, const float* sin,
          float sign) {
  const int64_t half = width / 2;
  for (int64_t row = 0; row < rows; ++row, cos += half, sin += half) {
    for (int64_t head = 0; head < heads; ++head, x += width) {
      for (int64_t i = 0; i < half; ++i) {
        const float a = x[i];
        const float b = x[i + half];
        x[i] = a * cos[i] - sign * b * sin[i];
        x[i + half] = b * cos[i] + sign * a * sin[i];
      }
    }
  }
}

void CausalSoftmax(float* s, int64_t rows, int64_t ld, int64_t first, float scale) {
  for (int64_t row = 0; row < rows; ++row, s += ld) {
    const int64_t n = first + row + 1;
    const float inverse = 1.0f / ExpRow(s, n, Largest(s, n), scale);
    for (int64_t i = 0; i < n; ++i) s[i] *= inverse;
    for (int64_t i = n; i < ld; ++i) s[i] = 0;
  }
}

void SoftmaxBack(float* ds, const float* p, int64_t rows, int64_t ld, float scale) {
  for (int64_t row = 0; row < rows; ++row, ds += ld, p += ld) {
    float dot = 0;
    for (int64_t i = 0; i < ld; ++i) dot += ds[i] * p[i];
    for (int64_t i = 0; i < ld; ++i) ds[i] = (ds[i] - dot) * p[i] * scale;
  }
}

float CrossEntropy(float* logits, int64_t n, int64_t target, float weight) {
  const float top = Largest(logits, n);
  const float right = logits[target] - top;
  const float sum = ExpRow(logits, n, top, 1.0f);
  const float scale = weight / sum;
  for (int64_t i = 0; i < n; ++i) logits[i] *= scale;
  logits[target] -= weight;
  return logf(sum) - right;
}

void Add(float* x, const float* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) x[i] += y[i];
}

double SumOfSquares(const float* x, int64_t n) {
  double total = 0;
  for (int64_t from = 0; from < n; from += 1024) {
    const int64_t end = Min(n, from + 1024);
    float sum = 0;
    for (int64_t i = from; i < end; ++i) sum += x[i] * x[i];
    total += static_cast<double>(sum);
  }
  return total;
}

void AdamW(float* w, const float* g, float* m, float* v, int64_t n, float scale, float rate,
           float beta1, float beta2, float eps, float decay) {
  for (int64_t i = 0; i < n; ++i) {
    const float gradient = g[i] * scale;
    m[i] = beta1 * m[i] + (1.0f - beta1) * gradient;
    v[i] = beta2 * v[i] + (1.0f - beta2) * gradient * gradient;
    w[i] -= rate * m[i] / (sqrtf(v[i]) + eps) + decay * w[i];
  }
}

}  // namespace

extern "C" const ac_train_ops AC_TRAIN_TABLE = {
    AC_TRAIN_NAME, kPair,       kRows,        kColumns, PackA,        PackB,
    Multiply,      RmsNorm,     RmsNormBack,  SiluMul,  SiluMulBack,  Rope,
    CausalSoftmax, SoftmaxBack, CrossEntropy, Add,      SumOfSquares, AdamW};
