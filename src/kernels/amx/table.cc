// Products and attention by tiles, everything else as in the AVX-512 table, from the same sources.
// The table is the only symbol that leaves the object.
//
// Compiled twice: for processors with AMX, and with AC_EMULATE_TILES for the tests.
#include "kernels/avx512/vec.h"
// vec.h comes first, then blocks.h: the others are written in their terms.
#include "kernels/avx512/blocks.h"
// The loops.
#include "kernels/amx/tile_attention.h"
#include "kernels/amx/tile_matmul.h"
#include "kernels/amx/tile_peak.h"
#include "kernels/simd/attention.h"
#include "kernels/simd/kv_write.h"
#include "kernels/simd/matmul.h"
#include "kernels/simd/shared_attention.h"

#ifdef AC_EMULATE_TILES
#define AC_AMX_TABLE ac_kernels_amx_emulated
#define AC_AMX_NAME "amx_emulated"
extern "C" const ac_kernel_table ac_kernels_amx_emulated;
#else
#define AC_AMX_TABLE ac_kernels_amx
#define AC_AMX_NAME "amx"
#endif

extern "C" const ac_kernel_table AC_AMX_TABLE = {
    .name = AC_AMX_NAME,
    .kv_layout = "rows",
    .row_block = kTileRows,
    .query_block = kQueryBlock,
    .rounds_attention = 0,
    .pack_form = TilePackForm,
    .pack_bytes = TilePackBytes,
    .pack = TilePack,
    .matmul_scratch = TileMatMulScratch,
    .matmul = TileMatMul,
    .rms_norm = RmsNorm,
    .rope = Rope,
    .kv_write = KvWrite,
    .attention_scratch = TileAttentionScratch,
    .attention = TileAttention,
    .attention_part_bytes = AttentionPartBytes,
    .attention_part = TileAttentionPart,
    .attention_join = AttentionJoin,
    .shared_attention_scratch = TileSharedScratch,
    .shared_attention = TileSharedAttention,
    .silu_mul = SiluMul,
    .add_scaled = AddScaled,
    .softmax = Softmax,
    .peak_floats = TilePeakFloats,
    .peak_bytes = TilePeakBytes,
};
