#include "kernels/ref/ref.h"

using namespace ac::kernels::ref;  // this file only names them

extern "C" const ac_kernel_table ac_kernels_ref = {
    .name = "ref",
    .kv_layout = "rows",
    .row_block = 8,
    .query_block = 16,
    .rounds_attention = 0,
    .pack_form = PackForm,
    .pack_bytes = PackBytes,
    .pack = Pack,
    .matmul_scratch = MatMulScratch,
    .matmul = MatMul,
    .rms_norm = RmsNorm,
    .rope = Rope,
    .kv_write = KvWrite,
    .attention_scratch = AttentionScratch,
    .attention = Attention,
    .attention_part_bytes = nullptr,
    .attention_part = nullptr,
    .attention_join = nullptr,
    .shared_attention_scratch = SharedAttentionScratch,
    .shared_attention = SharedAttention,
    .silu_mul = SiluMul,
    .add_scaled = AddScaled,
    .softmax = Softmax,
    .peak_floats = PeakFloats,
    .peak_bytes = PeakBytes,
};
