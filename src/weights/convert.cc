#include "weights/convert.h"

#include <algorithm>
#include <system_error>
#include <thread>

#include "quant/quant.h"
#include "weights/gguf.h"

namespace ac::weights {
namespace {

// Elements decoded at a time, shared among the threads: 16 MB of floats.
constexpr int64_t kPieceElements = int64_t{4} << 20;

bool IsFloat(ac_quant_type type) { return type == AC_F32 || type == AC_F16 || type == AC_BF16; }

// Where row r of a matrix comes from. GGUF files of the llama family keep the two halves of a
// rotated pair side by side; safetensors keep them dims / 2 apart within each head.
class RowOrder {
 public:
  RowOrder() = default;
  RowOrder(int head_dim, int rotated) : head_dim_(head_dim), rotated_(rotated) {}

  int64_t Source(int64_t row) const {
    if (head_dim_ == 0) return row;
    const int64_t in_head = row % head_dim_;
    if (in_head >= rotated_) return row;
    return row - in_head + in_head / 2 + in_head % 2 * (rotated_ / 2);
  }

 private:
  int head_dim_ = 0;
  int rotated_ = 0;
};

RowOrder OrderOf(const ModelFile& model, std::string_view name) {
  const ModelConfig& c = model.config();
  if (c.architecture != "llama" || c.rope.style != RopeStyle::kNeox) return {};
  for (const char* rotated : {"attn_q.weight", "attn_k.weight", "attn_q.bias", "attn_k.bias"}) {
    if (name.ends_with(rotated)) return {c.head_dim, c.rope.dims};
  }
  return {};
}

class Converter {
 public:
  Converter(const ModelFile& model, std::vector<GgufTensorSpec> specs, GgufWriter* writer,
            const Progress& progress)
      : model_(model),
        specs_(std::move(specs)),
        writer_(writer),
        progress_(progress),
        threads_(std::clamp(std::thread::hardware_concurrency(), 1u, 256u)) {}

  Status Run() {
    for (const GgufTensorSpec& spec : specs_) {
      const Tensor* tensor = model_.Find(spec.name);
      AC_RETURN_IF_ERROR(tensor != nullptr ? WriteTensor(*tensor, spec) : WriteFrequencies());
    }
    return OkStatus();
  }

 private:
  // The only tensor without a source.
  Status WriteFrequencies() {
    const std::vector<float> factors = Llama3FrequencyFactors(model_.config().rope);
    return Append(std::as_bytes(std::span(factors)));
  }

  Status WriteTensor(const Tensor& tensor, const GgufTensorSpec& spec) {
    const RowOrder order = OrderOf(model_, tensor.name);
    if (tensor.n_dims == 1) return WriteVector(tensor, order);
    if (tensor.matrix.data != nullptr)
      return WriteMatrix(tensor.name, tensor.matrix, spec.type, order);
    for (const ac_matrix& expert : tensor.expert_matrices) {
      AC_RETURN_IF_ERROR(WriteMatrix(tensor.name, expert, spec.type, order));
    }
    return OkStatus();
  }

  Status WriteVector(const Tensor& tensor, const RowOrder& order) {
    std::vector<float> values(static_cast<size_t>(tensor.dims[0]));
    quant::DequantizeRow(tensor.matrix, 0, values.data());
    std::vector<float> out(values.size());
    for (size_t i = 0; i < out.size(); ++i) {
      out[i] = values[static_cast<size_t>(order.Source(static_cast<int64_t>(i)))];
    }
    return Append(std::as_bytes(std::span(out)));
  }

  Status WriteMatrix(const std::string& name, const ac_matrix& matrix, ac_quant_type type,
                     const RowOrder& order) {
    AC_ASSIGN_OR_RETURN(const size_t row_bytes, quant::RowBytes(type, matrix.cols));
    const int64_t piece_rows = std::max<int64_t>(1, kPieceElements / matrix.cols);
    for (int64_t first = 0; first < matrix.rows; first += piece_rows) {
      const int64_t rows = std::min(piece_rows, matrix.rows - first);
      output_.resize(static_cast<size_t>(rows) * row_bytes);
      const Status status = EncodeRows(matrix, type, order, first, rows, row_bytes);
      if (!status.ok()) return status.WithPrefix("[weights] tensor '" + name + "'");
      AC_RETURN_IF_ERROR(Append(output_));
    }
    return OkStatus();
  }

  // Splits the rows among the threads. Rows are independent, so the bytes do not depend on the
  // split; the error reported is the one of the lowest rows.
  Status EncodeRows(const ac_matrix& matrix, ac_quant_type type, const RowOrder& order,
                    int64_t first, int64_t rows, size_t row_bytes) {
    const int64_t workers = std::min<int64_t>(threads_, rows);
    std::vector<Status> statuses(static_cast<size_t>(workers));
    const auto work = [&](int64_t worker) {
      std::vector<float> row(static_cast<size_t>(matrix.cols));
      for (int64_t r = rows * worker / workers; r < rows * (worker + 1) / workers; ++r) {
        quant::DequantizeRow(matrix, order.Source(first + r), row.data());
        const Status status = quant::QuantizeRow(
            type, row.data(), matrix.cols, output_.data() + static_cast<size_t>(r) * row_bytes);
        if (status.ok()) continue;
        statuses[static_cast<size_t>(worker)] =
            status.WithPrefix("row " + std::to_string(first + r));
        return;
      }
    };
    {
      std::vector<std::jthread> threads;
      for (int64_t w = 1; w < workers; ++w) {
        try {
          threads.emplace_back(work, w);
        } catch (const std::system_error&) {
          work(w);  // no more threads to be had: slower, not wrong
        }
      }
      work(0);
    }
    for (const Status& status : statuses) AC_RETURN_IF_ERROR(status);
    return OkStatus();
  }

  Status Append(std::span<const std::byte> data) {
    AC_RETURN_IF_ERROR(writer_->Append(data));
    done_ += data.size();
    if (progress_) progress_(done_, writer_->data_bytes());
    return OkStatus();
  }

  const ModelFile& model_;
  const std::vector<GgufTensorSpec> specs_;
  GgufWriter* const writer_;
  const Progress& progress_;
  const unsigned threads_;
  std::vector<std::byte> output_;
  uint64_t done_ = 0;
};

Result<std::vector<GgufTensorSpec>> PlanTensors(const ModelFile& model, Recipe recipe) {
  std::vector<GgufTensorSpec> specs;
  const bool tied = model.Find("output.weight") == nullptr;
  for (const Tensor& tensor : model.tensors()) {
    if (!IsFloat(tensor.type)) {
      return InvalidArgument("[weights] " + model.path() + ": tensor '" + tensor.name +
                             "' is quantised already (" +
                             std::string(quant::InfoOf(tensor.type).name) +
                             "); convert from the F16, BF16 or F32 original");
    }
    std::vector<int64_t> dims(tensor.dims.begin(), tensor.dims.begin() + tensor.n_dims);
    const ac_quant_type type = RecipeType(recipe, tensor.name, dims, model.config().n_layers, tied);
    specs.push_back({tensor.name, type, std::move(dims)});
  }
  const RopeConfig& rope = model.config().rope;
  if (rope.scaling == RopeScaling::kLlama3 && model.Find("rope_freqs.weight") == nullptr) {
    specs.push_back({"rope_freqs.weight", AC_F32, {rope.dims / 2}});
  }
  return specs;
}

// Everything of the source but what describes its own storage.
void CopyMetadata(const GgufMetadata& source, Recipe recipe, GgufMetadataBuilder* out) {
  for (const GgufMetadata::Entry& entry : source.entries()) {
    if (entry.key == "general.alignment" || entry.key.starts_with("split.")) continue;
    if (entry.key == "general.file_type" || entry.key == "general.quantization_version") continue;
    out->AddCopy(entry.key, entry.value);
  }
  AddRecipeMetadata(recipe, out);
}

}  // namespace

Status ConvertModel(const std::string& input, const std::string& output, Recipe recipe,
                    FileSystem& fs, const Progress& progress) {
  AC_ASSIGN_OR_RETURN(const std::unique_ptr<ModelFile> model, ModelFile::Open(input));
  AC_ASSIGN_OR_RETURN(std::vector<GgufTensorSpec> specs, PlanTensors(*model, recipe));
  GgufMetadataBuilder metadata;
  const TokenizerSource& tokenizer = model->tokenizer_source();
  if (tokenizer.gguf != nullptr) {
    CopyMetadata(*tokenizer.gguf, recipe, &metadata);
  } else {
    AC_RETURN_IF_ERROR(AddConfigMetadata(model->config(), recipe, &metadata));
    const Status added = AddTokenizerMetadata(tokenizer, model->config().vocab_size, &metadata);
    if (!added.ok()) return Status(added.code(), "[weights] " + input + ": " + added.message());
  }
  AC_ASSIGN_OR_RETURN(const std::unique_ptr<GgufWriter> writer,
                      GgufWriter::Create(fs, output, metadata, specs));
  AC_RETURN_IF_ERROR(Converter(*model, std::move(specs), writer.get(), progress).Run());
  return writer->Finish();
}

}  // namespace ac::weights
