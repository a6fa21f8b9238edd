/* The arithmetic of the trainer, one table for each instruction set.
 *
 * Matrix products take packed operands: `ac_train_ops.pair` consecutive values of the summed
 * dimension share a 32-bit unit, one float or two bf16, so that every table has the same loops.
 * Functions of one table, no state; any thread. Buffers do not overlap unless said. Plain C types:
 * the tables are compiled with wide-ISA flags and must not share inline functions with the program.
 */
#pragma once

#include <stdint.h>

typedef struct ac_train_ops {
  const char* name;
  int64_t pair;      /* values of the summed dimension in one unit */
  int64_t rows_a;    /* the packed height of the left operand is a multiple of it */
  int64_t columns_b; /* the packed width of the right operand is a multiple of it */

  /* out[units(m rounded up to rows_a, k)] from a[m][k] with row stride ld, or a[k][m] when
   * transposed. */
  void (*pack_a)(const float* a, int64_t ld, int transposed, int64_t m, int64_t k, uint32_t* out);
  /* out[units(n rounded up to columns_b, k)] from b[k][n], or b[n][k] when transposed. */
  void (*pack_b)(const float* b, int64_t ld, int transposed, int64_t n, int64_t k, uint32_t* out);
  /* c[m][n] = a b, or += when accumulate. */
  void (*multiply)(int64_t m, int64_t n, int64_t k, const uint32_t* a, const uint32_t* b, float* c,
                   int64_t ldc, int accumulate);

  /* y = x / rms(x) * w per row of `width`; inverse[row] = 1 / rms, for the way back. */
  void (*rms_norm)(const float* x, const float* w, float eps, int64_t rows, int64_t width, float* y,
                   float* inverse);
  /* dx = (or += when accumulate) the gradient of x; dw += that of w. dx may be dy. */
  void (*rms_norm_back)(const float* dy, const float* x, const float* w, const float* inverse,
                        int64_t rows, int64_t width, float* dx, int accumulate, float* dw);
  void (*silu_mul)(const float* gate, const float* up, int64_t n, float* out);
  /* gate and up become their gradients. */
  void (*silu_mul_back)(const float* dout, float* gate, float* up, int64_t n);
  /* Rotates pairs (i, i + width / 2) of every head; sign -1 turns back (the gradient). */
  void (*rope)(float* x, int64_t rows, int64_t heads, int64_t width, const float* cos,
               const float* sin, float sign);
  /* Row i of s holds scores of keys 0 .. first + i: softmax over them after scaling, zero behind.
   */
  void (*causal_softmax)(float* s, int64_t rows, int64_t ld, int64_t first, float scale);
  /* ds becomes the gradient of the unscaled scores, p being what causal_softmax made. */
  void (*softmax_back)(float* ds, const float* p, int64_t rows, int64_t ld, float scale);
  /* Returns -log softmax(logits)[target]; logits become weight * its gradient. */
  float (*cross_entropy)(float* logits, int64_t n, int64_t target, float weight);
  void (*add)(float* x, const float* y, int64_t n);
  double (*sum_of_squares)(const float* x, int64_t n);
  /* One step of AdamW; g is multiplied by `scale` first. rate holds the bias corrections' rate. */
  void (*adamw)(float* w, const float* g, float* m, float* v, int64_t n, float scale, float rate,
                float beta1, float beta2, float eps, float decay);
} ac_train_ops;

#ifdef __cplusplus
extern "C" {
#endif
extern const ac_train_ops ac_train_ops_plain;
#if defined(__x86_64__)
extern const ac_train_ops ac_train_ops_avx2;
extern const ac_train_ops ac_train_ops_avx512;
extern const ac_train_ops ac_train_ops_bf16;
#endif
#ifdef __cplusplus
}
#endif
