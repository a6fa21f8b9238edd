// The key-value cache and attention of the reference table: all scores of a query, a softmax over
// them, the weighted sum of the values. Pages hold plain rows: per head, token after
// token, then their scales.
#include <cmath>
#include <cstring>

#include "kernels/ref/ref.h"
#include "quant/quant.h"

namespace ac::kernels::ref {
namespace {

size_t ElementBytes(ac_kv_type type) { return type == AC_KV_F32 ? 4 : type == AC_KV_BF16 ? 2 : 1; }

// One token's key or value of one head.
struct KvRow {
  unsigned char* elements;
  unsigned char* scale;  // of AC_KV_Q8
};

KvRow RowAt(const ac_kv_view& kv, size_t offset, int32_t head, int64_t position) {
  const auto in_page = static_cast<size_t>(position % kv.page_tokens);
  const size_t row_bytes = static_cast<size_t>(kv.head_dim) * ElementBytes(kv.type);
  unsigned char* const rows =
      kv.pages[position / kv.page_tokens] + offset + static_cast<size_t>(head) * kv.head_bytes;
  return {rows + in_page * row_bytes,
          rows + static_cast<size_t>(kv.page_tokens) * row_bytes + in_page * sizeof(float)};
}

void StoreCodes(int32_t dim, KvRow to, const float* from) {
  float max = 0;
  for (int32_t i = 0; i < dim; ++i) max = std::fmax(max, std::fabs(from[i]));
  const float up = max >= AC_ROUND_MIN ? 127.0f / max : 0.0f;
  const float down = max >= AC_ROUND_MIN ? 1.0f / up : 0.0f;
  for (int32_t i = 0; i < dim; ++i) {
    const auto code = static_cast<int8_t>(std::nearbyint(from[i] * up));
    std::memcpy(to.elements + i, &code, 1);
  }
  std::memcpy(to.scale, &down, sizeof(down));
}

void Store(const ac_kv_view& kv, KvRow to, const float* from) {
  if (kv.type == AC_KV_Q8) return StoreCodes(kv.head_dim, to, from);
  for (int32_t i = 0; i < kv.head_dim; ++i) {
    if (kv.type == AC_KV_F32) {
      std::memcpy(to.elements + 4 * i, from + i, 4);
    } else {
      const ac_bf16 rounded = quant::F32ToBF16(from[i]);
      std::memcpy(to.elements + 2 * i, &rounded, 2);
    }
  }
}

void Load(const ac_kv_view& kv, KvRow from, float* to) {
  if (kv.type == AC_KV_F32) {
    std::memcpy(to, from.elements, static_cast<size_t>(kv.head_dim) * 4);
    return;
  }
  if (kv.type == AC_KV_Q8) {
    float scale = 0;
    std::memcpy(&scale, from.scale, sizeof(scale));
    for (int32_t i = 0; i < kv.head_dim; ++i) {
      to[i] = static_cast<float>(static_cast<int8_t>(from.elements[i])) * scale;
    }
    return;
  }
  for (int32_t i = 0; i < kv.head_dim; ++i) {
    ac_bf16 bits;
    std::memcpy(&bits, from.elements + 2 * i, 2);
    to[i] = quant::BF16ToF32(bits);
  }
}

int64_t FirstVisible(const ac_attention& a, int64_t position) {
  return a.window > 0 && position >= a.window ? position - a.window + 1 : 0;
}

}  // namespace

void KvWrite(const ac_kv_view* kv, int64_t position, int64_t tokens, const float* k,
             const float* v) {
  for (int64_t t = 0; t < tokens; ++t) {
    for (int32_t h = 0; h < kv->n_kv_heads; ++h) {
      Store(*kv, RowAt(*kv, kv->key_offset, h, position + t), k);
      Store(*kv, RowAt(*kv, kv->value_offset, h, position + t), v);
      k += kv->head_dim;
      v += kv->head_dim;
    }
  }
}

// One row of keys or values, then one row of scores for each head of the group.
size_t AttentionScratch(const ac_attention* a) {
  const int64_t context = a->position + a->tokens;
  const int64_t group = a->n_heads / a->kv.n_kv_heads;
  return static_cast<size_t>(a->kv.head_dim + group * context) * sizeof(float);
}

void Attention(const ac_attention* a, int32_t kv_head, int64_t begin, int64_t end, void* scratch) {
  const ac_kv_view& kv = a->kv;
  const int32_t dim = kv.head_dim;
  const int32_t group = a->n_heads / kv.n_kv_heads;
  const int64_t stride = static_cast<int64_t>(a->n_heads) * dim;
  const int64_t first_head = static_cast<int64_t>(kv_head) * group * dim;
  float* const row = static_cast<float*>(scratch);
  float* const scores = row + dim;  // [group, visible]
  for (int64_t t = begin; t < end; ++t) {
    const int64_t position = a->position + t;
    const int64_t from = FirstVisible(*a, position);
    const int64_t visible = position - from + 1;
    const float* const q = a->q + t * stride + first_head;  // [group, dim]
    float* const out = a->out + t * stride + first_head;    // [group, dim]

    for (int64_t i = 0; i < visible; ++i) {
      Load(kv, RowAt(kv, kv.key_offset, kv_head, from + i), row);
      for (int32_t h = 0; h < group; ++h) {
        scores[h * visible + i] = Dot(q + h * dim, row, dim) * a->scale;
      }
    }
    for (int32_t h = 0; h < group; ++h) Softmax(scores + h * visible, visible);
    for (int32_t d = 0; d < group * dim; ++d) out[d] = 0;
    for (int64_t i = 0; i < visible; ++i) {
      Load(kv, RowAt(kv, kv.value_offset, kv_head, from + i), row);
      for (int32_t h = 0; h < group; ++h) {
        AddScaled(out + h * dim, row, scores[h * visible + i], dim);
      }
    }
  }
}

}  // namespace ac::kernels::ref
