// Attention of several sequences that begin with the same pages: each block of shared keys and
// values is expanded once and used by all of them, then each goes on with its own.
//
// Every query row takes the same steps in the same order as in Attention(), so the bits are equal.
#pragma once

#include "kernels/simd/attention.h"

namespace {

constexpr int32_t kMaxMembers = AC_MAX_SHARING;

size_t SharedAttentionScratchBytes(const ac_attention* const* members, int32_t count) {
  const ac_kv_view& kv = members[0]->kv;
  int64_t floats = PageFloats(kv);
  for (int32_t m = 0; m < count; ++m) {
    const int64_t rows = members[m]->tokens * (members[m]->n_heads / kv.n_kv_heads);
    floats += rows * kKeys + 2 * RowsFloats(kv, rows);
  }
  return static_cast<size_t>(floats) * sizeof(float);
}

template <ac_kv_type kType>
void AttendSharing(const ac_attention* const* members, int32_t count, int64_t shared,
                   int32_t kv_head, void* scratch) {
  const ac_kv_view& kv = members[0]->kv;
  QueryBlock blocks[kMaxMembers];
  AttentionScratch own[kMaxMembers];
  int64_t rows[kMaxMembers];
  int64_t all_rows = 0;
  float* const page = static_cast<float*>(scratch);
  float* free = page + PageFloats(kv);
  for (int32_t m = 0; m < count; ++m) {
    blocks[m] = QueriesFrom(members[m], kv_head, 0);
    rows[m] = members[m]->tokens * blocks[m].group;
    all_rows += rows[m];
    own[m] = AttentionScratchOf(kv, rows[m], page, free);
    free += rows[m] * kKeys + 2 * RowsFloats(kv, rows[m]);
    BeginAll(kv, rows[m], own[m]);
  }
  const bool expand = Expands(kv, all_rows);
  for (int64_t key = 0; key < shared; key += kKeys) {
    const KeyBlock block = TakeBlock<kType>(kv, kv_head, key, shared - 1, expand, own[0]);
    for (int32_t m = 0; m < count; ++m) {
      StepRange(kv, rows[m], key, own[m]);
      if (expand) {
        AttendBlock<AC_KV_F32>(blocks[m], rows[m], block, own[m]);
      } else {
        AttendBlock<kType>(blocks[m], rows[m], block, own[m]);
      }
    }
  }
  for (int32_t m = 0; m < count; ++m) {
    const ac_attention* a = members[m];
    AttendPages<kType>(a, kv_head, blocks[m], rows[m], shared, a->position + a->tokens - 1, own[m]);
    JoinRows(kv, rows[m], own[m].part, own[m].joined);
    FinishRows(blocks[m], rows[m], own[m].joined);
  }
}

void SharedAttention(const ac_attention* const* members, int32_t count, int64_t shared,
                     int32_t kv_head, void* scratch) {
  switch (members[0]->kv.type) {
    case AC_KV_F32:
      return AttendSharing<AC_KV_F32>(members, count, shared, kv_head, scratch);
    case AC_KV_BF16:
      return AttendSharing<AC_KV_BF16>(members, count, shared, kv_head, scratch);
    case AC_KV_Q8:
      return AttendSharing<AC_KV_Q8>(members, count, shared, kv_head, scratch);
  }
}

}  // namespace
