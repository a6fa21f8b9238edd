// How keys and values lie in a page.
//
// A page holds kPageTokens positions of one sequence for every layer: per layer first all keys,
// then all values; within each, per KV head, per token, head_dim elements, and after the elements
// of all tokens their scales where the type has any. So one head's keys of one page are one
// contiguous block: attention reads it front to back.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ac::kv {

// 64 tokens: small enough that a branch in the middle of a page copies little, large enough that
// page tables stay short and a head's block (64 x 128 bf16 = 16 KB) streams well.
inline constexpr int kPageTokens = 64;

// kQ8: 8-bit integers with one single-precision scale per token and head.
enum class KvType : uint8_t { kF32, kBF16, kQ8 };

inline constexpr size_t KvElementBytes(KvType type) {
  return type == KvType::kF32 ? 4 : type == KvType::kBF16 ? 2 : 1;
}
inline constexpr size_t KvScaleBytes(KvType type) { return type == KvType::kQ8 ? 4 : 0; }

struct PageLayout {
  int n_layers = 0;
  int n_kv_heads = 0;
  int head_dim = 0;
  int page_tokens = kPageTokens;
  KvType type = KvType::kBF16;

  // Of one token's key (or value) of one head, without its scale.
  size_t row_bytes() const { return static_cast<size_t>(head_dim) * KvElementBytes(type); }
  // Where the scales of a head begin, from the head's own beginning.
  size_t scales_offset() const { return static_cast<size_t>(page_tokens) * row_bytes(); }
  // Bytes of one KV head's keys (or values) of one page.
  size_t head_bytes() const {
    return scales_offset() + static_cast<size_t>(page_tokens) * KvScaleBytes(type);
  }
  size_t layer_bytes() const { return 2 * static_cast<size_t>(n_kv_heads) * head_bytes(); }
  size_t page_bytes() const { return static_cast<size_t>(n_layers) * layer_bytes(); }
  size_t token_bytes() const { return page_bytes() / static_cast<size_t>(page_tokens); }

  size_t key_offset(int layer, int head) const {
    return static_cast<size_t>(layer) * layer_bytes() + static_cast<size_t>(head) * head_bytes();
  }
  size_t value_offset(int layer, int head) const {
    return key_offset(layer, head) + static_cast<size_t>(n_kv_heads) * head_bytes();
  }
};

}  // namespace ac::kv
