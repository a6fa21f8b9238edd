// Forward and backward pass of a qwen3 transformer, one row of tokens at a time.
//
// The same arithmetic as src/model/architectures/qwen3.cc, in full precision and with gradients.
// Weights live outside; Network keeps packed copies that Pack refreshes after each step. Train is
// const: several threads may run rows at once, each with a Scratch and a gradient of its own.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "ops.h"
#include "parameters.h"
#include "weights/model_config.h"

namespace ac::starter {

// `length + 1` tokens; token i + 1 is the answer at position i and counts with weights[i + 1] /
// 255.
struct Row {
  const uint16_t* tokens = nullptr;
  const uint8_t* weights = nullptr;
  int64_t length = 0;
};

struct Loss {
  double sum = 0;     // of weighted losses
  double weight = 0;  // of the tokens counted
};

class Network {
 public:
  // The buffers of one row on its way through.
  class Scratch;
  struct ScratchDeleter {
    void operator()(Scratch* scratch) const;
  };
  using ScratchPtr = std::unique_ptr<Scratch, ScratchDeleter>;

  Network(const weights::ModelConfig& config, const ac_train_ops& ops, int64_t row_length);

  const Parameters& parameters() const { return parameters_; }
  const weights::ModelConfig& config() const { return config_; }
  const ac_train_ops& ops() const { return ops_; }
  ScratchPtr MakeScratch() const;

  // Takes over the weights: of the matrices [begin, end), so that threads can share the work.
  int64_t matrices() const { return static_cast<int64_t>(all_.size()); }
  void Pack(std::span<const float> values, int64_t begin, int64_t end);

  // Adds the gradient of `loss_scale` times the row's summed loss to `gradient`, unless that is
  // empty. `values` are those of the last Pack.
  Loss Train(const Row& row, std::span<const float> values, float loss_scale, Scratch* scratch,
             std::span<float> gradient) const;

 private:
  // y = x W^T. W and its packed forms for the way there and back.
  struct Linear {
    int64_t offset = 0, outputs = 0, inputs = 0;
    std::vector<uint32_t> forward, backward;
  };
  struct Layer {
    int64_t attention_norm, q_norm, k_norm, mlp_norm;  // offsets
    size_t q, k, v, out, gate, up, down;               // indices into all_
  };
  struct Pass;  // a row's way: network.cc

  size_t AddLinear(const std::string& name);
  int64_t UnitsA(int64_t m, int64_t k) const;
  int64_t UnitsB(int64_t n, int64_t k) const;

  const weights::ModelConfig config_;
  const ac_train_ops& ops_;
  const Parameters parameters_;
  std::vector<Linear> all_;
  std::vector<Layer> layers_;
  size_t logits_ = 0;
  std::vector<float> cos_, sin_;  // [row_length, head_dim / 2]
};

}  // namespace ac::starter
