// The tiles of tile.h, which includes this file, in plain code. Shapes are checked as the processor
// checks them: what would fault there traps here.
#pragma once

#include <stdint.h>
#include <string.h>

namespace {

struct EmulatedTile {
  TileShape shape;
  uint8_t bytes[kTileRows][kTileRowBytes];
};
thread_local EmulatedTile tiles[kTiles];

inline float FromBf16(const uint8_t* at) {
  uint16_t half;
  memcpy(&half, at, 2);
  const uint32_t bits = static_cast<uint32_t>(half) << 16;
  float value;
  memcpy(&value, &bits, 4);
  return value;
}

class Tiles {
 public:
  explicit Tiles(const TileShape (&shapes)[kTiles]) {
    for (int t = 0; t < kTiles; ++t) {
      memset(&tiles[t], 0, sizeof(tiles[t]));
      tiles[t].shape = shapes[t];
    }
  }
  // A tile without a shape is a fault, as on the processor.
  ~Tiles() { memset(tiles, 0, sizeof(tiles)); }
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;
};

template <int kTile>
inline EmulatedTile& Shaped() {
  if (tiles[kTile].shape.rows == 0) __builtin_trap();
  return tiles[kTile];
}

template <int kTile>
inline void TileZero() {
  memset(Shaped<kTile>().bytes, 0, sizeof(tiles[kTile].bytes));
}

template <int kTile>
inline void TileLoad(const void* from, int64_t stride) {
  EmulatedTile& tile = Shaped<kTile>();
  for (int r = 0; r < tile.shape.rows; ++r) {
    memcpy(tile.bytes[r], static_cast<const uint8_t*>(from) + r * stride, tile.shape.row_bytes);
  }
}

template <int kTile>
inline void TileStore(void* to, int64_t stride) {
  const EmulatedTile& tile = Shaped<kTile>();
  for (int r = 0; r < tile.shape.rows; ++r) {
    memcpy(static_cast<uint8_t*>(to) + r * stride, tile.bytes[r], tile.shape.row_bytes);
  }
}

// The shapes of three tiles that are multiplied must agree.
template <int kSum, int kA, int kB>
inline void CheckShapes() {
  const TileShape sum = Shaped<kSum>().shape, a = Shaped<kA>().shape, b = Shaped<kB>().shape;
  if (sum.rows != a.rows || sum.row_bytes != b.row_bytes || a.row_bytes != 4 * b.rows) {
    __builtin_trap();
  }
}

template <int kSum, int kA, int kB>
inline void TileDotBytes() {
  CheckShapes<kSum, kA, kB>();
  for (int r = 0; r < tiles[kA].shape.rows; ++r) {
    int32_t sums[kTileRowBytes / 4];
    memcpy(sums, tiles[kSum].bytes[r], sizeof(sums));
    for (int k = 0; k < tiles[kB].shape.rows; ++k) {
      const uint8_t* const a = tiles[kA].bytes[r] + 4 * k;
      const uint8_t* const b = tiles[kB].bytes[k];
      for (int n = 0; n < tiles[kB].shape.row_bytes / 4; ++n) {
        for (int i = 0; i < 4; ++i) sums[n] += a[i] * static_cast<int8_t>(b[4 * n + i]);
      }
    }
    memcpy(tiles[kSum].bytes[r], sums, sizeof(sums));
  }
}

template <int kSum, int kA, int kB>
inline void TileDotBf16() {
  CheckShapes<kSum, kA, kB>();
  for (int r = 0; r < tiles[kA].shape.rows; ++r) {
    // First and second of each pair are summed apart.
    float first[kTileRowBytes / 4] = {};
    float second[kTileRowBytes / 4] = {};
    for (int k = 0; k < tiles[kB].shape.rows; ++k) {
      const float a0 = FromBf16(tiles[kA].bytes[r] + 4 * k);
      const float a1 = FromBf16(tiles[kA].bytes[r] + 4 * k + 2);
      for (int n = 0; n < tiles[kB].shape.row_bytes / 4; ++n) {
        first[n] = __builtin_fmaf(a0, FromBf16(tiles[kB].bytes[k] + 4 * n), first[n]);
        second[n] = __builtin_fmaf(a1, FromBf16(tiles[kB].bytes[k] + 4 * n + 2), second[n]);
      }
    }
    float sums[kTileRowBytes / 4];
    memcpy(sums, tiles[kSum].bytes[r], sizeof(sums));
    for (int n = 0; n < kTileRowBytes / 4; ++n) sums[n] += first[n] + second[n];
    memcpy(tiles[kSum].bytes[r], sums, sizeof(sums));
  }
}

}  // namespace
