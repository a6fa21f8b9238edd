// Matrix products of the reference table: expand a few rows to floats, then plain dot products.
//
// Each result is one Dot() over the whole row, so it does not depend on which other tokens or rows
// are computed in the same call.
#include <algorithm>
#include <cmath>

#include "kernels/ref/ref.h"
#include "quant/quant.h"

extern "C" void ac_dequantize_row(const ac_matrix* weights, int64_t row, float* out) {
  ac::quant::DequantizeRow(*weights, row, out);
}

namespace ac::kernels::ref {
namespace {

// Rows expanded at once: a token's inputs are read once for all of them.
constexpr int64_t kRows = 8;
}  // namespace

// Forms of inputs: columns rounded together, 0 for not at all. Packed inputs stay floats here, they
// only hold rounded values.
int PackForm(const ac_matrix* weights, int64_t) {
  const int block = quant::InfoOf(weights->type).block_elements;
  return block == 32 || block == 256 ? block : AC_PACK_NONE;
}

size_t PackBytes(int, int64_t tokens, int64_t cols) {
  return static_cast<size_t>(tokens * cols) * sizeof(float);
}

void Pack(int form, const float* x, int64_t, int64_t cols, int64_t begin, int64_t end,
          void* packed) {
  float* const out = static_cast<float*>(packed);
  for (int64_t first = begin * cols; first < end * cols; first += form) {
    float max = 0;
    for (int64_t i = first; i < first + form; ++i) max = std::max(max, std::fabs(x[i]));
    const float up = max >= AC_ROUND_MIN ? 127.0f / max : 0.0f;
    const float down = max >= AC_ROUND_MIN ? 1.0f / up : 0.0f;
    for (int64_t i = first; i < first + form; ++i) out[i] = std::nearbyint(x[i] * up) * down;
  }
}

size_t MatMulScratch(const ac_matmul* m) {
  return static_cast<size_t>(kRows * m->weights->cols) * sizeof(float);
}

void MatMul(const ac_matmul* m, int64_t begin, int64_t end, void* scratch) {
  const int64_t cols = m->weights->cols;
  const float* const x = m->packed == nullptr ? m->x : static_cast<const float*>(m->packed);
  float* const rows = static_cast<float*>(scratch);  // [kRows, cols]
  for (int64_t first = begin; first < end; first += kRows) {
    const int64_t count = end - first < kRows ? end - first : kRows;
    for (int64_t r = 0; r < count; ++r) {
      ac_dequantize_row(m->weights, first + r, rows + r * cols);
    }
    for (int64_t t = 0; t < m->tokens; ++t) {
      for (int64_t r = 0; r < count; ++r) {
        m->out[t * m->out_stride + first + r] = Dot(rows + r * cols, x + t * cols, cols);
      }
    }
  }
}

}  // namespace ac::kernels::ref
