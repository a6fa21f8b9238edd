// Writing the cache that simd/kv_rows.h reads.
#pragma once

#include <math.h>
#include <string.h>

#include "kernels/simd/kv_rows.h"

namespace {

inline void StoreBf16(const float* from, int32_t dim, uint16_t* out) {
  for (int32_t i = 0; i < dim; ++i) {
    uint32_t bits;
    memcpy(&bits, from + i, 4);
    // To nearest even; a NaN keeps a bit of its mantissa.
    const uint32_t rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
    const bool nan = (bits & 0x7fffffffu) > 0x7f800000u;
    out[i] = static_cast<uint16_t>(nan ? bits >> 16 | 0x40u : rounded);
  }
}

inline void StoreCodes(const float* from, int32_t dim, int8_t* codes, float* scale) {
  float max = 0;
  for (int32_t i = 0; i < dim; ++i) max = fmaxf(max, fabsf(from[i]));
  const float up = max >= AC_ROUND_MIN ? 127.0f / max : 0.0f;
  *scale = max >= AC_ROUND_MIN ? 1.0f / up : 0.0f;
  for (int32_t i = 0; i < dim; ++i) codes[i] = static_cast<int8_t>(nearbyintf(from[i] * up));
}

template <ac_kv_type kType>
inline void StoreRow(const KvRows& to, const float* from) {
  unsigned char* const rows = const_cast<unsigned char*>(to.rows);
  if (kType == AC_KV_F32) {
    memcpy(rows, from, static_cast<size_t>(to.dim) * sizeof(float));
  } else if (kType == AC_KV_BF16) {
    StoreBf16(from, to.dim, reinterpret_cast<uint16_t*>(rows));
  } else {
    StoreCodes(from, to.dim, reinterpret_cast<int8_t*>(rows), const_cast<float*>(to.scales));
  }
}

template <ac_kv_type kType>
inline void WriteRows(const ac_kv_view& kv, int64_t position, int64_t tokens, const float* k,
                      const float* v) {
  for (int64_t t = position; t < position + tokens; ++t) {
    for (int32_t h = 0; h < kv.n_kv_heads; ++h, k += kv.head_dim, v += kv.head_dim) {
      StoreRow<kType>(RowsAt<kType>(kv, kv.key_offset, h, t), k);
      StoreRow<kType>(RowsAt<kType>(kv, kv.value_offset, h, t), v);
    }
  }
}

void KvWrite(const ac_kv_view* kv, int64_t position, int64_t tokens, const float* k,
             const float* v) {
  switch (kv->type) {
    case AC_KV_F32:
      return WriteRows<AC_KV_F32>(*kv, position, tokens, k, v);
    case AC_KV_BF16:
      return WriteRows<AC_KV_BF16>(*kv, position, tokens, k, v);
    case AC_KV_Q8:
      return WriteRows<AC_KV_Q8>(*kv, position, tokens, k, v);
  }
}

}  // namespace
