// Muon (Jordan and others, 2024): the step of a matrix is its averaged gradient made orthogonal.
//
// Every direction of the matrix then learns at the same speed, which a small model on a small
// budget of tokens needs more than anything. Free function over its arguments; scratch belongs to
// the caller.
#pragma once

#include <cstdint>
#include <vector>

#include "ops.h"

namespace ac::starter {

struct MuonScratch {
  std::vector<float> x, gram, square;
  std::vector<uint32_t> a, b;
};

// momentum = beta * momentum + scale * g, then w moves by `rate` against the orthogonal matrix
// nearest to g's look-ahead average, sized so that rates of AdamW fit, and shrinks by `decay`.
// w, g and momentum are [rows, columns].
void MuonStep(const ac_train_ops& ops, int64_t rows, int64_t columns, const float* g, float scale,
              float beta, float rate, float decay, float* w, float* momentum, MuonScratch* scratch);

}  // namespace ac::starter
