// Attention by its formula in double precision, and how far a table may be from it.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/table.h"
#include "quant/quant.h"
#include "support/kernel_data.h"

namespace ac::kernels::test {

inline std::vector<float> RoundedToBf16(std::vector<float> values) {
  for (float& v : values) v = quant::BF16ToF32(quant::F32ToBF16(v));
  return values;
}

// Whether this table rounds queries and softmax weights over such a cache.
inline bool Rounds(const ac_kernel_table& table, ac_kv_type type) {
  return table.rounds_attention != 0 && type != AC_KV_F32;
}

// The queries as the table takes them.
inline std::vector<float> QueriesTaken(const ac_kernel_table& table, ac_kv_type type,
                                       std::vector<float> q) {
  return Rounds(table, type) ? RoundedToBf16(std::move(q)) : q;
}

struct NaiveResult {
  std::vector<double> out;
  // The size of an element's terms: the root of the sum of the squares of weight times value, and
  // the same of weight times result. Errors of the weights that know nothing of each other add up
  // to their own size times this.
  std::vector<double> norm;
};

// One query row; k and v hold `kv_heads` rows for each position.
inline void NaiveRow(const AttentionShape& s, size_t row, int position, int kv_head, double scale,
                     const std::vector<float>& q, const std::vector<float>& k,
                     const std::vector<float>& v, NaiveResult& result) {
  const auto dim = static_cast<size_t>(s.head_dim);
  const auto at = [&](int p) { return static_cast<size_t>(p * s.kv_heads + kv_head) * dim; };
  const int from = s.window > 0 ? std::max(0, position - s.window + 1) : 0;
  std::vector<double> weights;
  double max = -1e300, total = 0, squares = 0;
  for (int p = from; p <= position; ++p) {
    double dot = 0;
    for (size_t d = 0; d < dim; ++d) {
      dot += static_cast<double>(q[row + d]) * static_cast<double>(k[at(p) + d]);
    }
    weights.push_back(dot * scale);
    max = std::max(max, weights.back());
  }
  for (double& w : weights) total += w = std::exp(w - max);
  for (double& w : weights) {
    w /= total;
    squares += w * w;
  }
  for (size_t d = 0; d < dim; ++d) {
    double sum = 0, terms = 0;
    for (int p = from; p <= position; ++p) {
      const double term =
          weights[static_cast<size_t>(p - from)] * static_cast<double>(v[at(p) + d]);
      sum += term;
      terms += term * term;
    }
    result.out[row + d] = sum;
    result.norm[row + d] = std::sqrt(terms) + std::sqrt(squares) * std::abs(sum);
  }
}

inline NaiveResult NaiveAttention(const AttentionShape& s, const std::vector<float>& q,
                                  const std::vector<float>& k, const std::vector<float>& v,
                                  double scale) {
  NaiveResult result{std::vector<double>(q.size()), std::vector<double>(q.size())};
  for (int t = 0; t < s.tokens; ++t) {
    for (int h = 0; h < s.heads; ++h) {
      NaiveRow(s, static_cast<size_t>((t * s.heads + h) * s.head_dim), s.position + t,
               h / (s.heads / s.kv_heads), scale, q, k, v, result);
    }
  }
  return result;
}

// Values are of size one, and what the cache rounds is already in them. A weight rounded to bf16 is
// off by at most 2^-8 of itself, and as a rule by less than half of that.
inline double AttentionTolerance(const ac_kernel_table& table, ac_kv_type type, double norm) {
  return 2e-5 + (Rounds(table, type) ? 4 * 0x1p-9 * norm : 0.0);
}

}  // namespace ac::kernels::test
