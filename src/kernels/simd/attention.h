// Attention with an online softmax over the vectors of the including file's vec.h.
//
// One page of keys at a time is expanded to floats and turned (a row per dimension, a lane per
// key), then used by every query row of the block: all heads that share the KV head, all queries.
// Rows follow the same steps whatever else is in the block, so a query's result does not depend on
// how the prompt was cut.
#pragma once

#include <string.h>

#include "kernels/simd/vector_ops.h"
#include "kernels/table.h"

namespace {

// Keys handled together: one page, or a part of a large one.
constexpr int kKeys = 64;
// Vectors a query row accumulates at once; kRowBlock * kLanes sums stay in registers.
constexpr int kLanes = 4;
constexpr float kMinusInfinity = -__builtin_inff();
// Queries a call gets at most.
constexpr int kQueryBlock = 16;

struct AttentionScratch {
  float* keys;    // [padded dim, kKeys], turned
  float* values;  // [kKeys, padded dim]
  float* scores;  // [rows, kKeys]
  float* sums;    // [rows, padded dim]
  float* max;     // [rows]
  float* total;   // [rows]
};

inline int64_t PaddedDim(int32_t dim) { return (dim + 63) / 64 * 64; }

inline int64_t BlockRows(const ac_attention* a) {
  return int64_t{kQueryBlock} * (a->n_heads / a->kv.n_kv_heads);
}

size_t AttentionScratchBytes(const ac_attention* a) {
  const int64_t dim = PaddedDim(a->kv.head_dim);
  return static_cast<size_t>(2 * dim * kKeys + BlockRows(a) * (kKeys + dim + 2)) * sizeof(float);
}

inline AttentionScratch AttentionScratchOf(const ac_attention* a, void* scratch) {
  const int64_t dim = PaddedDim(a->kv.head_dim);
  const int64_t rows = BlockRows(a);
  AttentionScratch s;
  s.keys = static_cast<float*>(scratch);
  s.values = s.keys + dim * kKeys;
  s.scores = s.values + dim * kKeys;
  s.sums = s.scores + rows * kKeys;
  s.max = s.sums + rows * dim;
  s.total = s.max + rows;
  return s;
}

inline const unsigned char* KvRow(const ac_kv_view& kv, size_t offset, int32_t head,
                                  int64_t position) {
  const size_t element = kv.type == AC_KV_F32 ? 4 : 2;
  return kv.pages[position / kv.page_tokens] + offset + static_cast<size_t>(head) * kv.head_bytes +
         static_cast<size_t>(position % kv.page_tokens) * static_cast<size_t>(kv.head_dim) *
             element;
}

inline V LoadKv(const ac_kv_view& kv, const unsigned char* row, int64_t i) {
  return kv.type == AC_KV_F32 ? Load(reinterpret_cast<const float*>(row) + i)
                              : LoadBf16(reinterpret_cast<const uint16_t*>(row) + i);
}

inline float ReadKv(const ac_kv_view& kv, const unsigned char* row, int64_t i) {
  uint32_t bits = 0;
  if (kv.type == AC_KV_F32) {
    memcpy(&bits, row + 4 * i, 4);
  } else {
    uint16_t half;
    memcpy(&half, row + 2 * i, 2);
    bits = static_cast<uint32_t>(half) << 16;
  }
  float value;
  memcpy(&value, &bits, 4);
  return value;
}

// Keys and values of positions [first, first + count), which lie in one page.
inline void LoadKeysAndValues(const ac_attention* a, int32_t head, int64_t first, int count,
                              const AttentionScratch& s) {
  const ac_kv_view& kv = a->kv;
  const int32_t dim = kv.head_dim;
  const int64_t padded = PaddedDim(dim);
  const int64_t whole = dim / kWidth * kWidth;
  for (int k = 0; k < count; k += kWidth) {
    const int tile = count - k < kWidth ? count - k : kWidth;
    for (int64_t d = 0; d < whole; d += kWidth) {
      V rows[kWidth];
      for (int i = 0; i < kWidth; ++i) {
        // Keys that are not there repeat the last one; their scores are masked.
        const int key = k + (i < tile ? i : tile - 1);
        rows[i] = LoadKv(kv, KvRow(kv, kv.key_offset, head, first + key), d);
      }
      Transpose(rows);
      for (int i = 0; i < kWidth; ++i) Store(s.keys + (d + i) * kKeys + k, rows[i]);
    }
  }
  for (int k = 0; k < count; ++k) {
    const unsigned char* key = KvRow(kv, kv.key_offset, head, first + k);
    const unsigned char* value = KvRow(kv, kv.value_offset, head, first + k);
    float* to = s.values + k * padded;
    for (int64_t d = 0; d < whole; d += kWidth) Store(to + d, LoadKv(kv, value, d));
    for (int64_t d = whole; d < dim; ++d) {
      s.keys[d * kKeys + k] = ReadKv(kv, key, d);
      to[d] = ReadKv(kv, value, d);
    }
    for (int64_t d = dim; d < padded; ++d) to[d] = 0;
  }
}

// Scores of kRows query rows; q rows lie `dim` apart inside a token, see QueryRow.
template <int kRows>
inline void Scores(const float* const* q, int32_t dim, float scale, const float* keys,
                   float* const* scores) {
  for (int k = 0; k < kKeys; k += kLanes * kWidth) {
    V sums[kRows][kLanes];
    for (int r = 0; r < kRows; ++r) {
      for (int i = 0; i < kLanes; ++i) sums[r][i] = Zero();
    }
    for (int32_t d = 0; d < dim; ++d) {
      V key[kLanes];
      for (int i = 0; i < kLanes; ++i) key[i] = Load(keys + d * kKeys + k + i * kWidth);
      for (int r = 0; r < kRows; ++r) {
        const V x = Set1(q[r][d]);
        for (int i = 0; i < kLanes; ++i) sums[r][i] = Fma(x, key[i], sums[r][i]);
      }
    }
    for (int r = 0; r < kRows; ++r) {
      for (int i = 0; i < kLanes; ++i) {
        Store(scores[r] + k + i * kWidth, Mul(sums[r][i], Set1(scale)));
      }
    }
  }
}

// sums += scores * values for kRows query rows.
template <int kRows>
inline void AddValues(float* const* scores, const float* values, int64_t dim, int count,
                      float* const* sums) {
  for (int64_t d = 0; d < dim; d += kLanes * kWidth) {
    V acc[kRows][kLanes];
    for (int r = 0; r < kRows; ++r) {
      for (int i = 0; i < kLanes; ++i) acc[r][i] = Load(sums[r] + d + i * kWidth);
    }
    for (int k = 0; k < count; ++k) {
      V value[kLanes];
      for (int i = 0; i < kLanes; ++i) value[i] = Load(values + k * dim + d + i * kWidth);
      for (int r = 0; r < kRows; ++r) {
        const V p = Set1(scores[r][k]);
        for (int i = 0; i < kLanes; ++i) acc[r][i] = Fma(p, value[i], acc[r][i]);
      }
    }
    for (int r = 0; r < kRows; ++r) {
      for (int i = 0; i < kLanes; ++i) Store(sums[r] + d + i * kWidth, acc[r][i]);
    }
  }
}

// Scores [low, high) of the row become weights relative to its maximum so far, the others 0.
inline void Weigh(float* scores, int low, int high, float* max, float* total, float* sums,
                  int64_t dim) {
  for (int k = 0; k < low; ++k) scores[k] = kMinusInfinity;
  for (int k = high; k < kKeys; ++k) scores[k] = kMinusInfinity;
  V best = Load(scores);
  for (int k = kWidth; k < kKeys; k += kWidth) best = Max(best, Load(scores + k));
  const float new_max = fmaxf(*max, MaxOf(best));
  V sum = Zero();
  for (int k = 0; k < kKeys; k += kWidth) {
    const V p = Exp(Sub(Load(scores + k), Set1(new_max)));
    sum = Add(sum, p);
    Store(scores + k, p);
  }
  // Exp() of a masked score is tiny, not zero.
  for (int k = 0; k < low; ++k) scores[k] = 0;
  for (int k = high; k < kKeys; ++k) scores[k] = 0;
  if (new_max != *max) {
    const float shrink = *max == kMinusInfinity ? 0.0f : expf(*max - new_max);
    for (int64_t d = 0; d < dim; d += kWidth) {
      Store(sums + d, Mul(Load(sums + d), Set1(shrink)));
    }
    *total *= shrink;
    *max = new_max;
  }
  *total += Sum(sum);
}

struct QueryBlock {
  const ac_attention* a;
  int64_t first_column;  // of the KV head's first query head in a token's row
  int64_t begin;         // first query
  int32_t group;

  int64_t Offset(int64_t row) const {
    const int64_t width = int64_t{a->n_heads} * a->kv.head_dim;
    return (begin + row / group) * width + first_column + row % group * a->kv.head_dim;
  }
  int64_t Position(int64_t row) const { return a->position + begin + row / group; }
};

template <int kRows>
inline void AttendRows(const QueryBlock& block, int64_t row, int64_t first, int count,
                       const AttentionScratch& s) {
  const ac_attention* a = block.a;
  const int64_t dim = PaddedDim(a->kv.head_dim);
  const float* q[kRows];
  float* scores[kRows];
  float* sums[kRows];
  for (int r = 0; r < kRows; ++r) {
    q[r] = a->q + block.Offset(row + r);
    scores[r] = s.scores + (row + r) * kKeys;
    sums[r] = s.sums + (row + r) * dim;
  }
  Scores<kRows>(q, a->kv.head_dim, a->scale, s.keys, scores);
  for (int r = 0; r < kRows; ++r) {
    const int64_t position = block.Position(row + r);
    const int64_t from = a->window > 0 ? position - a->window + 1 : 0;
    const int low =
        from > first ? static_cast<int>(from - first < kKeys ? from - first : kKeys) : 0;
    const int high =
        position < first
            ? 0
            : static_cast<int>(position - first < count ? position - first + 1 : count);
    if (low >= high) {  // sees none of these keys
      memset(scores[r], 0, kKeys * sizeof(float));
      continue;
    }
    Weigh(scores[r], low, high, s.max + row + r, s.total + row + r, sums[r], dim);
  }
  AddValues<kRows>(scores, s.values, dim, count, sums);
}

void Attention(const ac_attention* a, int32_t kv_head, int64_t begin, int64_t end, void* scratch) {
  const AttentionScratch s = AttentionScratchOf(a, scratch);
  const int32_t group = a->n_heads / a->kv.n_kv_heads;
  const QueryBlock block{a, int64_t{kv_head} * group * a->kv.head_dim, begin, group};
  const int64_t rows = (end - begin) * group;
  const int64_t dim = PaddedDim(a->kv.head_dim);
  memset(s.sums, 0, static_cast<size_t>(rows * dim) * sizeof(float));
  for (int64_t r = 0; r < rows; ++r) {
    s.max[r] = kMinusInfinity;
    s.total[r] = 0;
  }
  const int64_t last = a->position + end - 1;
  int64_t key = a->window > 0 ? a->position + begin - a->window + 1 : 0;
  // Blocks of keys begin at the same positions for every query.
  key = key > 0 ? key / kKeys * kKeys : 0;
  for (; key <= last; key += kKeys) {
    const int count = static_cast<int>(last - key + 1 < kKeys ? last - key + 1 : kKeys);
    LoadKeysAndValues(a, kv_head, key, count, s);
    int64_t row = key > block.Position(0) ? (key - block.Position(0)) * group : 0;
    for (; row + kRowBlock <= rows; row += kRowBlock) {
      AttendRows<kRowBlock>(block, row, key, count, s);
    }
    for (; row < rows; ++row) AttendRows<1>(block, row, key, count, s);
  }
  for (int64_t r = 0; r < rows; ++r) {
    float* out = a->out + block.Offset(r);
    const float scale = 1.0f / s.total[r];
    for (int32_t d = 0; d < a->kv.head_dim; ++d) out[d] = s.sums[r * dim + d] * scale;
  }
}

inline void StoreKv(const ac_kv_view& kv, unsigned char* to, const float* from) {
  if (kv.type == AC_KV_F32) {
    memcpy(to, from, static_cast<size_t>(kv.head_dim) * sizeof(float));
    return;
  }
  uint16_t* out = reinterpret_cast<uint16_t*>(to);
  for (int32_t i = 0; i < kv.head_dim; ++i) {
    uint32_t bits;
    memcpy(&bits, from + i, 4);
    // To nearest even; a NaN keeps a bit of its mantissa.
    const uint32_t rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
    const bool nan = (bits & 0x7fffffffu) > 0x7f800000u;
    out[i] = static_cast<uint16_t>(nan ? bits >> 16 | 0x40u : rounded);
  }
}

void KvWrite(const ac_kv_view* kv, int64_t position, int64_t tokens, const float* k,
             const float* v) {
  for (int64_t t = 0; t < tokens; ++t) {
    for (int32_t h = 0; h < kv->n_kv_heads; ++h, k += kv->head_dim, v += kv->head_dim) {
      StoreKv(*kv, const_cast<unsigned char*>(KvRow(*kv, kv->key_offset, h, position + t)), k);
      StoreKv(*kv, const_cast<unsigned char*>(KvRow(*kv, kv->value_offset, h, position + t)), v);
    }
  }
}

}  // namespace
