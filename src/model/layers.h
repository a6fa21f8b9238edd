// The parts layers are made of, and the step that runs them.
//
// The structs hold views into the mapped file and small copied vectors. A Step is one block of
// tokens on its way through all layers: it owns the scratch the parts need and borrows kernels,
// configuration and pages. Model makes one and reuses it. Used by one thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/aligned_buffer.h"
#include "kernels/kernels.h"
#include "kv/layout.h"
#include "model/loader.h"
#include "model/rope.h"
#include "model/segment.h"
#include "weights/model_config.h"

namespace ac::model {

struct Linear {
  ac_matrix weights = {};   // [outputs, inputs]
  std::vector<float> bias;  // [outputs] or empty
};

using Norm = std::vector<float>;  // RMS norm weights

// Grouped-query attention with rotary positions.
struct Attention {
  Linear q, k, v, out;
  Norm q_norm, k_norm;  // over each head, before the rotation; empty when there is none
  int64_t window = 0;   // 0: all of the context
};

struct DenseMlp {
  Linear gate, up, down;
};

struct MoeMlp {
  Linear router;                          // [experts, d_model]
  std::vector<ac_matrix> gate, up, down;  // one for each expert
  int used = 0;                           // experts per token
  bool normalize = true;                  // their weights sum to one
};

enum class QkvBias : uint8_t { kNone, kOptional, kRequired };
enum class QkNorm : uint8_t { kNone, kRequired };

// The tensors of layer `index` under their GGUF names.
std::string LayerTensor(int index, std::string_view name);
Norm LoadNorm(TensorLoader& tensors, int index, std::string_view name);
Attention LoadAttention(TensorLoader& tensors, int index, QkvBias bias, QkNorm norm);
DenseMlp LoadDenseMlp(TensorLoader& tensors, int index);
MoeMlp LoadMoeMlp(TensorLoader& tensors, int index);

class Step {
 public:
  Step(const weights::ModelConfig& config, const Rope& rope, kernels::Kernels& kernels)
      : config_(config), rope_(rope), kernels_(kernels) {}

  // Turns to another block. `segments` cover rows [0, tokens) in order and outlive the block.
  void Begin(std::span<const Segment> segments, const kv::PageLayout& layout);

  int64_t tokens() const { return tokens_; }

  // The normalised x, [tokens, d_model]; valid until the next call.
  const float* Normalize(const Norm& norm, const float* x);
  // x += the part applied to h; both [tokens, d_model].
  void Attend(int layer, const Attention& attention, const float* h, float* x);
  void FeedForward(const DenseMlp& mlp, const float* h, float* x);
  void FeedForward(const MoeMlp& mlp, const float* h, float* x);

 private:
  struct Choice {
    int32_t expert;
    float weight;
    int64_t slot;  // its row among all choices, grouped by expert
  };

  ac_kv_view KvView(int layer, const Segment& segment) const;
  void ScaleQueries();
  void Route(const MoeMlp& mlp, const float* h);
  void RunExperts(const MoeMlp& mlp);

  const weights::ModelConfig& config_;
  const Rope& rope_;
  kernels::Kernels& kernels_;
  std::span<const Segment> segments_;
  kv::PageLayout layout_;
  std::vector<kernels::SharedPrefix> prefixes_;  // of the segments
  int64_t tokens_ = 0;

  AlignedBuffer<float> cos_, sin_;          // [tokens, rope dims / 2]
  AlignedBuffer<float> normed_;             // [tokens, d_model]
  AlignedBuffer<float> q_, k_, v_, mixed_;  // [tokens, heads * head_dim] of each kind
  AlignedBuffer<float> gate_, up_;          // [tokens or choices, width]
  AlignedBuffer<float> delta_;              // [tokens or choices, d_model]
  AlignedBuffer<float> gathered_;           // [choices, d_model]
  AlignedBuffer<float> router_;             // [tokens, experts]
  std::vector<Choice> choices_;             // [tokens, used], best first
  std::vector<int64_t> expert_begin_;       // [experts + 1]: its rows among the choices
};

}  // namespace ac::model
