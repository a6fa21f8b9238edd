// Writes GGUF files in other types: the recipes that say which tensor gets which type, and the
// converter from GGUF or safetensors. Also what synth.h shares with it.
//
// Free functions over their arguments; nothing is kept between calls.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_system.h"
#include "base/status.h"
#include "quant/blocks.h"
#include "weights/gguf_writer.h"
#include "weights/model_file.h"

namespace ac::weights {

// What the matrices of a file are stored as. Vectors and routers stay F32 in all of them. Where a
// row does not divide into the blocks of the type, the nearest type that fits is used.
enum class Recipe {
  kF32,
  kF16,
  kBF16,
  kQ8_0,
  kQ4_0,    // output matrix Q6_K
  kQ4_K,    // output matrix Q6_K
  kQ4_K_M,  // output matrix, and half of the value and down projections, Q6_K
  kQ5_K_M,  // the same over Q5_K
  kQ6_K,
};

inline constexpr std::string_view kRecipeNames = "f32 f16 bf16 q8_0 q4_0 q4_k q4_k_m q5_k_m q6_k";
std::optional<Recipe> RecipeByName(std::string_view name);  // case-insensitive

// The type of one tensor. `tied` says that token_embd.weight is the output matrix too.
ac_quant_type RecipeType(Recipe recipe, std::string_view name, std::span<const int64_t> dims,
                         int n_layers, bool tied);

// Bytes written so far and in total; called often enough for a progress bar, on the caller's
// thread.
using Progress = std::function<void(uint64_t done, uint64_t total)>;

// Converts the model at `input` (GGUF or safetensors directory, F32, F16 or BF16) to a GGUF file at
// `output`. Tokenizer and chat template come along. Uses all cores; the bytes do not depend on how
// many. Streams: memory use is a few megabytes. A failure leaves no file behind.
Status ConvertModel(const std::string& input, const std::string& output, Recipe recipe,
                    FileSystem& fs, const Progress& progress);

// The keys that say how the file is stored.
void AddRecipeMetadata(Recipe recipe, GgufMetadataBuilder* out);
// Those and the hyper-parameters as GGUF metadata; kUnsupported for what the format cannot say.
Status AddConfigMetadata(const ModelConfig& config, Recipe recipe, GgufMetadataBuilder* out);

// The tokenizer of a directory (tokenizer.json, byte-level BPE) and its template as GGUF metadata.
// `vocab_size` rows of the embedding are named; ids the tokenizer lacks become unused tokens.
Status AddTokenizerMetadata(const TokenizerSource& source, int vocab_size,
                            GgufMetadataBuilder* out);

// The divisors of the rotation frequencies [dims / 2] that the llama3 scaling means: the contents
// of rope_freqs.weight.
std::vector<float> Llama3FrequencyFactors(const RopeConfig& rope);

}  // namespace ac::weights
