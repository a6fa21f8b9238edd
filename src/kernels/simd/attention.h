// Attention with an online softmax over the vectors of the including file's vec.h.
//
// One page of keys at a time is expanded to floats and turned (a row per dimension, a lane per
// key), then used by every query row of the block: all heads that share the KV head, all queries.
// Values are expanded for many rows and read in place for few.
// Rows follow the same steps whatever else is in the block, so a query's result does not depend on
// how the prompt was cut.
#pragma once

#include <string.h>

#include "kernels/simd/kv_rows.h"
#include "kernels/simd/vector_ops.h"
#include "kernels/table.h"

namespace {

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

// sums += scores * values for kRows query rows. Values are read where they lie; they have the same
// bits as the expanded ones.
template <int kRows, ac_kv_type kType>
inline void AddValues(float* const* scores, const KvRows& values, int count, float* const* sums) {
  for (int64_t d = 0; d < values.dim; d += kLanes * kWidth) {
    V acc[kRows][kLanes];
    for (int r = 0; r < kRows; ++r) {
      for (int i = 0; i < kLanes; ++i) acc[r][i] = Load(sums[r] + d + i * kWidth);
    }
    for (int k = 0; k < count; ++k) {
      V value[kLanes];
      for (int i = 0; i < kLanes; ++i) value[i] = LoadKv<kType>(values, k, d + i * kWidth);
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

// The keys [first, first + count), turned, and their values.
struct KeyBlock {
  int64_t first;
  int count;
  const float* keys;
  KvRows values;
};

// Of type kType are the values, which may be those of the cache or expanded ones.
template <int kRows, ac_kv_type kType>
inline void AttendRows(const QueryBlock& block, int64_t row, const KeyBlock& keys,
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
  Scores<kRows>(q, a->kv.head_dim, a->scale, keys.keys, scores);
  for (int r = 0; r < kRows; ++r) {
    const int64_t position = block.Position(row + r);
    const int64_t from = a->window > 0 ? position - a->window + 1 : 0;
    const int64_t low = from > keys.first ? from - keys.first : 0;
    const int64_t seen = position - keys.first + 1;
    const int64_t high = seen < keys.count ? seen : keys.count;
    if (low >= high) {  // sees none of these keys
      memset(scores[r], 0, kKeys * sizeof(float));
      continue;
    }
    Weigh(scores[r], static_cast<int>(low), static_cast<int>(high), s.max + row + r,
          s.total + row + r, sums[r], dim);
  }
  AddValues<kRows, kType>(scores, keys.values, keys.count, sums);
}

template <ac_kv_type kType>
inline void AttendBlock(const QueryBlock& block, int64_t rows, const KeyBlock& keys,
                        const AttentionScratch& s) {
  const int32_t group = block.group;
  const int64_t first = block.Position(0);
  // Queries before the first key see nothing of the block.
  int64_t row = keys.first > first ? (keys.first - first) * group : 0;
  for (; row + kRowBlock <= rows; row += kRowBlock) {
    AttendRows<kRowBlock, kType>(block, row, keys, s);
  }
  if (rows - row == 3) return AttendRows<3, kType>(block, row, keys, s);
  if (rows - row == 2) return AttendRows<2, kType>(block, row, keys, s);
  if (rows - row == 1) return AttendRows<1, kType>(block, row, keys, s);
}

// Into the nearest cache but one: the block is used as soon as this one is done.
template <ac_kv_type kType>
inline void PrefetchRows(const KvRows& kv) {
  for (int64_t at = 0; at < kKeys * kv.dim * kElementBytes<kType>; at += 64) {
    __builtin_prefetch(kv.rows + at, 0, 2);
  }
}

// Expanding the values pays when they are used often; and vectors must not reach past a row.
inline bool ExpandsValues(const ac_kv_view& kv, int64_t rows) {
  return rows > 2 * kRowBlock || kv.head_dim % (kLanes * kWidth) != 0;
}

// Keys from `first`, a multiple of kKeys, to `last`.
template <ac_kv_type kType>
void AttendPages(const ac_attention* a, int32_t kv_head, const QueryBlock& block, int64_t rows,
                 int64_t first, int64_t last, const AttentionScratch& s) {
  const ac_kv_view& kv = a->kv;
  const bool expand = ExpandsValues(kv, rows);
  for (int64_t key = first; key <= last; key += kKeys) {
    const int count = static_cast<int>(last - key + 1 < kKeys ? last - key + 1 : kKeys);
    KeyBlock keys{key, count, s.keys, RowsAt<kType>(kv, kv.value_offset, kv_head, key)};
    if (key + kKeys <= last) {
      PrefetchRows<kType>(RowsAt<kType>(kv, kv.key_offset, kv_head, key + kKeys));
      PrefetchRows<kType>(RowsAt<kType>(kv, kv.value_offset, kv_head, key + kKeys));
    }
    TurnKeys<kType>(RowsAt<kType>(kv, kv.key_offset, kv_head, key), count, s.keys);
    if (expand) {
      ExpandValues<kType>(keys.values, count, s.values);
      keys.values = {reinterpret_cast<const unsigned char*>(s.values), nullptr,
                     static_cast<int32_t>(PaddedDim(kv.head_dim))};
      AttendBlock<AC_KV_F32>(block, rows, keys, s);
    } else {
      AttendBlock<kType>(block, rows, keys, s);
    }
  }
}

inline void BeginRows(const ac_attention* a, int64_t rows, const AttentionScratch& s) {
  memset(s.sums, 0, static_cast<size_t>(rows * PaddedDim(a->kv.head_dim)) * sizeof(float));
  for (int64_t r = 0; r < rows; ++r) {
    s.max[r] = kMinusInfinity;
    s.total[r] = 0;
  }
}

inline void FinishRows(const QueryBlock& block, int64_t rows, const AttentionScratch& s) {
  const int32_t head_dim = block.a->kv.head_dim;
  const int64_t dim = PaddedDim(head_dim);
  for (int64_t r = 0; r < rows; ++r) {
    float* out = block.a->out + block.Offset(r);
    const float scale = 1.0f / s.total[r];
    for (int32_t d = 0; d < head_dim; ++d) out[d] = s.sums[r * dim + d] * scale;
  }
}

inline QueryBlock QueriesFrom(const ac_attention* a, int32_t kv_head, int64_t begin) {
  const int32_t group = a->n_heads / a->kv.n_kv_heads;
  return {a, int64_t{kv_head} * group * a->kv.head_dim, begin, group};
}

void Attention(const ac_attention* a, int32_t kv_head, int64_t begin, int64_t end, void* scratch) {
  const AttentionScratch s = AttentionScratchOf(a, scratch);
  const QueryBlock block = QueriesFrom(a, kv_head, begin);
  const int64_t rows = (end - begin) * block.group;
  BeginRows(a, rows, s);
  // Blocks of keys begin at the same positions for every query.
  const int64_t oldest = a->window > 0 ? block.Position(0) - a->window + 1 : 0;
  const int64_t first = oldest > 0 ? oldest / kKeys * kKeys : 0;
  const int64_t last = a->position + end - 1;
  switch (a->kv.type) {
    case AC_KV_F32:
      AttendPages<AC_KV_F32>(a, kv_head, block, rows, first, last, s);
      break;
    case AC_KV_BF16:
      AttendPages<AC_KV_BF16>(a, kv_head, block, rows, first, last, s);
      break;
    case AC_KV_Q8:
      AttendPages<AC_KV_Q8>(a, kv_head, block, rows, first, last, s);
      break;
  }
  FinishRows(block, rows, s);
}

}  // namespace
