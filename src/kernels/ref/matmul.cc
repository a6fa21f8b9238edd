// Matrix products of the reference table: expand a few rows to floats, then plain dot products.
//
// Each result is one Dot() over the whole row, so it does not depend on which other tokens or rows
// are computed in the same call.
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

int PackForm(const ac_matrix*, int64_t) { return AC_PACK_NONE; }
size_t PackBytes(int, int64_t, int64_t) { return 0; }
void Pack(int, const float*, int64_t, int64_t, int64_t, int64_t, void*) {}

size_t MatMulScratch(const ac_matmul* m) {
  return static_cast<size_t>(kRows * m->weights->cols) * sizeof(float);
}

void MatMul(const ac_matmul* m, int64_t begin, int64_t end, void* scratch) {
  const int64_t cols = m->weights->cols;
  float* const rows = static_cast<float*>(scratch);  // [kRows, cols]
  for (int64_t first = begin; first < end; first += kRows) {
    const int64_t count = end - first < kRows ? end - first : kRows;
    for (int64_t r = 0; r < count; ++r) {
      ac_dequantize_row(m->weights, first + r, rows + r * cols);
    }
    for (int64_t t = 0; t < m->tokens; ++t) {
      for (int64_t r = 0; r < count; ++r) {
        m->out[t * m->out_stride + first + r] = Dot(rows + r * cols, m->x + t * cols, cols);
      }
    }
  }
}

}  // namespace ac::kernels::ref
