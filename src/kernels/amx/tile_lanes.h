// Query rows of attention by tiles: sixteen of them in the lanes of vectors and the columns of
// tiles.
#pragma once

#include "kernels/amx/tile.h"
#include "kernels/simd/shared_attention.h"

namespace {

constexpr int kLaneRows = kWidth;  // query rows of one tile
constexpr int kTileDims = 32;      // of a key in one tile
// The maximum of a row that has seen nothing; finite, so that differences are numbers.
constexpr float kNothingSeen = -1e30f;

inline int64_t TilePaddedDim(int32_t dim) { return (dim + kTileDims - 1) / kTileDims * kTileDims; }

// Floats rounded to the upper 16 bits of their words, halves up.
inline VI RoundToHigh(V v) {
  const VI rounded = _mm512_add_epi32(_mm512_castps_si512(v), _mm512_set1_epi32(0x8000));
  return _mm512_and_si512(rounded, _mm512_set1_epi32(static_cast<int>(0xffff0000u)));
}

// Pairs of bf16 (a in the low half) whose first part is the float rounded and whose second is what
// that left over, rounded.
inline void StoreSplit(V a, V b, uint32_t* first, uint32_t* second) {
  const VI a_high = RoundToHigh(a), b_high = RoundToHigh(b);
  const VI a_low = RoundToHigh(Sub(a, _mm512_castsi512_ps(a_high)));
  const VI b_low = RoundToHigh(Sub(b, _mm512_castsi512_ps(b_high)));
  _mm512_storeu_si512(first, _mm512_or_si512(_mm512_srli_epi32(a_high, 16), b_high));
  _mm512_storeu_si512(second, _mm512_or_si512(_mm512_srli_epi32(a_low, 16), b_low));
}

inline __mmask16 Columns(int64_t left) {
  return static_cast<__mmask16>(left >= 16 ? 0xffff : left <= 0 ? 0 : (1 << left) - 1);
}

// Sixteen query rows of one sequence.
struct LaneBlock {
  int64_t first_row;
  int rows;
  uint32_t* q;   // [2, padded dim / 2, kLaneRows]: pairs of bf16, high parts and low parts
  float* sums;   // [padded dim, kLaneRows]
  float* max;    // [kLaneRows]
  float* total;  // [kLaneRows]
};

inline int64_t LaneBlockBytes(const ac_kv_view& kv) {
  return (2 * TilePaddedDim(kv.head_dim) * kLaneRows + 2 * kLaneRows) * 4;
}

inline int64_t LaneBlocks(int64_t rows) { return (rows + kLaneRows - 1) / kLaneRows; }

// All queries of one sequence that a call computes.
struct TileSequence {
  QueryBlock block;
  int64_t rows;
  char* lanes;  // LaneBlocks(rows) of LaneBlockBytes
  AttentionRows part;
  AttentionRows joined;
};

inline int64_t TileSequenceBytes(const ac_kv_view& kv, int64_t rows) {
  return LaneBlocks(rows) * LaneBlockBytes(kv) +
         2 * RowsFloats(kv, rows) * static_cast<int64_t>(sizeof(float));
}

inline TileSequence TileSequenceOf(const ac_kv_view& kv, const QueryBlock& block, int64_t rows,
                                   char* scratch) {
  TileSequence s;
  s.block = block;
  s.rows = rows;
  s.lanes = scratch;
  float* const floats = reinterpret_cast<float*>(scratch + LaneBlocks(rows) * LaneBlockBytes(kv));
  s.part = RowsIn(kv, rows, floats);
  s.joined = RowsIn(kv, rows, floats + RowsFloats(kv, rows));
  return s;
}

inline LaneBlock LanesAt(const ac_kv_view& kv, const TileSequence& s, int64_t index) {
  const int64_t cells = TilePaddedDim(kv.head_dim) * kLaneRows;
  LaneBlock b;
  b.first_row = index * kLaneRows;
  b.rows = static_cast<int>(s.rows - b.first_row < kLaneRows ? s.rows - b.first_row : kLaneRows);
  b.q = reinterpret_cast<uint32_t*>(s.lanes + index * LaneBlockBytes(kv));
  b.sums = reinterpret_cast<float*>(b.q + cells);
  b.max = b.sums + cells;
  b.total = b.max + kLaneRows;
  return b;
}

// The query rows into the lanes, in pairs of dimensions.
inline void TakeQueries(const ac_kv_view& kv, const TileSequence& s, const LaneBlock& b) {
  const int64_t dim = TilePaddedDim(kv.head_dim);
  for (int64_t d = 0; d < dim; d += kWidth) {
    V tile[kWidth];
    for (int r = 0; r < kWidth; ++r) {
      if (r >= b.rows) {
        tile[r] = Zero();
        continue;
      }
      const float* const q = s.block.a->q + s.block.Offset(b.first_row + r);
      tile[r] = _mm512_maskz_loadu_ps(Columns(kv.head_dim - d), q + d);
    }
    Transpose(tile);
    for (int i = 0; i < kWidth; i += 2) {
      uint32_t* const to = b.q + (d + i) / 2 * kLaneRows;
      StoreSplit(tile[i], tile[i + 1], to, to + dim / 2 * kLaneRows);
    }
  }
}

inline void BeginLanes(const ac_kv_view& kv, const LaneBlock& b) {
  memset(b.sums, 0, static_cast<size_t>(TilePaddedDim(kv.head_dim) * kLaneRows) * sizeof(float));
  Store(b.max, Set1(kNothingSeen));
  Store(b.total, Zero());
}

// The lanes back into rows.
inline void StoreLanes(const ac_kv_view& kv, const TileSequence& s, const LaneBlock& b) {
  const int64_t dim = PaddedDim(kv.head_dim);
  for (int64_t d = 0; d < TilePaddedDim(kv.head_dim); d += kWidth) {
    V tile[kWidth];
    for (int i = 0; i < kWidth; ++i) tile[i] = Load(b.sums + (d + i) * kLaneRows);
    Transpose(tile);
    for (int r = 0; r < b.rows; ++r) Store(s.part.sums + (b.first_row + r) * dim + d, tile[r]);
  }
  const auto bytes = static_cast<size_t>(b.rows) * sizeof(float);
  memcpy(s.part.max + b.first_row, b.max, bytes);
  memcpy(s.part.total + b.first_row, b.total, bytes);
}

inline void BeginTileSequence(const ac_kv_view& kv, const TileSequence& s) {
  BeginRows(kv, s.rows, s.part);
  BeginRows(kv, s.rows, s.joined);
  for (int64_t i = 0; i < LaneBlocks(s.rows); ++i) {
    const LaneBlock b = LanesAt(kv, s, i);
    TakeQueries(kv, s, b);
    BeginLanes(kv, b);
  }
}

inline void EndTileRange(const ac_kv_view& kv, const TileSequence& s) {
  for (int64_t i = 0; i < LaneBlocks(s.rows); ++i) StoreLanes(kv, s, LanesAt(kv, s, i));
}

// Called before the keys from position `key` on.
inline void StepTileRange(const ac_kv_view& kv, int64_t key, const TileSequence& s) {
  if (key % AC_KV_RANGE != 0) return;
  EndTileRange(kv, s);
  JoinRows(kv, s.rows, s.part, s.joined);
  for (int64_t i = 0; i < LaneBlocks(s.rows); ++i) BeginLanes(kv, LanesAt(kv, s, i));
}

}  // namespace
