// The functions of the reference table; see kernels/table.h for what each one does.
//
// Plain scalar code, compiled without contraction of multiply-add: the other tables are tested
// against it. Results of one token never depend on the others, bit for bit.
#pragma once

#include "kernels/table.h"

namespace ac::kernels::ref {

float Dot(const float* a, const float* b, int64_t n);

int PackForm(const ac_matrix* weights, int64_t tokens);
size_t PackBytes(int form, int64_t tokens, int64_t cols);
void Pack(int form, const float* x, int64_t tokens, int64_t cols, int64_t begin, int64_t end,
          void* packed);
size_t MatMulScratch(const ac_matmul* m);
void MatMul(const ac_matmul* m, int64_t begin, int64_t end, void* scratch);

void KvWrite(const ac_kv_view* kv, int64_t position, int64_t tokens, const float* k,
             const float* v);
size_t AttentionScratch(const ac_attention* a);
void Attention(const ac_attention* a, int32_t kv_head, int64_t begin, int64_t end, void* scratch);
size_t SharedAttentionScratch(const ac_attention* const* members, int32_t count);
void SharedAttention(const ac_attention* const* members, int32_t count, int64_t shared,
                     int32_t kv_head, void* scratch);

void RmsNorm(const float* x, const float* weight, float eps, int64_t rows, int64_t n, float* out);
void Rope(float* x, int64_t tokens, int32_t n_heads, int32_t head_dim, int32_t dims,
          ac_rope_style style, const float* cos, const float* sin);
void SiluMul(const float* gate, const float* up, int64_t n, float* out);
void AddScaled(float* x, const float* y, float scale, int64_t n);
void Softmax(float* x, int64_t n);

int64_t PeakFloats(int64_t rounds);
int64_t PeakBytes(int64_t rounds);

}  // namespace ac::kernels::ref
