// Attention by tiles over bf16 and 8-bit caches: blocked online softmax with a query row in each
// lane.
//
// Scores are keys times queries: the rows of the cache are the A operand as they lie (8-bit codes
// become bf16, which holds them exactly), sixteen query rows the B operand. The weights then come
// out as the B operand of the second product, whose A operand is the values, turned once per block.
// Queries and weights are split into two bf16 parts each, so that the products are as good as those
// of single floats to 2^-17 (docs/adr/0033-amx-attention-split-operands.md).
//
// A row's steps are those of its lane alone and the same for any number of rows, which is why few
// rows go through tiles as well. Ranges are joined by simd/attention.h.
#pragma once

#include "kernels/amx/tile_softmax.h"

namespace {

template <ac_kv_type kType>
inline void AttendLanes(const ac_kv_view& kv, const TilePage& p, const KeyBlock& keys,
                        const TileSequence& s) {
  for (int64_t i = 0; i < LaneBlocks(s.rows); ++i) {
    const LaneBlock b = LanesAt(kv, s, i);
    const Sight sight = SightOf(s, b, keys.first);
    if (!sight.any) continue;
    TileScores(kv, p, b);
    const V shrink = WeighLanes<kType>(p, keys.keys, keys.values, s.block.a->scale, sight, b);
    AddTileValues(kv, p, shrink, b);
  }
}

// Keys [first, last] of `count` sequences that have them in the same pages.
template <ac_kv_type kType>
void AttendTiles(const ac_kv_view& kv, int32_t kv_head, int64_t first, int64_t last,
                 const TileSequence* sequences, int32_t count, TilePage* page) {
  for (int64_t key = first; key <= last; key += kKeys) {
    const KeyBlock block = TakeTileBlock<kType>(kv, kv_head, key, last, page);
    for (int32_t m = 0; m < count; ++m) {
      StepTileRange(kv, key, sequences[m]);
      AttendLanes<kType>(kv, *page, block, sequences[m]);
    }
  }
}

inline void AttendTilesOfType(const ac_kv_view& kv, int32_t kv_head, int64_t first, int64_t last,
                              const TileSequence* sequences, int32_t count, TilePage* page) {
  if (kv.type == AC_KV_BF16) {
    AttendTiles<AC_KV_BF16>(kv, kv_head, first, last, sequences, count, page);
  } else {
    AttendTiles<AC_KV_Q8>(kv, kv_head, first, last, sequences, count, page);
  }
}

constexpr TileShape kWholeTile = {kTileRows, kTileRowBytes};
constexpr TileShape kWholeTiles[kTiles] = {kWholeTile, kWholeTile, kWholeTile, kWholeTile,
                                           kWholeTile, kWholeTile, kWholeTile, kWholeTile};

inline int64_t RowsOf(const ac_attention* a, int64_t queries) {
  return queries * (a->n_heads / a->kv.n_kv_heads);
}

size_t TileAttentionScratch(const ac_attention* a) {
  if (a->kv.type == AC_KV_F32) return AttentionScratchBytes(a);
  return static_cast<size_t>(TilePageBytes(a->kv) + TileSequenceBytes(a->kv, BlockRows(a)));
}

inline TileSequence SequenceIn(const ac_attention* a, int32_t kv_head, int64_t begin, int64_t end,
                               void* scratch) {
  return TileSequenceOf(a->kv, QueriesFrom(a, kv_head, begin), RowsOf(a, end - begin),
                        static_cast<char*>(scratch) + TilePageBytes(a->kv));
}

// The part of `keys` is in s.part then.
inline void AttendKeys(const ac_attention* a, int32_t kv_head, KeyRange keys, const TileSequence& s,
                       void* scratch) {
  const Tiles configured(kWholeTiles);
  TilePage page = TilePageOf(a->kv, scratch);
  BeginTileSequence(a->kv, s);
  AttendTilesOfType(a->kv, kv_head, keys.first, keys.last, &s, 1, &page);
  EndTileRange(a->kv, s);
}

void TileAttention(const ac_attention* a, int32_t kv_head, int64_t begin, int64_t end,
                   void* scratch) {
  if (a->kv.type == AC_KV_F32) return Attention(a, kv_head, begin, end, scratch);
  const TileSequence s = SequenceIn(a, kv_head, begin, end, scratch);
  AttendKeys(a, kv_head, {FirstKey(a, begin), a->position + end - 1}, s, scratch);
  JoinRows(a->kv, s.rows, s.part, s.joined);
  FinishRows(s.block, s.rows, s.joined);
}

void TileAttentionPart(const ac_attention* a, int32_t kv_head, int64_t begin, int64_t end,
                       int64_t range, void* part, void* scratch) {
  if (a->kv.type == AC_KV_F32) return AttentionPart(a, kv_head, begin, end, range, part, scratch);
  TileSequence s = SequenceIn(a, kv_head, begin, end, scratch);
  s.part = RowsIn(a->kv, s.rows, static_cast<float*>(part));
  AttendKeys(a, kv_head, RangeOf(a, begin, end, range), s, scratch);
}

size_t TileSharedScratch(const ac_attention* const* members, int32_t count) {
  const ac_kv_view& kv = members[0]->kv;
  if (kv.type == AC_KV_F32) return SharedAttentionScratchBytes(members, count);
  int64_t bytes = TilePageBytes(kv);
  for (int32_t m = 0; m < count; ++m) {
    bytes += TileSequenceBytes(kv, RowsOf(members[m], members[m]->tokens));
  }
  return static_cast<size_t>(bytes);
}

void TileSharedAttention(const ac_attention* const* members, int32_t count, int64_t shared,
                         int32_t kv_head, void* scratch) {
  const ac_kv_view& kv = members[0]->kv;
  if (kv.type == AC_KV_F32) return SharedAttention(members, count, shared, kv_head, scratch);
  const Tiles configured(kWholeTiles);
  TilePage page = TilePageOf(kv, scratch);
  char* free = static_cast<char*>(scratch) + TilePageBytes(kv);
  TileSequence own[kMaxMembers];
  for (int32_t m = 0; m < count; ++m) {
    const int64_t rows = RowsOf(members[m], members[m]->tokens);
    own[m] = TileSequenceOf(kv, QueriesFrom(members[m], kv_head, 0), rows, free);
    free += TileSequenceBytes(kv, rows);
    BeginTileSequence(kv, own[m]);
  }
  AttendTilesOfType(kv, kv_head, 0, shared - 1, own, count, &page);
  for (int32_t m = 0; m < count; ++m) {
    const ac_attention* a = members[m];
    AttendTilesOfType(a->kv, kv_head, shared, a->position + a->tokens - 1, &own[m], 1, &page);
    EndTileRange(kv, own[m]);
    JoinRows(kv, own[m].rows, own[m].part, own[m].joined);
    FinishRows(own[m].block, own[m].rows, own[m].joined);
  }
}

}  // namespace
