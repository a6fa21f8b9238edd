// Qwen 3 with mixture of experts (30B-A3B, Coder, 235B-A22B): a router picks a few experts per
// token.
#include "model/architecture.h"

namespace ac::model {
namespace {

class Qwen3Moe final : public Architecture {
 public:
  void Load(TensorLoader& tensors) override {
    for (int i = 0; i < tensors.config().n_layers; ++i) {
      blocks_.push_back({LoadNorm(tensors, i, "attn_norm.weight"),
                         LoadAttention(tensors, i, QkvBias::kNone, QkNorm::kRequired),
                         LoadNorm(tensors, i, "ffn_norm.weight"), LoadMoeMlp(tensors, i)});
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
    MoeMlp mlp;
  };
  std::vector<Block> blocks_;
};

}  // namespace

std::unique_ptr<Architecture> CreateQwen3Moe() { return std::make_unique<Qwen3Moe>(); }

}  // namespace ac::model
