// Rows of weights as codes in scratch memory: one after the other, and turned into panels whose
// rows lie in the lanes.
#pragma once

#include "kernels/simd/panel_input.h"

namespace {

// kWidth rows, turned.
struct Panel {
  uint8_t* codes;  // [groups, group / 4, kWidth, 4]
  float* factors;  // [groups, 2, kWidth]: scales, then minima
};

struct CodeScratch {
  uint8_t* panels;  // PanelsAtOnce() of them
  uint8_t* codes;   // [kWidth, CodeStride] of the rows before they are turned
  float* scales;    // [kWidth, groups]
  float* mins;      // [kWidth, groups]
  int64_t cols;

  UnpackedRow Row(int64_t r) const;
  Panel PanelAt(int64_t i) const;
};

// Rows of a power of two bytes would all fall into the same few lines of the first cache.
inline int64_t CodeStride(int64_t cols) { return PaddedCols(cols) + 64; }

inline UnpackedRow CodeScratch::Row(int64_t r) const {
  const int64_t groups = PaddedCols(cols) / 16;
  return {codes + r * CodeStride(cols), scales + r * groups, mins + r * groups};
}

inline int64_t PanelBytes(int64_t cols) {
  const int64_t padded = PaddedCols(cols);
  return padded * kWidth + padded / 16 * 2 * kWidth * static_cast<int64_t>(sizeof(float));
}

// As many panels as stay in the second cache together with the inputs that pass by: those come from
// further away and are read once for all of them.
inline int64_t PanelsAtOnce(int64_t cols) {
  constexpr int64_t kCacheBytes = 384 * 1024;
  const int64_t fit = kCacheBytes / PanelBytes(cols);
  return fit < 1 ? 1 : fit > 8 ? 8 : fit;
}

inline Panel CodeScratch::PanelAt(int64_t i) const {
  uint8_t* const at = panels + i * PanelBytes(cols);
  return {at, reinterpret_cast<float*>(at + PaddedCols(cols) * kWidth)};
}

inline CodeScratch CodeScratchOf(void* scratch, int64_t cols) {
  const int64_t groups = PaddedCols(cols) / 16;
  CodeScratch s;
  s.cols = cols;
  s.panels = static_cast<uint8_t*>(scratch);
  s.scales = reinterpret_cast<float*>(s.panels + PanelsAtOnce(cols) * PanelBytes(cols));
  s.mins = s.scales + groups * kWidth;
  s.codes = reinterpret_cast<uint8_t*>(s.mins + groups * kWidth);
  return s;
}

inline size_t CodeScratchBytes(int64_t cols) {
  const int64_t groups = PaddedCols(cols) / 16;
  return static_cast<size_t>(PanelsAtOnce(cols) * PanelBytes(cols) + CodeStride(cols) * kWidth +
                             2 * groups * kWidth * static_cast<int64_t>(sizeof(float)));
}

// The row after the next: its bytes are on their way while this one is computed.
inline void PrefetchRow(const ac_matrix* w, int64_t row) {
  if (row >= w->rows) return;
  const char* data = static_cast<const char*>(w->data) + row * static_cast<int64_t>(w->row_bytes);
  for (size_t at = 0; at < w->row_bytes; at += 64) __builtin_prefetch(data + at, 0, 2);
}

// kWidth rows of 4-byte words, `stride` bytes apart, turned: word c of all rows to place(c). Reads
// whole tiles, up to kWidth - 1 words more than asked.
template <typename Place>
inline void TurnWords(const void* rows, int64_t stride, int64_t words, Place place) {
  for (int64_t c = 0; c < words; c += kWidth) {
    V tile[kWidth];
    for (int r = 0; r < kWidth; ++r) {
      const char* from = static_cast<const char*>(rows) + r * stride + c * 4;
      tile[r] = Load(reinterpret_cast<const float*>(from));
    }
    Transpose(tile);
    for (int i = 0; i < kWidth && c + i < words; ++i) {
      Store(reinterpret_cast<float*>(place(c + i)), tile[i]);
    }
  }
}

// Rows [first, first + count) into the panel, groups in the order of the walk; missing rows are
// zeros.
template <int kGroup>
inline void TurnPanel(const ac_matrix* w, int64_t first, int64_t count, const Walk& walk,
                      const CodeScratch& s, const Panel& panel) {
  const int64_t groups = w->cols / kGroup;
  for (int64_t r = 0; r < kWidth; ++r) {
    const UnpackedRow row = s.Row(r);
    if (r < count) {
      UnpackRow(w, first + r, row);
      continue;
    }
    memset(row.codes, 0, static_cast<size_t>(w->cols));
    memset(row.scales, 0, static_cast<size_t>(groups) * sizeof(float));
    memset(row.mins, 0, static_cast<size_t>(groups) * sizeof(float));
  }
  TurnWords(s.codes, CodeStride(w->cols), w->cols / 4, [&](int64_t word) {
    const int64_t in_group = word % (kGroup / 4);
    return panel.codes + (walk.At(word / (kGroup / 4)) * kGroup + in_group * 4) * kWidth;
  });
  const int64_t group_stride = PaddedCols(w->cols) / 16 * static_cast<int64_t>(sizeof(float));
  const auto scales_at = [&](int64_t g) { return panel.factors + walk.At(g) * 2 * kWidth; };
  TurnWords(s.scales, group_stride, groups, scales_at);
  TurnWords(s.mins, group_stride, groups, [&](int64_t g) { return scales_at(g) + kWidth; });
}

}  // namespace
