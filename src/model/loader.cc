#include "model/loader.h"

#include <algorithm>

#include "kernels/kernels.h"

namespace ac::model {
namespace {

template <typename Dims>
std::string ShapeText(const Dims& dims, size_t count) {
  std::string text;
  for (size_t i = 0; i < count; ++i) {
    text += (i == 0 ? "" : " x ") + std::to_string(*(std::begin(dims) + i));
  }
  return text;
}

}  // namespace

const weights::Tensor* TensorLoader::Find(const std::string& name,
                                          std::initializer_list<int64_t> dims) {
  if (!status_.ok()) return nullptr;
  const weights::Tensor* tensor = file_.Find(name);
  if (tensor == nullptr) {
    status_ = DataLoss("[model] " + file_.path() + ": tensor '" + name + "' of a " +
                       config().architecture +
                       " model is missing; the file is incomplete or made for another program");
    return nullptr;
  }
  // Trailing dimensions of one may be left out in files.
  bool same = true;
  for (size_t i = 0; i < tensor->dims.size(); ++i) {
    same = same && tensor->dims[i] == (i < dims.size() ? *(dims.begin() + i) : 1);
  }
  if (!same) {
    status_ = DataLoss("[model] " + file_.path() + ": tensor '" + name + "' is " +
                       ShapeText(tensor->dims, static_cast<size_t>(tensor->n_dims)) +
                       ", but the model's configuration asks for " + ShapeText(dims, dims.size()) +
                       " (columns first)");
    return nullptr;
  }
  return tensor;
}

ac_matrix TensorLoader::Matrix(const std::string& name, int64_t rows, int64_t cols) {
  const weights::Tensor* tensor = Find(name, {cols, rows});
  return tensor == nullptr ? ac_matrix{} : tensor->matrix;
}

std::vector<float> TensorLoader::Vector(const std::string& name, int64_t size) {
  const weights::Tensor* tensor = Find(name, {size});
  if (tensor == nullptr) return {};
  std::vector<float> values(static_cast<size_t>(size));
  ac_dequantize_row(&tensor->matrix, 0, values.data());
  return values;
}

std::vector<float> TensorLoader::OptionalVector(const std::string& name, int64_t size) {
  return Has(name) ? Vector(name, size) : std::vector<float>();
}

std::vector<ac_matrix> TensorLoader::Experts(const std::string& name, int64_t count, int64_t rows,
                                             int64_t cols) {
  const weights::Tensor* tensor = Find(name, {cols, rows, count});
  if (tensor == nullptr) return {};
  return tensor->expert_matrices;
}

}  // namespace ac::model
