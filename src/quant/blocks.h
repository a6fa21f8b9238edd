/* Block layouts of every weight format, as they lie in GGUF, safetensors and MLX files.
 *
 * C only, no inline code: the sealed ISA folders include this file. Sizes are asserted in quant.cc.
 * A "row" is `cols` consecutive elements; a matrix is `rows` rows. Little-endian throughout.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum ac_quant_type {
  AC_F32 = 0,
  AC_F16,
  AC_BF16,
  AC_Q8_0,
  AC_Q4_0,
  AC_Q4_1,
  AC_Q5_0,
  AC_Q5_1,
  AC_Q2_K,
  AC_Q3_K,
  AC_Q4_K,
  AC_Q5_K,
  AC_Q6_K,
  AC_IQ4_NL,
  AC_IQ4_XS,
  AC_MXFP4,
  AC_MLX_AFFINE, /* packed integers in one array, scales and biases in two others */
  AC_QUANT_TYPE_COUNT
};

/* IEEE half precision and bfloat16 as bits. */
typedef uint16_t ac_f16;
typedef uint16_t ac_bf16;

/* 32 elements a block: x = d * q, or d * q + m. */
struct ac_block_q4_0 {
  ac_f16 d;
  uint8_t qs[16];
}; /* q in [-8, 7], low nibbles first half */
struct ac_block_q4_1 {
  ac_f16 d;
  ac_f16 m;
  uint8_t qs[16];
};
struct ac_block_q5_0 {
  ac_f16 d;
  uint8_t qh[4];
  uint8_t qs[16];
};
struct ac_block_q5_1 {
  ac_f16 d;
  ac_f16 m;
  uint8_t qh[4];
  uint8_t qs[16];
};
struct ac_block_q8_0 {
  ac_f16 d;
  int8_t qs[32];
};
struct ac_block_iq4_nl {
  ac_f16 d;
  uint8_t qs[16];
};
struct ac_block_mxfp4 {
  uint8_t e;
  uint8_t qs[16];
}; /* e8m0 scale, e2m1 elements */

/* 256 elements a super-block. */
struct ac_block_q2_k {
  uint8_t scales[16];
  uint8_t qs[64];
  ac_f16 d;
  ac_f16 dmin;
};
struct ac_block_q3_k {
  uint8_t hmask[32];
  uint8_t qs[64];
  uint8_t scales[12];
  ac_f16 d;
};
struct ac_block_q4_k {
  ac_f16 d;
  ac_f16 dmin;
  uint8_t scales[12];
  uint8_t qs[128];
};
struct ac_block_q5_k {
  ac_f16 d;
  ac_f16 dmin;
  uint8_t scales[12];
  uint8_t qh[32];
  uint8_t qs[128];
};
struct ac_block_q6_k {
  uint8_t ql[128];
  uint8_t qh[64];
  int8_t scales[16];
  ac_f16 d;
};
struct ac_block_iq4_xs {
  ac_f16 d;
  uint16_t scales_h;
  uint8_t scales_l[4];
  uint8_t qs[128];
};

/* A borrowed weight matrix. For AC_MLX_AFFINE `data` holds uint32 words with elements packed from
 * the low bits, `scales` and `biases` one value per group of `group_size` columns, both of type
 * `scale_type` (AC_F16, AC_BF16 or AC_F32): x = scale * q + bias. */
struct ac_matrix {
  enum ac_quant_type type;
  int64_t rows;     /* outputs */
  int64_t cols;     /* inputs, contiguous */
  const void* data; /* row r at data + r * row_bytes */
  size_t row_bytes;
  const void* scales; /* MLX only: [rows, cols / group_size] */
  const void* biases; /* MLX only: [rows, cols / group_size] */
  enum ac_quant_type scale_type;
  int32_t bits;       /* MLX only: 2, 3, 4, 5, 6 or 8 */
  int32_t group_size; /* MLX only: 32, 64 or 128 */
};

#ifdef __cplusplus
}
#endif
