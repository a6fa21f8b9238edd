// Where query rows stand in attention by pairs of bf16, and how ranges of positions are joined.
#pragma once

#include "kernels/avx512bf16/pair_page.h"

namespace {

// The reference of a row that has seen nothing; finite, so that differences are numbers.
constexpr float kNoReference = -1e30f;

// Weights are powers of two of scores relative to a whole number, the row's reference, which is
// near the largest score so far. Moving it multiplies sums by a power of two, which rounds nothing.
struct PairRows {
  float* sums;       // [rows, padded dim]
  float* totals;     // [rows, kWidth]: sums of the weights
  float* reference;  // [rows]
};

inline int64_t PairRowsFloats(const ac_kv_view& kv, int64_t rows) {
  return rows * (PaddedDim(kv.head_dim) + kWidth) + (rows + 15) / 16 * 16;
}

inline PairRows PairRowsIn(const ac_kv_view& kv, int64_t rows, float* floats) {
  float* const totals = floats + rows * PaddedDim(kv.head_dim);
  return {floats, totals, totals + rows * kWidth};
}

inline void BeginPairRows(const ac_kv_view& kv, int64_t rows, const PairRows& state) {
  const int64_t floats = rows * (PaddedDim(kv.head_dim) + kWidth);
  memset(state.sums, 0, static_cast<size_t>(floats) * sizeof(float));
  for (int64_t r = 0; r < rows; ++r) state.reference[r] = kNoReference;
}

inline void ScaleRow(float* row, int64_t floats, V by) {
  for (int64_t i = 0; i < floats; i += kWidth) Store(row + i, Mul(Load(row + i), by));
}

// row = row * mine + from * theirs
inline void JoinRow(const float* from, V theirs, V mine, int64_t floats, float* row) {
  for (int64_t i = 0; i < floats; i += kWidth) {
    Store(row + i, Fma(Load(from + i), theirs, Mul(Load(row + i), mine)));
  }
}

// Adds what later positions gave to what earlier ones did.
inline void JoinPairRows(const ac_kv_view& kv, int64_t rows, const PairRows& later,
                         const PairRows& state) {
  const int64_t dim = PaddedDim(kv.head_dim);
  for (int64_t r = 0; r < rows; ++r) {
    const float reference = fmaxf(state.reference[r], later.reference[r]);
    const V mine = Pow2(Set1(state.reference[r] - reference));
    const V theirs = Pow2(Set1(later.reference[r] - reference));
    JoinRow(later.sums + r * dim, theirs, mine, dim, state.sums + r * dim);
    JoinRow(later.totals + r * kWidth, theirs, mine, kWidth, state.totals + r * kWidth);
    state.reference[r] = reference;
  }
}

inline void FinishPairRows(const QueryBlock& block, int64_t rows, const PairRows& state) {
  const int32_t head_dim = block.a->kv.head_dim;
  const int64_t dim = PaddedDim(head_dim);
  for (int64_t r = 0; r < rows; ++r) {
    float* const out = block.a->out + block.Offset(r);
    const float scale = 1.0f / Sum(Load(state.totals + r * kWidth));
    for (int32_t d = 0; d < head_dim; ++d) out[d] = state.sums[r * dim + d] * scale;
  }
}

// All queries of one sequence that a call computes.
struct PairSequence {
  QueryBlock block;
  int64_t rows;
  uint32_t* q;        // [rows, padded dim / 2]: queries rounded to bf16
  uint32_t* weights;  // [rows, kKeyPairs]: of one block of keys
  PairRows part;      // of the positions of one range
  PairRows joined;    // of the ranges before it
};

inline int64_t PairSequenceBytes(const ac_kv_view& kv, int64_t rows) {
  return (rows * (PaddedDim(kv.head_dim) / 2 + kKeyPairs) + 2 * PairRowsFloats(kv, rows)) * 4;
}

inline PairSequence PairSequenceOf(const QueryBlock& block, int64_t rows, void* scratch) {
  const ac_kv_view& kv = block.a->kv;
  PairSequence s;
  s.block = block;
  s.rows = rows;
  s.q = static_cast<uint32_t*>(scratch);
  s.weights = s.q + rows * PaddedDim(kv.head_dim) / 2;
  float* const floats = reinterpret_cast<float*>(s.weights + rows * kKeyPairs);
  s.part = PairRowsIn(kv, rows, floats);
  s.joined = PairRowsIn(kv, rows, floats + PairRowsFloats(kv, rows));
  return s;
}

inline void BeginPairSequence(const PairSequence& s) {
  const ac_kv_view& kv = s.block.a->kv;
  const int64_t dim = PaddedDim(kv.head_dim);
  for (int64_t r = 0; r < s.rows; ++r) {
    const float* const q = s.block.a->q + s.block.Offset(r);
    for (int64_t d = 0; d < dim; d += kPairColumns) {
      const __mmask32 columns = ColumnsLeft(kv.head_dim - d);
      const V low = _mm512_maskz_loadu_ps(static_cast<__mmask16>(columns), q + d);
      const V high =
          _mm512_maskz_loadu_ps(static_cast<__mmask16>(columns >> kWidth), q + d + kWidth);
      _mm512_storeu_si512(s.q + (r * dim + d) / 2, RoundToPairs(low, high));
    }
  }
  BeginPairRows(kv, s.rows, s.part);
  BeginPairRows(kv, s.rows, s.joined);
}

// Called before the keys from position `key` on.
inline void StepPairRange(const PairSequence& s, int64_t key) {
  if (key % AC_KV_RANGE != 0) return;
  JoinPairRows(s.block.a->kv, s.rows, s.part, s.joined);
  BeginPairRows(s.block.a->kv, s.rows, s.part);
}

}  // namespace
