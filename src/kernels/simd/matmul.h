// Matrix products over the vectors of the including file's vec.h.
//
// A result has the same bits however many tokens are computed with it: both ways below sum integers
// per group of columns (exact), then add group g to partial sum g mod kWidth, then the partial sums
// in SumTree()'s order.
//
// Quantised weights: inputs are packed to signed bytes (the rounding of table.h), weights unpacked
// to unsigned ones, products summed in integers per group of columns and scaled in floats. Few
// tokens: each row is a dot product along the columns. Many: a panel of kWidth rows is turned so
// that its rows lie in the lanes, and each token's bytes are broadcast against it. Other weights:
// plain fused multiply-adds on floats.
#pragma once

#include <math.h>

#include "kernels/simd/unpack.h"
#include "kernels/table.h"

namespace {

// From this many tokens on, turning a panel pays.
constexpr int64_t kPanelTokens = 6;

inline int64_t RoundUp(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

// ---- Packed inputs -----------------------------------------------------------------------------

// One token's input: bytes, then per 32 and per 16 columns the scale and scale * sum of bytes.
// Padded with zeros, so that whole vectors may be read.
struct PackedRow {
  int8_t* bytes;
  float* scales32;  // [cols / 32]
  float* sums32;    // [cols / 32]
  float* scales16;  // [cols / 16]
  float* sums16;    // [cols / 16]
};

template <int kGroup>
const float* ScalesOf(const PackedRow& x) {
  return kGroup == 32 ? x.scales32 : x.scales16;
}
template <int kGroup>
const float* SumsOf(const PackedRow& x) {
  return kGroup == 32 ? x.sums32 : x.sums16;
}

inline int64_t PaddedCols(int64_t cols) { return RoundUp(cols, 512); }
inline int64_t PackedRowBytes(int64_t cols) { return PaddedCols(cols) * 7 / 4; }

inline PackedRow RowOf(const void* packed, int64_t token, int64_t cols) {
  const int64_t padded = PaddedCols(cols);
  char* base = static_cast<char*>(const_cast<void*>(packed)) + token * PackedRowBytes(cols);
  float* scales = reinterpret_cast<float*>(base + padded);
  return {reinterpret_cast<int8_t*>(base), scales, scales + padded / 32, scales + padded / 16,
          scales + padded / 8};
}

int PackForm(const ac_matrix* w, int64_t) {
  if (GroupOf(w->type) == 0) return AC_PACK_NONE;
  switch (w->type) {
    case AC_Q2_K:
    case AC_Q3_K:
    case AC_Q4_K:
    case AC_Q5_K:
    case AC_Q6_K:
    case AC_IQ4_XS:
      return 256;
    default:
      return 32;
  }
}

size_t PackBytes(int, int64_t tokens, int64_t cols) {
  return static_cast<size_t>(tokens * PackedRowBytes(cols));
}

inline void PackBlock(const float* x, int columns, int64_t first, PackedRow row) {
  float max = 0;
  for (int i = 0; i < columns; ++i) max = fmaxf(max, fabsf(x[i]));
  const float up = max >= AC_ROUND_MIN ? 127.0f / max : 0.0f;
  const float down = max >= AC_ROUND_MIN ? 1.0f / up : 0.0f;
  int8_t* bytes = row.bytes + first;
  for (int i = 0; i < columns; ++i) bytes[i] = static_cast<int8_t>(nearbyintf(x[i] * up));
  for (int i = 0; i < columns; i += 16) {
    int sum = 0;
    for (int j = 0; j < 16; ++j) sum += bytes[i + j];
    row.sums16[(first + i) / 16] = down * static_cast<float>(sum);
    row.scales16[(first + i) / 16] = down;
  }
  for (int i = 0; i < columns; i += 32) {
    int sum = 0;
    for (int j = 0; j < 32; ++j) sum += bytes[i + j];
    row.sums32[(first + i) / 32] = down * static_cast<float>(sum);
    row.scales32[(first + i) / 32] = down;
  }
}

void Pack(int form, const float* x, int64_t, int64_t cols, int64_t begin, int64_t end,
          void* packed) {
  for (int64_t t = begin; t < end; ++t) {
    const PackedRow row = RowOf(packed, t, cols);
    memset(row.bytes, 0, static_cast<size_t>(PackedRowBytes(cols)));
    for (int64_t c = 0; c < cols; c += form) {
      // Constant widths let the compiler unroll and vectorise.
      if (form == 32) PackBlock(x + t * cols + c, 32, c, row);
      if (form == 256) PackBlock(x + t * cols + c, 256, c, row);
    }
  }
}

// ---- Quantised weights -------------------------------------------------------------------------

struct CodeScratch {
  uint8_t* panel;       // [cols / 4, kWidth, 4] codes of kWidth rows, turned
  float* panel_scales;  // [groups, kWidth]
  float* panel_mins;    // [groups, kWidth]
  UnpackedRow row;      // one row, padded with zeros
};

inline CodeScratch CodeScratchOf(void* scratch, int64_t cols) {
  const int64_t padded = PaddedCols(cols);
  const int64_t groups = padded / 16;
  CodeScratch s;
  s.panel = static_cast<uint8_t*>(scratch);
  s.panel_scales = reinterpret_cast<float*>(s.panel + padded * kWidth);
  s.panel_mins = s.panel_scales + groups * kWidth;
  s.row.codes = reinterpret_cast<uint8_t*>(s.panel_mins + groups * kWidth);
  s.row.scales = reinterpret_cast<float*>(s.row.codes + padded);
  s.row.mins = s.row.scales + groups;
  return s;
}

inline size_t CodeScratchBytes(int64_t cols) {
  const int64_t padded = PaddedCols(cols);
  const int64_t groups = padded / 16;
  return static_cast<size_t>(padded * (kWidth + 1) +
                             groups * (2 * kWidth + 2) * static_cast<int64_t>(sizeof(float)));
}

// True when the codes of this type must be made signed for Dot's sake.
inline bool IsSigned(ac_quant_type type) { return !kWideDot && HasWideCodes(type); }

template <bool kSigned>
inline VI DotOf(VI sum, VI codes, VI x) {
  return kSigned ? DotSigned(sum, codes, x) : Dot(sum, codes, x);
}

// One row times one token.
template <int kGroup, bool kSigned>
float RowDot(const UnpackedRow& row, PackedRow x, int64_t cols) {
  constexpr int kColumns = kWidth * 4;
  const float* scales = ScalesOf<kGroup>(x);
  const float* sums = SumsOf<kGroup>(x);
  V sum = Zero();
  for (int64_t g = 0; g < cols / kGroup; g += kWidth) {
    VI dots[kGroup / 4];
    for (int i = 0; i < kGroup / 4; ++i) {
      const int64_t c = g * kGroup + i * kColumns;
      dots[i] = DotOf<kSigned>(ZeroI(), LoadI(row.codes + c), LoadI(x.bytes + c));
    }
    const V products = Mul(Load(row.scales + g), Load(scales + g));
    sum = Fma(ToFloat(GroupSums<kGroup>(dots)), products, sum);
    sum = Fnma(Load(row.mins + g), Load(sums + g), sum);
  }
  return Sum(sum);
}

template <int kGroup, bool kSigned>
void FewTokens(const ac_matmul* m, int64_t begin, int64_t end, const CodeScratch& s) {
  const int64_t cols = m->weights->cols;
  memset(s.row.codes, 0, static_cast<size_t>(PaddedCols(cols)));
  memset(s.row.scales, 0, static_cast<size_t>(PaddedCols(cols) / 16) * 2 * sizeof(float));
  for (int64_t r = begin; r < end; ++r) {
    UnpackRow(m->weights, r, s.row);
    for (int64_t t = 0; t < m->tokens; ++t) {
      m->out[t * m->out_stride + r] =
          RowDot<kGroup, kSigned>(s.row, RowOf(m->packed, t, cols), cols);
    }
  }
}

// Rows [first, first + count) into the panel; missing rows are zeros.
inline void TurnPanel(const ac_matrix* w, int64_t first, int64_t count, int group,
                      const CodeScratch& s) {
  const int64_t cols = w->cols;
  const int64_t groups = cols / group;
  if (count < kWidth) {
    memset(s.panel, 0, static_cast<size_t>(cols * kWidth));
    memset(s.panel_scales, 0, static_cast<size_t>(groups * kWidth) * sizeof(float));
    memset(s.panel_mins, 0, static_cast<size_t>(groups * kWidth) * sizeof(float));
  }
  for (int64_t r = 0; r < count; ++r) {
    UnpackRow(w, first + r, s.row);
    for (int64_t c = 0; c < cols; c += 4) {
      memcpy(s.panel + c * kWidth + r * 4, s.row.codes + c, 4);
    }
    for (int64_t g = 0; g < groups; ++g) {
      s.panel_scales[g * kWidth + r] = s.row.scales[g];
      s.panel_mins[g * kWidth + r] = s.row.mins[g];
    }
  }
}

// The sum of kWidth vectors, in the order in which Sum() adds lanes.
inline V SumTree(V* parts) {
  for (int half = kWidth / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) parts[i] = Add(parts[i], parts[i + half]);
  }
  return parts[0];
}

// The panel times kTokens tokens; results in out[t], one lane per row.
template <int kGroup, bool kSigned, int kTokens>
inline void PanelDot(const CodeScratch& s, const PackedRow* x, int64_t cols, V* out) {
  V parts[kTokens][kWidth];
  for (int part = 0; part < kWidth; ++part) {
    V sums[kTokens];
    for (int t = 0; t < kTokens; ++t) sums[t] = Zero();
    for (int64_t g = part; g < cols / kGroup; g += kWidth) {
      VI dots[kTokens];
      for (int t = 0; t < kTokens; ++t) dots[t] = ZeroI();
      const uint8_t* codes = s.panel + g * kGroup * kWidth;
      for (int c = 0; c < kGroup; c += 4) {
        const VI four = LoadI(codes + c * kWidth);
        for (int t = 0; t < kTokens; ++t) {
          dots[t] = DotOf<kSigned>(dots[t], four, Broadcast4(x[t].bytes + g * kGroup + c));
        }
      }
      const V scales = Load(s.panel_scales + g * kWidth);
      const V mins = Load(s.panel_mins + g * kWidth);
      for (int t = 0; t < kTokens; ++t) {
        const V products = Mul(scales, Set1(ScalesOf<kGroup>(x[t])[g]));
        sums[t] = Fma(ToFloat(dots[t]), products, sums[t]);
        sums[t] = Fnma(mins, Set1(SumsOf<kGroup>(x[t])[g]), sums[t]);
      }
    }
    for (int t = 0; t < kTokens; ++t) parts[t][part] = sums[t];
  }
  for (int t = 0; t < kTokens; ++t) out[t] = SumTree(parts[t]);
}

inline void StoreRows(float* out, V v, int64_t count) {
  if (count == kWidth) return Store(out, v);
  float lanes[kWidth];
  Store(lanes, v);
  for (int64_t i = 0; i < count; ++i) out[i] = lanes[i];
}

template <int kGroup, bool kSigned>
void ManyTokens(const ac_matmul* m, int64_t begin, int64_t end, const CodeScratch& s) {
  const int64_t cols = m->weights->cols;
  for (int64_t first = begin; first < end; first += kWidth) {
    const int64_t count = end - first < kWidth ? end - first : kWidth;
    TurnPanel(m->weights, first, count, kGroup, s);
    PackedRow x[kTokenBlock];
    V out[kTokenBlock];
    int64_t t = 0;
    for (; t + kTokenBlock <= m->tokens; t += kTokenBlock) {
      for (int i = 0; i < kTokenBlock; ++i) x[i] = RowOf(m->packed, t + i, cols);
      PanelDot<kGroup, kSigned, kTokenBlock>(s, x, cols, out);
      for (int i = 0; i < kTokenBlock; ++i) {
        StoreRows(m->out + (t + i) * m->out_stride + first, out[i], count);
      }
    }
    for (; t < m->tokens; ++t) {
      x[0] = RowOf(m->packed, t, cols);
      PanelDot<kGroup, kSigned, 1>(s, x, cols, out);
      StoreRows(m->out + t * m->out_stride + first, out[0], count);
    }
  }
}

template <int kGroup, bool kSigned>
void CodeMatMul(const ac_matmul* m, int64_t begin, int64_t end, void* scratch) {
  const CodeScratch s = CodeScratchOf(scratch, m->weights->cols);
  if (m->tokens < kPanelTokens) {
    FewTokens<kGroup, kSigned>(m, begin, end, s);
  } else {
    ManyTokens<kGroup, kSigned>(m, begin, end, s);
  }
}

// ---- Float weights -----------------------------------------------------------------------------

constexpr int kFloatRows = 4;

// MLX elements of 4 and 8 bits; other widths through the scalar expansion.
template <typename ReadScale>
void ExpandMlx(const ac_matrix* w, int64_t row, ReadScale scale_at, float* out) {
  const uint8_t* data =
      static_cast<const uint8_t*>(w->data) + row * static_cast<int64_t>(w->row_bytes);
  const int64_t groups = w->cols / w->group_size;
  for (int64_t g = 0; g < groups; ++g) {
    const float scale = scale_at(w->scales, row * groups + g);
    const float bias = scale_at(w->biases, row * groups + g);
    float* to = out + g * w->group_size;
    if (w->bits == 8) {
      const uint8_t* from = data + g * w->group_size;
      for (int i = 0; i < w->group_size; ++i) to[i] = scale * static_cast<float>(from[i]) + bias;
    } else {
      const uint8_t* from = data + g * w->group_size / 2;
      for (int i = 0; i < w->group_size / 2; ++i) {
        to[2 * i] = scale * static_cast<float>(from[i] & 15) + bias;
        to[2 * i + 1] = scale * static_cast<float>(from[i] >> 4) + bias;
      }
    }
  }
}

inline float HalfAt(const void* values, int64_t i) {
  return Half(static_cast<const char*>(values) + 2 * i);
}
inline float Bf16At(const void* values, int64_t i) {
  uint16_t bits;
  memcpy(&bits, static_cast<const char*>(values) + 2 * i, 2);
  const uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float value;
  memcpy(&value, &wide, 4);
  return value;
}

inline void ExpandFloats(const ac_matrix* w, int64_t row, float* out) {
  const char* data = static_cast<const char*>(w->data) + row * static_cast<int64_t>(w->row_bytes);
  const uint16_t* halves = reinterpret_cast<const uint16_t*>(data);
  int64_t c = 0;
  if (w->type == AC_F32) {
    memcpy(out, data, static_cast<size_t>(w->cols) * sizeof(float));
  } else if (w->type == AC_F16) {
    for (; c + kWidth <= w->cols; c += kWidth) Store(out + c, LoadHalf(halves + c));
    for (; c < w->cols; ++c) out[c] = HalfAt(data, c);
  } else if (w->type == AC_BF16) {
    for (; c + kWidth <= w->cols; c += kWidth) Store(out + c, LoadBf16(halves + c));
    for (; c < w->cols; ++c) out[c] = Bf16At(data, c);
  } else if ((w->bits == 4 || w->bits == 8) && w->scale_type == AC_F16) {
    ExpandMlx(w, row, HalfAt, out);
  } else if ((w->bits == 4 || w->bits == 8) && w->scale_type == AC_BF16) {
    ExpandMlx(w, row, Bf16At, out);
  } else {
    ac_dequantize_row(w, row, out);
  }
}

struct LoadF32Weights {
  static constexpr int64_t kBytes = 4;
  static V Vector(const char* p) { return Load(reinterpret_cast<const float*>(p)); }
  static float Scalar(const char* p) {
    float value;
    memcpy(&value, p, 4);
    return value;
  }
};
struct LoadF16Weights {
  static constexpr int64_t kBytes = 2;
  static V Vector(const char* p) { return LoadHalf(reinterpret_cast<const uint16_t*>(p)); }
  static float Scalar(const char* p) { return HalfAt(p, 0); }
};
struct LoadBf16Weights {
  static constexpr int64_t kBytes = 2;
  static V Vector(const char* p) { return LoadBf16(reinterpret_cast<const uint16_t*>(p)); }
  static float Scalar(const char* p) { return Bf16At(p, 0); }
};

// The columns of a row that fill no vector.
inline float AddTail(float sum, float weight, float x) { return __builtin_fmaf(weight, x, sum); }

// Few tokens: weights are used once or twice, so they are not expanded into memory first. Four rows
// at a time keep four sums in flight.
template <typename Weights>
void FloatRowDots(const ac_matmul* m, int64_t begin, int64_t end) {
  const int64_t cols = m->weights->cols;
  for (int64_t t = 0; t < m->tokens; ++t) {
    const float* x = m->x + t * cols;
    for (int64_t first = begin; first < end; first += kFloatRows) {
      const char* w[kFloatRows];
      V sums[kFloatRows];
      for (int r = 0; r < kFloatRows; ++r) {
        const int64_t row = first + r < end ? first + r : end - 1;
        w[r] = static_cast<const char*>(m->weights->data) +
               row * static_cast<int64_t>(m->weights->row_bytes);
        sums[r] = Zero();
      }
      int64_t c = 0;
      for (; c + kWidth <= cols; c += kWidth) {
        const V input = Load(x + c);
        for (int r = 0; r < kFloatRows; ++r) {
          sums[r] = Fma(Weights::Vector(w[r] + c * Weights::kBytes), input, sums[r]);
        }
      }
      for (int r = 0; r < kFloatRows && first + r < end; ++r) {
        float sum = Sum(sums[r]);
        for (int64_t i = c; i < cols; ++i) {
          sum = AddTail(sum, Weights::Scalar(w[r] + i * Weights::kBytes), x[i]);
        }
        m->out[t * m->out_stride + first + r] = sum;
      }
    }
  }
}

// kFloatRows rows times kTokens tokens; rows lie `stride` apart, padded with zeros.
template <int kTokens>
inline void FloatDots(const float* rows, int64_t stride, const float* x, int64_t cols,
                      float (*out)[kTokens]) {
  V sums[kFloatRows][kTokens];
  for (int r = 0; r < kFloatRows; ++r) {
    for (int t = 0; t < kTokens; ++t) sums[r][t] = Zero();
  }
  int64_t c = 0;
  for (; c + kWidth <= cols; c += kWidth) {
    V input[kTokens];
    for (int t = 0; t < kTokens; ++t) input[t] = Load(x + t * cols + c);
    for (int r = 0; r < kFloatRows; ++r) {
      const V weights = Load(rows + r * stride + c);
      for (int t = 0; t < kTokens; ++t) sums[r][t] = Fma(weights, input[t], sums[r][t]);
    }
  }
  for (int r = 0; r < kFloatRows; ++r) {
    for (int t = 0; t < kTokens; ++t) {
      float sum = Sum(sums[r][t]);
      for (int64_t i = c; i < cols; ++i) {
        sum = AddTail(sum, rows[r * stride + i], x[t * cols + i]);
      }
      out[r][t] = sum;
    }
  }
}

template <int kTokens>
inline void FloatBlock(const ac_matmul* m, int64_t t, int64_t first, int64_t count,
                       const float* rows, int64_t stride) {
  float out[kFloatRows][kTokens];
  FloatDots<kTokens>(rows, stride, m->x + t * m->weights->cols, m->weights->cols, out);
  for (int64_t r = 0; r < count; ++r) {
    for (int i = 0; i < kTokens; ++i) m->out[(t + i) * m->out_stride + first + r] = out[r][i];
  }
}

inline void FloatMatMul(const ac_matmul* m, int64_t begin, int64_t end, float* rows) {
  const int64_t stride = RoundUp(m->weights->cols, 16);
  for (int64_t first = begin; first < end; first += kFloatRows) {
    const int64_t count = end - first < kFloatRows ? end - first : kFloatRows;
    for (int64_t r = 0; r < kFloatRows; ++r) {
      ExpandFloats(m->weights, first + (r < count ? r : 0), rows + r * stride);
    }
    int64_t t = 0;
    for (; t + kTokenBlock / 2 <= m->tokens; t += kTokenBlock / 2) {
      FloatBlock<kTokenBlock / 2>(m, t, first, count, rows, stride);
    }
    for (; t < m->tokens; ++t) FloatBlock<1>(m, t, first, count, rows, stride);
  }
}

// ---- Entries of the table ----------------------------------------------------------------------

size_t MatMulScratch(const ac_matmul* m) {
  if (GroupOf(m->weights->type) != 0) return CodeScratchBytes(m->weights->cols);
  return static_cast<size_t>(kFloatRows * RoundUp(m->weights->cols, 16)) * sizeof(float);
}

void MatMul(const ac_matmul* m, int64_t begin, int64_t end, void* scratch) {
  const int group = GroupOf(m->weights->type);
  const bool few = m->tokens < kTokenBlock / 2;
  if (few && m->weights->type == AC_F32) {
    FloatRowDots<LoadF32Weights>(m, begin, end);
  } else if (few && m->weights->type == AC_F16) {
    FloatRowDots<LoadF16Weights>(m, begin, end);
  } else if (few && m->weights->type == AC_BF16) {
    FloatRowDots<LoadBf16Weights>(m, begin, end);
  } else if (group == 0) {
    FloatMatMul(m, begin, end, static_cast<float*>(scratch));
  } else if (group == 16) {
    CodeMatMul<16, false>(m, begin, end, scratch);
  } else if (IsSigned(m->weights->type)) {
    CodeMatMul<32, true>(m, begin, end, scratch);
  } else {
    CodeMatMul<32, false>(m, begin, end, scratch);
  }
}

}  // namespace
