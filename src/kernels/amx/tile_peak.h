// The fastest products of the tile unit on registers alone: what benchmarks compare with.
#pragma once

#include "kernels/amx/tile.h"

namespace {

constexpr int64_t kPeakTiles = 4;
constexpr TileShape kPeakTile = {kTileRows, kTileRowBytes};
constexpr TileShape kPeakShapes[kTiles] = {kPeakTile, kPeakTile, kPeakTile, kPeakTile,
                                           kPeakTile, kPeakTile, kPeakTile, kPeakTile};

// Multiplications and additions of one tile product whose rows hold `elements`.
inline int64_t TileOperations(int64_t elements) { return 2 * kTileRows * kTileRows * elements; }

int64_t TilePeakFloats(int64_t rounds) {
  const Tiles configured(kPeakShapes);
  for (int64_t r = 0; r < rounds; ++r) {
    TileDotBf16<0, 4, 6>();
    TileDotBf16<1, 4, 7>();
    TileDotBf16<2, 5, 6>();
    TileDotBf16<3, 5, 7>();
  }
  return rounds * kPeakTiles * TileOperations(kTileRowBytes / 2);
}

int64_t TilePeakBytes(int64_t rounds) {
  const Tiles configured(kPeakShapes);
  for (int64_t r = 0; r < rounds; ++r) {
    TileDotBytes<0, 4, 6>();
    TileDotBytes<1, 4, 7>();
    TileDotBytes<2, 5, 6>();
    TileDotBytes<3, 5, 7>();
  }
  return rounds * kPeakTiles * TileOperations(kTileRowBytes);
}

}  // namespace
