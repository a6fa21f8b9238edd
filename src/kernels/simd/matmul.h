// Matrix products of a table: chooses the loops for a type of weights and a number of tokens.
#pragma once

#include "kernels/simd/code_matmul.h"
#include "kernels/simd/float_matmul.h"

namespace {

size_t MatMulScratch(const ac_matmul* m) {
  if (GroupOf(m->weights->type) != 0) return CodeScratchBytes(m->weights->cols);
  return static_cast<size_t>(kFloatRows * RoundUp(m->weights->cols, 16)) * sizeof(float);
}

void MatMul(const ac_matmul* m, int64_t begin, int64_t end, void* scratch) {
  const int group = GroupOf(m->weights->type);
  const bool few = m->tokens < kTokenBlock / 2;
  if (few && m->weights->type == AC_F32) {
    FloatRowDots<LoadF32Weights>(m, begin, end);
  } else if (few && m->weights->type == AC_F16) {
    FloatRowDots<LoadF16Weights>(m, begin, end);
  } else if (few && m->weights->type == AC_BF16) {
    FloatRowDots<LoadBf16Weights>(m, begin, end);
  } else if (group == 0) {
    FloatMatMul(m, begin, end, static_cast<float*>(scratch));
  } else if (group == 16) {
    CodeMatMul<16, false>(m, begin, end, scratch);
  } else if (IsSigned(m->weights->type)) {
    CodeMatMul<32, true>(m, begin, end, scratch);
  } else {
    CodeMatMul<32, false>(m, begin, end, scratch);
  }
}

}  // namespace