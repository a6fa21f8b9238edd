// The shared loops of kernels/simd, compiled for this instruction set and sealed: the table is the
// only symbol that leaves the object.
#include "kernels/avx2/vec.h"
// vec.h comes first: the others are written in its terms.
#include "kernels/avx2/blocks.h"
#include "kernels/simd/attention.h"
#include "kernels/simd/kv_write.h"
#include "kernels/simd/matmul.h"
#include "kernels/simd/peak.h"
#include "kernels/simd/shared_attention.h"

extern "C" const ac_kernel_table ac_kernels_avx2 = {
    .name = "avx2",
    .kv_layout = "rows",
    .row_block = kWidth,
    .query_block = kQueryBlock,
    .rounds_attention = 0,
    .pack_form = PackForm,
    .pack_bytes = PackBytes,
    .pack = Pack,
    .matmul_scratch = MatMulScratch,
    .matmul = MatMul,
    .rms_norm = RmsNorm,
    .rope = Rope,
    .kv_write = KvWrite,
    .attention_scratch = AttentionScratchBytes,
    .attention = Attention,
    .attention_part_bytes = AttentionPartBytes,
    .attention_part = AttentionPart,
    .attention_join = AttentionJoin,
    .shared_attention_scratch = SharedAttentionScratchBytes,
    .shared_attention = SharedAttention,
    .silu_mul = SiluMul,
    .add_scaled = AddScaled,
    .softmax = Softmax,
    .peak_floats = PeakFloats,
    .peak_bytes = PeakBytes,
};
