// Attention by dot products of bf16 pairs over bf16 and 8-bit caches: queries and weights are
// rounded to bf16 as the cache's rows are (docs/adr/0055-bf16-attention-rounds-both-sides.md). A
// cache of floats takes the loops of simd/attention.h.
#pragma once

#include "kernels/avx512bf16/pair_loops.h"

namespace {

inline int64_t RowsOfQueries(const ac_attention* a, int64_t queries) {
  return queries * (a->n_heads / a->kv.n_kv_heads);
}

size_t PairAttentionScratch(const ac_attention* a) {
  if (a->kv.type == AC_KV_F32) return AttentionScratchBytes(a);
  return static_cast<size_t>(PairPageBytes(a->kv) + PairSequenceBytes(a->kv, BlockRows(a)));
}

inline PairSequence PairSequenceIn(const ac_attention* a, int32_t kv_head, int64_t begin,
                                   int64_t end, void* scratch) {
  return PairSequenceOf(QueriesFrom(a, kv_head, begin), RowsOfQueries(a, end - begin),
                        static_cast<char*>(scratch) + PairPageBytes(a->kv));
}

void PairAttention(const ac_attention* a, int32_t kv_head, int64_t begin, int64_t end,
                   void* scratch) {
  if (a->kv.type == AC_KV_F32) return Attention(a, kv_head, begin, end, scratch);
  const PairSequence s = PairSequenceIn(a, kv_head, begin, end, scratch);
  BeginPairSequence(s);
  AttendPairsOfType(a->kv, kv_head, FirstKey(a, begin), a->position + end - 1, &s, 1, scratch);
  JoinPairRows(a->kv, s.rows, s.part, s.joined);
  FinishPairRows(s.block, s.rows, s.joined);
}

size_t PairAttentionPartBytes(const ac_attention* a, int64_t begin, int64_t end) {
  if (a->kv.type == AC_KV_F32) return AttentionPartBytes(a, begin, end);
  const int64_t floats = PairRowsFloats(a->kv, RowsOfQueries(a, end - begin));
  return static_cast<size_t>(floats) * sizeof(float);
}

void PairAttentionPart(const ac_attention* a, int32_t kv_head, int64_t begin, int64_t end,
                       int64_t range, void* part, void* scratch) {
  if (a->kv.type == AC_KV_F32) return AttentionPart(a, kv_head, begin, end, range, part, scratch);
  PairSequence s = PairSequenceIn(a, kv_head, begin, end, scratch);
  s.part = PairRowsIn(a->kv, s.rows, static_cast<float*>(part));
  BeginPairSequence(s);
  const KeyRange keys = RangeOf(a, begin, end, range);
  // Joined to nothing at the range's first key: then the part is that of the range alone.
  AttendPairsOfType(a->kv, kv_head, keys.first, keys.last, &s, 1, scratch);
}

void PairAttentionJoin(const ac_attention* a, int32_t kv_head, int64_t begin, int64_t end,
                       const void* parts, int64_t count, void* scratch) {
  if (a->kv.type == AC_KV_F32) {
    return AttentionJoin(a, kv_head, begin, end, parts, count, scratch);
  }
  const QueryBlock block = QueriesFrom(a, kv_head, begin);
  const int64_t rows = RowsOfQueries(a, end - begin);
  const PairRows joined = PairRowsIn(a->kv, rows, static_cast<float*>(scratch));
  BeginPairRows(a->kv, rows, joined);
  float* part = static_cast<float*>(const_cast<void*>(parts));
  for (int64_t i = 0; i < count; ++i, part += PairRowsFloats(a->kv, rows)) {
    JoinPairRows(a->kv, rows, PairRowsIn(a->kv, rows, part), joined);
  }
  FinishPairRows(block, rows, joined);
}

size_t PairSharedScratch(const ac_attention* const* members, int32_t count) {
  const ac_kv_view& kv = members[0]->kv;
  if (kv.type == AC_KV_F32) return SharedAttentionScratchBytes(members, count);
  int64_t bytes = PairPageBytes(kv);
  for (int32_t m = 0; m < count; ++m) {
    bytes += PairSequenceBytes(kv, RowsOfQueries(members[m], members[m]->tokens));
  }
  return static_cast<size_t>(bytes);
}

void PairSharedAttention(const ac_attention* const* members, int32_t count, int64_t shared,
                         int32_t kv_head, void* scratch) {
  const ac_kv_view& kv = members[0]->kv;
  if (kv.type == AC_KV_F32) return SharedAttention(members, count, shared, kv_head, scratch);
  char* free = static_cast<char*>(scratch) + PairPageBytes(kv);
  PairSequence own[kMaxMembers];
  for (int32_t m = 0; m < count; ++m) {
    const int64_t rows = RowsOfQueries(members[m], members[m]->tokens);
    own[m] = PairSequenceOf(QueriesFrom(members[m], kv_head, 0), rows, free);
    free += PairSequenceBytes(kv, rows);
    BeginPairSequence(own[m]);
  }
  AttendPairsOfType(kv, kv_head, 0, shared - 1, own, count, scratch);
  for (int32_t m = 0; m < count; ++m) {
    const ac_attention* a = members[m];
    AttendPairsOfType(a->kv, kv_head, shared, a->position + a->tokens - 1, &own[m], 1, scratch);
    JoinPairRows(kv, own[m].rows, own[m].part, own[m].joined);
    FinishPairRows(own[m].block, own[m].rows, own[m].joined);
  }
}

}  // namespace
