// Finds the tensors of an architecture and checks their shapes.
//
// Matrices borrow the mapped file; vectors (norms, biases) are copied to floats because they are
// small and kernels want floats. Getters return an empty value and remember the first problem, so
// an architecture asks for all it needs and the status is looked at once. Used by one thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "weights/model_file.h"

namespace ac::model {

class TensorLoader {
 public:
  explicit TensorLoader(const weights::ModelFile& file) : file_(file) {}

  const weights::ModelConfig& config() const { return file_.config(); }
  bool Has(std::string_view name) const { return file_.Find(name) != nullptr; }

  ac_matrix Matrix(const std::string& name, int64_t rows, int64_t cols);
  std::vector<float> Vector(const std::string& name, int64_t size);
  // Empty when the file has no such tensor.
  std::vector<float> OptionalVector(const std::string& name, int64_t size);
  // A stack of `count` matrices, one for each expert.
  std::vector<ac_matrix> Experts(const std::string& name, int64_t count, int64_t rows,
                                 int64_t cols);

  // The first problem: a missing or mis-shaped tensor, with file, name and expected shape.
  const Status& status() const { return status_; }

 private:
  const weights::Tensor* Find(const std::string& name, std::initializer_list<int64_t> dims);

  const weights::ModelFile& file_;
  Status status_;
};

}  // namespace ac::model
