// Weight formats: names, sizes, scalar dequantisers (the oracle of every kernel) and quantisers.
//
// Pure functions over borrowed memory; thread-safe. Nothing here is fast: kernels/ holds the fast
// code and is tested against this.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/status.h"
#include "quant/blocks.h"

namespace ac::quant {

struct TypeInfo {
  std::string_view name;   // "Q4_K", as people and files write it
  int block_elements = 1;  // 1, 32 or 256; 0 for MLX_AFFINE, whose grouping is per tensor
  int block_bytes = 0;
};

const TypeInfo& InfoOf(ac_quant_type type);
// Case-insensitive; nullopt when unknown.
std::optional<ac_quant_type> TypeByName(std::string_view name);
// Bytes of one row; kInvalidArgument when `cols` is no multiple of the block.
Result<size_t> RowBytes(ac_quant_type type, int64_t cols);

float F16ToF32(ac_f16 bits);
ac_f16 F32ToF16(float value);  // round to nearest even, overflow to infinity
float BF16ToF32(ac_bf16 bits);
ac_bf16 F32ToBF16(float value);  // round to nearest even, NaN kept

// Expands columns [0, cols) of row `row` into out[cols].
void DequantizeRow(const ac_matrix& matrix, int64_t row, float* out);

// Encodes one row of `cols` floats; `out` holds RowBytes(type, cols). Supported targets: F32, F16,
// BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K.
Status QuantizeRow(ac_quant_type type, const float* row, int64_t cols, void* out);

}  // namespace ac::quant
