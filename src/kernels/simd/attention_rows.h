// Where query rows stand in attention, and how ranges of positions are joined.
#pragma once

#include <math.h>
#include <string.h>

#include "kernels/simd/kv_rows.h"
#include "kernels/table.h"

namespace {

constexpr float kMinusInfinity = -__builtin_inff();
// Queries a call gets at most.
constexpr int kQueryBlock = 32;

// Where query rows stand: the sum of the values, weighed relative to the row's largest score, and
// the sum of the weights, which is 0 for a row that has seen nothing.
struct AttentionRows {
  float* sums;   // [rows, padded dim]
  float* max;    // [rows]
  float* total;  // [rows]
};

inline int64_t RowsFloats(const ac_kv_view& kv, int64_t rows) {
  return rows * PaddedDim(kv.head_dim) + (2 * rows + 15) / 16 * 16;
}

inline AttentionRows RowsIn(const ac_kv_view& kv, int64_t rows, float* floats) {
  float* const max = floats + rows * PaddedDim(kv.head_dim);
  return {floats, max, max + rows};
}

struct AttentionScratch {
  float* keys;           // [padded dim, kKeys], turned
  float* values;         // [kKeys, padded dim]
  float* scores;         // [rows, kKeys]
  AttentionRows part;    // of the positions of one range
  AttentionRows joined;  // of the ranges before it
};

inline int64_t BlockRows(const ac_attention* a) {
  return int64_t{kQueryBlock} * (a->n_heads / a->kv.n_kv_heads);
}

inline int64_t PageFloats(const ac_kv_view& kv) { return 2 * PaddedDim(kv.head_dim) * kKeys; }

size_t AttentionScratchBytes(const ac_attention* a) {
  const int64_t rows = BlockRows(a);
  return static_cast<size_t>(PageFloats(a->kv) + rows * kKeys + 2 * RowsFloats(a->kv, rows)) *
         sizeof(float);
}

inline AttentionScratch AttentionScratchOf(const ac_kv_view& kv, int64_t rows, float* page,
                                           float* own) {
  AttentionScratch s;
  s.keys = page;
  s.values = page + PaddedDim(kv.head_dim) * kKeys;
  s.scores = own;
  s.part = RowsIn(kv, rows, own + rows * kKeys);
  s.joined = RowsIn(kv, rows, own + rows * kKeys + RowsFloats(kv, rows));
  return s;
}

inline AttentionScratch AttentionScratchOf(const ac_attention* a, void* scratch) {
  float* const page = static_cast<float*>(scratch);
  return AttentionScratchOf(a->kv, BlockRows(a), page, page + PageFloats(a->kv));
}

inline void BeginRows(const ac_kv_view& kv, int64_t rows, const AttentionRows& state) {
  memset(state.sums, 0, static_cast<size_t>(rows * PaddedDim(kv.head_dim)) * sizeof(float));
  for (int64_t r = 0; r < rows; ++r) {
    state.max[r] = kMinusInfinity;
    state.total[r] = 0;
  }
}

// Adds what later positions gave to what earlier ones did.
inline void JoinRows(const ac_kv_view& kv, int64_t rows, const AttentionRows& later,
                     const AttentionRows& state) {
  const int64_t dim = PaddedDim(kv.head_dim);
  for (int64_t r = 0; r < rows; ++r) {
    if (later.total[r] == 0) continue;
    float* const sums = state.sums + r * dim;
    const float* const more = later.sums + r * dim;
    if (state.total[r] == 0) {
      memcpy(sums, more, static_cast<size_t>(dim) * sizeof(float));
      state.max[r] = later.max[r];
      state.total[r] = later.total[r];
      continue;
    }
    const float max = fmaxf(state.max[r], later.max[r]);
    const float mine = expf(state.max[r] - max);
    const float theirs = expf(later.max[r] - max);
    for (int64_t d = 0; d < dim; d += kWidth) {
      Store(sums + d, Fma(Load(more + d), Set1(theirs), Mul(Load(sums + d), Set1(mine))));
    }
    state.max[r] = max;
    state.total[r] = __builtin_fmaf(later.total[r], theirs, state.total[r] * mine);
  }
}

inline void BeginAll(const ac_kv_view& kv, int64_t rows, const AttentionScratch& s) {
  BeginRows(kv, rows, s.part);
  BeginRows(kv, rows, s.joined);
}

// Called before the keys from position `key` on.
inline void StepRange(const ac_kv_view& kv, int64_t rows, int64_t key, const AttentionScratch& s) {
  if (key % AC_KV_RANGE != 0) return;
  JoinRows(kv, rows, s.part, s.joined);
  BeginRows(kv, rows, s.part);
}

}  // namespace
