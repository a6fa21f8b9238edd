#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "base/file_system.h"
#include "json/json.h"
#include "quant/quant.h"
#include "weights/internal/loaders.h"
#include "weights/safetensors.h"

// ModelFile over a directory of safetensors: names and shapes translated to the GGUF ones, MLX's
// three arrays per matrix joined into one tensor.
namespace ac::weights {
namespace {

// Published module names to GGUF ones. Layer modules follow "model.layers.N.".
constexpr std::pair<std::string_view, std::string_view> kLayerModules[] = {
    {"input_layernorm", "attn_norm"},
    {"self_attn.q_proj", "attn_q"},
    {"self_attn.k_proj", "attn_k"},
    {"self_attn.v_proj", "attn_v"},
    {"self_attn.o_proj", "attn_output"},
    {"self_attn.q_norm", "attn_q_norm"},
    {"self_attn.k_norm", "attn_k_norm"},
    {"post_attention_layernorm", "ffn_norm"},
    {"mlp.gate_proj", "ffn_gate"},
    {"mlp.up_proj", "ffn_up"},
    {"mlp.down_proj", "ffn_down"},
    {"mlp.gate", "ffn_gate_inp"},
    {"mlp.switch_mlp.gate_proj", "ffn_gate_exps"},
    {"mlp.switch_mlp.up_proj", "ffn_up_exps"},
    {"mlp.switch_mlp.down_proj", "ffn_down_exps"},
};
constexpr std::pair<std::string_view, std::string_view> kExpertModules[] = {
    {"gate_proj", "ffn_gate_exps"}, {"up_proj", "ffn_up_exps"}, {"down_proj", "ffn_down_exps"}};
constexpr std::pair<std::string_view, std::string_view> kTopModules[] = {
    {"model.embed_tokens", "token_embd"}, {"model.norm", "output_norm"}, {"lm_head", "output"}};

template <size_t N>
std::string_view Translate(const std::pair<std::string_view, std::string_view> (&table)[N],
                           std::string_view module) {
  for (const auto& [from, to] : table) {
    if (from == module) return to;
  }
  return "";
}

// Takes "N." off the front of `text`; -1 when there is no number.
int TakeNumber(std::string_view* text) {
  int number = -1;
  const auto end = std::from_chars(text->data(), text->data() + text->size(), number);
  const auto used = static_cast<size_t>(end.ptr - text->data());
  if (end.ec != std::errc() || number < 0 || used >= text->size() || (*text)[used] != '.')
    return -1;
  text->remove_prefix(used + 1);
  return number;
}

struct MappedName {
  std::string module;  // GGUF name without suffix; empty when unknown
  int expert = -1;     // of tensors stored one expert at a time
};

MappedName MapModule(std::string_view module) {
  if (const std::string_view top = Translate(kTopModules, module); !top.empty()) {
    return {std::string(top), -1};
  }
  constexpr std::string_view kLayers = "model.layers.";
  if (!module.starts_with(kLayers)) return {};
  module.remove_prefix(kLayers.size());
  const int layer = TakeNumber(&module);
  if (layer < 0) return {};
  int expert = -1;
  std::string_view name = Translate(kLayerModules, module);
  constexpr std::string_view kExperts = "mlp.experts.";
  if (module.starts_with(kExperts)) {
    module.remove_prefix(kExperts.size());
    expert = TakeNumber(&module);
    name = expert < 0 ? "" : Translate(kExpertModules, module);
  }
  if (name.empty()) return {};
  return {"blk." + std::to_string(layer) + "." + std::string(name), expert};
}

// Multimodal files wrap the language model; the wrapping has changed over time.
std::string Unwrap(std::string_view name) {
  if (name.starts_with("model.language_model.")) return "model." + std::string(name.substr(21));
  if (name.starts_with("language_model.")) return std::string(name.substr(15));
  return std::string(name);
}

// Other parts of multimodal models, and tables that can be computed.
bool IsIgnored(std::string_view name) {
  return name.starts_with("vision_tower.") || name.starts_with("model.vision_tower.") ||
         name.starts_with("multi_modal_projector.") ||
         name.starts_with("model.multi_modal_projector.") || name.ends_with("rotary_emb.inv_freq");
}

// The arrays one matrix is made of; the last two exist only where MLX quantised it.
struct Arrays {
  const SafetensorsTensor* weight = nullptr;
  const SafetensorsTensor* scales = nullptr;
  const SafetensorsTensor* biases = nullptr;
  std::string source;  // module name in the file, for messages and quantisation exceptions
};

class DirectoryModel : public LoadedModel {
 public:
  Status Load(const std::string& path, OpenScope scope) {
    path_ = path;
    const std::string config_path = JoinPath(path, "config.json");
    AC_RETURN_IF_ERROR(ReadTokenizerSource());
    if (scope == OpenScope::kVocabulary) return OkStatus();
    AC_ASSIGN_OR_RETURN(const std::string text, ReadFile(FileSystem::Real(), config_path));
    AC_ASSIGN_OR_RETURN(hf_, ParseHfConfig(text, config_path));
    config_ = hf_.model;
    config_.name = BaseName(path.ends_with('/') ? path.substr(0, path.size() - 1) : path);
    format_ = hf_.quantisation.has_value() ? "mlx" : "safetensors";
    for (const int32_t id : hf_.eos_token_ids) AddEosToken(id);
    AC_ASSIGN_OR_RETURN(files_, OpenSafetensorsDirectory(path));
    AC_RETURN_IF_ERROR(CollectArrays());
    AC_RETURN_IF_ERROR(AddTensors());
    AC_RETURN_IF_ERROR(Finish());
    if (!hf_.tied_embeddings && Find("output.weight") == nullptr) {
      return DataLoss("[weights] " + path_ +
                      ": tensor 'lm_head.weight' is missing and config.json does not tie it to the "
                      "embedding (tie_word_embeddings)");
    }
    return OkStatus();
  }

 private:
  Status Bad(const std::string& source, const std::string& what) const {
    return DataLoss("[weights] " + path_ + ": tensor '" + source + "' " + what);
  }

  void AddEosToken(int32_t id) {
    std::vector<int32_t>& ids = tokenizer_source_.eos_token_ids;
    if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(id);
  }

  // Absent is fine; unreadable is not.
  Status ReadOptional(const std::string& name, std::string* out) const {
    const std::string file = JoinPath(path_, name);
    if (!FileSystem::Real().Exists(file)) return OkStatus();
    AC_ASSIGN_OR_RETURN(*out, ReadFile(FileSystem::Real(), file));
    return OkStatus();
  }

  Status ReadTokenizerSource() {
    TokenizerSource& source = tokenizer_source_;
    AC_RETURN_IF_ERROR(ReadOptional("tokenizer.json", &source.tokenizer_json));
    AC_RETURN_IF_ERROR(ReadOptional("tokenizer_config.json", &source.tokenizer_config_json));
    AC_RETURN_IF_ERROR(ReadOptional("chat_template.jinja", &source.chat_template));
    AC_RETURN_IF_ERROR(
        ReadOptional("additional_chat_templates/tool_use.jinja", &source.tool_use_template));
    std::string old_template;
    AC_RETURN_IF_ERROR(ReadOptional("chat_template.json", &old_template));
    for (const std::string& text : {old_template, source.tokenizer_config_json}) {
      if (!source.chat_template.empty() || text.empty()) continue;
      Result<json::Value> value = json::Parse(text);
      if (!value.ok()) return value.status().WithPrefix("[weights] " + path_ + ": chat template");
      TakeTemplates(*value);
    }
    std::string generation;
    AC_RETURN_IF_ERROR(ReadOptional("generation_config.json", &generation));
    for (const int32_t id : ParseTokenIds(generation, "eos_token_id")) AddEosToken(id);
    return OkStatus();
  }

  // "chat_template" is a text, or a list of named ones.
  void TakeTemplates(const json::Value& object) {
    const json::Value* value = json::Find(object, "chat_template");
    if (const auto text = json::AsString(value)) tokenizer_source_.chat_template = *text;
    const json::Array* list = json::AsArray(value);
    if (list == nullptr) return;
    for (const json::Value& item : *list) {
      const std::string_view name = json::GetString(item, "name").value_or("");
      const std::string_view text = json::GetString(item, "template").value_or("");
      if (name == "default") tokenizer_source_.chat_template = text;
      if (name == "tool_use") tokenizer_source_.tool_use_template = text;
    }
  }

  // Groups the files' tensors by GGUF name and, where they are separate, expert.
  Status CollectArrays() {
    for (const SafetensorsFile& file : files_) {
      total_bytes_ += file.total_bytes();
      for (const SafetensorsTensor& tensor : file.tensors()) {
        if (IsIgnored(tensor.name)) continue;
        const std::string name = Unwrap(tensor.name);
        const size_t dot = name.rfind('.');
        const std::string module = name.substr(0, dot == std::string::npos ? 0 : dot);
        const std::string suffix = dot == std::string::npos ? name : name.substr(dot + 1);
        const MappedName mapped = MapModule(module);
        if (mapped.module.empty()) return UnknownTensor(tensor.name);
        // A tied model's copy of the embedding carries nothing new.
        if (mapped.module == "output" && hf_.tied_embeddings) continue;
        const bool is_bias = suffix == "bias";
        Arrays& arrays = arrays_[mapped.module + (is_bias ? ".bias" : ".weight")][mapped.expert];
        if (arrays.source.empty()) arrays.source = tensor.name.substr(0, tensor.name.rfind('.'));
        if (suffix == "weight" || is_bias) {
          arrays.weight = &tensor;
        } else if (suffix == "scales") {
          arrays.scales = &tensor;
        } else if (suffix == "biases") {
          arrays.biases = &tensor;
        } else {
          return UnknownTensor(tensor.name);
        }
      }
    }
    return OkStatus();
  }

  Status UnknownTensor(const std::string& name) const {
    return Unsupported("[weights] " + path_ + ": tensor '" + name + "' is not part of the " +
                       config_.architecture +
                       " architecture as this program knows it; leaving it out would give wrong "
                       "answers");
  }

  Status AddTensors() {
    for (const auto& [name, experts] : arrays_) {
      Tensor tensor;
      const bool separate = experts.begin()->first >= 0;
      if (!separate && experts.size() > 1) return Bad(name, "is stored both whole and by expert");
      AC_RETURN_IF_ERROR(separate ? JoinExperts(name, experts, &tensor)
                                  : Convert(experts.begin()->second, &tensor));
      tensor.name = name;
      tensors_.push_back(std::move(tensor));
    }
    return OkStatus();
  }

  Status JoinExperts(const std::string& name, const std::map<int, Arrays>& experts, Tensor* out) {
    int64_t expected = 0;
    for (const auto& [number, arrays] : experts) {
      if (number != expected++) {
        return Bad(name, "lacks expert " + std::to_string(expected - 1));
      }
      Tensor one;
      AC_RETURN_IF_ERROR(Convert(arrays, &one));
      const bool first = number == 0;
      if (one.n_dims != 2) return Bad(arrays.source, "is no matrix");
      if (!first && (one.type != out->type || one.dims != out->dims)) {
        return Bad(arrays.source, "differs in type or shape from the first expert");
      }
      if (first) *out = one;
      out->bytes += first ? 0 : one.bytes;
      out->expert_matrices.push_back(one.matrix);
    }
    out->n_dims = 3;
    out->dims[2] = expected;
    out->matrix.rows = out->dims[1] * expected;
    out->matrix.data = nullptr;
    out->matrix.scales = nullptr;
    out->matrix.biases = nullptr;
    return OkStatus();
  }

  Status Convert(const Arrays& arrays, Tensor* out) const {
    if (arrays.weight == nullptr) return Bad(arrays.source, "has scales but no weight");
    const std::vector<int64_t>& shape = arrays.weight->shape;
    if (shape.empty() || shape.size() > 3 ||
        std::find(shape.begin(), shape.end(), 0) != shape.end()) {
      return Bad(arrays.weight->name, "has an unusable shape");
    }
    out->n_dims = static_cast<int>(shape.size());
    std::copy(shape.rbegin(), shape.rend(), out->dims.begin());
    return arrays.scales != nullptr ? ConvertMlx(arrays, out) : ConvertFloats(*arrays.weight, out);
  }

  Status ConvertFloats(const SafetensorsTensor& source, Tensor* out) const {
    const std::optional<ac_quant_type> type = quant::TypeByName(source.dtype);
    if (!type.has_value() || (*type != AC_F32 && *type != AC_F16 && *type != AC_BF16)) {
      return Unsupported("[weights] " + path_ + ": tensor '" + source.name + "' has type " +
                         std::string(source.dtype) +
                         " and no scales; supported: BF16 F16 F32, or MLX affine");
    }
    out->type = *type;
    out->bytes = source.data.size();
    AC_RETURN_IF_ERROR(CheckAligned(source, static_cast<size_t>(quant::InfoOf(*type).block_bytes)));
    AC_ASSIGN_OR_RETURN(const size_t row_bytes, quant::RowBytes(*type, out->dims[0]));
    SetContiguousViews(source.data.data(), row_bytes, out);
    return OkStatus();
  }

  Status CheckAligned(const SafetensorsTensor& source, size_t alignment) const {
    if (reinterpret_cast<uintptr_t>(source.data.data()) % alignment == 0) return OkStatus();
    return Unsupported("[weights] " + path_ + ": tensor '" + source.name +
                       "' does not start at a multiple of " + std::to_string(alignment) +
                       " bytes; save the file again with a current safetensors library");
  }

  Result<MlxQuantisation> QuantisationOf(const Arrays& arrays) const {
    if (!hf_.quantisation.has_value()) {
      return Bad(arrays.source, "is quantised but config.json has no 'quantization'");
    }
    for (const std::string& module : {arrays.source, Unwrap(arrays.source)}) {
      const auto it = hf_.module_quantisation.find(module);
      if (it == hf_.module_quantisation.end()) continue;
      if (it->second.bits == 0)
        return Bad(module, "is quantised although config.json says it is not");
      return it->second;
    }
    return *hf_.quantisation;
  }

  Status ConvertMlx(const Arrays& arrays, Tensor* out) const {
    AC_ASSIGN_OR_RETURN(const MlxQuantisation quantisation, QuantisationOf(arrays));
    if (arrays.biases == nullptr) return Bad(arrays.source, "has scales but no biases");
    const SafetensorsTensor& words = *arrays.weight;
    const SafetensorsTensor& scales = *arrays.scales;
    if (words.dtype != "U32") return Bad(words.name, "should have type U32 beside its scales");
    if (scales.shape.size() != words.shape.size() || arrays.biases->shape != scales.shape ||
        arrays.biases->dtype != scales.dtype ||
        !std::equal(words.shape.begin(), words.shape.end() - 1, scales.shape.begin())) {
      return Bad(scales.name, "does not fit the shapes of weight and biases");
    }
    const std::optional<ac_quant_type> scale_type = quant::TypeByName(scales.dtype);
    if (!scale_type.has_value() ||
        (*scale_type != AC_F32 && *scale_type != AC_F16 && *scale_type != AC_BF16)) {
      return Bad(scales.name,
                 "has type " + std::string(scales.dtype) + ", expected F16, BF16 or F32");
    }
    // The scales say how many columns there are; the words must hold exactly that many.
    const int64_t groups = scales.shape.back();
    const int64_t cols = groups * quantisation.group_size;
    if (cols / quantisation.group_size != groups ||
        cols * quantisation.bits != words.shape.back() * 32) {
      return Bad(words.name, "has " + std::to_string(words.shape.back()) + " words a row for " +
                                 std::to_string(groups) + " groups, which is not " +
                                 std::to_string(quantisation.bits) + " bits in groups of " +
                                 std::to_string(quantisation.group_size));
    }
    AC_RETURN_IF_ERROR(CheckAligned(words, 4));
    const auto scale_bytes = static_cast<size_t>(quant::InfoOf(*scale_type).block_bytes);
    AC_RETURN_IF_ERROR(CheckAligned(scales, scale_bytes));
    AC_RETURN_IF_ERROR(CheckAligned(*arrays.biases, scale_bytes));
    out->type = AC_MLX_AFFINE;
    out->dims[0] = cols;
    out->bytes = words.data.size() + scales.data.size() + arrays.biases->data.size();
    out->matrix.scales = scales.data.data();
    out->matrix.biases = arrays.biases->data.data();
    out->matrix.scale_type = *scale_type;
    out->matrix.bits = quantisation.bits;
    out->matrix.group_size = quantisation.group_size;
    SetContiguousViews(words.data.data(), static_cast<size_t>(words.shape.back()) * 4, out);
    return OkStatus();
  }

  HfConfig hf_;
  std::vector<SafetensorsFile> files_;
  // By GGUF name; then by expert, or -1 for tensors stored whole.
  std::map<std::string, std::map<int, Arrays>> arrays_;
};

}  // namespace

Result<std::unique_ptr<ModelFile>> OpenDirectoryModel(const std::string& path, OpenScope scope) {
  auto model = std::make_unique<DirectoryModel>();
  AC_RETURN_IF_ERROR(model->Load(path, scope));
  return std::unique_ptr<ModelFile>(std::move(model));
}

}  // namespace ac::weights
