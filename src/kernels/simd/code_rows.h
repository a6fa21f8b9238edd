// Rows of weights as codes in scratch memory: one after the other, and turned into panels whose
// rows lie in the lanes.
#pragma once

#include "kernels/simd/packed_input.h"

namespace {

struct CodeScratch {
  uint8_t* panel;       // [cols / 4, kWidth, 4] codes of kWidth rows, turned
  float* panel_scales;  // [groups, kWidth]
  float* panel_mins;    // [groups, kWidth]
  uint8_t* codes;       // [kWidth, CodeStride] of the rows before they are turned
  float* scales;        // [kWidth, groups]
  float* mins;          // [kWidth, groups]
  int64_t cols;

  UnpackedRow Row(int64_t r) const;
};

// Rows of a power of two bytes would all fall into the same few lines of the first cache.
inline int64_t CodeStride(int64_t cols) { return PaddedCols(cols) + 64; }

inline UnpackedRow CodeScratch::Row(int64_t r) const {
  const int64_t groups = PaddedCols(cols) / 16;
  return {codes + r * CodeStride(cols), scales + r * groups, mins + r * groups};
}

inline CodeScratch CodeScratchOf(void* scratch, int64_t cols) {
  const int64_t padded = PaddedCols(cols);
  const int64_t groups = padded / 16;
  CodeScratch s;
  s.cols = cols;
  s.panel = static_cast<uint8_t*>(scratch);
  s.panel_scales = reinterpret_cast<float*>(s.panel + padded * kWidth);
  s.panel_mins = s.panel_scales + groups * kWidth;
  s.scales = s.panel_mins + groups * kWidth;
  s.mins = s.scales + groups * kWidth;
  s.codes = reinterpret_cast<uint8_t*>(s.mins + groups * kWidth);
  return s;
}

inline size_t CodeScratchBytes(int64_t cols) {
  const int64_t padded = PaddedCols(cols);
  const int64_t groups = padded / 16;
  return static_cast<size_t>(padded * kWidth + CodeStride(cols) * kWidth +
                             groups * 4 * kWidth * static_cast<int64_t>(sizeof(float)));
}

// The row after the next: its bytes are on their way while this one is computed.
inline void PrefetchRow(const ac_matrix* w, int64_t row) {
  if (row >= w->rows) return;
  const char* data = static_cast<const char*>(w->data) + row * static_cast<int64_t>(w->row_bytes);
  for (size_t at = 0; at < w->row_bytes; at += 64) __builtin_prefetch(data + at, 0, 2);
}

// kWidth rows of 4-byte words, `stride` bytes apart, turned: word c of row r to out[c][r]. Writes
// whole tiles, up to kWidth - 1 words more than asked.
inline void TurnWords(const void* rows, int64_t stride, int64_t words, void* out) {
  for (int64_t c = 0; c < words; c += kWidth) {
    V tile[kWidth];
    for (int r = 0; r < kWidth; ++r) {
      const char* from = static_cast<const char*>(rows) + r * stride + c * 4;
      tile[r] = Load(reinterpret_cast<const float*>(from));
    }
    Transpose(tile);
    float* to = static_cast<float*>(out) + c * kWidth;
    for (int i = 0; i < kWidth; ++i) Store(to + i * kWidth, tile[i]);
  }
}

// Rows [first, first + count) into the panel; missing rows are zeros.
inline void TurnPanel(const ac_matrix* w, int64_t first, int64_t count, int group,
                      const CodeScratch& s) {
  const int64_t groups = w->cols / group;
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
  const int64_t group_stride = PaddedCols(w->cols) / 16 * static_cast<int64_t>(sizeof(float));
  TurnWords(s.codes, CodeStride(w->cols), w->cols / 4, s.panel);
  TurnWords(s.scales, group_stride, groups, s.panel_scales);
  TurnWords(s.mins, group_stride, groups, s.panel_mins);
}

}  // namespace
