// What a forward pass has to do whoever computes it: products and bytes, from a model's shape.
#pragma once

#include <cstdint>

#include "weights/model_file.h"

namespace ac::bench {

struct Workload {
  double layer_flops = 0;      // products with weights, per token, output head left out
  double head_flops = 0;       // per row of logits
  double attention_flops = 0;  // per token and per position it sees
  double layer_bytes = 0;      // of weights that one token reads, output head left out
  double all_layer_bytes = 0;  // of all layers, every expert
  double head_bytes = 0;
  bool quantised = false;  // most of the products are of bytes

  // `tokens` of one sequence behind `depth` others, logits of the last one.
  double Flops(int64_t tokens, int64_t depth) const;
};

Workload WorkloadOf(const weights::ModelFile& file);

}  // namespace ac::bench
