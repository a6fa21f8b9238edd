// Reads the safetensors format: one file, or a directory's set of shards.
//
// A SafetensorsFile owns its mapping; tensor data are views into it. Immutable after Open, so
// thread-safe. Headers are untrusted: offsets must tile the data section exactly, as the format
// demands, and every size is checked against shape and type.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/mapped_file.h"
#include "base/status.h"

namespace ac::weights {

struct SafetensorsTensor {
  std::string name;
  std::string_view dtype;      // "BF16", "U32", ... as the format spells it; static storage
  std::vector<int64_t> shape;  // outermost first
  std::span<const std::byte> data;
};

class SafetensorsFile {
 public:
  static Result<SafetensorsFile> Open(const std::string& path);
  // From memory that outlives the result. `name` is used in messages.
  static Result<SafetensorsFile> Parse(std::span<const std::byte> bytes, const std::string& name);

  const std::string& name() const { return name_; }
  std::span<const SafetensorsTensor> tensors() const { return tensors_; }  // in offset order
  uint64_t total_bytes() const { return bytes_.size(); }

 private:
  SafetensorsFile() = default;
  Status ParseHeader();

  std::string name_;
  MappedFile file_;
  std::span<const std::byte> bytes_;
  std::vector<SafetensorsTensor> tensors_;
};

// The shards of a model directory: those named by model.safetensors.index.json, or
// model.safetensors, or every model*.safetensors. No tensor may be in two shards, none of the index
// may be missing.
Result<std::vector<SafetensorsFile>> OpenSafetensorsDirectory(const std::string& directory);

}  // namespace ac::weights
