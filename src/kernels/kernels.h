// The C++ face of a kernel table: whole operations, spread over a thread pool.
//
// Borrows the table and the pool; owns per-thread scratch and packed inputs, which grow to the
// largest operation seen. One Kernels serves one caller at a time. Shapes are the caller's contract
// (table.h states them) and asserted, not checked.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "cpu/thread_pool.h"
#include "kernels/table.h"

namespace ac::kernels {

// out = x * weights^T + bias for some tokens.
struct Product {
  const float* x = nullptr;  // [tokens, weights->cols]
  int64_t tokens = 0;
  const ac_matrix* weights = nullptr;
  const float* bias = nullptr;  // [weights->rows] or null
  float* out = nullptr;         // [tokens, out_stride]
  int64_t out_stride = 0;       // 0: weights->rows
};

// Sequences of one Attention() call that begin with the same pages.
struct SharedPrefix {
  std::vector<size_t> members;  // their indices
  int64_t positions = 0;        // a multiple of AC_KV_BLOCK, before the first query of each
};

class Kernels {
 public:
  Kernels(const ac_kernel_table& table, cpu::ThreadPool& pool);

  const ac_kernel_table& table() const { return table_; }

  // Independent products in one go: the rows of all of them are shared out together. Products of
  // the same x pack it once, so pass Q, K and V, gate and up, or all experts of a layer in one
  // call.
  void MatMul(std::span<const Product> products);

  void RmsNorm(const float* x, const float* weight, float eps, int64_t rows, int64_t n, float* out);
  void Rope(float* x, int64_t tokens, int32_t n_heads, int32_t head_dim, int32_t dims,
            ac_rope_style style, const float* cos, const float* sin);
  // Any number of sequences at once. What `prefixes` name is read once for all its members; none
  // is member of two.
  void Attention(std::span<const ac_attention> sequences,
                 std::span<const SharedPrefix> prefixes = {});
  void KvWrite(const ac_kv_view& kv, int64_t position, int64_t tokens, const float* k,
               const float* v);
  void SiluMul(const float* gate, const float* up, int64_t n, float* out);
  void AddScaled(float* x, const float* y, float scale, int64_t n);
  void Softmax(float* x, int64_t n) { table_.softmax(x, n); }
  // Any work that splits by rows of about `n` elements: over the pool, or right here when the whole
  // costs less than waking anyone.
  void ForRows(int64_t rows, int64_t n, FunctionRef<void(int64_t begin, int64_t end)> body,
               int64_t grain = 1);

 private:
  struct Packed {
    const float* x;
    int64_t tokens;
    int64_t cols;
    int form;
    size_t offset;
    size_t bytes;
  };

  void PackInputs(std::span<const Product> products);
  // Null when `form` needs no packing or was not packed yet.
  const Packed* FindPacked(const Product& product, int form) const;
  void ReserveScratch(size_t bytes);
  void SharedAttention(std::span<const ac_attention> sequences,
                       std::span<const SharedPrefix> prefixes);
  // Whether few heads and a long context leave threads without work; `units` is what there is.
  bool SplitsByRange(const ac_attention& a, int64_t units) const;
  void AttentionByRange(const ac_attention& a);

  const ac_kernel_table& table_;
  cpu::ThreadPool& pool_;
  std::vector<AlignedBuffer<std::byte>> scratch_;  // one for each worker
  AlignedBuffer<std::byte> packed_bytes_;
  std::vector<Packed> packed_;
  AlignedBuffer<std::byte> parts_;  // of attention that is computed in ranges
};

// Expands the embedding of one token.
void EmbeddingRow(const ac_matrix& table, int64_t token, float* out);

}  // namespace ac::kernels
