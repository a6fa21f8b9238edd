
#include <algorithm>
#include <cmath>

#include "json/json.h"
#include "weights/internal/loaders.h"

namespace ac::weights {
namespace {

struct Family {
  std::string_view model_type;
  std::string_view architecture;
  bool window_needs_switch;  // sliding_window counts only with use_sliding_window
  int default_head_dim;      // 0: hidden_size / num_attention_heads
};

constexpr Family kFamilies[] = {
    {"llama", "llama", false, 0},      {"mistral", "llama", false, 0},
    {"ministral3", "llama", false, 0}, {"qwen2", "qwen2", true, 0},
    {"qwen3", "qwen3", true, 128},     {"qwen3_moe", "qwen3moe", true, 0},
};

// Reads keys of one JSON object. The first failure sticks. A key that is null counts as absent, as
// in the programs that write these files.
class Reader {
 public:
  Reader(const json::Value& object, Status* status, const std::string& path)
      : object_(object), status_(status), path_(path) {}

  const json::Value* Find(std::string_view key) const {
    const json::Value* value = json::Find(object_, key);
    return value == nullptr || value->is_null() ? nullptr : value;
  }
  int RequiredInt(std::string_view key) {
    if (Find(key) == nullptr) Fail("'" + std::string(key) + "' is missing");
    return Int(key, 0);
  }
  int Int(std::string_view key, int fallback) {
    const json::Value* value = Find(key);
    if (value == nullptr) return fallback;
    const std::optional<int64_t> number = json::AsInt(value);
    if (number.has_value() && *number >= 0 && *number <= INT32_MAX)
      return static_cast<int>(*number);
    Fail("'" + std::string(key) + "' is no usable integer");
    return fallback;
  }
  float Float(std::string_view key, float fallback) {
    const json::Value* value = Find(key);
    if (value == nullptr) return fallback;
    if (const std::optional<double> number = json::AsDouble(value))
      return static_cast<float>(*number);
    Fail("'" + std::string(key) + "' is no number");
    return fallback;
  }
  bool Bool(std::string_view key, bool fallback) {
    return json::GetBool(object_, key).value_or(fallback);
  }
  std::string String(std::string_view key) {
    return std::string(json::GetString(object_, key).value_or(""));
  }
  Reader Child(const json::Value& object) const { return {object, status_, path_}; }

  void Fail(const std::string& message) const {
    if (status_->ok()) *status_ = InvalidArgument("[weights] " + path_ + ": " + message);
  }
  void Refuse(const std::string& message) const {
    if (status_->ok()) *status_ = Unsupported("[weights] " + path_ + ": " + message);
  }

 private:
  const json::Value& object_;
  Status* const status_;
  const std::string& path_;
};

float YarnGrowth(float factor, float multiplier) {
  return factor <= 1.0f ? 1.0f : 1.0f + 0.1f * multiplier * std::log(factor);
}

void ReadYarn(Reader* scaling, ModelConfig* model) {
  RopeConfig& rope = model->rope;
  rope.scaling = RopeScaling::kYarn;
  rope.beta_fast = scaling->Float("beta_fast", 32.0f);
  rope.beta_slow = scaling->Float("beta_slow", 1.0f);
  const float mscale = scaling->Float("mscale", 0.0f);
  const float mscale_all = scaling->Float("mscale_all_dim", 0.0f);
  rope.attention_factor = scaling->Float("attention_factor", 0.0f);
  if (rope.attention_factor == 0.0f && mscale != 0.0f && mscale_all != 0.0f) {
    rope.attention_factor = YarnGrowth(rope.factor, mscale) / YarnGrowth(rope.factor, mscale_all);
  }
  model->attention_temperature = scaling->Float("llama_4_scaling_beta", 0.0f);
  model->attention_temperature_floor = rope.original_context;
  // Some configurations keep the short context of the pre-training here.
  const double extended = static_cast<double>(rope.factor) * rope.original_context;
  if (extended > model->context_length && extended < 1e9) {
    model->context_length = static_cast<int>(extended);
  }
}

// The object is rope_scaling (older) or rope_parameters (newer, with rope_theta inside).
void ReadRopeScaling(Reader* scaling, ModelConfig* model) {
  RopeConfig& rope = model->rope;
  rope.base = scaling->Float("rope_theta", rope.base);
  std::string type = scaling->String("rope_type");
  if (type.empty()) type = scaling->String("type");
  if (type.empty() || type == "default") return;
  rope.factor = scaling->Float("factor", 1.0f);
  rope.original_context = scaling->Int("original_max_position_embeddings", model->context_length);
  if (type == "linear") {
    rope.scaling = RopeScaling::kLinear;
  } else if (type == "llama3") {
    rope.scaling = RopeScaling::kLlama3;
    rope.low_freq_factor = scaling->Float("low_freq_factor", 1.0f);
    rope.high_freq_factor = scaling->Float("high_freq_factor", 4.0f);
  } else if (type == "yarn") {
    ReadYarn(scaling, model);
  } else {
    scaling->Refuse("rope scaling '" + type +
                    "' is not supported; supported: default, linear, llama3, yarn");
  }
}

void ReadRope(Reader* in, ModelConfig* model) {
  RopeConfig& rope = model->rope;
  rope.style = RopeStyle::kNeox;
  rope.base = in->Float("rope_theta", 10000.0f);
  rope.original_context = model->context_length;
  float rotated = in->Float("partial_rotary_factor", 1.0f);
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    const json::Value* value = in->Find(key);
    if (value == nullptr) continue;
    if (json::AsObject(value) == nullptr) {
      in->Fail("'" + std::string(key) + "' is no object");
      continue;
    }
    for (const auto& entry : *json::AsObject(value)) {
      if (!entry.value().is_object()) continue;
      in->Refuse("rope parameters that differ between kinds of layers are not supported");
    }
    Reader scaling = in->Child(*value);
    ReadRopeScaling(&scaling, model);
    rotated = scaling.Float("partial_rotary_factor", rotated);
  }
  rope.dims = rotated > 0.0f && rotated <= 1.0f
                  ? static_cast<int>(static_cast<float>(model->head_dim) * rotated)
                  : 0;
}

void ReadSlidingWindow(const Family& family, Reader* in, ModelConfig* model) {
  const bool on = family.window_needs_switch ? in->Bool("use_sliding_window", false) : true;
  model->sliding_window = on ? in->Int("sliding_window", 0) : 0;
  const auto layers = static_cast<size_t>(std::clamp(model->n_layers, 0, 10'000));
  if (const json::Array* types = json::AsArray(in->Find("layer_types"))) {
    for (const json::Value& type : *types) {
      const std::string_view name = json::AsString(&type).value_or("");
      if (name != "full_attention" && name != "sliding_attention") {
        in->Refuse("layer type '" + std::string(name) +
                   "' is not supported; supported: full_attention, sliding_attention");
      }
      model->sliding_layers.push_back(name == "sliding_attention");
    }
    if (model->sliding_layers.size() != layers) in->Fail("'layer_types' has the wrong length");
    const auto& sliding = model->sliding_layers;
    if (std::find(sliding.begin(), sliding.end(), true) == sliding.end()) model->sliding_window = 0;
  } else if (family.window_needs_switch && model->sliding_window > 0) {
    // The first max_window_layers layers keep full attention.
    const int first = in->Int("max_window_layers", 28);
    for (size_t i = 0; i < layers; ++i) {
      model->sliding_layers.push_back(static_cast<int>(i) >= first);
    }
    if (first >= model->n_layers) model->sliding_window = 0;
  }
  if (model->sliding_window >= model->context_length) model->sliding_window = 0;
  if (model->sliding_window == 0) model->sliding_layers.clear();
}

void ReadExperts(Reader* in, ModelConfig* model) {
  model->n_experts = in->RequiredInt("num_experts");
  model->n_experts_used = in->RequiredInt("num_experts_per_tok");
  model->d_expert = in->RequiredInt("moe_intermediate_size");
  model->normalize_expert_weights = in->Bool("norm_topk_prob", false);
  const json::Array* dense = json::AsArray(in->Find("mlp_only_layers"));
  if ((dense != nullptr && !dense->empty()) || in->Int("decoder_sparse_step", 1) != 1) {
    in->Refuse(
        "mixed dense and expert layers (mlp_only_layers, decoder_sparse_step) are not supported");
  }
}

ModelConfig ReadModel(const Family& family, Reader* in) {
  ModelConfig model;
  model.architecture = family.architecture;
  model.n_layers = in->RequiredInt("num_hidden_layers");
  model.d_model = in->RequiredInt("hidden_size");
  model.n_heads = in->RequiredInt("num_attention_heads");
  model.n_kv_heads = in->Int("num_key_value_heads", model.n_heads);
  model.vocab_size = in->RequiredInt("vocab_size");
  model.context_length = in->RequiredInt("max_position_embeddings");
  model.d_ff = in->Int("intermediate_size", 0);
  model.norm_eps = in->Float("rms_norm_eps", 1e-6f);
  const int derived = model.n_heads > 0 ? model.d_model / model.n_heads : 0;
  model.head_dim =
      in->Int("head_dim", family.default_head_dim != 0 ? family.default_head_dim : derived);
  const std::string activation = in->String("hidden_act");
  if (!activation.empty() && activation != "silu") {
    in->Refuse("activation '" + activation + "' is not supported; supported: silu");
  }
  ReadRope(in, &model);
  ReadSlidingWindow(family, in, &model);
  if (family.architecture == "qwen3moe") ReadExperts(in, &model);
  return model;
}

MlxQuantisation ReadMlx(Reader* in, const MlxQuantisation& defaults, const std::string& where) {
  MlxQuantisation out;
  out.bits = in->Int("bits", defaults.bits);
  out.group_size = in->Int("group_size", defaults.group_size);
  const std::string mode = in->String("mode");
  if (!mode.empty() && mode != "affine") {
    in->Refuse(where + ": quantisation mode '" + mode + "' is not supported; supported: affine");
  }
  const bool bits_ok = out.bits >= 2 && out.bits <= 8 && out.bits != 7;
  const bool group_ok = out.group_size == 32 || out.group_size == 64 || out.group_size == 128;
  if (!bits_ok || !group_ok) {
    in->Refuse(where + ": quantisation with " + std::to_string(out.bits) + " bits in groups of " +
               std::to_string(out.group_size) +
               " is not supported; supported: 2, 3, 4, 5, 6, 8 bits in groups of 32, 64, 128");
  }
  return out;
}

// MLX writes its settings under both keys; Hugging Face uses the second for other methods.
void ReadQuantisation(Reader* in, HfConfig* config) {
  const json::Value* value = in->Find("quantization");
  if (value == nullptr) value = in->Find("quantization_config");
  if (value == nullptr) return;
  if (json::AsObject(value) == nullptr) return in->Fail("'quantization' is no object");
  if (const auto method = json::GetString(*value, "quant_method"); method.has_value()) {
    return in->Refuse("weights quantised with '" + std::string(*method) +
                      "' are not supported; supported: unquantised, MLX affine, or a GGUF file");
  }
  Reader reader = in->Child(*value);
  config->quantisation = ReadMlx(&reader, {4, 64}, "'quantization'");
  for (const auto& entry : *json::AsObject(value)) {
    const std::string module(entry.key());
    if (entry.value().is_object()) {
      Reader child = in->Child(entry.value());
      config->module_quantisation[module] = ReadMlx(&child, *config->quantisation, module);
    } else if (entry.value().is_bool() && !entry.value().get_bool()) {
      config->module_quantisation[module] = {};
    }
  }
}

const Family* FindFamily(std::string_view model_type) {
  for (const Family& family : kFamilies) {
    if (family.model_type == model_type) return &family;
  }
  return nullptr;
}

}  // namespace

std::vector<int32_t> ParseTokenIds(std::string_view text, std::string_view key) {
  std::vector<int32_t> ids;
  const Result<json::Value> value = json::Parse(text);
  if (!value.ok()) return ids;
  const auto add = [&ids](const json::Value* item) {
    const std::optional<int64_t> id = json::AsInt(item);
    if (id.has_value() && *id >= 0 && *id <= INT32_MAX) ids.push_back(static_cast<int32_t>(*id));
  };
  const json::Value* found = json::Find(*value, key);
  add(found);
  if (const json::Array* array = json::AsArray(found)) {
    for (const json::Value& item : *array) add(&item);
  }
  return ids;
}

Result<HfConfig> ParseHfConfig(std::string_view text, const std::string& path) {
  Result<json::Value> root = json::Parse(text);
  if (!root.ok()) return root.status().WithPrefix("[weights] " + path);
  HfConfig config;
  Status status;
  Reader top(*root, &status, path);
  // Multimodal models keep the language model's part under text_config.
  const json::Value* text_config = top.Find("text_config");
  Reader in = text_config != nullptr ? top.Child(*text_config) : top;
  std::string model_type = in.String("model_type");
  if (model_type.empty()) model_type = top.String("model_type");
  const Family* family = FindFamily(model_type);
  if (family == nullptr) {
    std::string supported;
    for (const Family& candidate : kFamilies) supported += " " + std::string(candidate.model_type);
    return Unsupported("[weights] " + path + ": model_type '" + model_type +
                       "' is not supported; supported:" + supported);
  }
  config.model = ReadModel(*family, &in);
  config.tied_embeddings = in.Bool("tie_word_embeddings", top.Bool("tie_word_embeddings", false));
  config.eos_token_ids = ParseTokenIds(text, "eos_token_id");
  ReadQuantisation(&top, &config);
  AC_RETURN_IF_ERROR(status);
  AC_RETURN_IF_ERROR(CheckConfig(path, config.model));
  return config;
}

}  // namespace ac::weights
