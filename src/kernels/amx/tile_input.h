// Inputs of products with tiles: sixteen tokens packed as B operands, rounded as
// simd/packed_input.h rounds them.
#pragma once

#include "kernels/amx/tile.h"
#include "kernels/simd/matmul.h"

namespace {

constexpr int kTileTokens = 16;
// From this many tokens on, a tile that is partly empty beats vectors.
constexpr int64_t kTilesFrom = 8;
constexpr int kStagedCols = 256;

// Forms of packed inputs: columns rounded together, columns of a group.
enum { kTileForm32 = 1, kTileForm256, kTileForm256By16 };

inline int TileFormGroup(int form) { return form == kTileForm256By16 ? 16 : 32; }
inline int TileFormBlock(int form) { return form == kTileForm32 ? 32 : 256; }
inline bool IsTileForm(int form) { return form >= kTileForm32 && form <= kTileForm256By16; }

int TilePackForm(const ac_matrix* w, int64_t tokens) {
  const int form = PackForm(w, tokens);
  if (form == AC_PACK_NONE || tokens < kTilesFrom) return form;
  if (GroupOf(w->type) == 16) return kTileForm256By16;
  return RoundingBlock(w->type) == 256 ? kTileForm256 : kTileForm32;
}

// Where group g of `groups` comes in the order of addition.
inline int64_t WalkIndex(int64_t g, int64_t groups) {
  const int64_t part = g % kWidth;
  const int64_t longer = groups % kWidth;  // parts that have one group more
  return part * (groups / kWidth) + (part < longer ? part : longer) + g / kWidth;
}

// Packed inputs of sixteen tokens.
struct TileInput {
  int8_t* bytes;  // [groups, group / 4, kTileTokens, 4]
  float* scales;  // [groups, kTileTokens]
  float* sums;    // [groups, kTileTokens]: scale times the sum of the bytes
};

inline int64_t TileInputBytes(int group, int64_t cols) {
  return kTileTokens * (cols + cols / group * 2 * static_cast<int64_t>(sizeof(float)));
}

inline TileInput TileInputAt(const void* packed, int64_t token, int group, int64_t cols) {
  char* base = static_cast<char*>(const_cast<void*>(packed)) +
               token / kTileTokens * TileInputBytes(group, cols);
  float* scales = reinterpret_cast<float*>(base + kTileTokens * cols);
  return {reinterpret_cast<int8_t*>(base), scales, scales + kTileTokens * (cols / group)};
}

size_t TilePackBytes(int form, int64_t tokens, int64_t cols) {
  if (!IsTileForm(form)) return PackBytes(form, tokens, cols);
  return static_cast<size_t>(RoundUp(tokens, kTileTokens) / kTileTokens *
                             TileInputBytes(TileFormGroup(form), cols));
}

// Some columns of sixteen tokens, rounded but not yet turned.
struct StagedInputs {
  alignas(64) int8_t bytes[kTileTokens][kStagedCols];
  float scales32[kTileTokens][kStagedCols / 32];
  float sums32[kTileTokens][kStagedCols / 32];
  float scales16[kTileTokens][kStagedCols / 16];
  float sums16[kTileTokens][kStagedCols / 16];
};

inline void TurnStaged(const StagedInputs& staged, int64_t first, int64_t columns, int group,
                       int64_t cols, const TileInput& out) {
  alignas(64) int8_t turned[kStagedCols * kTileTokens];
  TurnWords(staged.bytes, kStagedCols, columns / 4,
            [&](int64_t word) { return turned + word * 4 * kTileTokens; });
  for (int64_t c = 0; c < columns; c += group) {
    const int64_t at = WalkIndex((first + c) / group, cols / group);
    memcpy(out.bytes + at * group * kTileTokens, turned + c * kTileTokens,
           static_cast<size_t>(group * kTileTokens));
    for (int i = 0; i < kTileTokens; ++i) {
      const bool wide = group == 32;
      out.scales[at * kTileTokens + i] =
          wide ? staged.scales32[i][c / 32] : staged.scales16[i][c / 16];
      out.sums[at * kTileTokens + i] = wide ? staged.sums32[i][c / 32] : staged.sums16[i][c / 16];
    }
  }
}

void TilePack(int form, const float* x, int64_t tokens, int64_t cols, int64_t begin, int64_t end,
              void* packed) {
  if (!IsTileForm(form)) return Pack(form, x, tokens, cols, begin, end, packed);
  const int block = TileFormBlock(form);
  StagedInputs staged;
  memset(&staged, 0, sizeof(staged));
  for (int64_t t = begin; t < end; t += kTileTokens) {
    const TileInput out = TileInputAt(packed, t, TileFormGroup(form), cols);
    const int64_t here = end - t < kTileTokens ? end - t : kTileTokens;
    if (here < kTileTokens) memset(&staged, 0, sizeof(staged));
    for (int64_t first = 0; first < cols; first += kStagedCols) {
      const int64_t columns = cols - first < kStagedCols ? cols - first : kStagedCols;
      for (int64_t i = 0; i < here; ++i) {
        const PackedRow row = {staged.bytes[i], staged.scales32[i], staged.sums32[i],
                               staged.scales16[i], staged.sums16[i]};
        const float* from = x + (t + i) * cols + first;
        for (int64_t c = 0; c < columns; c += block) PackColumns(block, from + c, c, row);
      }
      TurnStaged(staged, first, columns, TileFormGroup(form), cols, out);
    }
  }
}

}  // namespace
