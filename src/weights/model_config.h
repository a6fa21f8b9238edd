// Hyper-parameters of a model, the same struct whichever file format they came from.
//
// Data only. GGUF metadata and Hugging Face config.json both parse into it; model/ reads nothing
// else.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ac::weights {

enum class RopeStyle {
  kNormal,  // pairs (2i, 2i+1): GGUF files of the llama architecture
  kNeox,    // pairs (i, i + dims/2): everything else, and llama from safetensors
};

enum class RopeScaling { kNone, kLinear, kYarn, kLlama3 };

struct RopeConfig {
  RopeStyle style = RopeStyle::kNeox;
  int dims = 0;  // rotated dimensions per head
  float base = 10000.0f;
  RopeScaling scaling = RopeScaling::kNone;
  float factor = 1.0f;
  int original_context = 0;
  // yarn: cosine and sine are multiplied by attention_factor; 0 means 1 + 0.1 ln(factor)
  float attention_factor = 0.0f;
  float beta_fast = 32.0f;
  float beta_slow = 1.0f;
  float extrapolation_factor = 1.0f;
  // llama3 (safetensors; GGUF files carry the resulting table as rope_freqs.weight)
  float low_freq_factor = 1.0f;
  float high_freq_factor = 4.0f;
};

struct ModelConfig {
  // "llama" (Mistral and Devstral too: they differ only in the values below), "qwen2", "qwen3" or
  // "qwen3moe".
  std::string architecture;
  std::string name;
  int n_layers = 0;
  int d_model = 0;
  int n_heads = 0;
  int n_kv_heads = 0;
  int head_dim = 0;    // of keys and values (equal in every architecture supported)
  int d_ff = 0;        // dense feed-forward width
  int vocab_size = 0;  // rows of the embedding
  int context_length = 0;
  float norm_eps = 1e-5f;
  RopeConfig rope;
  // Mixture of experts; 0 experts means dense.
  int n_experts = 0;
  int n_experts_used = 0;
  int d_expert = 0;
  bool normalize_expert_weights = true;  // top-k weights divided by their sum
  // 0: full attention. Otherwise a token sees the last `sliding_window` positions, itself included,
  // on the layers marked in sliding_layers (all layers when that is empty).
  int sliding_window = 0;
  std::vector<bool> sliding_layers;
  // Long-context query scaling (Ministral 3 and later): after RoPE the query at position p is
  // multiplied by 1 + attention_temperature * ln(1 + floor(p / attention_temperature_floor)).
  float attention_temperature = 0.0f;  // 0: off
  int attention_temperature_floor = 0;
};

}  // namespace ac::weights
