// What the loaders of GGUF files and of directories share. Private to weights.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "weights/gguf.h"
#include "weights/model_file.h"

namespace ac::weights {

// ModelFile over plain fields; the loaders derive from it to keep their mappings alive.
class LoadedModel : public ModelFile {
 public:
  const std::string& path() const override { return path_; }
  const ModelConfig& config() const override { return config_; }
  std::span<const Tensor> tensors() const override { return tensors_; }
  const Tensor* Find(std::string_view name) const override;
  const TokenizerSource& tokenizer_source() const override { return tokenizer_source_; }
  uint64_t total_bytes() const override { return total_bytes_; }
  std::string_view format() const override { return format_; }

 protected:
  // Makes Find work and validates against config_; the last step of loading.
  Status Finish();

  std::string path_;
  ModelConfig config_;
  std::vector<Tensor> tensors_;
  TokenizerSource tokenizer_source_;
  uint64_t total_bytes_ = 0;
  std::string format_;

 private:
  std::unordered_map<std::string_view, size_t> index_;
};

Result<std::unique_ptr<ModelFile>> OpenGgufModel(const std::string& path, OpenScope scope);
// From a file that is open already; `path` is used in messages.
Result<std::unique_ptr<ModelFile>> MakeGgufModel(GgufFile file, const std::string& path,
                                                 OpenScope scope);
Result<std::unique_ptr<ModelFile>> OpenDirectoryModel(const std::string& path, OpenScope scope);
// One module's affine quantisation; bits 0 means the module is stored as floats.
struct MlxQuantisation {
  int bits = 0;
  int group_size = 0;
};

struct HfConfig {
  ModelConfig model;
  bool tied_embeddings = false;
  std::vector<int32_t> eos_token_ids;
  std::optional<MlxQuantisation> quantisation;                           // set for MLX directories
  std::unordered_map<std::string, MlxQuantisation> module_quantisation;  // exceptions, by module
};

// `path` is used in messages.
Result<HfConfig> ParseHfConfig(std::string_view text, const std::string& path);

// Token ids under `key` of a JSON object text: a number or an array; empty when absent or damaged.
std::vector<int32_t> ParseTokenIds(std::string_view text, std::string_view key);

// Ranges of hyper-parameters, before any tensor is looked at.
Status CheckConfig(const std::string& path, const ModelConfig& config);
// Presence, shapes and types of every tensor of the architecture, and nothing beyond them.
Status CheckTensors(const ModelFile& model);

// Fills `matrix` and `expert_matrices` for data without gaps, from type, dims and the row size. MLX
// fields of `matrix` (scales, biases, bits, groups) are set before.
void SetContiguousViews(const void* data, size_t row_bytes, Tensor* tensor);

}  // namespace ac::weights
