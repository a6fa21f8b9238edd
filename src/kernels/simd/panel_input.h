// Inputs of products with many tokens: kPanelBlock of them side by side, each group of columns
// after the one that is added before it, so that a product reads from front to back.
#pragma once

#include "kernels/simd/packed_input.h"

namespace {

// From this many tokens on, turning weights into panels pays.
constexpr int64_t kPanelTokens = 6;

// The bits of a partial sum's number, reversed: neighbours in this order are the two that Sum()
// adds first, then pairs of them, and so on.
constexpr int ReversedPart(int part) {
  int reversed = 0;
  for (int bit = 1; bit < kWidth; bit *= 2) reversed = reversed * 2 + (part & bit ? 1 : 0);
  return reversed;
}

inline int64_t GroupsOfPart(int part, int64_t groups) {
  return groups / kWidth + (part < groups % kWidth ? 1 : 0);
}

// Where groups lie: part after part in the order of ReversedPart(). Group g belongs to part
// g % kWidth.
struct Walk {
  int64_t first[kWidth];
  int64_t At(int64_t g) const { return first[g % kWidth] + g / kWidth; }
};

inline Walk WalkOf(int64_t groups) {
  Walk walk;
  int64_t at = 0;
  for (int i = 0; i < kWidth; ++i) {
    walk.first[ReversedPart(i)] = at;
    at += GroupsOfPart(ReversedPart(i), groups);
  }
  return walk;
}

// Forms of packed inputs: rows, or panels of groups of 32 or 16 columns.
enum { kRows32 = 32, kRows256 = 256, kPanel32, kPanel256, kPanel256By16 };

inline int FormGroup(int form) { return form == kPanel256By16 ? 16 : 32; }

int PackForm(const ac_matrix* w, int64_t tokens) {
  const int block = RoundingBlock(w->type);
  if (block == 0) return AC_PACK_NONE;
  if (tokens < kPanelTokens) return block == 32 ? kRows32 : kRows256;
  if (GroupOf(w->type) == 16) return kPanel256By16;
  return block == 32 ? kPanel32 : kPanel256;
}

struct PanelInput {
  int8_t* bytes;   // [groups, kPanelBlock, group]
  float* factors;  // [groups, 2, kPanelBlock]: scales, then scales times the sums of the bytes
};

inline int64_t PanelInputBytes(int group, int64_t cols) {
  return kPanelBlock * (cols + cols / group * 2 * static_cast<int64_t>(sizeof(float)));
}

// The block of `token`, a multiple of kPanelBlock.
inline PanelInput PanelInputAt(const void* packed, int64_t token, int group, int64_t cols) {
  char* const base = static_cast<char*>(const_cast<void*>(packed)) +
                     token / kPanelBlock * PanelInputBytes(group, cols);
  return {reinterpret_cast<int8_t*>(base), reinterpret_cast<float*>(base + kPanelBlock * cols)};
}

size_t PackBytes(int form, int64_t tokens, int64_t cols) {
  if (form < kPanel32) return static_cast<size_t>(tokens * PackedRowBytes(cols));
  return static_cast<size_t>(RoundUp(tokens, kPanelBlock) / kPanelBlock *
                             PanelInputBytes(FormGroup(form), cols));
}

// Columns of one token, rounded and not yet in their places.
struct StagedColumns {
  alignas(64) int8_t bytes[256];
  float scales32[8];
  float sums32[8];
  float scales16[16];
  float sums16[16];
};

template <int kBlock, int kGroup>
void PackPanels(const float* x, int64_t cols, int64_t begin, int64_t end, void* packed) {
  const Walk walk = WalkOf(cols / kGroup);
  StagedColumns staged;
  const PackedRow row = {staged.bytes, staged.scales32, staged.sums32, staged.scales16,
                         staged.sums16};
  for (int64_t t = begin; t < end; ++t) {
    const int64_t slot = t % kPanelBlock;
    const PanelInput to = PanelInputAt(packed, t - slot, kGroup, cols);
    for (int64_t c = 0; c < cols; c += kBlock) {
      PackBlock(x + t * cols + c, kBlock, 0, row);
      for (int64_t i = 0; i < kBlock / kGroup; ++i) {
        const int64_t at = walk.At(c / kGroup + i);
        memcpy(to.bytes + (at * kPanelBlock + slot) * kGroup, staged.bytes + i * kGroup, kGroup);
        float* const factors = to.factors + at * 2 * kPanelBlock + slot;
        factors[0] = ScalesOf<kGroup>(row)[i];
        factors[kPanelBlock] = SumsOf<kGroup>(row)[i];
      }
    }
  }
  // GCC 12 finds that <256, 16> has no effect and drops calls of it; sanitizers find no fault.
  asm volatile("" : : "r"(packed) : "memory");
}

void Pack(int form, const float* x, int64_t, int64_t cols, int64_t begin, int64_t end,
          void* packed) {
  switch (form) {
    case kRows32:
      return PackRows(32, x, cols, begin, end, packed);
    case kRows256:
      return PackRows(256, x, cols, begin, end, packed);
    case kPanel32:
      return PackPanels<32, 32>(x, cols, begin, end, packed);
    case kPanel256:
      return PackPanels<256, 32>(x, cols, begin, end, packed);
    case kPanel256By16:
      return PackPanels<256, 16>(x, cols, begin, end, packed);
    default:
      return;
  }
}

}  // namespace
