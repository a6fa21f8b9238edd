#include "weights/gguf_writer.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <unordered_set>

#include "quant/quant.h"

namespace ac::weights {
namespace {

constexpr uint64_t kAlignment = 32;

template <typename T>
void Put(std::string* out, T value) {
  out->append(reinterpret_cast<const char*>(&value), sizeof value);
}

void PutString(std::string* out, std::string_view text) {
  Put<uint64_t>(out, text.size());
  out->append(text);
}

uint64_t Aligned(uint64_t size) { return (size + kAlignment - 1) / kAlignment * kAlignment; }

}  // namespace

void GgufMetadataBuilder::Start(std::string_view key, GgufType type) {
  PutString(&encoded_, key);
  Put(&encoded_, type);
  ++count_;
}

void GgufMetadataBuilder::AddUint32(std::string_view key, uint32_t value) {
  Start(key, GgufType::kUint32);
  Put(&encoded_, value);
}

void GgufMetadataBuilder::AddUint64(std::string_view key, uint64_t value) {
  Start(key, GgufType::kUint64);
  Put(&encoded_, value);
}

void GgufMetadataBuilder::AddFloat32(std::string_view key, float value) {
  Start(key, GgufType::kFloat32);
  Put(&encoded_, value);
}

void GgufMetadataBuilder::AddBool(std::string_view key, bool value) {
  Start(key, GgufType::kBool);
  Put<uint8_t>(&encoded_, value ? 1 : 0);
}

void GgufMetadataBuilder::AddString(std::string_view key, std::string_view value) {
  Start(key, GgufType::kString);
  PutString(&encoded_, value);
}

void GgufMetadataBuilder::AddStringArray(std::string_view key,
                                         std::span<const std::string> values) {
  Start(key, GgufType::kArray);
  Put(&encoded_, GgufType::kString);
  Put<uint64_t>(&encoded_, values.size());
  for (const std::string& value : values) PutString(&encoded_, value);
}

void GgufMetadataBuilder::AddInt32Array(std::string_view key, std::span<const int32_t> values) {
  Start(key, GgufType::kArray);
  Put(&encoded_, GgufType::kInt32);
  Put<uint64_t>(&encoded_, values.size());
  for (const int32_t value : values) Put(&encoded_, value);
}

void GgufMetadataBuilder::AddFloat32Array(std::string_view key, std::span<const float> values) {
  Start(key, GgufType::kArray);
  Put(&encoded_, GgufType::kFloat32);
  Put<uint64_t>(&encoded_, values.size());
  for (const float value : values) Put(&encoded_, value);
}

void GgufMetadataBuilder::AddCopy(std::string_view key, const GgufValue& value) {
  Start(key, value.type);
  if (value.type == GgufType::kString) Put<uint64_t>(&encoded_, value.bytes.size());
  if (value.type == GgufType::kArray) {
    Put(&encoded_, value.element_type);
    Put(&encoded_, value.count);
  }
  encoded_.append(reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size());
}

GgufWriter::GgufWriter(FileSystem& fs, std::string path)
    : fs_(fs), path_(std::move(path)), temporary_(path_ + ".part." + std::to_string(::getpid())) {}

GgufWriter::~GgufWriter() {
  if (finished_ || file_ == nullptr) return;
  file_.reset();
  (void)fs_.Remove(temporary_);
}

Result<std::unique_ptr<GgufWriter>> GgufWriter::Create(FileSystem& fs, const std::string& path,
                                                       const GgufMetadataBuilder& metadata,
                                                       std::vector<GgufTensorSpec> tensors) {
  std::unique_ptr<GgufWriter> writer(new GgufWriter(fs, path));
  AC_RETURN_IF_ERROR(writer->Begin(metadata, tensors));
  return writer;
}

Status GgufWriter::Begin(const GgufMetadataBuilder& metadata,
                         const std::vector<GgufTensorSpec>& tensors) {
  std::string header = "GGUF";
  Put<uint32_t>(&header, 3);
  Put<uint64_t>(&header, tensors.size());
  Put<uint64_t>(&header, metadata.count());
  header += metadata.encoded();
  uint64_t offset = 0;
  std::unordered_set<std::string_view> names;
  for (const GgufTensorSpec& tensor : tensors) {
    const std::string where = "[weights] cannot write tensor '" + tensor.name + "': ";
    const std::optional<uint32_t> id = GgufTypeId(tensor.type);
    if (!id.has_value()) {
      return Unsupported(where + "GGUF has no type " +
                         std::string(quant::InfoOf(tensor.type).name));
    }
    if (tensor.dims.empty() || tensor.dims.size() > 4) {
      return InvalidArgument(where + "GGUF tensors have 1 to 4 dimensions");
    }
    if (!names.insert(tensor.name).second) return InvalidArgument(where + "the name appears twice");
    Result<size_t> row_bytes = quant::RowBytes(tensor.type, tensor.dims[0]);
    if (!row_bytes.ok()) return row_bytes.status().WithPrefix(where);
    uint64_t size = *row_bytes;
    for (size_t d = 1; d < tensor.dims.size(); ++d) size *= static_cast<uint64_t>(tensor.dims[d]);
    PutString(&header, tensor.name);
    Put<uint32_t>(&header, static_cast<uint32_t>(tensor.dims.size()));
    for (const int64_t dim : tensor.dims) Put(&header, dim);
    Put(&header, *id);
    Put(&header, offset);
    offset += Aligned(size);
    sizes_.push_back(size);
    data_bytes_ += size;
  }
  header.resize(static_cast<size_t>(Aligned(header.size())), '\0');
  AC_ASSIGN_OR_RETURN(file_, fs_.Open(temporary_, OpenMode::kCreate));
  return WriteRaw(std::as_bytes(std::span(header)));
}

Status GgufWriter::WriteRaw(std::span<const std::byte> data) {
  AC_RETURN_IF_ERROR(file_->WriteAt(position_, data));
  position_ += data.size();
  return OkStatus();
}

Status GgufWriter::Append(std::span<const std::byte> data) {
  static constexpr std::array<std::byte, kAlignment> kPadding = {};
  while (!data.empty()) {
    if (current_ == sizes_.size()) {
      return InvalidArgument("[weights] " + path_ + ": more data than the tensors hold");
    }
    const uint64_t left = sizes_[current_] - current_done_;
    const auto take = static_cast<size_t>(std::min<uint64_t>(left, data.size()));
    AC_RETURN_IF_ERROR(WriteRaw(data.first(take)));
    data = data.subspan(take);
    current_done_ += take;
    if (current_done_ < sizes_[current_]) continue;
    AC_RETURN_IF_ERROR(
        WriteRaw(std::span(kPadding).first(static_cast<size_t>(Aligned(position_) - position_))));
    ++current_;
    current_done_ = 0;
  }
  return OkStatus();
}

Status GgufWriter::Finish() {
  if (current_ != sizes_.size()) {
    return InvalidArgument("[weights] " + path_ + ": data of " +
                           std::to_string(sizes_.size() - current_) + " tensors is missing");
  }
  AC_RETURN_IF_ERROR(file_->Sync());
  file_.reset();
  const Status renamed = fs_.Rename(temporary_, path_);
  if (!renamed.ok()) {
    (void)fs_.Remove(temporary_);
    return renamed;
  }
  finished_ = true;
  return fs_.SyncDirectory(DirName(path_));
}

}  // namespace ac::weights
