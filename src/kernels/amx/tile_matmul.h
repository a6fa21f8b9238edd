// Products of quantised weights with many tokens, by tiles of bytes.
//
// Sixteen rows of weights are unpacked once to codes, one A tile for each group of columns that
// shares a scale; the inputs of sixteen tokens lie packed as B tiles. A tile product gives the
// exact integer sums of one group, which are then scaled and added in floats with the same
// operations in the same order as in simd/code_matmul.h: the bits are those of the vector code, so
// that a token may be computed either way (docs/adr/0032-amx-exact-sums.md).
//
// Panels and inputs lie in the order in which the groups are added: group g after all groups of
// smaller g % kWidth. Everything is then read front to back.
#pragma once

#include "kernels/amx/tile_input.h"
#include "kernels/simd/matmul.h"

namespace {

// Sixteen rows of weights in scratch memory.
struct TilePanel {
  uint8_t* codes;  // [groups, kTileRows, group]
  float* scales;   // [groups, kTileRows]
  float* mins;     // [groups, kTileRows]
  float* parts;    // [kWidth, kTileRows, kTileTokens]: the partial sums of one output tile
  int32_t* dots;   // two tiles of integer sums
  UnpackedRow row;
};

inline int64_t TilePanelBytes(int64_t cols) {
  const int64_t padded = PaddedCols(cols);
  const int64_t floats = 2 * padded / 16 * kTileRows + kWidth * kTileRows * kTileTokens +
                         2 * kTileRows * kTileTokens + 2 * padded / 16;
  return padded * kTileRows + floats * static_cast<int64_t>(sizeof(float)) + padded;
}

inline TilePanel TilePanelOf(void* scratch, int64_t cols) {
  const int64_t padded = PaddedCols(cols);
  TilePanel p;
  p.codes = static_cast<uint8_t*>(scratch);
  p.scales = reinterpret_cast<float*>(p.codes + padded * kTileRows);
  p.mins = p.scales + padded / 16 * kTileRows;
  p.parts = p.mins + padded / 16 * kTileRows;
  p.dots = reinterpret_cast<int32_t*>(p.parts + kWidth * kTileRows * kTileTokens);
  float* const scales = reinterpret_cast<float*>(p.dots + 2 * kTileRows * kTileTokens);
  p.row = {reinterpret_cast<uint8_t*>(scales + 2 * padded / 16), scales, scales + padded / 16};
  return p;
}

template <int kGroup>
inline void FillPanel(const ac_matrix* w, int64_t first, int64_t count, const TilePanel& p) {
  const int64_t groups = w->cols / kGroup;
  for (int64_t r = 0; r < kTileRows; ++r) {
    // Rows that are not there repeat the last one; their results are not stored.
    UnpackRow(w, first + (r < count ? r : count - 1), p.row);
    for (int64_t g = 0; g < groups; ++g) {
      const int64_t at = WalkIndex(g, groups) * kTileRows + r;
      memcpy(p.codes + at * kGroup, p.row.codes + g * kGroup, kGroup);
      p.scales[at] = p.row.scales[g];
      p.mins[at] = p.row.mins[g];
    }
  }
}

// Tiles 0, 2, 4 for groups at even places, 1, 3, 5 for the others: sums, weights, inputs.
template <int kGroup, int kOdd>
inline void IssueDots(const TilePanel& p, const TileInput& x, int64_t at) {
  TileZero<kOdd>();
  TileLoad<2 + kOdd>(p.codes + at * kGroup * kTileRows, kGroup);
  TileLoad<4 + kOdd>(x.bytes + at * kGroup * kTileTokens, kTileRowBytes);
  TileDotBytes<kOdd, 2 + kOdd, 4 + kOdd>();
  TileStore<kOdd>(p.dots + kOdd * kTileRows * kTileTokens, kTileRowBytes);
}

template <int kGroup>
inline void IssueDotsAt(const TilePanel& p, const TileInput& x, int64_t at) {
  if (at % 2 == 0) {
    IssueDots<kGroup, 0>(p, x, at);
  } else {
    IssueDots<kGroup, 1>(p, x, at);
  }
}

// The sum of kWidth vectors, in the order in which Sum() adds lanes.
inline V SumTree(V* parts) {
  for (int half = kWidth / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) parts[i] = Add(parts[i], parts[i + half]);
  }
  return parts[0];
}

// One output tile: rows[r] gets the results of row r, a token in each lane. The tile product of the
// next group runs beside the float operations of this one.
template <int kGroup>
inline void TileDots(const TilePanel& p, const TileInput& x, int64_t groups, V* rows) {
  IssueDotsAt<kGroup>(p, x, 0);
  int64_t at = 0;
  for (int64_t part = 0; part < kWidth; ++part) {
    V sums[kTileRows];
    for (int r = 0; r < kTileRows; ++r) sums[r] = Zero();
    for (int64_t g = part; g < groups; g += kWidth, ++at) {
      if (at + 1 < groups) IssueDotsAt<kGroup>(p, x, at + 1);
      const int32_t* const dots = p.dots + at % 2 * kTileRows * kTileTokens;
      const V input_scales = Load(x.scales + at * kTileTokens);
      const V input_sums = Load(x.sums + at * kTileTokens);
      for (int r = 0; r < kTileRows; ++r) {
        const V products = Mul(Set1(p.scales[at * kTileRows + r]), input_scales);
        sums[r] = Fma(ToFloat(LoadI(dots + r * kTileTokens)), products, sums[r]);
        sums[r] = Fnma(Set1(p.mins[at * kTileRows + r]), input_sums, sums[r]);
      }
    }
    float* const out = p.parts + part * kTileRows * kTileTokens;
    for (int r = 0; r < kTileRows; ++r) Store(out + r * kTileTokens, sums[r]);
  }
  for (int r = 0; r < kTileRows; ++r) {
    V parts[kWidth];
    for (int i = 0; i < kWidth; ++i) parts[i] = Load(p.parts + (i * kTileRows + r) * kTileTokens);
    rows[r] = SumTree(parts);
  }
}

template <int kGroup>
void TileProducts(const ac_matmul* m, int64_t begin, int64_t end, void* scratch) {
  constexpr TileShape kSums = {kTileRows, kTileRowBytes};
  constexpr TileShape kCodes = {kTileRows, kGroup};
  constexpr TileShape kInputs = {kGroup / 4, kTileRowBytes};
  const Tiles configured({kSums, kSums, kCodes, kCodes, kInputs, kInputs, kSums, kSums});
  const int64_t cols = m->weights->cols;
  const TilePanel panel = TilePanelOf(scratch, cols);
  for (int64_t first = begin; first < end; first += kTileRows) {
    const int64_t count = end - first < kTileRows ? end - first : kTileRows;
    FillPanel<kGroup>(m->weights, first, count, panel);
    for (int64_t t = 0; t < m->tokens; t += kTileTokens) {
      V rows[kTileRows];
      TileDots<kGroup>(panel, TileInputAt(m->packed, t, kGroup, cols), cols / kGroup, rows);
      Transpose(rows);
      const int64_t tokens = m->tokens - t < kTileTokens ? m->tokens - t : kTileTokens;
      for (int64_t i = 0; i < tokens; ++i) {
        StoreRows(m->out + (t + i) * m->out_stride + first, rows[i], count);
      }
    }
  }
}

size_t TileMatMulScratch(const ac_matmul* m) {
  if (!IsTileForm(TilePackForm(m->weights, m->tokens))) return MatMulScratch(m);
  return static_cast<size_t>(TilePanelBytes(m->weights->cols));
}

void TileMatMul(const ac_matmul* m, int64_t begin, int64_t end, void* scratch) {
  const int form = TilePackForm(m->weights, m->tokens);
  if (!IsTileForm(form)) {
    MatMul(m, begin, end, scratch);
  } else if (TileFormGroup(form) == 16) {
    TileProducts<16>(m, begin, end, scratch);
  } else {
    TileProducts<32>(m, begin, end, scratch);
  }
}

}  // namespace
