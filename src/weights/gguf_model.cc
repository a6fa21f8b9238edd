#include <cmath>

#include "base/file_system.h"
#include "weights/gguf.h"
#include "weights/internal/loaders.h"

// ModelFile over a GGUF file: hyper-parameters from its metadata, tensors as they are.
namespace ac::weights {
namespace {

struct Architecture {
  std::string_view gguf_name;
  std::string_view name;
  RopeStyle rope_style;
};

// The converters of the GGUF world permute the query and key rows of llama models to make pairs
// adjacent; every other family keeps the published order.
constexpr Architecture kArchitectures[] = {
    {"llama", "llama", RopeStyle::kNormal},     {"mistral3", "llama", RopeStyle::kNormal},
    {"qwen2", "qwen2", RopeStyle::kNeox},       {"qwen3", "qwen3", RopeStyle::kNeox},
    {"qwen3moe", "qwen3moe", RopeStyle::kNeox},
};

// Reads "<architecture>.<suffix>" keys. The first failure sticks and is returned by status().
class ConfigReader {
 public:
  ConfigReader(const GgufMetadata& metadata, std::string_view architecture, const std::string& path)
      : metadata_(metadata), prefix_(std::string(architecture) + "."), path_(path) {}

  const Status& status() const { return status_; }
  bool Has(std::string_view suffix) const { return Find(suffix) != nullptr; }

  int RequiredInt(std::string_view suffix) {
    if (!Has(suffix)) {
      Fail("metadata '" + Key(suffix) + "' is missing");
      return 0;
    }
    return Int(suffix, 0);
  }

  // Per-layer arrays are accepted when every layer has the same value.
  int Int(std::string_view suffix, int fallback) {
    const GgufValue* value = Find(suffix);
    if (value == nullptr) return fallback;
    if (value->type != GgufType::kArray) return Checked(suffix, value->AsInt());
    const std::optional<std::vector<int64_t>> all = metadata_.GetIntArray(Key(suffix));
    if (!all.has_value() || all->empty()) return Checked(suffix, std::nullopt);
    for (const int64_t one : *all) {
      if (one == all->front()) continue;
      Fail("metadata '" + Key(suffix) + "' differs between layers, which is not supported");
      return 0;
    }
    return Checked(suffix, all->front());
  }

  float Float(std::string_view suffix, float fallback) {
    const GgufValue* value = Find(suffix);
    if (value == nullptr) return fallback;
    const std::optional<double> number = value->AsDouble();
    if (number.has_value()) return static_cast<float>(*number);
    Fail("metadata '" + Key(suffix) + "' is not a number");
    return fallback;
  }

  std::string String(std::string_view suffix) {
    return std::string(metadata_.GetString(Key(suffix)).value_or(""));
  }

  void Fail(const std::string& message) {
    if (status_.ok()) status_ = InvalidArgument("[weights] " + path_ + ": " + message);
  }

 private:
  std::string Key(std::string_view suffix) const { return prefix_ + std::string(suffix); }
  const GgufValue* Find(std::string_view suffix) const { return metadata_.Find(Key(suffix)); }

  int Checked(std::string_view suffix, std::optional<int64_t> value) {
    if (value.has_value() && *value >= 0 && *value <= INT32_MAX) return static_cast<int>(*value);
    Fail("metadata '" + Key(suffix) + "' is not a usable integer");
    return 0;
  }

  const GgufMetadata& metadata_;
  const std::string prefix_;
  const std::string path_;
  Status status_;
};

// 1 + 0.1 m ln(factor), the growth YaRN gives attention.
double YarnGrowth(double factor, double multiplier) {
  return factor <= 1.0 ? 1.0 : 1.0 + 0.1 * multiplier * std::log(factor);
}

void ReadRope(ConfigReader* in, ModelConfig* config) {
  RopeConfig& rope = config->rope;
  rope.dims = in->Int("rope.dimension_count", config->head_dim);
  rope.base = in->Float("rope.freq_base", 10000.0f);
  rope.factor = in->Float("rope.scaling.factor", in->Float("rope.scale_linear", 1.0f));
  rope.original_context = in->Int("rope.scaling.original_context_length", config->context_length);
  const std::string type = in->String("rope.scaling.type");
  if (type.empty() || type == "none") {
    // Files older than the type key carry scale_linear alone.
    rope.scaling = type.empty() && rope.factor != 1.0f ? RopeScaling::kLinear : RopeScaling::kNone;
  } else if (type == "linear") {
    rope.scaling = RopeScaling::kLinear;
  } else if (type == "yarn") {
    rope.scaling = RopeScaling::kYarn;
    rope.extrapolation_factor = in->Float("rope.scaling.yarn_ext_factor", 1.0f);
    rope.beta_fast = in->Float("rope.scaling.yarn_beta_fast", 32.0f);
    rope.beta_slow = in->Float("rope.scaling.yarn_beta_slow", 1.0f);
    const double all_dims = in->Float("rope.scaling.yarn_log_multiplier", 0.0f);
    const double extra =
        in->Float("rope.scaling.yarn_attn_factor", in->Float("rope.scaling.attn_factor", 1.0f));
    rope.attention_factor = static_cast<float>(extra * YarnGrowth(rope.factor, 1.0) /
                                               YarnGrowth(rope.factor, all_dims));
  } else {
    in->Fail("rope scaling type '" + type + "' is not supported; supported: none, linear, yarn");
  }
}

void ReadExperts(ConfigReader* in, ModelConfig* config) {
  config->n_experts = in->Int("expert_count", 0);
  if (config->n_experts == 0) return;
  config->n_experts_used = in->RequiredInt("expert_used_count");
  config->d_expert = in->Int("expert_feed_forward_length", config->d_ff);
  if (in->Int("expert_shared_count", 0) != 0) in->Fail("shared experts are not supported");
  const float scale = in->Float("expert_weights_scale", 1.0f);
  if (scale != 1.0f && scale != 0.0f) in->Fail("scaled expert weights are not supported");
}

Result<ModelConfig> ReadConfig(const GgufFile& file, const Architecture& architecture,
                               const std::string& path) {
  const GgufMetadata& metadata = file.metadata();
  ConfigReader in(metadata, architecture.gguf_name, path);
  ModelConfig config;
  config.architecture = architecture.name;
  config.name = metadata.GetString("general.name").value_or(BaseName(path));
  config.n_layers = in.RequiredInt("block_count");
  config.d_model = in.RequiredInt("embedding_length");
  config.n_heads = in.RequiredInt("attention.head_count");
  config.n_kv_heads = in.Int("attention.head_count_kv", config.n_heads);
  config.context_length = in.RequiredInt("context_length");
  config.d_ff = in.Int("feed_forward_length", 0);
  config.norm_eps = in.Float("attention.layer_norm_rms_epsilon", 1e-5f);
  config.head_dim =
      in.Int("attention.key_length", config.n_heads > 0 ? config.d_model / config.n_heads : 0);
  if (in.Int("attention.value_length", config.head_dim) != config.head_dim) {
    in.Fail("keys and values of different lengths are not supported");
  }
  config.rope.style = architecture.rope_style;
  ReadRope(&in, &config);
  ReadExperts(&in, &config);
  config.sliding_window = in.Int("attention.sliding_window", 0);
  if (config.sliding_window >= config.context_length) config.sliding_window = 0;
  config.attention_temperature = in.Float("attention.temperature_scale", 0.0f);
  config.attention_temperature_floor = config.rope.original_context;
  AC_RETURN_IF_ERROR(in.status());
  if (const GgufTensor* embedding = file.Find("token_embd.weight")) {
    if (embedding->dims[1] > INT32_MAX) {
      return DataLoss("[weights] " + path + ": tensor 'token_embd.weight' is absurdly large");
    }
    config.vocab_size = static_cast<int>(embedding->dims[1]);
  }
  AC_RETURN_IF_ERROR(CheckConfig(path, config));
  return config;
}

TokenizerSource ReadTokenizerSource(const GgufMetadata& metadata) {
  TokenizerSource source;
  source.gguf = &metadata;
  source.chat_template = metadata.GetString("tokenizer.chat_template").value_or("");
  source.tool_use_template = metadata.GetString("tokenizer.chat_template.tool_use").value_or("");
  for (const char* key : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id",
                          "tokenizer.ggml.eom_token_id"}) {
    const std::optional<int64_t> id = metadata.GetInt(key);
    if (id.has_value() && *id >= 0 && *id <= INT32_MAX) {
      source.eos_token_ids.push_back(static_cast<int32_t>(*id));
    }
  }
  return source;
}

class GgufModel : public LoadedModel {
 public:
  explicit GgufModel(GgufFile file) : file_(std::move(file)) {}

  Status Load(const std::string& path, OpenScope scope) {
    path_ = path;
    format_ = "gguf";
    total_bytes_ = file_.total_bytes();
    tokenizer_source_ = ReadTokenizerSource(file_.metadata());
    const std::string name(file_.metadata().GetString("general.architecture").value_or(""));
    if (scope == OpenScope::kVocabulary) {
      config_.architecture = name;
      return OkStatus();
    }
    if (file_.tensors().empty()) {
      return InvalidArgument("[weights] " + path + ": holds a vocabulary but no weights");
    }
    const Architecture* architecture = nullptr;
    std::string supported;
    for (const Architecture& candidate : kArchitectures) {
      if (candidate.gguf_name == name) architecture = &candidate;
      supported += " " + std::string(candidate.gguf_name);
    }
    if (architecture == nullptr) {
      return Unsupported("[weights] " + path + ": architecture '" + name +
                         "' is not supported; supported:" + supported);
    }
    AC_ASSIGN_OR_RETURN(config_, ReadConfig(file_, *architecture, path));
    AddTensors();
    AC_RETURN_IF_ERROR(Finish());
    const uint64_t tokens = file_.metadata().ArraySize("tokenizer.ggml.tokens");
    return CheckVocabulary(*this, static_cast<int64_t>(tokens));
  }

 private:
  void AddTensors() {
    for (const GgufTensor& source : file_.tensors()) {
      Tensor tensor;
      tensor.name = source.name;
      tensor.type = source.type;
      tensor.dims = source.dims;
      tensor.n_dims = source.n_dims;
      tensor.bytes = source.data.size();
      SetContiguousViews(source.data.data(), source.row_bytes, &tensor);
      tensors_.push_back(std::move(tensor));
    }
  }

  const GgufFile file_;
};

}  // namespace

Result<std::unique_ptr<ModelFile>> MakeGgufModel(GgufFile file, const std::string& path,
                                                 OpenScope scope) {
  auto model = std::make_unique<GgufModel>(std::move(file));
  AC_RETURN_IF_ERROR(model->Load(path, scope));
  return std::unique_ptr<ModelFile>(std::move(model));
}

Result<std::unique_ptr<ModelFile>> OpenGgufModel(const std::string& path, OpenScope scope) {
  AC_ASSIGN_OR_RETURN(GgufFile file, GgufFile::Open(path));
  return MakeGgufModel(std::move(file), path, scope);
}

}  // namespace ac::weights
