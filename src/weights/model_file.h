// An open model: its hyper-parameters, named tensors and what a tokenizer is built from.
//
// Open() accepts a GGUF file (or any part of a split one), or a directory with config.json and
// safetensors files (plain or MLX-quantised). Files are memory-mapped and never copied; tensor
// views live as long as the ModelFile. Immutable after Open, so thread-safe.
//
// Tensor names are the GGUF ones whatever the source: token_embd.weight, output_norm.weight,
// output.weight (absent when tied), rope_freqs.weight, and per layer blk.N. + attn_norm.weight,
// attn_q/k/v.weight (+ .bias), attn_q_norm/attn_k_norm.weight, attn_output.weight, ffn_norm.weight,
// ffn_gate/up/down.weight, ffn_gate_inp.weight, ffn_gate_exps/up_exps/down_exps.weight.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "json/json_fwd.h"
#include "quant/blocks.h"
#include "weights/model_config.h"

namespace ac::weights {

class GgufMetadata;  // weights/gguf.h

struct Tensor {
  std::string name;
  ac_quant_type type = AC_F32;
  // dims[0] is the contiguous one: a matrix is {cols, rows}, expert stacks are {cols, rows,
  // experts}.
  std::array<int64_t, 4> dims = {1, 1, 1, 1};
  int n_dims = 0;
  // The whole tensor seen as {dims[0], dims[1] * dims[2] * dims[3]}; a vector is one row. Where the
  // source stores every expert on its own there is no such view: `matrix.data` is null.
  ac_matrix matrix = {};
  std::vector<ac_matrix> expert_matrices;  // one {cols, rows} view per expert; empty below 3 dims
  size_t bytes = 0;                        // with MLX scales and biases
};

// What the engine builds a tokenizer and a chat template from.
struct TokenizerSource {
  const GgufMetadata* gguf = nullptr;  // set for GGUF files
  std::string tokenizer_json;          // contents, for directories; may be empty
  std::string tokenizer_config_json;   // contents, for directories; may be empty
  std::string chat_template;           // empty when the model has none
  std::string tool_use_template;       // a second template for requests with tools; mostly empty
  std::vector<int32_t> eos_token_ids;  // every id that ends a turn, as far as the files say
};

enum class OpenScope {
  kModel,       // everything, checked
  kVocabulary,  // tokenizer_source() and config().architecture only: works without weights
};

class ModelFile {
 public:
  // Checks that every tensor the architecture needs is there with the right shape, that the
  // vocabulary fits the embedding and that small tensors are finite. Failures name file and tensor.
  static Result<std::unique_ptr<ModelFile>> Open(const std::string& path,
                                                 OpenScope scope = OpenScope::kModel);
  virtual ~ModelFile() = default;

  virtual const std::string& path() const = 0;
  virtual const ModelConfig& config() const = 0;
  virtual std::span<const Tensor> tensors() const = 0;
  virtual const Tensor* Find(std::string_view name) const = 0;  // null when absent
  virtual const TokenizerSource& tokenizer_source() const = 0;
  virtual uint64_t total_bytes() const = 0;     // of all files, as they are mapped
  virtual std::string_view format() const = 0;  // "gguf", "safetensors", "mlx"
};

// kDataLoss naming tensor, row and column when a value is NaN or infinite. Reads every byte: a full
// check of a large model takes as long as reading it, so Open does this for norms and biases only.
Status CheckFinite(const Tensor& tensor);

// The tokenizer may know fewer ids than the embedding has rows (padding), never more.
Status CheckVocabulary(const ModelFile& model, int64_t tokenizer_size);

// What `models inspect` shows.
struct TypeShare {
  ac_quant_type type = AC_F32;
  int tensors = 0;
  uint64_t elements = 0;
  uint64_t bytes = 0;
};
struct ModelSummary {
  std::vector<TypeShare> types;  // largest share of bytes first
  uint64_t elements = 0;
  uint64_t tensor_bytes = 0;
  uint64_t kv_bytes_per_token = 0;  // keys and values of all layers in F16
};
ModelSummary Summarize(const ModelFile& model);
// The summary and the configuration, for --json.
json::Value DescribeModel(const ModelFile& model);

// A sentence with numbers when the files are larger than `memory_bytes`; empty otherwise.
std::string MemoryWarning(const ModelFile& model, uint64_t memory_bytes);

}  // namespace ac::weights
