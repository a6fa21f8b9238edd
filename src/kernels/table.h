/* What one instruction set provides: a table of functions over plain memory.
 *
 * C only, no inline code: the sealed ISA folders include this file and quant/blocks.h and nothing
 * else of ours. Every ISA exports one constant table. Functions keep no state, allocate nothing and
 * may run on several threads at once with different `scratch`; they never fail, because the caller
 * (kernels.h) checked shapes. All pointers come from the caller; floats are 64-byte aligned at the
 * start of each buffer, weights may lie at any address of a mapped file. The result for one token
 * has the same bits whatever other tokens, rows or heads are computed in the same call.
 *
 * Shapes stand behind each pointer; the last dimension is contiguous.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "quant/blocks.h"

#ifdef __cplusplus
extern "C" {
#endif

/* out[t, r] = sum over c of weights[r, c] * x'[t, c]
 *
 * What x' is belongs to the definition, the same for every table
 * (docs/adr/0006-activation-rounding.md). Weights in blocks of 32 or 256 columns: for each such
 * block of a token's input, with m the largest magnitude and s = 127 / m, x' = round_half_even(x *
 * s) * (1 / s) in float arithmetic, and 0 where m < AC_ROUND_MIN. All other weights: x' = x. */
#define AC_ROUND_MIN 0x1p-100f

struct ac_matmul {
  const struct ac_matrix* weights; /* [rows, cols] */
  const float* x;                  /* [tokens, cols] */
  const void* packed;              /* x in the form pack() gave it; null for AC_PACK_NONE */
  int64_t tokens;
  float* out; /* [tokens, out_stride], row r at out[t * out_stride + r] */
  int64_t out_stride;
};

/* Form 0 of an input: the floats themselves. Other numbers are the table's own. */
enum { AC_PACK_NONE = 0 };

enum ac_rope_style {
  AC_ROPE_NORMAL = 0, /* pairs (2i, 2i + 1) */
  AC_ROPE_NEOX        /* pairs (i, i + dims / 2) */
};

/* AC_KV_Q8: a token's key (or value) of one head is rounded to 8-bit codes like the input of a
 * product, in one block over the whole head, and read back as code * (1 / s). */
enum ac_kv_type { AC_KV_F32 = 0, AC_KV_BF16, AC_KV_Q8 };

/* Positions a table may handle together: they never lie in two pages. */
enum { AC_KV_BLOCK = 64 };
/* Positions whose softmax is computed on its own, from multiples of it on, before it is joined to
 * that of the positions before them. Fixed, so that the bits do not tell who computed which. */
enum { AC_KV_RANGE = 1024 };
enum { AC_MAX_SHARING = 32 }; /* sequences that one call of shared_attention takes */

/* Keys and values of one sequence in one layer. Page p holds positions [p * page_tokens, ...). In a
 * page, KV head h has head_bytes bytes of keys at key_offset + h * head_bytes and as many of values
 * at value_offset + h * head_bytes. What lies inside these bytes is the table's own business: only
 * its kv_write and attention look (kv_layout names it). Every table obeys one rule, so that a page
 * can be copied up to a token: page_tokens rows of head_dim elements, then, for AC_KV_Q8, a
 * single-precision 1 / s for each. */
struct ac_kv_view {
  unsigned char* const* pages;
  size_t key_offset;
  size_t value_offset;
  size_t head_bytes; /* page_tokens * head_dim elements and the scales */
  enum ac_kv_type type;
  int32_t page_tokens; /* a multiple of AC_KV_BLOCK */
  int32_t n_kv_heads;
  int32_t head_dim;
};

/* Causal attention of consecutive tokens of one sequence whose keys and values, their own included,
 * are in the cache. The query at position p sees positions (p - window, p]; window 0 means all. */
struct ac_attention {
  const float* q; /* [tokens, n_heads * head_dim] */
  float* out;     /* [tokens, n_heads * head_dim] */
  int64_t tokens;
  int64_t position; /* of q[0] */
  int32_t n_heads;  /* a multiple of kv.n_kv_heads: heads of one group follow each other */
  float scale;      /* of the scores */
  int64_t window;
  struct ac_kv_view kv;
};

struct ac_kernel_table {
  const char* name;      /* "ref", "avx2", ...: what ANYCLAUDE_ISA says */
  const char* kv_layout; /* pages may be exchanged only between tables of equal kv_layout */
  int32_t row_block;     /* matmul row ranges begin at multiples of it; the last may end anywhere */
  int32_t query_block;   /* queries attention likes to have at once */
  /* Not 0: over caches not of floats, attention rounds queries and softmax weights to bf16. */
  int32_t rounds_attention;

  /* Inputs of products are packed once and used by every matrix that takes the same form. A form
   * may depend on the type of the weights and on the number of tokens. */
  int (*pack_form)(const struct ac_matrix* weights, int64_t tokens);
  size_t (*pack_bytes)(int form, int64_t tokens, int64_t cols);
  /* Tokens [begin, end) of x [tokens, cols]; begin is a multiple of 16. */
  void (*pack)(int form, const float* x, int64_t tokens, int64_t cols, int64_t begin, int64_t end,
               void* packed);

  /* Rows [begin, end) of the product for all tokens. */
  size_t (*matmul_scratch)(const struct ac_matmul* m);
  void (*matmul)(const struct ac_matmul* m, int64_t begin, int64_t end, void* scratch);

  /* out[i] = x[i] / sqrt(mean(x[i]^2) + eps) * weight, x and out [rows, n]; out may be x. */
  void (*rms_norm)(const float* x, const float* weight, float eps, int64_t rows, int64_t n,
                   float* out);
  /* Rotates the first `dims` elements of each head in place. x [tokens, n_heads * head_dim], cos
   * and sin [tokens, dims / 2]. */
  void (*rope)(float* x, int64_t tokens, int32_t n_heads, int32_t head_dim, int32_t dims,
               enum ac_rope_style style, const float* cos, const float* sin);
  /* Writes positions [position, position + tokens). k and v [tokens, n_kv_heads * head_dim]. */
  void (*kv_write)(const struct ac_kv_view* kv, int64_t position, int64_t tokens, const float* k,
                   const float* v);
  /* All query heads of one KV head, queries [begin, end). */
  size_t (*attention_scratch)(const struct ac_attention* a);
  void (*attention)(const struct ac_attention* a, int32_t kv_head, int64_t begin, int64_t end,
                    void* scratch);
  /* The same in pieces, for several threads: what queries [begin, end) make of the positions of one
   * range, [range * AC_KV_RANGE, ...), goes to `part`; then all `count` parts, one after the other
   * from the range of the first visible position on, are joined to a->out. Both are null in a table
   * that does not offer it. */
  size_t (*attention_part_bytes)(const struct ac_attention* a, int64_t begin, int64_t end);
  void (*attention_part)(const struct ac_attention* a, int32_t kv_head, int64_t begin, int64_t end,
                         int64_t range, void* part, void* scratch);
  void (*attention_join)(const struct ac_attention* a, int32_t kv_head, int64_t begin, int64_t end,
                         const void* parts, int64_t count, void* scratch);
  /* attention() for all queries of `count` sequences whose first `shared` positions, a multiple of
   * AC_KV_BLOCK and all seen by every query, lie in the same pages: these are read once. At most
   * AC_MAX_SHARING sequences, of one shape, without a window. */
  size_t (*shared_attention_scratch)(const struct ac_attention* const* members, int32_t count);
  void (*shared_attention)(const struct ac_attention* const* members, int32_t count, int64_t shared,
                           int32_t kv_head, void* scratch);
  /* out = silu(gate) * up, all [n]; out may be gate. */
  void (*silu_mul)(const float* gate, const float* up, int64_t n, float* out);
  /* x += scale * y, both [n] */
  void (*add_scaled)(float* x, const float* y, float scale, int64_t n);
  /* In place, over x [n]. */
  void (*softmax)(float* x, int64_t n);

  /* What the processor can do at most, for benchmarks: `rounds` rounds of the table's fastest
   * products of floats, or of bytes, on registers alone. Return how many multiplications and
   * additions that was. */
  int64_t (*peak_floats)(int64_t rounds);
  int64_t (*peak_bytes)(int64_t rounds);
};

/* The tables of this build; which may run is decided in select.cc. */
extern const struct ac_kernel_table ac_kernels_ref;
extern const struct ac_kernel_table ac_kernels_avx2;       /* x86 only */
extern const struct ac_kernel_table ac_kernels_avx512;     /* x86 only */
extern const struct ac_kernel_table ac_kernels_avx512bf16; /* x86 only */
extern const struct ac_kernel_table ac_kernels_amx;        /* x86 only */
extern const struct ac_kernel_table ac_kernels_neon;       /* 64-bit ARM only */

/* For tables that have no own code for a weight format: the scalar expansion of one row to `cols`
 * floats. */
void ac_dequantize_row(const struct ac_matrix* weights, int64_t row, float* out);

#ifdef __cplusplus
}
#endif
