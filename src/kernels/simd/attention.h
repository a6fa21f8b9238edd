// Attention with an online softmax over the vectors of the including file's vec.h.
//
// One page of keys at a time is expanded to floats and turned (a row per dimension, a lane per
// key), then used by every query row of the block: all heads that share the KV head, all queries.
// Values are expanded for many rows and read in place for few, and so are keys, turned in
// registers. Rows follow the same steps whatever else is in the block, so a query's result does not
// depend on how the prompt was cut. Ranges of AC_KV_RANGE positions are computed apart and then
// joined, so that they may as well be computed by several threads.
#pragma once

#include "kernels/simd/attention_steps.h"

namespace {

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

// The keys [first, first + count) and their values.
struct KeyBlock {
  int64_t first;
  int count;
  const float* turned;  // null: scores are computed from the keys in the cache
  KvRows keys;
  KvRows values;
  // The block after it, or the block itself: its bytes are fetched while this one is read. Null
  // where that happened before.
  const unsigned char* next_keys;
  const unsigned char* next_values;
};

// Rows whose scores are computed at once from keys in the cache; more rows have them expanded.
constexpr int kInPlaceRows = 2 * kRowBlock;

// Scores of up to kRows rows from `row` on.
template <int kRows, ac_kv_type kType>
inline void PlaceScores(const QueryBlock& block, int64_t row, int64_t rows, const KeyBlock& keys,
                        const AttentionScratch& s) {
  if (rows - row < kRows) {
    if constexpr (kRows > 1) PlaceScores<kRows - 1, kType>(block, row, rows, keys, s);
    return;
  }
  const float* q[kRows];
  float* scores[kRows];
  for (int r = 0; r < kRows; ++r) {
    q[r] = block.a->q + block.Offset(row + r);
    scores[r] = s.scores + (row + r) * kKeys;
  }
  ScoresInPlace<kRows, kType>(q, keys.keys, keys.next_keys, keys.count, block.a->scale, scores);
}

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
    sums[r] = s.part.sums + (row + r) * dim;
  }
  if (keys.turned != nullptr) {
    Scores<kRows>(q, a->kv.head_dim, a->scale, keys.turned, scores);
  }
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
    Weigh(scores[r], static_cast<int>(low), static_cast<int>(high), s.part.max + row + r,
          s.part.total + row + r, sums[r], dim);
  }
  AddValues<kRows, kType>(scores, keys.values, keys.next_values, keys.count, sums);
}

template <ac_kv_type kType>
inline void AttendBlock(const QueryBlock& block, int64_t rows, const KeyBlock& keys,
                        const AttentionScratch& s) {
  const int32_t group = block.group;
  const int64_t first = block.Position(0);
  // Queries before the first key see nothing of the block.
  int64_t row = keys.first > first ? (keys.first - first) * group : 0;
  if (keys.turned == nullptr) PlaceScores<kInPlaceRows, kType>(block, row, rows, keys, s);
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

// Expanding keys and values pays when they are used often; and vectors must not reach past a row.
inline bool Expands(const ac_kv_view& kv, int64_t rows) {
  return rows > kInPlaceRows || kv.head_dim % (kLanes * kWidth) != 0;
}

// The block from position `key` on, expanded if asked for.
template <ac_kv_type kType>
inline KeyBlock TakeBlock(const ac_kv_view& kv, int32_t kv_head, int64_t key, int64_t last,
                          bool expand, const AttentionScratch& s) {
  const int count = static_cast<int>(last - key + 1 < kKeys ? last - key + 1 : kKeys);
  const int64_t next = key + kKeys <= last ? key + kKeys : key;
  const KvRows next_keys = RowsAt<kType>(kv, kv.key_offset, kv_head, next);
  const KvRows next_values = RowsAt<kType>(kv, kv.value_offset, kv_head, next);
  KeyBlock block{key,
                 count,
                 nullptr,
                 RowsAt<kType>(kv, kv.key_offset, kv_head, key),
                 RowsAt<kType>(kv, kv.value_offset, kv_head, key),
                 next_keys.rows,
                 next_values.rows};
  if (!expand) return block;
  PrefetchRows<kType>(next_keys);
  PrefetchRows<kType>(next_values);
  block.next_values = nullptr;
  TurnKeys<kType>(block.keys, count, s.keys);
  ExpandValues<kType>(block.values, count, s.values);
  block.turned = s.keys;
  block.values = {reinterpret_cast<const unsigned char*>(s.values), nullptr,
                  static_cast<int32_t>(PaddedDim(kv.head_dim))};
  return block;
}

// Keys from `first`, a multiple of kKeys, to `last`.
template <ac_kv_type kType>
void AttendPages(const ac_attention* a, int32_t kv_head, const QueryBlock& block, int64_t rows,
                 int64_t first, int64_t last, const AttentionScratch& s) {
  const bool expand = Expands(a->kv, rows);
  for (int64_t key = first; key <= last; key += kKeys) {
    StepRange(a->kv, rows, key, s);
    const KeyBlock keys = TakeBlock<kType>(a->kv, kv_head, key, last, expand, s);
    if (expand) {
      AttendBlock<AC_KV_F32>(block, rows, keys, s);
    } else {
      AttendBlock<kType>(block, rows, keys, s);
    }
  }
}

inline void AttendPagesOfType(const ac_attention* a, int32_t kv_head, const QueryBlock& block,
                              int64_t rows, int64_t first, int64_t last,
                              const AttentionScratch& s) {
  switch (a->kv.type) {
    case AC_KV_F32:
      return AttendPages<AC_KV_F32>(a, kv_head, block, rows, first, last, s);
    case AC_KV_BF16:
      return AttendPages<AC_KV_BF16>(a, kv_head, block, rows, first, last, s);
    case AC_KV_Q8:
      return AttendPages<AC_KV_Q8>(a, kv_head, block, rows, first, last, s);
  }
}

inline void FinishRows(const QueryBlock& block, int64_t rows, const AttentionRows& state) {
  const int32_t head_dim = block.a->kv.head_dim;
  const int64_t dim = PaddedDim(head_dim);
  for (int64_t r = 0; r < rows; ++r) {
    float* out = block.a->out + block.Offset(r);
    const float scale = 1.0f / state.total[r];
    for (int32_t d = 0; d < head_dim; ++d) out[d] = state.sums[r * dim + d] * scale;
  }
}

inline QueryBlock QueriesFrom(const ac_attention* a, int32_t kv_head, int64_t begin) {
  const int32_t group = a->n_heads / a->kv.n_kv_heads;
  return {a, int64_t{kv_head} * group * a->kv.head_dim, begin, group};
}

// The first key that any query from `begin` on sees, down to the border of its block: blocks of
// keys begin at the same positions for every query.
inline int64_t FirstKey(const ac_attention* a, int64_t begin) {
  const int64_t oldest = a->window > 0 ? a->position + begin - a->window + 1 : 0;
  return oldest > 0 ? oldest / kKeys * kKeys : 0;
}

void Attention(const ac_attention* a, int32_t kv_head, int64_t begin, int64_t end, void* scratch) {
  const AttentionScratch s = AttentionScratchOf(a, scratch);
  const QueryBlock block = QueriesFrom(a, kv_head, begin);
  const int64_t rows = (end - begin) * block.group;
  BeginAll(a->kv, rows, s);
  AttendPagesOfType(a, kv_head, block, rows, FirstKey(a, begin), a->position + end - 1, s);
  JoinRows(a->kv, rows, s.part, s.joined);
  FinishRows(block, rows, s.joined);
}

// Of the positions a query sees, those of one range.
struct KeyRange {
  int64_t first;
  int64_t last;
};

inline KeyRange RangeOf(const ac_attention* a, int64_t begin, int64_t end, int64_t range) {
  const int64_t from = FirstKey(a, begin), to = a->position + end - 1;
  const int64_t first = range * AC_KV_RANGE, last = first + AC_KV_RANGE - 1;
  return {first > from ? first : from, last < to ? last : to};
}

size_t AttentionPartBytes(const ac_attention* a, int64_t begin, int64_t end) {
  const int64_t rows = (end - begin) * (a->n_heads / a->kv.n_kv_heads);
  return static_cast<size_t>(RowsFloats(a->kv, rows)) * sizeof(float);
}

void AttentionPart(const ac_attention* a, int32_t kv_head, int64_t begin, int64_t end,
                   int64_t range, void* part, void* scratch) {
  AttentionScratch s = AttentionScratchOf(a, scratch);
  const QueryBlock block = QueriesFrom(a, kv_head, begin);
  const int64_t rows = (end - begin) * block.group;
  s.part = RowsIn(a->kv, rows, static_cast<float*>(part));
  BeginAll(a->kv, rows, s);
  const KeyRange keys = RangeOf(a, begin, end, range);
  AttendPagesOfType(a, kv_head, block, rows, keys.first, keys.last, s);
}

void AttentionJoin(const ac_attention* a, int32_t kv_head, int64_t begin, int64_t end,
                   const void* parts, int64_t count, void* scratch) {
  const QueryBlock block = QueriesFrom(a, kv_head, begin);
  const int64_t rows = (end - begin) * block.group;
  const AttentionRows joined = RowsIn(a->kv, rows, static_cast<float*>(scratch));
  BeginRows(a->kv, rows, joined);
  float* part = static_cast<float*>(const_cast<void*>(parts));
  for (int64_t i = 0; i < count; ++i, part += RowsFloats(a->kv, rows)) {
    JoinRows(a->kv, rows, RowsIn(a->kv, rows, part), joined);
  }
  FinishRows(block, rows, joined);
}

}  // namespace
