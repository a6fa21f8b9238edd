#include "muon.h"

#include <algorithm>
#include <cmath>

namespace ac::starter {
namespace {

// Newton-Schulz steps and their published polynomial a x + b x^3 + c x^5: after five of them the
// singular values lie near one.
constexpr int kIterations = 5;
constexpr float kA = 3.4445f, kB = -4.7750f, kC = 2.0315f;

int64_t RoundedUp(int64_t n, int64_t step) { return (n + step - 1) / step * step; }

// out = a b, all row-major; `b_transposed` says that b holds [n, k].
void Product(const ac_train_ops& ops, int64_t m, int64_t n, int64_t k, const float* a,
             const float* b, bool b_transposed, float* out, MuonScratch* s) {
  const int64_t units = RoundedUp(k, ops.pair) / ops.pair;
  s->a.resize(static_cast<size_t>(RoundedUp(m, ops.rows_a) * units));
  s->b.resize(static_cast<size_t>(RoundedUp(n, ops.columns_b) * units));
  ops.pack_a(a, k, 0, m, k, s->a.data());
  ops.pack_b(b, b_transposed ? k : n, b_transposed, n, k, s->b.data());
  ops.multiply(m, n, k, s->a.data(), s->b.data(), out, n, 0);
}

}  // namespace

void MuonStep(const ac_train_ops& ops, int64_t rows, int64_t columns, const float* g, float scale,
              float beta, float rate, float decay, float* w, float* momentum,
              MuonScratch* scratch) {
  MuonScratch& s = *scratch;
  const int64_t n = rows * columns;
  // The lower dimension first: the square products are then as small as they can be.
  const bool flipped = rows > columns;
  const int64_t low = std::min(rows, columns);
  const int64_t high = std::max(rows, columns);
  const auto at = [&](int64_t i) {
    return static_cast<size_t>(flipped ? i % columns * rows + i / columns : i);
  };
  s.x.resize(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) {
    momentum[i] = beta * momentum[i] + scale * g[i];
    s.x[at(i)] = scale * g[i] + beta * momentum[i];
  }
  const auto norm = static_cast<float>(std::sqrt(ops.sum_of_squares(s.x.data(), n)));
  for (float& value : s.x) value /= norm + 1e-20f;

  s.gram.resize(static_cast<size_t>(low * low));
  s.square.resize(s.gram.size());
  std::vector<float>& step = s.x;
  std::vector<float> next(step.size());
  for (int i = 0; i < kIterations; ++i) {
    Product(ops, low, low, high, step.data(), step.data(), true, s.gram.data(), scratch);
    Product(ops, low, low, low, s.gram.data(), s.gram.data(), false, s.square.data(), scratch);
    for (size_t j = 0; j < s.gram.size(); ++j) s.square[j] = kB * s.gram[j] + kC * s.square[j];
    Product(ops, low, high, low, s.square.data(), step.data(), false, next.data(), scratch);
    for (size_t j = 0; j < next.size(); ++j) step[j] = kA * step[j] + next[j];
  }
  const float size = rate * 0.2f * std::sqrt(static_cast<float>(high));
  for (int64_t i = 0; i < n; ++i) w[i] -= size * step[at(i)] + decay * w[i];
}

}  // namespace ac::starter
