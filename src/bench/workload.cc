#include "bench/workload.h"

namespace ac::bench {

double Workload::Flops(int64_t tokens, int64_t depth) const {
  const auto n = static_cast<double>(tokens);
  // Token i of the chunk sees depth + i + 1 positions.
  const double seen = n * static_cast<double>(depth) + n * (n + 1) / 2;
  return n * layer_flops + head_flops + seen * attention_flops;
}

Workload WorkloadOf(const weights::ModelFile& file) {
  const weights::ModelConfig& config = file.config();
  Workload work;
  double quantised = 0;
  const weights::Tensor* head = file.Find("output.weight");
  if (head == nullptr) head = file.Find("token_embd.weight");
  for (const weights::Tensor& tensor : file.tensors()) {
    if (tensor.n_dims < 2) continue;
    double elements = 1;
    for (const int64_t size : tensor.dims) elements *= static_cast<double>(size);
    const auto bytes = static_cast<double>(tensor.bytes);
    if (&tensor == head) {
      work.head_flops = 2 * elements;
      work.head_bytes = bytes;
    }
    if (tensor.name.rfind("blk.", 0) != 0) continue;
    const bool expert = tensor.name.find("_exps.") != std::string::npos;
    const double share =
        expert && config.n_experts > 0
            ? static_cast<double>(config.n_experts_used) / static_cast<double>(config.n_experts)
            : 1.0;
    work.layer_flops += 2 * elements * share;
    work.layer_bytes += bytes * share;
    work.all_layer_bytes += bytes;
    if (bytes < elements * 2) quantised += 2 * elements * share;
  }
  work.attention_flops = 4.0 * config.n_layers * config.n_heads * config.head_dim;
  work.quantised = quantised > work.layer_flops / 2;
  return work;
}

}  // namespace ac::bench
