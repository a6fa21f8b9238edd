#include "weights/model_file.h"

#include <cmath>
#include <cstdio>

#include "base/file_system.h"
#include "quant/quant.h"
#include "weights/internal/loaders.h"

namespace ac::weights {
namespace {

Status CheckFiniteMatrix(const std::string& name, const ac_matrix& matrix, int64_t first_row) {
  std::vector<float> row(static_cast<size_t>(matrix.cols));
  for (int64_t r = 0; r < matrix.rows; ++r) {
    quant::DequantizeRow(matrix, r, row.data());
    for (size_t c = 0; c < row.size(); ++c) {
      if (std::isfinite(row[c])) continue;
      return DataLoss("[weights] tensor '" + name + "' holds NaN or infinity at row " +
                      std::to_string(first_row + r) + ", column " + std::to_string(c) +
                      "; the file is damaged, download it again");
    }
  }
  return OkStatus();
}

std::string Gigabytes(uint64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f GB", static_cast<double>(bytes) / 1e9);
  return text;
}

}  // namespace

Result<std::unique_ptr<ModelFile>> ModelFile::Open(const std::string& path, OpenScope scope) {
  const Result<FileInfo> info = FileSystem::Real().Stat(path);
  if (!info.ok()) {
    return Status(info.status().code(),
                  "[weights] no model at " + path + ": " + info.status().message());
  }
  if (info->is_directory) {
    return Unsupported("[weights] " + path + ": directories cannot be read yet; give a GGUF file");
  }
  return OpenGgufModel(path, scope);
}

const Tensor* LoadedModel::Find(std::string_view name) const {
  const auto it = index_.find(name);
  return it == index_.end() ? nullptr : &tensors_[it->second];
}

Status LoadedModel::Finish() {
  index_.clear();
  for (size_t i = 0; i < tensors_.size(); ++i) index_.emplace(tensors_[i].name, i);
  return CheckTensors(*this);
}

void SetContiguousViews(const void* data, size_t row_bytes, Tensor* tensor) {
  ac_matrix& m = tensor->matrix;
  m.type = tensor->type;
  m.cols = tensor->dims[0];
  m.rows = tensor->dims[1] * tensor->dims[2] * tensor->dims[3];
  m.data = data;
  m.row_bytes = row_bytes;
  if (tensor->n_dims < 3) return;
  ac_matrix expert = m;
  expert.rows = tensor->dims[1];
  for (int64_t e = 0; e < tensor->dims[2] * tensor->dims[3]; ++e) {
    expert.data = static_cast<const char*>(data) + static_cast<size_t>(e * expert.rows) * row_bytes;
    tensor->expert_matrices.push_back(expert);
  }
}

Status CheckFinite(const Tensor& tensor) {
  if (tensor.matrix.data != nullptr) return CheckFiniteMatrix(tensor.name, tensor.matrix, 0);
  int64_t row = 0;
  for (const ac_matrix& expert : tensor.expert_matrices) {
    AC_RETURN_IF_ERROR(CheckFiniteMatrix(tensor.name, expert, row));
    row += expert.rows;
  }
  return OkStatus();
}

Status CheckVocabulary(const ModelFile& model, int64_t tokenizer_size) {
  if (tokenizer_size <= model.config().vocab_size) return OkStatus();
  return InvalidArgument(
      "[weights] " + model.path() + ": the tokenizer knows " + std::to_string(tokenizer_size) +
      " tokens but tensor 'token_embd.weight' has only " +
      std::to_string(model.config().vocab_size) + " rows; the files do not belong together");
}

std::string MemoryWarning(const ModelFile& model, uint64_t memory_bytes) {
  if (model.total_bytes() <= memory_bytes) return "";
  return model.path() + " has " + Gigabytes(model.total_bytes()) +
         " of weights but this machine has " + Gigabytes(memory_bytes) +
         " of memory: it will run from disk, slowly; a smaller quantisation helps";
}

}  // namespace ac::weights
