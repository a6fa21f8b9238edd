// What one block of keys and values does to sixteen query rows: scores, weights, weighed values.
#pragma once

#include "kernels/amx/tile_page.h"

namespace {

// The scores of sixteen keys: tile kKey += keys times both parts of the queries in tiles 5 and 6.
template <int kKey>
inline void ScoreTile(const TilePage& p, int64_t d) {
  TileLoad<4>(p.keys + kKey * 16 * p.key_stride + d * 2, p.key_stride);
  TileDotBf16<kKey, 4, 5>();
  TileDotBf16<kKey, 4, 6>();
}

inline void TileScores(const ac_kv_view& kv, const TilePage& p, const LaneBlock& b) {
  const int64_t dim = TilePaddedDim(kv.head_dim);
  TileZero<0>();
  TileZero<1>();
  TileZero<2>();
  TileZero<3>();
  for (int64_t d = 0; d < dim; d += kTileDims) {
    TileLoad<5>(b.q + d / 2 * kLaneRows, kTileRowBytes);
    TileLoad<6>(b.q + (dim + d) / 2 * kLaneRows, kTileRowBytes);
    ScoreTile<0>(p, d);
    ScoreTile<1>(p, d);
    ScoreTile<2>(p, d);
    ScoreTile<3>(p, d);
  }
  TileStore<0>(p.scores, kTileRowBytes);
  TileStore<1>(p.scores + 16 * kLaneRows, kTileRowBytes);
  TileStore<2>(p.scores + 32 * kLaneRows, kTileRowBytes);
  TileStore<3>(p.scores + 48 * kLaneRows, kTileRowBytes);
}

// Which lanes see which keys of a block.
struct Sight {
  VI low;   // the first key each lane sees, counted from the block's first
  VI high;  // the last one
  bool any;

  __mmask16 Of(int key) const {
    const VI k = _mm512_set1_epi32(key);
    return _mm512_cmple_epi32_mask(low, k) & _mm512_cmple_epi32_mask(k, high);
  }
};

inline Sight SightOf(const TileSequence& s, const LaneBlock& b, int64_t first) {
  int32_t low[kLaneRows], high[kLaneRows];
  Sight sight;
  sight.any = false;
  for (int r = 0; r < kLaneRows; ++r) {
    low[r] = kKeys;
    high[r] = -1;
    if (r >= b.rows) continue;
    const int64_t position = s.block.Position(b.first_row + r);
    const int64_t window = s.block.a->window;
    const int64_t from = window > 0 ? position - window + 1 - first : 0;
    const int64_t to = position - first;
    if (from >= kKeys || to < 0) continue;
    low[r] = from > 0 ? static_cast<int32_t>(from) : 0;
    high[r] = to < kKeys ? static_cast<int32_t>(to) : kKeys - 1;
    sight.any = true;
  }
  sight.low = LoadI(low);
  sight.high = LoadI(high);
  return sight;
}

// Scores become weights in two bf16 parts; returns by how much earlier sums shrink.
template <ac_kv_type kType>
inline V WeighLanes(const TilePage& p, const KvRows& keys, const KvRows& values, float scale,
                    const Sight& sight, const LaneBlock& b) {
  V best = Set1(kNothingSeen);
  for (int k = 0; k < kKeys; ++k) {
    const float key_scale = kType == AC_KV_Q8 ? keys.scales[k] * scale : scale;
    const V score = Mul(Load(p.scores + k * kLaneRows), Set1(key_scale));
    Store(p.scores + k * kLaneRows, score);
    best = _mm512_mask_max_ps(best, sight.Of(k), best, score);
  }
  const V old_max = Load(b.max);
  const V max = Max(old_max, best);
  V totals[4] = {Zero(), Zero(), Zero(), Zero()};
  for (int k = 0; k < kKeys; k += 2) {
    V weights[2];
    for (int i = 0; i < 2; ++i) {
      const __mmask16 seen = sight.Of(k + i);
      weights[i] = _mm512_maskz_mov_ps(seen, Exp(Sub(Load(p.scores + (k + i) * kLaneRows), max)));
      totals[k % 4 + i] = Add(totals[k % 4 + i], weights[i]);
      if (kType == AC_KV_Q8) {
        weights[i] = _mm512_maskz_mul_ps(seen, weights[i], Set1(values.scales[k + i]));
      }
    }
    uint32_t* const to = p.weights + k / 2 * kLaneRows;
    StoreSplit(weights[0], weights[1], to, to + kKeys / 2 * kLaneRows);
  }
  const V shrink = Exp(Sub(old_max, max));
  const V total = Add(Add(totals[0], totals[1]), Add(totals[2], totals[3]));
  Store(b.max, max);
  Store(b.total, Fma(Load(b.total), shrink, total));
  return shrink;
}

// Sixteen dimensions: values in tiles 2 and 3, weights in 4 to 7.
template <int kOdd>
inline void ValueTile(const TilePage& p, int64_t d) {
  const uint16_t* const values = p.values + d * kKeys;
  TileZero<kOdd>();
  TileLoad<2>(values, kKeys * 2);
  TileDotBf16<kOdd, 2, 4>();
  TileDotBf16<kOdd, 2, 6>();
  TileLoad<3>(values + kKeys / 2, kKeys * 2);
  TileDotBf16<kOdd, 3, 5>();
  TileDotBf16<kOdd, 3, 7>();
  TileStore<kOdd>(p.products + kOdd * 16 * kLaneRows, kTileRowBytes);
}

inline void ValueTileAt(const TilePage& p, int64_t d) {
  if (d % 32 == 0) {
    ValueTile<0>(p, d);
  } else {
    ValueTile<1>(p, d);
  }
}

// sums = sums * shrink + values * weights; the next dimensions are multiplied beside it.
inline void AddTileValues(const ac_kv_view& kv, const TilePage& p, V shrink, const LaneBlock& b) {
  const int64_t dim = TilePaddedDim(kv.head_dim);
  const uint32_t* const low = p.weights + kKeys / 2 * kLaneRows;
  TileLoad<4>(p.weights, kTileRowBytes);
  TileLoad<5>(p.weights + 16 * kLaneRows, kTileRowBytes);
  TileLoad<6>(low, kTileRowBytes);
  TileLoad<7>(low + 16 * kLaneRows, kTileRowBytes);
  ValueTileAt(p, 0);
  for (int64_t d = 0; d < dim; d += 16) {
    if (d + 16 < dim) ValueTileAt(p, d + 16);
    const float* const products = p.products + d % 32 * kLaneRows;
    for (int i = 0; i < 16; ++i) {
      float* const sum = b.sums + (d + i) * kLaneRows;
      Store(sum, Fma(Load(sum), shrink, Load(products + i * kLaneRows)));
    }
  }
}

}  // namespace
