// Which tensors a qwen3 model of a given shape has, and where each lies in one flat array of
// floats.
//
// Names and dimensions are those of the GGUF file. Immutable after construction.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "weights/model_config.h"

namespace ac::starter {

struct ParameterTensor {
  std::string name;
  std::vector<int64_t> dims;  // contiguous dimension first: {inputs, outputs} of a matrix
  int64_t offset = 0;
  int64_t size = 0;
  bool is_matrix() const { return dims.size() == 2; }
};

class Parameters {
 public:
  explicit Parameters(const weights::ModelConfig& config);

  const std::vector<ParameterTensor>& tensors() const { return tensors_; }
  int64_t size() const { return size_; }
  // The tensor must exist.
  const ParameterTensor& Find(const std::string& name) const;

  // Norms one, matrices normal with a deviation that keeps activations of order one; the matrices
  // that write to the residual stream are smaller, so that depth does not add up.
  std::vector<float> Initialize(uint64_t seed, int layers) const;

 private:
  void Add(std::string name, std::vector<int64_t> dims);

  std::vector<ParameterTensor> tensors_;
  int64_t size_ = 0;
};

}  // namespace ac::starter
