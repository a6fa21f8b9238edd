// Writes GGUF version 3 files of any size in one pass, without holding tensors in memory.
//
// The file grows under a temporary name and takes its own only in Finish(): a reader never sees
// half a model. A GgufWriter that is dropped before that removes its temporary file. One thread at
// a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_system.h"
#include "base/status.h"
#include "quant/blocks.h"
#include "weights/gguf.h"

namespace ac::weights {

// Collects metadata in the order of the calls. A key may be added once.
class GgufMetadataBuilder {
 public:
  void AddUint32(std::string_view key, uint32_t value);
  void AddUint64(std::string_view key, uint64_t value);
  void AddFloat32(std::string_view key, float value);
  void AddBool(std::string_view key, bool value);
  void AddString(std::string_view key, std::string_view value);
  void AddStringArray(std::string_view key, std::span<const std::string> values);
  void AddInt32Array(std::string_view key, std::span<const int32_t> values);
  void AddFloat32Array(std::string_view key, std::span<const float> values);
  // A value of another file, byte for byte.
  void AddCopy(std::string_view key, const GgufValue& value);

  uint64_t count() const { return count_; }
  const std::string& encoded() const { return encoded_; }

 private:
  void Start(std::string_view key, GgufType type);

  std::string encoded_;
  uint64_t count_ = 0;
};

struct GgufTensorSpec {
  std::string name;
  ac_quant_type type = AC_F32;
  std::vector<int64_t> dims;  // contiguous dimension first
};

class GgufWriter {
 public:
  // Writes header, metadata and tensor descriptions. `fs` outlives the writer.
  static Result<std::unique_ptr<GgufWriter>> Create(FileSystem& fs, const std::string& path,
                                                    const GgufMetadataBuilder& metadata,
                                                    std::vector<GgufTensorSpec> tensors);
  ~GgufWriter();
  GgufWriter(const GgufWriter&) = delete;
  GgufWriter& operator=(const GgufWriter&) = delete;

  // Bytes of one tensor's data, and of all tensors together.
  uint64_t TensorBytes(size_t tensor) const { return sizes_[tensor]; }
  uint64_t data_bytes() const { return data_bytes_; }

  // Appends the next piece of tensor data: tensors in the order given to Create, each complete
  // before the next. Pieces of a megabyte or more are written at full speed.
  Status Append(std::span<const std::byte> data);
  // Fails when data is missing; otherwise syncs and gives the file its name.
  Status Finish();

 private:
  GgufWriter(FileSystem& fs, std::string path);
  Status Begin(const GgufMetadataBuilder& metadata, const std::vector<GgufTensorSpec>& tensors);
  Status WriteRaw(std::span<const std::byte> data);

  FileSystem& fs_;
  const std::string path_;
  const std::string temporary_;
  std::unique_ptr<File> file_;
  uint64_t position_ = 0;
  std::vector<uint64_t> sizes_;
  uint64_t data_bytes_ = 0;
  size_t current_ = 0;         // tensor being appended
  uint64_t current_done_ = 0;  // its bytes so far
  bool finished_ = false;
};

}  // namespace ac::weights
