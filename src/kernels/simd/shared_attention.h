// Attention of several sequences that begin with the same pages: each block of shared keys and
// values is expanded once and used by all of them, then each goes on with its own.
//
// Every query row takes the same steps in the same order as in Attention(), so the bits are equal.
#pragma once

#include "kernels/simd/attention.h"

namespace {

constexpr int32_t kMaxMembers = AC_MAX_SHARING;

size_t SharedAttentionScratchBytes(const ac_attention* const* members, int32_t count) {
  const int64_t dim = PaddedDim(members[0]->kv.head_dim);
  int64_t floats = 2 * dim * kKeys;
  for (int32_t m = 0; m < count; ++m) {
    const int64_t rows = members[m]->tokens * (members[m]->n_heads / members[m]->kv.n_kv_heads);
    floats += rows * (kKeys + dim + 2);
  }
  return static_cast<size_t>(floats) * sizeof(float);
}

template <ac_kv_type kType>
void AttendSharing(const ac_attention* const* members, int32_t count, int64_t shared,
                   int32_t kv_head, void* scratch) {
  const ac_kv_view& kv = members[0]->kv;
  const int64_t dim = PaddedDim(kv.head_dim);
  QueryBlock blocks[kMaxMembers];
  AttentionScratch own[kMaxMembers];
  int64_t rows[kMaxMembers];
  int64_t all_rows = 0;
  float* const keys = static_cast<float*>(scratch);
  float* const values = keys + dim * kKeys;
  float* free = values + dim * kKeys;
  for (int32_t m = 0; m < count; ++m) {
    blocks[m] = QueriesFrom(members[m], kv_head, 0);
    rows[m] = members[m]->tokens * blocks[m].group;
    all_rows += rows[m];
    // Scores and sums first: vectors are aligned as long as rows are.
    own[m] = {keys, values, free, free + rows[m] * kKeys, nullptr, nullptr};
    free += rows[m] * (kKeys + dim);
  }
  for (int32_t m = 0; m < count; ++m) {
    own[m].max = free;
    own[m].total = free + rows[m];
    free += 2 * rows[m];
    BeginRows(members[m], rows[m], own[m]);
  }
  const bool expand = ExpandsValues(kv, all_rows);
  for (int64_t key = 0; key < shared; key += kKeys) {
    KeyBlock block{key, kKeys, keys, RowsAt<kType>(kv, kv.value_offset, kv_head, key)};
    if (key + kKeys < shared) {
      PrefetchRows<kType>(RowsAt<kType>(kv, kv.key_offset, kv_head, key + kKeys));
      PrefetchRows<kType>(RowsAt<kType>(kv, kv.value_offset, kv_head, key + kKeys));
    }
    TurnKeys<kType>(RowsAt<kType>(kv, kv.key_offset, kv_head, key), kKeys, keys);
    if (expand) {
      ExpandValues<kType>(block.values, kKeys, values);
      block.values = {reinterpret_cast<const unsigned char*>(values), nullptr,
                      static_cast<int32_t>(dim)};
    }
    for (int32_t m = 0; m < count; ++m) {
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
    FinishRows(blocks[m], rows[m], own[m]);
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
