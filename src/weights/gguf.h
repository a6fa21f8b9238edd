// Reads GGUF files, versions 2 and 3: metadata and tensor descriptions over mapped memory.
//
// A GgufFile owns its mappings; values, names and tensor data are views into them and live as long
// as it does (moving it keeps them valid). Immutable after Open, so thread-safe. The bytes are not
// trusted: every count, length, offset and size is checked against the file before use, and nothing
// is allocated that the file is too small to fill.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/mapped_file.h"
#include "base/status.h"
#include "quant/blocks.h"

namespace ac::weights {

enum class GgufType : uint32_t {
  kUint8 = 0,
  kInt8,
  kUint16,
  kInt16,
  kUint32,
  kInt32,
  kFloat32,
  kBool,
  kString,
  kArray,
  kUint64,
  kInt64,
  kFloat64,
};

// One metadata value, still encoded. `bytes` is the payload exactly as in the file, so that a
// converter can copy it; arrays keep element type and count here and elements in `bytes`.
struct GgufValue {
  GgufType type = GgufType::kUint8;
  GgufType element_type = GgufType::kUint8;  // of arrays
  uint64_t count = 1;                        // of arrays
  std::span<const std::byte> bytes;

  // Each is nullopt when the value is of another kind or does not fit.
  std::optional<uint64_t> AsUint() const;
  std::optional<int64_t> AsInt() const;
  std::optional<double> AsDouble() const;  // floats and integers
  std::optional<bool> AsBool() const;
  std::optional<std::string_view> AsString() const;
  // Elements of an array (of arrays too).
  std::optional<std::vector<GgufValue>> AsArray() const;
};

class GgufMetadata {
 public:
  struct Entry {
    std::string_view key;
    GgufValue value;
  };

  // In file order.
  std::span<const Entry> entries() const { return entries_; }
  const GgufValue* Find(std::string_view key) const;

  std::optional<uint64_t> GetUint(std::string_view key) const;
  std::optional<int64_t> GetInt(std::string_view key) const;
  std::optional<double> GetFloat(std::string_view key) const;
  std::optional<bool> GetBool(std::string_view key) const;
  std::optional<std::string_view> GetString(std::string_view key) const;
  // Arrays decode on every call: fetch once.
  std::optional<std::vector<std::string_view>> GetStringArray(std::string_view key) const;
  std::optional<std::vector<double>> GetFloatArray(std::string_view key) const;
  std::optional<std::vector<int64_t>> GetIntArray(std::string_view key) const;
  // Elements of an array without decoding it; 0 when absent or no array.
  uint64_t ArraySize(std::string_view key) const;

 private:
  friend class GgufParser;
  std::vector<Entry> entries_;
  std::unordered_map<std::string_view, size_t> index_;
};

struct GgufTensor {
  std::string_view name;
  ac_quant_type type = AC_F32;
  int n_dims = 0;
  std::array<int64_t, 4> dims = {1, 1, 1, 1};  // dims[0] contiguous
  size_t row_bytes = 0;
  std::span<const std::byte> data;
};

class GgufFile {
 public:
  // `path` may be any part of a file split as NAME-00001-of-00003.gguf; all parts are opened.
  static Result<GgufFile> Open(const std::string& path);
  // Parses one unsplit file from memory that outlives the result. `name` is used in messages.
  static Result<GgufFile> Parse(std::span<const std::byte> bytes, const std::string& name);

  const GgufMetadata& metadata() const { return *metadata_; }  // of the first part
  std::span<const GgufTensor> tensors() const { return tensors_; }
  const GgufTensor* Find(std::string_view name) const;
  uint64_t total_bytes() const { return total_bytes_; }  // of all parts
  uint32_t version() const { return version_; }

 private:
  GgufFile() = default;
  Status AddPart(std::span<const std::byte> bytes, const std::string& name, bool first);
  Status OpenParts(const std::string& path);

  std::vector<MappedFile> files_;
  std::unique_ptr<GgufMetadata> metadata_;  // at a stable address: TokenizerSource points to it
  std::vector<GgufTensor> tensors_;
  std::unordered_map<std::string_view, size_t> index_;
  uint64_t total_bytes_ = 0;
  uint32_t version_ = 0;
};

// The number a tensor type has in GGUF files, and back; nullopt when the format has none or we do
// not read it.
std::optional<uint32_t> GgufTypeId(ac_quant_type type);
std::optional<ac_quant_type> TypeOfGgufId(uint32_t id);

}  // namespace ac::weights
