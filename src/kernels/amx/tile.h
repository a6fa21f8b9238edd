// Tile registers: the instructions of AMX, or, with AC_EMULATE_TILES, the same operations in plain
// code, so that everything above this header can be tested on processors without AMX.
//
// Eight tiles of up to sixteen rows of up to 64 bytes. Their shapes belong to a thread, so whoever
// uses tiles holds a `Tiles` for as long: it sets the shapes (some tens of cycles, nothing beside
// the products of one call) and gives the registers back, which keeps them out of context switches.
#pragma once

#include <stdint.h>
#include <string.h>

namespace {

struct TileShape {
  uint8_t rows;
  uint8_t row_bytes;
};
constexpr int kTiles = 8;
constexpr int kTileRowBytes = 64;
constexpr int kTileRows = 16;

}  // namespace

#ifdef AC_EMULATE_TILES

#include "kernels/amx/emulated_tile.h"

#else

namespace {

// Written as assembly because the compilers' intrinsics take tile numbers only as literals, and
// because GCC 12 does not know that the configuration is read from memory.
class Tiles {
 public:
  explicit Tiles(const TileShape (&shapes)[kTiles]) {
    struct {
      uint8_t palette = 1;
      uint8_t start_row = 0;
      uint8_t reserved[14] = {};
      uint16_t row_bytes[16] = {};
      uint8_t rows[16] = {};
    } config;
    static_assert(sizeof(config) == 64);
    for (int t = 0; t < kTiles; ++t) {
      config.rows[t] = shapes[t].rows;
      config.row_bytes[t] = shapes[t].row_bytes;
    }
    __asm__ volatile("ldtilecfg %0" : : "m"(config) : "memory");
  }
  ~Tiles() { __asm__ volatile("tilerelease" : : : "memory"); }
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;
};

template <int kTile>
inline void TileZero() {
  __asm__ volatile("tilezero %%tmm%c0" : : "i"(kTile));
}

template <int kTile>
inline void TileLoad(const void* from, int64_t stride) {
  __asm__ volatile("tileloadd (%0,%1,1), %%tmm%c2"
                   :
                   : "r"(from), "r"(stride), "i"(kTile)
                   : "memory");
}

template <int kTile>
inline void TileStore(void* to, int64_t stride) {
  __asm__ volatile("tilestored %%tmm%c2, (%0,%1,1)"
                   :
                   : "r"(to), "r"(stride), "i"(kTile)
                   : "memory");
}

// sum[m][n] += sums over k of a[m][k] * b[k / 4][4 n + k % 4], unsigned times signed bytes.
template <int kSum, int kA, int kB>
inline void TileDotBytes() {
  __asm__ volatile("tdpbusd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSum), "i"(kA), "i"(kB));
}

// sum[m][n] += sums over k of a[m][k] * b[k / 2][2 n + k % 2], bf16 to single precision.
template <int kSum, int kA, int kB>
inline void TileDotBf16() {
  __asm__ volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSum), "i"(kA), "i"(kB));
}

}  // namespace

#endif
