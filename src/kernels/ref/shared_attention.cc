// The reference shares nothing: what sharing means is that each sequence gets its own result.
#include <algorithm>

#include "kernels/ref/ref.h"

namespace ac::kernels::ref {

size_t SharedAttentionScratch(const ac_attention* const* members, int32_t count) {
  size_t bytes = 0;
  for (int32_t m = 0; m < count; ++m) bytes = std::max(bytes, AttentionScratch(members[m]));
  return bytes;
}

void SharedAttention(const ac_attention* const* members, int32_t count, int64_t, int32_t kv_head,
                     void* scratch) {
  for (int32_t m = 0; m < count; ++m) {
    Attention(members[m], kv_head, 0, members[m]->tokens, scratch);
  }
}

}  // namespace ac::kernels::ref
