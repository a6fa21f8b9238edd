// Qwen 2 and 2.5, Coder included: like Llama, with a bias on queries, keys and values.
#include "model/architecture.h"

namespace ac::model {
namespace {

class Qwen2 final : public Architecture {
 public:
  void Load(TensorLoader& tensors) override {
    for (int i = 0; i < tensors.config().n_layers; ++i) {
      blocks_.push_back({LoadNorm(tensors, i, "attn_norm.weight"),
                         LoadAttention(tensors, i, QkvBias::kRequired, QkNorm::kNone),
                         LoadNorm(tensors, i, "ffn_norm.weight"), LoadDenseMlp(tensors, i)});
    }
  }

  void Layer(int index, Step& step, float* x) const override {
    const Block& block = blocks_[static_cast<size_t>(index)];
    step.Attend(index, block.attention, step.Normalize(block.attention_norm, x), x);
    step.FeedForward(block.mlp, step.Normalize(block.mlp_norm, x), x);
  }

 private:
  struct Block {
    Norm attention_norm;
    Attention attention;
    Norm mlp_norm;
    DenseMlp mlp;
  };
  std::vector<Block> blocks_;
};

}  // namespace

std::unique_ptr<Architecture> CreateQwen2() { return std::make_unique<Qwen2>(); }

}  // namespace ac::model
