// One block of keys and values of the cache as operands of tiles.
#pragma once

#include "kernels/amx/tile_lanes.h"

namespace {

// One block of keys and values, as tiles read them.
struct TilePage {
  const uint8_t* keys;  // 64 rows of bf16
  int64_t key_stride;   // in bytes
  uint16_t* expanded;   // [kKeys, padded dim]: keys that cannot be read in place
  uint16_t* values;     // [padded dim, kKeys], turned
  float* scores;        // [kKeys, kLaneRows]
  uint32_t* weights;    // [2, kKeys / 2, kLaneRows]: pairs of bf16, high parts and low parts
  float* products;      // [2, 16, kLaneRows]
};

inline int64_t TilePageBytes(const ac_kv_view& kv) {
  const int64_t elements = 2 * kKeys * TilePaddedDim(kv.head_dim);
  return elements * 2 + (kKeys * kLaneRows + kKeys * kLaneRows + 2 * 16 * kLaneRows) * 4;
}

inline TilePage TilePageOf(const ac_kv_view& kv, void* scratch) {
  const int64_t elements = kKeys * TilePaddedDim(kv.head_dim);
  TilePage p;
  p.keys = nullptr;
  p.key_stride = 0;
  p.expanded = static_cast<uint16_t*>(scratch);
  p.values = p.expanded + elements;
  p.scores = reinterpret_cast<float*>(p.values + elements);
  p.weights = reinterpret_cast<uint32_t*>(p.scores + kKeys * kLaneRows);
  p.products = reinterpret_cast<float*>(p.weights + kKeys * kLaneRows);
  return p;
}

// Sixteen elements of a row as bf16, one in the low half of each lane.
template <ac_kv_type kType>
inline VI LoadHalves(const KvRows& kv, int64_t row, int64_t d) {
  const __mmask16 columns = Columns(kv.dim - d);
  const unsigned char* const from = kv.rows + (row * kv.dim + d) * kElementBytes<kType>;
  if (kType == AC_KV_BF16) {
    return _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(columns, from));
  }
  const VI codes = _mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(columns, from));
  return _mm512_srli_epi32(_mm512_castps_si512(ToFloat(codes)), 16);
}

template <ac_kv_type kType>
inline void ExpandKeys(const KvRows& kv, int count, uint16_t* out) {
  const int64_t dim = TilePaddedDim(kv.dim);
  for (int k = 0; k < count; ++k) {
    for (int64_t d = 0; d < dim; d += kWidth) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + k * dim + d),
                          _mm512_cvtepi32_epi16(LoadHalves<kType>(kv, k, d)));
    }
  }
  memset(out + count * dim, 0, static_cast<size_t>((kKeys - count) * dim) * 2);
}

// Values beyond `count` are zeros: whatever lies there, it has no weight, but might be no number.
template <ac_kv_type kType>
inline void TurnValues(const KvRows& kv, int count, uint16_t* out) {
  for (int64_t d = 0; d < TilePaddedDim(kv.dim); d += kWidth) {
    for (int k = 0; k < kKeys; k += 2 * kWidth) {
      V pairs[kWidth];
      for (int i = 0; i < kWidth; ++i) {
        const int row = k + 2 * i;
        const VI low = row < count ? LoadHalves<kType>(kv, row, d) : ZeroI();
        const VI high = row + 1 < count ? LoadHalves<kType>(kv, row + 1, d) : ZeroI();
        pairs[i] = _mm512_castsi512_ps(_mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
      }
      Transpose(pairs);
      for (int i = 0; i < kWidth; ++i) {
        Store(reinterpret_cast<float*>(out + (d + i) * kKeys + k), pairs[i]);
      }
    }
  }
}

// The block of keys from position `key` on, ready for tiles.
template <ac_kv_type kType>
inline KeyBlock TakeTileBlock(const ac_kv_view& kv, int32_t kv_head, int64_t key, int64_t last,
                              TilePage* p) {
  const int count = static_cast<int>(last - key + 1 < kKeys ? last - key + 1 : kKeys);
  const KeyBlock block{key, count, nullptr, RowsAt<kType>(kv, kv.key_offset, kv_head, key),
                       RowsAt<kType>(kv, kv.value_offset, kv_head, key)};
  if (key + kKeys <= last) {
    PrefetchRows<kType>(RowsAt<kType>(kv, kv.key_offset, kv_head, key + kKeys));
    PrefetchRows<kType>(RowsAt<kType>(kv, kv.value_offset, kv_head, key + kKeys));
  }
  if (kType == AC_KV_BF16 && kv.head_dim % kTileDims == 0) {
    p->keys = block.keys.rows;
    p->key_stride = int64_t{2} * kv.head_dim;
  } else {
    ExpandKeys<kType>(block.keys, count, p->expanded);
    p->keys = reinterpret_cast<const uint8_t*>(p->expanded);
    p->key_stride = 2 * TilePaddedDim(kv.head_dim);
  }
  TurnValues<kType>(block.values, count, p->values);
  return block;
}

}  // namespace
