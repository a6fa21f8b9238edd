#include "model/layers.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "model/shared_prefix.h"

namespace ac::model {
namespace {

size_t Size(int64_t rows, int64_t cols) { return static_cast<size_t>(rows * cols); }

kernels::Product ToProduct(const float* x, int64_t tokens, const Linear& linear, float* out) {
  return {x, tokens, &linear.weights, linear.bias.empty() ? nullptr : linear.bias.data(), out, 0};
}

ac_kv_type ToKernelType(kv::KvType type) {
  switch (type) {
    case kv::KvType::kF32:
      return AC_KV_F32;
    case kv::KvType::kBF16:
      return AC_KV_BF16;
    case kv::KvType::kQ8:
      break;
  }
  return AC_KV_Q8;
}

ac_rope_style ToKernelStyle(weights::RopeStyle style) {
  return style == weights::RopeStyle::kNormal ? AC_ROPE_NORMAL : AC_ROPE_NEOX;
}

Linear LoadLinear(TensorLoader& tensors, int index, std::string_view name, int64_t rows,
                  int64_t cols, QkvBias bias = QkvBias::kNone) {
  Linear linear{tensors.Matrix(LayerTensor(index, std::string(name) + ".weight"), rows, cols), {}};
  const std::string bias_name = LayerTensor(index, std::string(name) + ".bias");
  if (bias == QkvBias::kRequired) linear.bias = tensors.Vector(bias_name, rows);
  if (bias == QkvBias::kOptional) linear.bias = tensors.OptionalVector(bias_name, rows);
  return linear;
}

int64_t WindowOf(const weights::ModelConfig& config, int index) {
  const auto layer = static_cast<size_t>(index);
  const bool sliding = config.sliding_layers.empty() ||
                       (layer < config.sliding_layers.size() && config.sliding_layers[layer]);
  return sliding ? config.sliding_window : 0;
}

}  // namespace

std::string LayerTensor(int index, std::string_view name) {
  return "blk." + std::to_string(index) + "." + std::string(name);
}

Norm LoadNorm(TensorLoader& tensors, int index, std::string_view name) {
  return tensors.Vector(LayerTensor(index, name), tensors.config().d_model);
}

Attention LoadAttention(TensorLoader& tensors, int index, QkvBias bias, QkNorm norm) {
  const weights::ModelConfig& c = tensors.config();
  const int64_t q_rows = int64_t{c.n_heads} * c.head_dim;
  const int64_t kv_rows = int64_t{c.n_kv_heads} * c.head_dim;
  Attention a;
  a.q = LoadLinear(tensors, index, "attn_q", q_rows, c.d_model, bias);
  a.k = LoadLinear(tensors, index, "attn_k", kv_rows, c.d_model, bias);
  a.v = LoadLinear(tensors, index, "attn_v", kv_rows, c.d_model, bias);
  a.out = LoadLinear(tensors, index, "attn_output", c.d_model, q_rows);
  if (norm == QkNorm::kRequired) {
    a.q_norm = tensors.Vector(LayerTensor(index, "attn_q_norm.weight"), c.head_dim);
    a.k_norm = tensors.Vector(LayerTensor(index, "attn_k_norm.weight"), c.head_dim);
  }
  a.window = WindowOf(c, index);
  return a;
}

DenseMlp LoadDenseMlp(TensorLoader& tensors, int index) {
  const weights::ModelConfig& c = tensors.config();
  return {LoadLinear(tensors, index, "ffn_gate", c.d_ff, c.d_model),
          LoadLinear(tensors, index, "ffn_up", c.d_ff, c.d_model),
          LoadLinear(tensors, index, "ffn_down", c.d_model, c.d_ff)};
}

MoeMlp LoadMoeMlp(TensorLoader& tensors, int index) {
  const weights::ModelConfig& c = tensors.config();
  const auto stack = [&](std::string_view name, int64_t rows, int64_t cols) {
    return tensors.Experts(LayerTensor(index, name), c.n_experts, rows, cols);
  };
  MoeMlp mlp;
  mlp.router = LoadLinear(tensors, index, "ffn_gate_inp", c.n_experts, c.d_model);
  mlp.gate = stack("ffn_gate_exps.weight", c.d_expert, c.d_model);
  mlp.up = stack("ffn_up_exps.weight", c.d_expert, c.d_model);
  mlp.down = stack("ffn_down_exps.weight", c.d_model, c.d_expert);
  mlp.used = c.n_experts_used;
  mlp.normalize = c.normalize_expert_weights;
  return mlp;
}

void Step::Begin(std::span<const Segment> segments, const kv::PageLayout& layout) {
  segments_ = segments;
  layout_ = layout;
  prefixes_ = FindSharedPrefixes(segments, layout.page_tokens, 2 * kernels_.table().query_block);
  tokens_ = segments.empty() ? 0 : segments.back().row + segments.back().tokens;
  const int64_t half = rope_.dims() / 2;
  cos_.EnsureSize(Size(tokens_, half));
  sin_.EnsureSize(Size(tokens_, half));
  for (const Segment& s : segments) {
    kernels_.ForRows(s.tokens, half * 16, [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t) {
        const int64_t at = (s.row + t) * half;
        rope_.Angles(s.position + t, cos_.data() + at, sin_.data() + at);
      }
    });
  }
}

const float* Step::Normalize(const Norm& norm, const float* x) {
  normed_.EnsureSize(Size(tokens_, config_.d_model));
  kernels_.RmsNorm(x, norm.data(), config_.norm_eps, tokens_, config_.d_model, normed_.data());
  return normed_.data();
}

ac_kv_view Step::KvView(int layer, const Segment& segment) const {
  return {.pages = segment.pages,
          .key_offset = layout_.key_offset(layer, 0),
          .value_offset = layout_.value_offset(layer, 0),
          .head_bytes = layout_.head_bytes(),
          .type = ToKernelType(layout_.type),
          .page_tokens = layout_.page_tokens,
          .n_kv_heads = config_.n_kv_heads,
          .head_dim = config_.head_dim};
}

// Queries far into the context are lengthened, so that attention over many keys stays sharp.
void Step::ScaleQueries() {
  const int64_t q_cols = int64_t{config_.n_heads} * config_.head_dim;
  for (const Segment& s : segments_) {
    for (int64_t t = 0; t < s.tokens; ++t) {
      const int64_t spans = (s.position + t) / config_.attention_temperature_floor;
      if (spans == 0) continue;
      float* const q = q_.data() + (s.row + t) * q_cols;
      const float growth = config_.attention_temperature * std::log1p(static_cast<float>(spans));
      kernels_.table().add_scaled(q, q, growth, q_cols);
    }
  }
}

void Step::Attend(int layer, const Attention& a, const float* h, float* x) {
  const int dim = config_.head_dim;
  const int64_t q_cols = int64_t{config_.n_heads} * dim;
  const int64_t kv_cols = int64_t{config_.n_kv_heads} * dim;
  q_.EnsureSize(Size(tokens_, q_cols));
  k_.EnsureSize(Size(tokens_, kv_cols));
  v_.EnsureSize(Size(tokens_, kv_cols));
  mixed_.EnsureSize(Size(tokens_, q_cols));
  delta_.EnsureSize(Size(tokens_, config_.d_model));

  const kernels::Product qkv[] = {ToProduct(h, tokens_, a.q, q_.data()),
                                  ToProduct(h, tokens_, a.k, k_.data()),
                                  ToProduct(h, tokens_, a.v, v_.data())};
  kernels_.MatMul(qkv);
  const auto rotate = [&](float* heads, int count, const Norm& norm) {
    if (!norm.empty()) {
      kernels_.RmsNorm(heads, norm.data(), config_.norm_eps, tokens_ * count, dim, heads);
    }
    kernels_.Rope(heads, tokens_, count, dim, rope_.dims(), ToKernelStyle(rope_.style()),
                  cos_.data(), sin_.data());
  };
  rotate(q_.data(), config_.n_heads, a.q_norm);
  rotate(k_.data(), config_.n_kv_heads, a.k_norm);

  if (config_.attention_temperature != 0) ScaleQueries();

  std::vector<ac_attention> sequences;
  for (const Segment& s : segments_) {
    const ac_kv_view view = KvView(layer, s);
    kernels_.KvWrite(view, s.position, s.tokens, k_.data() + s.row * kv_cols,
                     v_.data() + s.row * kv_cols);
    sequences.push_back({.q = q_.data() + s.row * q_cols,
                         .out = mixed_.data() + s.row * q_cols,
                         .tokens = s.tokens,
                         .position = s.position,
                         .n_heads = config_.n_heads,
                         .scale = 1.0f / std::sqrt(static_cast<float>(dim)),
                         .window = a.window,
                         .kv = view});
  }
  // A sliding window leaves the prefix behind.
  kernels_.Attention(sequences,
                     a.window > 0 ? std::span<const kernels::SharedPrefix>() : prefixes_);

  const kernels::Product out = ToProduct(mixed_.data(), tokens_, a.out, delta_.data());
  kernels_.MatMul({&out, 1});
  kernels_.AddScaled(x, delta_.data(), 1.0f, tokens_ * config_.d_model);
}

void Step::FeedForward(const DenseMlp& mlp, const float* h, float* x) {
  const int64_t width = mlp.gate.weights.rows;
  gate_.EnsureSize(Size(tokens_, width));
  up_.EnsureSize(Size(tokens_, width));
  delta_.EnsureSize(Size(tokens_, config_.d_model));
  const kernels::Product gate_up[] = {ToProduct(h, tokens_, mlp.gate, gate_.data()),
                                      ToProduct(h, tokens_, mlp.up, up_.data())};
  kernels_.MatMul(gate_up);
  kernels_.SiluMul(gate_.data(), up_.data(), tokens_ * width, gate_.data());
  const kernels::Product down = ToProduct(gate_.data(), tokens_, mlp.down, delta_.data());
  kernels_.MatMul({&down, 1});
  kernels_.AddScaled(x, delta_.data(), 1.0f, tokens_ * config_.d_model);
}

// Fills choices_ (the experts of each token) and expert_begin_ (the rows of each expert).
void Step::Route(const MoeMlp& mlp, const float* h) {
  const auto experts = static_cast<int64_t>(mlp.gate.size());
  router_.EnsureSize(Size(tokens_, experts));
  const kernels::Product scores = ToProduct(h, tokens_, mlp.router, router_.data());
  kernels_.MatMul({&scores, 1});

  choices_.resize(Size(tokens_, mlp.used));
  expert_begin_.assign(static_cast<size_t>(experts) + 1, 0);
  std::vector<int32_t> order(mlp.gate.size());
  for (int64_t t = 0; t < tokens_; ++t) {
    float* const p = router_.data() + t * experts;
    kernels_.Softmax(p, experts);
    for (int32_t e = 0; e < experts; ++e) order[static_cast<size_t>(e)] = e;
    std::partial_sort(order.begin(), order.begin() + mlp.used, order.end(),
                      [p](int32_t a, int32_t b) { return p[a] != p[b] ? p[a] > p[b] : a < b; });
    float sum = 0;
    for (int i = 0; i < mlp.used; ++i) sum += p[order[static_cast<size_t>(i)]];
    for (int i = 0; i < mlp.used; ++i) {
      const int32_t expert = order[static_cast<size_t>(i)];
      choices_[static_cast<size_t>(t * mlp.used + i)] = {
          expert, mlp.normalize ? p[expert] / sum : p[expert], 0};
      ++expert_begin_[static_cast<size_t>(expert) + 1];
    }
  }
  for (size_t e = 1; e < expert_begin_.size(); ++e) expert_begin_[e] += expert_begin_[e - 1];
  std::vector<int64_t> next(expert_begin_.begin(), expert_begin_.end() - 1);
  for (Choice& choice : choices_) choice.slot = next[static_cast<size_t>(choice.expert)]++;
}

// gathered_ in, delta_ out, both grouped by expert: each expert's weights are read once.
void Step::RunExperts(const MoeMlp& mlp) {
  const int64_t width = mlp.gate.front().rows;
  const int64_t d_model = config_.d_model;
  const auto choices = static_cast<int64_t>(choices_.size());
  gate_.EnsureSize(Size(choices, width));
  up_.EnsureSize(Size(choices, width));
  delta_.EnsureSize(Size(choices, d_model));
  std::vector<kernels::Product> gate_up, down;
  for (size_t e = 0; e < mlp.gate.size(); ++e) {
    const int64_t row = expert_begin_[e];
    const int64_t count = expert_begin_[e + 1] - row;
    if (count == 0) continue;
    const float* const in = gathered_.data() + row * d_model;
    float* const gate = gate_.data() + row * width;
    gate_up.push_back({in, count, &mlp.gate[e], nullptr, gate, 0});
    gate_up.push_back({in, count, &mlp.up[e], nullptr, up_.data() + row * width, 0});
    down.push_back({gate, count, &mlp.down[e], nullptr, delta_.data() + row * d_model, 0});
  }
  kernels_.MatMul(gate_up);
  kernels_.SiluMul(gate_.data(), up_.data(), choices * width, gate_.data());
  kernels_.MatMul(down);
}

void Step::FeedForward(const MoeMlp& mlp, const float* h, float* x) {
  Route(mlp, h);
  const int64_t d_model = config_.d_model;
  gathered_.EnsureSize(Size(static_cast<int64_t>(choices_.size()), d_model));
  kernels_.ForRows(tokens_, mlp.used * d_model, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin * mlp.used; i < end * mlp.used; ++i) {
      std::memcpy(gathered_.data() + choices_[static_cast<size_t>(i)].slot * d_model,
                  h + i / mlp.used * d_model, static_cast<size_t>(d_model) * sizeof(float));
    }
  });
  RunExperts(mlp);
  // In the order of the choices, best first: the sum does not depend on the rest of the batch.
  kernels_.ForRows(tokens_, mlp.used * d_model, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin * mlp.used; i < end * mlp.used; ++i) {
      const Choice& choice = choices_[static_cast<size_t>(i)];
      kernels_.table().add_scaled(x + i / mlp.used * d_model, delta_.data() + choice.slot * d_model,
                                  choice.weight, d_model);
    }
  });
}

}  // namespace ac::model
