#include <cctype>
#include <charconv>
#include <cmath>

#include "quant/quant.h"
#include "weights/convert.h"

namespace ac::weights {
namespace {

struct RecipeInfo {
  Recipe recipe;
  std::string_view name;
  ac_quant_type base;
  ac_quant_type output;  // of the matrix that makes logits
  bool boosts_some;      // Q6_K for half of the value and down projections
  uint32_t gguf_file_type;
};

constexpr RecipeInfo kRecipes[] = {
    {Recipe::kF32, "f32", AC_F32, AC_F32, false, 0},
    {Recipe::kF16, "f16", AC_F16, AC_F16, false, 1},
    {Recipe::kBF16, "bf16", AC_BF16, AC_BF16, false, 32},
    {Recipe::kQ8_0, "q8_0", AC_Q8_0, AC_Q8_0, false, 7},
    {Recipe::kQ4_0, "q4_0", AC_Q4_0, AC_Q6_K, false, 2},
    {Recipe::kQ4_K, "q4_k", AC_Q4_K, AC_Q6_K, false, 14},
    {Recipe::kQ4_K_M, "q4_k_m", AC_Q4_K, AC_Q6_K, true, 15},
    {Recipe::kQ5_K_M, "q5_k_m", AC_Q5_K, AC_Q6_K, true, 17},
    {Recipe::kQ6_K, "q6_k", AC_Q6_K, AC_Q6_K, false, 18},
};

const RecipeInfo& InfoOf(Recipe recipe) {
  for (const RecipeInfo& info : kRecipes) {
    if (info.recipe == recipe) return info;
  }
  return kRecipes[0];
}

// The first and last eighth of the layers, and every third between, matter most: the choice of the
// public files called Q4_K_M and Q5_K_M.
bool IsBoostedLayer(int layer, int n_layers) {
  const int eighth = n_layers / 8;
  return layer < eighth || layer >= 7 * n_layers / 8 || (layer - eighth) % 3 == 2;
}

// N of "blk.N.rest", and rest.
struct LayerName {
  int layer = -1;
  std::string_view rest;
};

LayerName SplitLayerName(std::string_view name) {
  if (!name.starts_with("blk.")) return {-1, name};
  int layer = -1;
  const auto end = std::from_chars(name.data() + 4, name.data() + name.size(), layer);
  const auto used = static_cast<size_t>(end.ptr - name.data());
  if (end.ec != std::errc() || used >= name.size()) return {-1, name};
  return {layer, name.substr(used + 1)};
}

// The nearest type whose blocks divide a row of `cols`.
ac_quant_type FittingType(ac_quant_type type, int64_t cols) {
  if (cols % quant::InfoOf(type).block_elements == 0) return type;
  const ac_quant_type smaller = type == AC_Q4_K ? AC_Q5_0 : type == AC_Q5_K ? AC_Q5_1 : AC_Q8_0;
  return cols % 32 == 0 ? smaller : AC_F16;
}

}  // namespace

std::optional<Recipe> RecipeByName(std::string_view name) {
  std::string lower(name);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const RecipeInfo& info : kRecipes) {
    if (info.name == lower) return info.recipe;
  }
  return std::nullopt;
}

ac_quant_type RecipeType(Recipe recipe, std::string_view name, std::span<const int64_t> dims,
                         int n_layers, bool tied) {
  const RecipeInfo& info = InfoOf(recipe);
  const LayerName split = SplitLayerName(name);
  if (dims.size() < 2 || split.rest == "ffn_gate_inp.weight") return AC_F32;
  ac_quant_type type = info.base;
  if (name == "output.weight" || (tied && name == "token_embd.weight")) type = info.output;
  const bool boosted = split.rest == "attn_v.weight" || split.rest == "ffn_down.weight" ||
                       split.rest == "ffn_down_exps.weight";
  if (info.boosts_some && boosted && IsBoostedLayer(split.layer, n_layers)) type = AC_Q6_K;
  return FittingType(type, dims[0]);
}

std::vector<float> Llama3FrequencyFactors(const RopeConfig& rope) {
  const double pi = std::acos(-1.0);
  const double longest = rope.original_context / static_cast<double>(rope.low_freq_factor);
  const double shortest = rope.original_context / static_cast<double>(rope.high_freq_factor);
  std::vector<float> factors;
  for (int i = 0; i < rope.dims / 2; ++i) {
    const double frequency = std::pow(static_cast<double>(rope.base), -2.0 * i / rope.dims);
    const double wavelength = 2.0 * pi / frequency;
    double factor = 1.0;
    if (wavelength > longest) {
      factor = rope.factor;
    } else if (wavelength >= shortest) {
      // Between the limits the frequency is blended, so its divisor is the harmonic blend.
      const double smooth = (rope.original_context / wavelength - rope.low_freq_factor) /
                            (static_cast<double>(rope.high_freq_factor) - rope.low_freq_factor);
      factor = 1.0 / ((1.0 - smooth) / rope.factor + smooth);
    }
    factors.push_back(static_cast<float>(factor));
  }
  return factors;
}

namespace {

Status AddRope(const RopeConfig& rope, const std::string& arch, GgufMetadataBuilder* out) {
  out->AddUint32(arch + ".rope.dimension_count", static_cast<uint32_t>(rope.dims));
  out->AddFloat32(arch + ".rope.freq_base", rope.base);
  // llama3 scaling travels as the tensor rope_freqs.weight.
  if (rope.scaling == RopeScaling::kNone || rope.scaling == RopeScaling::kLlama3) return OkStatus();
  const bool yarn = rope.scaling == RopeScaling::kYarn;
  out->AddString(arch + ".rope.scaling.type", yarn ? "yarn" : "linear");
  out->AddFloat32(arch + ".rope.scaling.factor", rope.factor);
  if (!yarn) return OkStatus();
  out->AddUint32(arch + ".rope.scaling.original_context_length",
                 static_cast<uint32_t>(rope.original_context));
  out->AddFloat32(arch + ".rope.scaling.yarn_ext_factor", rope.extrapolation_factor);
  out->AddFloat32(arch + ".rope.scaling.yarn_beta_fast", rope.beta_fast);
  out->AddFloat32(arch + ".rope.scaling.yarn_beta_slow", rope.beta_slow);
  if (rope.attention_factor != 0.0f) {
    // The key multiplies what readers derive from the factor themselves.
    const float derived = rope.factor <= 1.0f ? 1.0f : 1.0f + 0.1f * std::log(rope.factor);
    out->AddFloat32(arch + ".rope.scaling.yarn_attn_factor", rope.attention_factor / derived);
  }
  return OkStatus();
}

}  // namespace

void AddRecipeMetadata(Recipe recipe, GgufMetadataBuilder* out) {
  out->AddUint32("general.file_type", InfoOf(recipe).gguf_file_type);
  out->AddUint32("general.quantization_version", 2);
}

Status AddConfigMetadata(const ModelConfig& config, Recipe recipe, GgufMetadataBuilder* out) {
  // Query scaling exists only under this name.
  const std::string arch = config.attention_temperature != 0.0f ? "mistral3" : config.architecture;
  if (config.n_experts > 0 && !config.normalize_expert_weights) {
    return Unsupported("[weights] GGUF cannot say that expert weights are not normalised");
  }
  for (const bool sliding : config.sliding_layers) {
    if (!sliding) {
      return Unsupported("[weights] GGUF cannot say that only some layers use a sliding window");
    }
  }
  const auto add = [&](const char* key, int value) {
    out->AddUint32(arch + "." + key, static_cast<uint32_t>(value));
  };
  out->AddString("general.architecture", arch);
  out->AddString("general.name", config.name);
  AddRecipeMetadata(recipe, out);
  add("block_count", config.n_layers);
  add("context_length", config.context_length);
  add("embedding_length", config.d_model);
  add("feed_forward_length", config.d_ff);
  add("attention.head_count", config.n_heads);
  add("attention.head_count_kv", config.n_kv_heads);
  add("attention.key_length", config.head_dim);
  add("attention.value_length", config.head_dim);
  out->AddFloat32(arch + ".attention.layer_norm_rms_epsilon", config.norm_eps);
  add("vocab_size", config.vocab_size);
  if (config.sliding_window > 0) add("attention.sliding_window", config.sliding_window);
  if (config.attention_temperature != 0.0f) {
    out->AddFloat32(arch + ".attention.temperature_scale", config.attention_temperature);
  }
  if (config.n_experts > 0) {
    add("expert_count", config.n_experts);
    add("expert_used_count", config.n_experts_used);
    add("expert_feed_forward_length", config.d_expert);
  }
  return AddRope(config.rope, arch, out);
}

}  // namespace ac::weights
