#include "parameters.h"

#include <algorithm>
#include <cmath>
#include <random>

namespace ac::starter {

Parameters::Parameters(const weights::ModelConfig& c) {
  const int64_t q_width = int64_t{c.n_heads} * c.head_dim;
  const int64_t kv_width = int64_t{c.n_kv_heads} * c.head_dim;
  Add("token_embd.weight", {c.d_model, c.vocab_size});  // also makes the logits
  Add("output_norm.weight", {c.d_model});
  for (int i = 0; i < c.n_layers; ++i) {
    const std::string layer = "blk." + std::to_string(i) + ".";
    Add(layer + "attn_norm.weight", {c.d_model});
    Add(layer + "attn_q.weight", {c.d_model, q_width});
    Add(layer + "attn_k.weight", {c.d_model, kv_width});
    Add(layer + "attn_v.weight", {c.d_model, kv_width});
    Add(layer + "attn_q_norm.weight", {c.head_dim});
    Add(layer + "attn_k_norm.weight", {c.head_dim});
    Add(layer + "attn_output.weight", {q_width, c.d_model});
    Add(layer + "ffn_norm.weight", {c.d_model});
    Add(layer + "ffn_gate.weight", {c.d_model, c.d_ff});
    Add(layer + "ffn_up.weight", {c.d_model, c.d_ff});
    Add(layer + "ffn_down.weight", {c.d_ff, c.d_model});
  }
}

void Parameters::Add(std::string name, std::vector<int64_t> dims) {
  ParameterTensor tensor{
      .name = std::move(name), .dims = std::move(dims), .offset = size_, .size = 1};
  for (const int64_t d : tensor.dims) tensor.size *= d;
  size_ += tensor.size;
  tensors_.push_back(std::move(tensor));
}

const ParameterTensor& Parameters::Find(const std::string& name) const {
  return *std::find_if(tensors_.begin(), tensors_.end(),
                       [&](const ParameterTensor& t) { return t.name == name; });
}

std::vector<float> Parameters::Initialize(uint64_t seed, int layers) const {
  std::vector<float> values(static_cast<size_t>(size_), 1.0f);
  std::mt19937_64 random(seed);
  // Box-Muller by hand: std::normal_distribution differs between standard libraries.
  const auto uniform = [&] { return (static_cast<double>(random() >> 11) + 0.5) * 0x1.0p-53; };
  for (const ParameterTensor& tensor : tensors_) {
    if (!tensor.is_matrix()) continue;
    double deviation = 1.0 / std::sqrt(static_cast<double>(tensor.dims[0]));
    if (tensor.name == "token_embd.weight") deviation *= 0.5;
    if (tensor.name.ends_with("attn_output.weight") || tensor.name.ends_with("ffn_down.weight")) {
      deviation /= std::sqrt(2.0 * layers);
    }
    float* const out = values.data() + tensor.offset;
    for (int64_t i = 0; i < tensor.size; ++i) {
      const double radius = std::sqrt(-2.0 * std::log(uniform()));
      out[i] = static_cast<float>(deviation * radius * std::cos(6.283185307179586 * uniform()));
    }
  }
  return values;
}

}  // namespace ac::starter
