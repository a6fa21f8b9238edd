// Copies of a GGUF model in the other formats, for tests that load the same weights twice.
//
// The directories get config.json, tensors under their published names and order, tokenizer.json
// and the chat template. Failures are reported as GoogleTest failures.
#pragma once

#include <string>
#include <vector>

#include "weights/model_file.h"

namespace ac::testing {

struct CopyOptions {
  ac_quant_type type = AC_F32;   // of matrices: F32, F16 or BF16; what is F32 already stays so
  int shards = 1;                // more than one: with an index
  bool stacked_experts = false;  // as MLX writes them; otherwise one tensor per expert
};

void WriteSafetensorsCopy(const weights::ModelFile& source, const std::string& directory,
                          const CopyOptions& options = {});

// Exact: Q4_0 and Q8_0 matrices become 4- and 8-bit affine groups of 32 with F32 scales of the same
// values; everything else is stored as floats and marked so.
void WriteMlxCopy(const weights::ModelFile& source, const std::string& directory);

// Writes a safetensors file from raw parts; also used to make damaged ones.
struct RawTensor {
  std::string name;
  std::string dtype;
  std::vector<int64_t> shape;  // outermost first
  std::string data;
};
std::string SafetensorsBytes(const std::vector<RawTensor>& tensors);

}  // namespace ac::testing
