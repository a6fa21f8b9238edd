#include "network.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace ac::starter {
namespace {

// Queries of one head that are multiplied with their keys at once: what the causal mask wastes is
// half a block.
constexpr int64_t kQueryBlock = 128;
// Positions whose logits exist at once.
constexpr int64_t kLogitBlock = 128;

int64_t RoundUp(int64_t n, int64_t step) { return (n + step - 1) / step * step; }

template <typename T>
void Fit(std::vector<T>* buffer, int64_t size) {
  if (static_cast<int64_t>(buffer->size()) < size) buffer->resize(static_cast<size_t>(size));
}

}  // namespace

// What the way back needs of a layer's way there.
struct LayerState {
  std::vector<float> x, x_inverse, h;             // input, and normalised
  std::vector<float> q_raw, k_raw, v;             // before normalising the heads
  std::vector<float> q_inverse, k_inverse, q, k;  // after norm and rotation
  std::vector<float> p, mixed;                    // attention weights and result
  std::vector<float> middle, middle_inverse, h2;  // after attention, and normalised
  std::vector<float> gate, up, product;
};

class Network::Scratch {
 public:
  std::vector<LayerState> layers;
  std::vector<float> x, x_inverse, h;
  std::vector<int64_t> positions;  // that have an answer
  std::vector<float> chosen, dchosen, logits;
  std::vector<float> dx, dh, dwide, dgate, dup, dq, dk, dv, ds;
  std::vector<uint32_t> a, b, b2, keys, values;
};

void Network::ScratchDeleter::operator()(Scratch* scratch) const { delete scratch; }

Network::Network(const weights::ModelConfig& config, const ac_train_ops& ops, int64_t row_length)
    : config_(config), ops_(ops), parameters_(config) {
  logits_ = AddLinear("token_embd.weight");
  for (int i = 0; i < config.n_layers; ++i) {
    const std::string layer = "blk." + std::to_string(i) + ".";
    const auto offset = [&](const char* name) { return parameters_.Find(layer + name).offset; };
    const auto linear = [&](const char* name) { return AddLinear(layer + name); };
    layers_.push_back({.attention_norm = offset("attn_norm.weight"),
                       .q_norm = offset("attn_q_norm.weight"),
                       .k_norm = offset("attn_k_norm.weight"),
                       .mlp_norm = offset("ffn_norm.weight"),
                       .q = linear("attn_q.weight"),
                       .k = linear("attn_k.weight"),
                       .v = linear("attn_v.weight"),
                       .out = linear("attn_output.weight"),
                       .gate = linear("ffn_gate.weight"),
                       .up = linear("ffn_up.weight"),
                       .down = linear("ffn_down.weight")});
  }
  const int half = config.head_dim / 2;
  for (int64_t t = 0; t < row_length; ++t) {
    for (int i = 0; i < half; ++i) {
      const double frequency =
          std::pow(static_cast<double>(config.rope.base), -2.0 * i / config.head_dim);
      cos_.push_back(static_cast<float>(std::cos(static_cast<double>(t) * frequency)));
      sin_.push_back(static_cast<float>(std::sin(static_cast<double>(t) * frequency)));
    }
  }
}

size_t Network::AddLinear(const std::string& name) {
  const ParameterTensor& tensor = parameters_.Find(name);
  Linear linear{.offset = tensor.offset, .outputs = tensor.dims[1], .inputs = tensor.dims[0]};
  linear.forward.resize(static_cast<size_t>(UnitsB(linear.outputs, linear.inputs)));
  linear.backward.resize(static_cast<size_t>(UnitsB(linear.inputs, linear.outputs)));
  all_.push_back(std::move(linear));
  return all_.size() - 1;
}

int64_t Network::UnitsA(int64_t m, int64_t k) const {
  return RoundUp(m, ops_.rows_a) * (RoundUp(k, ops_.pair) / ops_.pair);
}
int64_t Network::UnitsB(int64_t n, int64_t k) const {
  return RoundUp(n, ops_.columns_b) * (RoundUp(k, ops_.pair) / ops_.pair);
}

Network::ScratchPtr Network::MakeScratch() const {
  ScratchPtr scratch(new Scratch);
  scratch->layers.resize(static_cast<size_t>(config_.n_layers));
  return scratch;
}

void Network::Pack(std::span<const float> values, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i) {
    Linear& w = all_[static_cast<size_t>(i)];
    const float* const from = values.data() + w.offset;
    ops_.pack_b(from, w.inputs, 1, w.outputs, w.inputs, w.forward.data());
    ops_.pack_b(from, w.inputs, 0, w.inputs, w.outputs, w.backward.data());
  }
}

struct Network::Pass {
  const Network& net;
  const ac_train_ops& ops;
  const weights::ModelConfig& c;
  const float* values;
  float* gradient;  // null: loss only
  Scratch& s;
  const int64_t t;  // tokens
  const int64_t d = c.d_model;
  const int64_t hd = c.head_dim;
  const int64_t q_width = c.n_heads * hd;
  const int64_t kv_width = c.n_kv_heads * hd;
  const float score_scale = 1.0f / std::sqrt(static_cast<float>(hd));

  const uint32_t* PackA(const float* a, int64_t ld, bool transposed, int64_t m, int64_t k) {
    Fit(&s.a, net.UnitsA(m, k));
    ops.pack_a(a, ld, transposed, m, k, s.a.data());
    return s.a.data();
  }
  const uint32_t* PackB(std::vector<uint32_t>* to, const float* b, int64_t ld, bool transposed,
                        int64_t n, int64_t k) {
    Fit(to, net.UnitsB(n, k));
    ops.pack_b(b, ld, transposed, n, k, to->data());
    return to->data();
  }

  // y = (or +=) the packed x times W^T.
  void Apply(const uint32_t* x, int64_t rows, size_t linear, float* y, bool accumulate = false) {
    const Linear& w = net.all_[linear];
    ops.multiply(rows, w.outputs, w.inputs, x, w.forward.data(), y, w.outputs, accumulate);
  }
  // x is packed as the right operand [rows, inputs]. dx = (or +=) dy W, and W's gradient grows.
  void Back(const float* dy, int64_t rows, size_t linear, const uint32_t* x, float* dx,
            bool accumulate) {
    const Linear& w = net.all_[linear];
    const uint32_t* a = PackA(dy, w.outputs, true, w.outputs, rows);
    ops.multiply(w.outputs, w.inputs, rows, a, x, gradient + w.offset, w.inputs, 1);
    a = PackA(dy, w.outputs, false, rows, w.outputs);
    ops.multiply(rows, w.inputs, w.outputs, a, w.backward.data(), dx, w.inputs, accumulate);
  }

  void Norm(const std::vector<float>& x, int64_t offset, int64_t rows, int64_t width,
            std::vector<float>* y, std::vector<float>* inverse) {
    Fit(y, rows * width);
    Fit(inverse, rows);
    ops.rms_norm(x.data(), values + offset, c.norm_eps, rows, width, y->data(), inverse->data());
  }

  // Normalised and rotated heads.
  void Heads(const std::vector<float>& raw, int64_t heads, int64_t norm, std::vector<float>* out,
             std::vector<float>* inverse) {
    Norm(raw, norm, t * heads, hd, out, inverse);
    ops.rope(out->data(), t, heads, hd, net.cos_.data(), net.sin_.data(), 1.0f);
  }
  void HeadsBack(float* dy, const std::vector<float>& raw, int64_t heads, int64_t norm,
                 const std::vector<float>& inverse) {
    ops.rope(dy, t, heads, hd, net.cos_.data(), net.sin_.data(), -1.0f);
    ops.rms_norm_back(dy, raw.data(), values + norm, inverse.data(), t * heads, hd, dy, 0,
                      gradient + norm);
  }

  void Attention(LayerState& l) {
    const int64_t group = c.n_heads / c.n_kv_heads;
    Fit(&l.p, c.n_heads * t * t);
    Fit(&l.mixed, t * q_width);
    for (int64_t kv = 0; kv < c.n_kv_heads; ++kv) {
      const float* const k = l.k.data() + kv * hd;
      const float* const v = l.v.data() + kv * hd;
      const uint32_t* const keys = PackB(&s.keys, k, kv_width, true, t, hd);
      for (int64_t row = 0; row < t; row += kQueryBlock) {
        const int64_t rows = std::min(kQueryBlock, t - row);
        const int64_t seen = row + rows;
        const uint32_t* const packed_v = PackB(&s.b, v, kv_width, false, hd, seen);
        for (int64_t head = kv * group; head < (kv + 1) * group; ++head) {
          float* const p = l.p.data() + (head * t + row) * t;
          const uint32_t* a =
              PackA(l.q.data() + row * q_width + head * hd, q_width, false, rows, hd);
          ops.multiply(rows, seen, hd, a, keys, p, seen, 0);
          ops.causal_softmax(p, rows, seen, row, score_scale);
          a = PackA(p, seen, false, rows, seen);
          ops.multiply(rows, hd, seen, a, packed_v, l.mixed.data() + row * q_width + head * hd,
                       q_width, 0);
        }
      }
    }
  }

  // dmixed -> s.dq, s.dk, s.dv (of the rotated heads).
  void AttentionBack(LayerState& l, const float* dmixed) {
    const int64_t group = c.n_heads / c.n_kv_heads;
    s.dq.assign(static_cast<size_t>(t * q_width), 0.0f);
    s.dk.assign(static_cast<size_t>(t * kv_width), 0.0f);
    s.dv.assign(static_cast<size_t>(t * kv_width), 0.0f);
    Fit(&s.ds, kQueryBlock * t);
    for (int64_t kv = 0; kv < c.n_kv_heads; ++kv) {
      const float* const k = l.k.data() + kv * hd;
      const uint32_t* const packed_v =
          PackB(&s.values, l.v.data() + kv * hd, kv_width, true, t, hd);
      float* const dk = s.dk.data() + kv * hd;
      float* const dv = s.dv.data() + kv * hd;
      for (int64_t row = 0; row < t; row += kQueryBlock) {
        const int64_t rows = std::min(kQueryBlock, t - row);
        const int64_t seen = row + rows;
        const uint32_t* const packed_k = PackB(&s.keys, k, kv_width, false, hd, seen);
        for (int64_t head = kv * group; head < (kv + 1) * group; ++head) {
          const float* const p = l.p.data() + (head * t + row) * t;
          const int64_t at = row * q_width + head * hd;
          const uint32_t* b = PackB(&s.b, dmixed + at, q_width, false, hd, rows);
          const uint32_t* a = PackA(p, seen, true, seen, rows);
          ops.multiply(seen, hd, rows, a, b, dv, kv_width, 1);
          a = PackA(dmixed + at, q_width, false, rows, hd);
          ops.multiply(rows, seen, hd, a, packed_v, s.ds.data(), seen, 0);
          ops.softmax_back(s.ds.data(), p, rows, seen, score_scale);
          a = PackA(s.ds.data(), seen, false, rows, seen);
          ops.multiply(rows, hd, seen, a, packed_k, s.dq.data() + at, q_width, 0);
          b = PackB(&s.b, l.q.data() + at, q_width, false, hd, rows);
          a = PackA(s.ds.data(), seen, true, seen, rows);
          ops.multiply(seen, hd, rows, a, b, dk, kv_width, 1);
        }
      }
    }
  }

  void Forward(const Layer& w, LayerState& l) {
    l.x = s.x;
    Norm(l.x, w.attention_norm, t, d, &l.h, &l.x_inverse);
    Fit(&l.q_raw, t * q_width);
    Fit(&l.k_raw, t * kv_width);
    Fit(&l.v, t * kv_width);
    const uint32_t* a = PackA(l.h.data(), d, false, t, d);
    Apply(a, t, w.q, l.q_raw.data());
    Apply(a, t, w.k, l.k_raw.data());
    Apply(a, t, w.v, l.v.data());
    Heads(l.q_raw, c.n_heads, w.q_norm, &l.q, &l.q_inverse);
    Heads(l.k_raw, c.n_kv_heads, w.k_norm, &l.k, &l.k_inverse);
    Attention(l);
    Apply(PackA(l.mixed.data(), q_width, false, t, q_width), t, w.out, s.x.data(), true);

    l.middle = s.x;
    Norm(l.middle, w.mlp_norm, t, d, &l.h2, &l.middle_inverse);
    Fit(&l.gate, t * c.d_ff);
    Fit(&l.up, t * c.d_ff);
    Fit(&l.product, t * c.d_ff);
    a = PackA(l.h2.data(), d, false, t, d);
    Apply(a, t, w.gate, l.gate.data());
    Apply(a, t, w.up, l.up.data());
    ops.silu_mul(l.gate.data(), l.up.data(), t * c.d_ff, l.product.data());
    Apply(PackA(l.product.data(), c.d_ff, false, t, c.d_ff), t, w.down, s.x.data(), true);
  }

  // s.dx: the gradient of the layer's output becomes that of its input.
  void Backward(const Layer& w, LayerState& l) {
    Fit(&s.dwide, t * std::max<int64_t>(c.d_ff, q_width));
    Fit(&s.dh, t * d);
    const uint32_t* b = PackB(&s.b, l.product.data(), c.d_ff, false, c.d_ff, t);
    Back(s.dx.data(), t, w.down, b, s.dwide.data(), false);
    ops.silu_mul_back(s.dwide.data(), l.gate.data(), l.up.data(), t * c.d_ff);
    b = PackB(&s.b, l.h2.data(), d, false, d, t);
    Back(l.gate.data(), t, w.gate, b, s.dh.data(), false);
    Back(l.up.data(), t, w.up, b, s.dh.data(), true);
    ops.rms_norm_back(s.dh.data(), l.middle.data(), values + w.mlp_norm, l.middle_inverse.data(), t,
                      d, s.dx.data(), 1, gradient + w.mlp_norm);

    b = PackB(&s.b, l.mixed.data(), q_width, false, q_width, t);
    Back(s.dx.data(), t, w.out, b, s.dwide.data(), false);
    AttentionBack(l, s.dwide.data());
    HeadsBack(s.dq.data(), l.q_raw, c.n_heads, w.q_norm, l.q_inverse);
    HeadsBack(s.dk.data(), l.k_raw, c.n_kv_heads, w.k_norm, l.k_inverse);
    b = PackB(&s.b, l.h.data(), d, false, d, t);
    Back(s.dq.data(), t, w.q, b, s.dh.data(), false);
    Back(s.dk.data(), t, w.k, b, s.dh.data(), true);
    Back(s.dv.data(), t, w.v, b, s.dh.data(), true);
    ops.rms_norm_back(s.dh.data(), l.x.data(), values + w.attention_norm, l.x_inverse.data(), t, d,
                      s.dx.data(), 1, gradient + w.attention_norm);
  }

  // Loss at the positions that have an answer; s.dh gets the gradient of the last norm's output.
  Loss Answers(const Row& row, float loss_scale) {
    Loss loss;
    s.positions.clear();
    for (int64_t i = 0; i < t; ++i) {
      if (row.weights[i + 1] != 0) s.positions.push_back(i);
    }
    s.dh.assign(static_cast<size_t>(t * d), 0.0f);
    Fit(&s.chosen, kLogitBlock * d);
    Fit(&s.dchosen, kLogitBlock * d);
    Fit(&s.logits, kLogitBlock * c.vocab_size);
    const auto count = static_cast<int64_t>(s.positions.size());
    for (int64_t from = 0; from < count; from += kLogitBlock) {
      const int64_t rows = std::min(kLogitBlock, count - from);
      const int64_t* const at = s.positions.data() + from;
      const size_t bytes = static_cast<size_t>(d) * sizeof(float);
      for (int64_t i = 0; i < rows; ++i) {
        std::memcpy(s.chosen.data() + i * d, s.h.data() + at[i] * d, bytes);
      }
      Apply(PackA(s.chosen.data(), d, false, rows, d), rows, net.logits_, s.logits.data());
      for (int64_t i = 0; i < rows; ++i) {
        const double weight = row.weights[at[i] + 1] / 255.0;
        const float one =
            ops.cross_entropy(s.logits.data() + i * c.vocab_size, c.vocab_size,
                              row.tokens[at[i] + 1], loss_scale * static_cast<float>(weight));
        loss.sum += weight * static_cast<double>(one);
        loss.weight += weight;
      }
      if (gradient == nullptr) continue;
      const uint32_t* const b = PackB(&s.b, s.chosen.data(), d, false, d, rows);
      Back(s.logits.data(), rows, net.logits_, b, s.dchosen.data(), false);
      for (int64_t i = 0; i < rows; ++i) {
        std::memcpy(s.dh.data() + at[i] * d, s.dchosen.data() + i * d, bytes);
      }
    }
    return loss;
  }
};

Loss Network::Train(const Row& row, std::span<const float> values, float loss_scale,
                    Scratch* scratch, std::span<float> gradient) const {
  Scratch& s = *scratch;
  const int64_t d = config_.d_model;
  Pass pass{.net = *this,
            .ops = ops_,
            .c = config_,
            .values = values.data(),
            .gradient = gradient.empty() ? nullptr : gradient.data(),
            .s = s,
            .t = row.length};
  const float* const embedding = values.data() + all_[logits_].offset;
  s.x.resize(static_cast<size_t>(row.length * d));
  for (int64_t i = 0; i < row.length; ++i) {
    std::memcpy(s.x.data() + i * d, embedding + row.tokens[i] * d,
                static_cast<size_t>(d) * sizeof(float));
  }
  for (size_t i = 0; i < layers_.size(); ++i) pass.Forward(layers_[i], s.layers[i]);
  const int64_t norm = parameters_.Find("output_norm.weight").offset;
  pass.Norm(s.x, norm, row.length, d, &s.h, &s.x_inverse);
  const Loss loss = pass.Answers(row, loss_scale);
  if (gradient.empty()) return loss;

  Fit(&s.dx, row.length * d);
  ops_.rms_norm_back(s.dh.data(), s.x.data(), values.data() + norm, s.x_inverse.data(), row.length,
                     d, s.dx.data(), 0, gradient.data() + norm);
  for (size_t i = layers_.size(); i-- > 0;) pass.Backward(layers_[i], s.layers[i]);
  for (int64_t i = 0; i < row.length; ++i) {
    ops_.add(gradient.data() + all_[logits_].offset + row.tokens[i] * d, s.dx.data() + i * d, d);
  }
  return loss;
}

}  // namespace ac::starter
