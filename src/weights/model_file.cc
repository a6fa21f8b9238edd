#include "weights/model_file.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <unordered_set>

#include "base/file_system.h"
#include "json/json.h"
#include "quant/quant.h"
#include "weights/internal/loaders.h"

namespace ac::weights {
namespace {

Status CheckFiniteMatrix(const std::string& name, const ac_matrix& matrix, int64_t first_row) {
  std::vector<float> row(static_cast<size_t>(matrix.cols));
  for (int64_t r = 0; r < matrix.rows; ++r) {
    quant::DequantizeRow(matrix, r, row.data());
    for (size_t c = 0; c < row.size(); ++c) {
      if (std::isfinite(row[c])) continue;
      return DataLoss("[weights] tensor '" + name + "' holds NaN or infinity at row " +
                      std::to_string(first_row + r) + ", column " + std::to_string(c) +
                      "; the file is damaged, download it again");
    }
  }
  return OkStatus();
}

std::string Gigabytes(uint64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f GB", static_cast<double>(bytes) / 1e9);
  return text;
}

// The tensors each architecture is made of, as shapes over the config.

using Shape = std::vector<int64_t>;

std::string ShapeText(std::span<const int64_t> dims) {
  std::string text = "[";
  for (size_t i = 0; i < dims.size(); ++i) text += (i > 0 ? ", " : "") + std::to_string(dims[i]);
  return text + "]";
}

bool IsFloat(ac_quant_type type) { return type == AC_F32 || type == AC_F16 || type == AC_BF16; }

class TensorCheck {
 public:
  explicit TensorCheck(const ModelFile& model) : model_(model) {}

  // A matrix or expert stack of any type.
  void Need(const std::string& name, const Shape& shape) { Check(name, shape, true); }
  // Norms, biases and frequency tables: small, kept as floats, checked for NaN.
  void NeedVector(const std::string& name, int64_t size) { CheckVector(name, size, true); }
  void AllowVector(const std::string& name, int64_t size) { CheckVector(name, size, false); }

  Status Finish() const {
    AC_RETURN_IF_ERROR(status_);
    for (const Tensor& tensor : model_.tensors()) {
      if (known_.contains(tensor.name)) continue;
      return Unsupported("[weights] " + model_.path() + ": tensor '" + tensor.name +
                         "' is not part of the " + model_.config().architecture +
                         " architecture as this program knows it; leaving it out would give wrong "
                         "answers");
    }
    return OkStatus();
  }

 private:
  const Tensor* Check(const std::string& name, const Shape& shape, bool required) {
    if (!status_.ok()) return nullptr;
    known_.insert(name);
    const Tensor* tensor = model_.Find(name);
    if (tensor == nullptr) {
      if (required) {
        status_ = DataLoss("[weights] " + model_.path() + ": tensor '" + name +
                           "' is missing; the file is incomplete or not a " +
                           model_.config().architecture + " model");
      }
      return nullptr;
    }
    Shape actual(tensor->dims.begin(), tensor->dims.begin() + tensor->n_dims);
    if (actual != shape) {
      status_ = DataLoss("[weights] " + model_.path() + ": tensor '" + name + "' has shape " +
                         ShapeText(actual) + " but the configuration asks for " + ShapeText(shape));
      return nullptr;
    }
    return tensor;
  }

  void CheckVector(const std::string& name, int64_t size, bool required) {
    const Tensor* tensor = Check(name, {size}, required);
    if (tensor == nullptr) return;
    if (!IsFloat(tensor->type)) {
      status_ = Unsupported("[weights] " + model_.path() + ": tensor '" + name + "' has type " +
                            std::string(quant::InfoOf(tensor->type).name) +
                            "; vectors must be F32, F16 or BF16");
      return;
    }
    status_ = CheckFinite(*tensor);
    if (!status_.ok())
      status_ = Status(status_.code(), "[weights] " + model_.path() + ": " + status_.message());
  }

  const ModelFile& model_;
  Status status_;
  std::unordered_set<std::string> known_;
};

void CheckAttention(const ModelConfig& c, const std::string& layer, TensorCheck* check) {
  const int64_t q_width = int64_t{c.n_heads} * c.head_dim;
  const int64_t kv_width = int64_t{c.n_kv_heads} * c.head_dim;
  check->NeedVector(layer + "attn_norm.weight", c.d_model);
  check->Need(layer + "attn_q.weight", {c.d_model, q_width});
  check->Need(layer + "attn_k.weight", {c.d_model, kv_width});
  check->Need(layer + "attn_v.weight", {c.d_model, kv_width});
  check->Need(layer + "attn_output.weight", {q_width, c.d_model});
  if (c.architecture == "qwen2") {
    check->NeedVector(layer + "attn_q.bias", q_width);
    check->NeedVector(layer + "attn_k.bias", kv_width);
    check->NeedVector(layer + "attn_v.bias", kv_width);
  } else {
    check->AllowVector(layer + "attn_q.bias", q_width);
    check->AllowVector(layer + "attn_k.bias", kv_width);
    check->AllowVector(layer + "attn_v.bias", kv_width);
  }
  if (c.architecture == "qwen3" || c.architecture == "qwen3moe") {
    check->NeedVector(layer + "attn_q_norm.weight", c.head_dim);
    check->NeedVector(layer + "attn_k_norm.weight", c.head_dim);
  }
}

void CheckFeedForward(const ModelConfig& c, const std::string& layer, TensorCheck* check) {
  check->NeedVector(layer + "ffn_norm.weight", c.d_model);
  if (c.n_experts == 0) {
    check->Need(layer + "ffn_gate.weight", {c.d_model, c.d_ff});
    check->Need(layer + "ffn_up.weight", {c.d_model, c.d_ff});
    check->Need(layer + "ffn_down.weight", {c.d_ff, c.d_model});
    return;
  }
  check->Need(layer + "ffn_gate_inp.weight", {c.d_model, c.n_experts});
  check->Need(layer + "ffn_gate_exps.weight", {c.d_model, c.d_expert, c.n_experts});
  check->Need(layer + "ffn_up_exps.weight", {c.d_model, c.d_expert, c.n_experts});
  check->Need(layer + "ffn_down_exps.weight", {c.d_expert, c.d_model, c.n_experts});
}

struct Range {
  const char* name;
  int64_t value;
  int64_t low;
  int64_t high;
};

}  // namespace

Result<std::unique_ptr<ModelFile>> ModelFile::Open(const std::string& path, OpenScope scope) {
  const Result<FileInfo> info = FileSystem::Real().Stat(path);
  if (!info.ok()) {
    return Status(info.status().code(),
                  "[weights] no model at " + path + ": " + info.status().message());
  }
  if (info->is_directory) return OpenDirectoryModel(path, scope);
  return OpenGgufModel(path, scope);
}

const Tensor* LoadedModel::Find(std::string_view name) const {
  const auto it = index_.find(name);
  return it == index_.end() ? nullptr : &tensors_[it->second];
}

Status LoadedModel::Finish() {
  index_.clear();
  for (size_t i = 0; i < tensors_.size(); ++i) index_.emplace(tensors_[i].name, i);
  return CheckTensors(*this);
}

void SetContiguousViews(const void* data, size_t row_bytes, Tensor* tensor) {
  ac_matrix& m = tensor->matrix;
  m.type = tensor->type;
  m.cols = tensor->dims[0];
  m.rows = tensor->dims[1] * tensor->dims[2] * tensor->dims[3];
  m.data = data;
  m.row_bytes = row_bytes;
  if (tensor->n_dims < 3) return;
  size_t scale_row_bytes = 0;
  if (tensor->type == AC_MLX_AFFINE) {
    scale_row_bytes = static_cast<size_t>(m.cols / m.group_size) *
                      static_cast<size_t>(quant::InfoOf(m.scale_type).block_bytes);
  }
  const auto at = [](const void* base, size_t offset) -> const void* {
    return base == nullptr ? nullptr : static_cast<const char*>(base) + offset;
  };
  ac_matrix expert = m;
  expert.rows = tensor->dims[1];
  for (int64_t e = 0; e < tensor->dims[2] * tensor->dims[3]; ++e) {
    const auto first_row = static_cast<size_t>(e * expert.rows);
    expert.data = at(m.data, first_row * row_bytes);
    expert.scales = at(m.scales, first_row * scale_row_bytes);
    expert.biases = at(m.biases, first_row * scale_row_bytes);
    tensor->expert_matrices.push_back(expert);
  }
}

Status CheckFinite(const Tensor& tensor) {
  if (tensor.matrix.data != nullptr) return CheckFiniteMatrix(tensor.name, tensor.matrix, 0);
  int64_t row = 0;
  for (const ac_matrix& expert : tensor.expert_matrices) {
    AC_RETURN_IF_ERROR(CheckFiniteMatrix(tensor.name, expert, row));
    row += expert.rows;
  }
  return OkStatus();
}

namespace {

// What long contexts divide by and take logarithms of. Comparisons are written so that NaN fails.
Status CheckLongContext(const std::string& prefix, const ModelConfig& c) {
  const RopeConfig& rope = c.rope;
  const bool needs_original =
      rope.scaling == RopeScaling::kYarn || rope.scaling == RopeScaling::kLlama3;
  if (needs_original && rope.original_context < 1) {
    return InvalidArgument(prefix + "rope scaling needs the original context length");
  }
  if (!(rope.attention_factor >= 0.0f && rope.attention_factor < 1e6f)) {
    return InvalidArgument(prefix + "the rope attention factor is " +
                           std::to_string(rope.attention_factor));
  }
  const bool betas = rope.beta_fast > 0.0f && rope.beta_slow > 0.0f && rope.beta_fast < 1e6f &&
                     rope.beta_slow < 1e6f && std::fabs(rope.extrapolation_factor) < 1e6f;
  if (rope.scaling == RopeScaling::kYarn && !betas) {
    return InvalidArgument(prefix +
                           "the yarn betas or extrapolation factor are not usable numbers");
  }
  const bool limits = rope.low_freq_factor > 0.0f && rope.high_freq_factor > rope.low_freq_factor &&
                      rope.high_freq_factor < 1e6f;
  if (rope.scaling == RopeScaling::kLlama3 && !limits) {
    return InvalidArgument(prefix +
                           "llama3 rope scaling needs 0 < low_freq_factor < high_freq_factor");
  }
  if (!(std::fabs(c.attention_temperature) < 1e3f) ||
      (c.attention_temperature != 0.0f && c.attention_temperature_floor < 1)) {
    return InvalidArgument(prefix + "the attention temperature is not usable");
  }
  return OkStatus();
}

}  // namespace

Status CheckConfig(const std::string& path, const ModelConfig& c) {
  const std::string prefix = "[weights] " + path + ": ";
  // Upper limits are far above any real model; they keep products of two inside 64 bits.
  const Range ranges[] = {
      {"number of layers", c.n_layers, 1, 10'000},
      {"embedding length", c.d_model, 1, 1 << 24},
      {"number of heads", c.n_heads, 1, 1 << 16},
      {"number of key/value heads", c.n_kv_heads, 1, c.n_heads},
      {"head dimension", c.head_dim, 2, 1 << 16},
      {"rotated dimension", c.rope.dims, 2, c.head_dim},
      {"context length", c.context_length, 1, 1 << 30},
      {"number of experts", c.n_experts, 0, 1 << 16},
      {"feed-forward length", c.n_experts > 0 ? c.d_expert : c.d_ff, 1, 1 << 24},
      {"number of experts used", c.n_experts_used, c.n_experts > 0 ? 1 : 0, c.n_experts},
      {"sliding window", c.sliding_window, 0, 1 << 30},
  };
  for (const Range& range : ranges) {
    if (range.value >= range.low && range.value <= range.high) continue;
    return InvalidArgument(prefix + "the " + range.name + " is " + std::to_string(range.value) +
                           ", expected " + std::to_string(range.low) + " to " +
                           std::to_string(range.high));
  }
  if (c.n_heads % c.n_kv_heads != 0) {
    return InvalidArgument(prefix + std::to_string(c.n_heads) + " heads cannot share " +
                           std::to_string(c.n_kv_heads) + " key/value heads evenly");
  }
  if (c.rope.dims % 2 != 0) return InvalidArgument(prefix + "the rotated dimension is odd");
  // Written so that NaN fails.
  if (!(c.norm_eps >= 0.0f && c.norm_eps < 1.0f)) {
    return InvalidArgument(prefix + "the norm epsilon is " + std::to_string(c.norm_eps));
  }
  if (!(c.rope.base > 1.0f && c.rope.base < 1e30f)) {
    return InvalidArgument(prefix + "the rope base is " + std::to_string(c.rope.base));
  }
  if (!(c.rope.factor >= 1e-3f && c.rope.factor <= 1e6f)) {
    return InvalidArgument(prefix + "the rope scaling factor is " + std::to_string(c.rope.factor));
  }
  return CheckLongContext(prefix, c);
}

Status CheckTensors(const ModelFile& model) {
  const ModelConfig& c = model.config();
  TensorCheck check(model);
  check.Need("token_embd.weight", {c.d_model, c.vocab_size});
  check.NeedVector("output_norm.weight", c.d_model);
  if (model.Find("output.weight") != nullptr)
    check.Need("output.weight", {c.d_model, c.vocab_size});
  check.AllowVector("rope_freqs.weight", c.rope.dims / 2);
  for (int i = 0; i < c.n_layers; ++i) {
    const std::string layer = "blk." + std::to_string(i) + ".";
    CheckAttention(c, layer, &check);
    CheckFeedForward(c, layer, &check);
  }
  return check.Finish();
}

Status CheckVocabulary(const ModelFile& model, int64_t tokenizer_size) {
  if (tokenizer_size <= model.config().vocab_size) return OkStatus();
  return InvalidArgument(
      "[weights] " + model.path() + ": the tokenizer knows " + std::to_string(tokenizer_size) +
      " tokens but tensor 'token_embd.weight' has only " +
      std::to_string(model.config().vocab_size) + " rows; the files do not belong together");
}

ModelSummary Summarize(const ModelFile& model) {
  ModelSummary summary;
  for (const Tensor& tensor : model.tensors()) {
    auto share = std::find_if(summary.types.begin(), summary.types.end(),
                              [&](const TypeShare& s) { return s.type == tensor.type; });
    if (share == summary.types.end()) {
      share = summary.types.insert(share, TypeShare{tensor.type, 0, 0, 0});
    }
    const auto elements =
        static_cast<uint64_t>(tensor.dims[0] * tensor.dims[1] * tensor.dims[2] * tensor.dims[3]);
    share->tensors += 1;
    share->elements += elements;
    share->bytes += tensor.bytes;
    summary.elements += elements;
    summary.tensor_bytes += tensor.bytes;
  }
  std::sort(summary.types.begin(), summary.types.end(), [](const TypeShare& a, const TypeShare& b) {
    return a.bytes != b.bytes ? a.bytes > b.bytes : a.type < b.type;
  });
  const ModelConfig& c = model.config();
  summary.kv_bytes_per_token =
      uint64_t{2} * 2 * static_cast<uint64_t>(c.n_layers) *
      (static_cast<uint64_t>(c.n_kv_heads) * static_cast<uint64_t>(c.head_dim));
  return summary;
}

namespace {

std::string_view ScalingName(RopeScaling scaling) {
  switch (scaling) {
    case RopeScaling::kNone:
      return "none";
    case RopeScaling::kLinear:
      return "linear";
    case RopeScaling::kYarn:
      return "yarn";
    case RopeScaling::kLlama3:
      return "llama3";
  }
  return "none";
}

json::Object DescribeConfig(const ModelConfig& c) {
  json::Object out = {{"layers", c.n_layers},
                      {"embedding_length", c.d_model},
                      {"heads", c.n_heads},
                      {"kv_heads", c.n_kv_heads},
                      {"head_dim", c.head_dim},
                      {"feed_forward_length", c.d_ff},
                      {"vocab_size", c.vocab_size},
                      {"context_length", c.context_length},
                      {"norm_eps", c.norm_eps},
                      {"experts", c.n_experts},
                      {"experts_used", c.n_experts_used},
                      {"expert_feed_forward_length", c.d_expert},
                      {"sliding_window", c.sliding_window}};
  out["rope"] = {{"style", c.rope.style == RopeStyle::kNormal ? "normal" : "neox"},
                 {"dims", c.rope.dims},
                 {"base", c.rope.base},
                 {"scaling", ScalingName(c.rope.scaling)},
                 {"factor", c.rope.factor}};
  return out;
}

}  // namespace

json::Value DescribeModel(const ModelFile& model) {
  const ModelSummary summary = Summarize(model);
  json::Array types;
  for (const TypeShare& share : summary.types) {
    types.push_back({{"type", quant::InfoOf(share.type).name},
                     {"tensors", share.tensors},
                     {"elements", share.elements},
                     {"bytes", share.bytes}});
  }
  return json::Value{{"path", model.path()},
                     {"format", model.format()},
                     {"architecture", model.config().architecture},
                     {"name", model.config().name},
                     {"parameters", summary.elements},
                     {"file_bytes", model.total_bytes()},
                     {"tensor_bytes", summary.tensor_bytes},
                     {"kv_bytes_per_token", summary.kv_bytes_per_token},
                     {"tensors", model.tensors().size()},
                     {"types", types},
                     {"chat_template", !model.tokenizer_source().chat_template.empty()},
                     {"config", DescribeConfig(model.config())}};
}

std::string MemoryWarning(const ModelFile& model, uint64_t memory_bytes) {
  if (model.total_bytes() <= memory_bytes) return "";
  return model.path() + " has " + Gigabytes(model.total_bytes()) +
         " of weights but this machine has " + Gigabytes(memory_bytes) +
         " of memory: it will run from disk, slowly; a smaller quantisation helps";
}

}  // namespace ac::weights
