// Attention by dot products of bf16 pairs, everything else as in the AVX-512 table, from the same
// sources. The table is the only symbol that leaves the object.
#include "kernels/avx512/vec.h"
// vec.h comes first: the others are written in its terms.
#include "kernels/avx512/blocks.h"
#include "kernels/avx512bf16/pair_attention.h"
#include "kernels/avx512bf16/pair_peak.h"
#include "kernels/simd/attention.h"
#include "kernels/simd/kv_write.h"
#include "kernels/simd/matmul.h"
#include "kernels/simd/shared_attention.h"

extern "C" const ac_kernel_table ac_kernels_avx512bf16 = {
    .name = "avx512bf16",
    .kv_layout = "rows",
    .row_block = kWidth,
    .query_block = kQueryBlock,
    .rounds_attention = 1,
    .pack_form = PackForm,
    .pack_bytes = PackBytes,
    .pack = Pack,
    .matmul_scratch = MatMulScratch,
    .matmul = MatMul,
    .rms_norm = RmsNorm,
    .rope = Rope,
    .kv_write = KvWrite,
    .attention_scratch = PairAttentionScratch,
    .attention = PairAttention,
    .attention_part_bytes = PairAttentionPartBytes,
    .attention_part = PairAttentionPart,
    .attention_join = PairAttentionJoin,
    .shared_attention_scratch = PairSharedScratch,
    .shared_attention = PairSharedAttention,
    .silu_mul = SiluMul,
    .add_scaled = AddScaled,
    .softmax = Softmax,
    .peak_floats = PairPeakFloats,
    .peak_bytes = PeakBytes,
};
