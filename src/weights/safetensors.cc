#include "weights/safetensors.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <unordered_map>

#include "base/file_system.h"
#include "json/json.h"

namespace ac::weights {
namespace {

// The format's own limit.
constexpr uint64_t kMaxHeaderBytes = 100'000'000;
constexpr size_t kMaxRank = 8;
constexpr const char* kIndexName = "model.safetensors.index.json";

struct DType {
  std::string_view name;
  uint64_t bytes;
};
constexpr DType kDTypes[] = {
    {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E5M2", 1}, {"F8_E4M3", 1}, {"F8_E8M0", 1},
    {"U16", 2},  {"I16", 2}, {"F16", 2}, {"BF16", 2},    {"U32", 4},     {"I32", 4},
    {"F32", 4},  {"U64", 8}, {"I64", 8}, {"F64", 8},
};

const DType* FindDType(std::string_view name) {
  for (const DType& dtype : kDTypes) {
    if (dtype.name == name) return &dtype;
  }
  return nullptr;
}

// JSON objects keep one value per key; the raw text shows whether there were more. `text` is valid
// JSON, so strings and brackets are all there is to track.
std::string FirstDuplicateKey(std::string_view text) {
  std::set<std::string_view> seen;
  int depth = 0;
  std::string_view last_string;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') {
      size_t end = i + 1;
      while (end < text.size() && text[end] != '"') end += text[end] == '\\' ? 2 : 1;
      if (end >= text.size()) break;
      last_string = text.substr(i + 1, end - i - 1);
      i = end;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']') {
      --depth;
    } else if (c == ':' && depth == 1 && !seen.insert(last_string).second) {
      return std::string(last_string);
    }
  }
  return "";
}

// One entry of the header. Messages start with `where`.
Result<SafetensorsTensor> ParseTensor(const std::string& where, std::string_view name,
                                      const json::Value& value, std::span<const std::byte> data) {
  SafetensorsTensor tensor;
  tensor.name = name;
  const std::string_view dtype_name = json::GetString(value, "dtype").value_or("");
  const DType* dtype = FindDType(dtype_name);
  if (dtype == nullptr) {
    return Unsupported(where + "has type '" + std::string(dtype_name) +
                       "', which is not supported");
  }
  tensor.dtype = dtype->name;
  const json::Array* shape = json::AsArray(json::Find(value, "shape"));
  if (shape == nullptr || shape->size() > kMaxRank) return DataLoss(where + "has no usable shape");
  uint64_t size = dtype->bytes;
  for (const json::Value& dim : *shape) {
    const std::optional<int64_t> extent = json::AsInt(&dim);
    if (!extent.has_value() || *extent < 0 ||
        __builtin_mul_overflow(size, static_cast<uint64_t>(*extent), &size)) {
      return DataLoss(where + "has an impossible shape");
    }
    tensor.shape.push_back(*extent);
  }
  const json::Array* offsets = json::AsArray(json::Find(value, "data_offsets"));
  if (offsets == nullptr || offsets->size() != 2) return DataLoss(where + "has no data_offsets");
  const int64_t begin = json::AsInt(&(*offsets)[0]).value_or(-1);
  const int64_t end = json::AsInt(&(*offsets)[1]).value_or(-1);
  if (begin < 0 || end < begin) return DataLoss(where + "has impossible data_offsets");
  if (static_cast<uint64_t>(end) > data.size()) {
    return DataLoss(where + "ends beyond the file; it is truncated, download it again");
  }
  if (static_cast<uint64_t>(end - begin) != size) {
    return DataLoss(where + "has " + std::to_string(end - begin) +
                    " bytes of data, its shape needs " + std::to_string(size));
  }
  tensor.data = data.subspan(static_cast<size_t>(begin), static_cast<size_t>(size));
  return tensor;
}

// The format forbids holes and overlaps: sorted by offset, each tensor starts where the last ended.
Status CheckTiling(const std::string& prefix, std::span<const SafetensorsTensor> tensors,
                   std::span<const std::byte> data) {
  const std::byte* expected = data.data();
  for (const SafetensorsTensor& tensor : tensors) {
    if (tensor.data.data() != expected) {
      return DataLoss(prefix + "tensor '" + tensor.name + "' " +
                      (tensor.data.data() < expected ? "overlaps the one before it"
                                                     : "leaves a hole before it"));
    }
    expected += tensor.data.size();
  }
  if (expected != data.data() + data.size()) {
    return DataLoss(prefix + "has bytes after the last tensor; the file is damaged");
  }
  return OkStatus();
}

}  // namespace

Status SafetensorsFile::ParseHeader() {
  const std::string prefix = "[weights] " + name_ + ": ";
  uint64_t header_size = 0;
  if (bytes_.size() < sizeof header_size) {
    return DataLoss(prefix + "too short for a safetensors file (" + std::to_string(bytes_.size()) +
                    " bytes)");
  }
  std::memcpy(&header_size, bytes_.data(), sizeof header_size);
  if (header_size > kMaxHeaderBytes || header_size > bytes_.size() - sizeof header_size) {
    return DataLoss(prefix + "claims a header of " + std::to_string(header_size) +
                    " bytes; not a safetensors file, or truncated");
  }
  const std::string_view text(reinterpret_cast<const char*>(bytes_.data()) + sizeof header_size,
                              static_cast<size_t>(header_size));
  const std::span<const std::byte> data = bytes_.subspan(sizeof header_size + text.size());
  Result<json::Value> header = json::Parse(text, {.max_depth = 8});
  if (!header.ok()) return DataLoss(prefix + "damaged header: " + header.status().message());
  const json::Object* entries = json::AsObject(&*header);
  if (entries == nullptr) return DataLoss(prefix + "the header is no JSON object");
  if (const std::string twice = FirstDuplicateKey(text); !twice.empty()) {
    return DataLoss(prefix + "tensor '" + twice + "' appears twice");
  }
  for (const auto& entry : *entries) {
    const std::string_view name = entry.key();
    if (name == "__metadata__") continue;
    const std::string where = prefix + "tensor '" + std::string(name) + "' ";
    AC_ASSIGN_OR_RETURN(SafetensorsTensor tensor, ParseTensor(where, name, entry.value(), data));
    tensors_.push_back(std::move(tensor));
  }
  // Empty tensors come before the one that starts where they do.
  std::sort(
      tensors_.begin(), tensors_.end(), [](const SafetensorsTensor& a, const SafetensorsTensor& b) {
        if (a.data.data() != b.data.data()) return a.data.data() < b.data.data();
        return a.data.size() != b.data.size() ? a.data.size() < b.data.size() : a.name < b.name;
      });
  return CheckTiling(prefix, tensors_, data);
}

Result<SafetensorsFile> SafetensorsFile::Parse(std::span<const std::byte> bytes,
                                               const std::string& name) {
  SafetensorsFile file;
  file.name_ = name;
  file.bytes_ = bytes;
  AC_RETURN_IF_ERROR(file.ParseHeader());
  return file;
}

Result<SafetensorsFile> SafetensorsFile::Open(const std::string& path) {
  AC_ASSIGN_OR_RETURN(MappedFile mapped, MappedFile::Open(path));
  AC_ASSIGN_OR_RETURN(SafetensorsFile file, Parse(mapped.bytes(), path));
  file.file_ = std::move(mapped);
  return file;
}

namespace {

struct Index {
  std::unordered_map<std::string, std::string> shard_of;  // by tensor
  std::set<std::string> shards;
};

Result<Index> ReadIndex(const std::string& path) {
  AC_ASSIGN_OR_RETURN(const std::string text, ReadFile(FileSystem::Real(), path));
  Result<json::Value> value = json::Parse(text);
  if (!value.ok()) return value.status().WithPrefix("[weights] " + path);
  const json::Object* map = json::AsObject(json::Find(*value, "weight_map"));
  if (map == nullptr) return DataLoss("[weights] " + path + ": has no weight_map object");
  Index index;
  for (const auto& entry : *map) {
    const std::string shard(json::AsString(&entry.value()).value_or(""));
    // Shards lie beside the index; a path in their name is an attack or a mistake.
    if (shard.empty() || shard.find('/') != std::string::npos) {
      return DataLoss("[weights] " + path + ": tensor '" + std::string(entry.key()) +
                      "' is mapped to '" + shard + "', which is no plain file name");
    }
    index.shard_of.emplace(entry.key(), shard);
    index.shards.insert(shard);
  }
  return index;
}

Result<std::set<std::string>> ListShards(const std::string& directory) {
  AC_ASSIGN_OR_RETURN(const std::vector<std::string> names, FileSystem::Real().List(directory));
  std::set<std::string> shards;
  for (const std::string& name : names) {
    if (name == "model.safetensors") return std::set<std::string>{name};
    if (name.starts_with("model") && name.ends_with(".safetensors")) shards.insert(name);
  }
  if (shards.empty()) {
    return NotFound("[weights] " + directory + ": no model.safetensors and no " + kIndexName +
                    " in this directory");
  }
  return shards;
}

}  // namespace

Result<std::vector<SafetensorsFile>> OpenSafetensorsDirectory(const std::string& directory) {
  Index index;
  const std::string index_path = JoinPath(directory, kIndexName);
  if (FileSystem::Real().Exists(index_path)) {
    AC_ASSIGN_OR_RETURN(index, ReadIndex(index_path));
  } else {
    AC_ASSIGN_OR_RETURN(index.shards, ListShards(directory));
  }
  std::vector<SafetensorsFile> files;
  std::unordered_map<std::string_view, std::string> found;
  for (const std::string& shard : index.shards) {
    AC_ASSIGN_OR_RETURN(SafetensorsFile file, SafetensorsFile::Open(JoinPath(directory, shard)));
    files.push_back(std::move(file));
    for (const SafetensorsTensor& tensor : files.back().tensors()) {
      const auto [it, added] = found.emplace(tensor.name, shard);
      if (!added) {
        return DataLoss("[weights] " + directory + ": tensor '" + tensor.name + "' is in both " +
                        it->second + " and " + shard);
      }
    }
  }
  for (const auto& [tensor, shard] : index.shard_of) {
    const auto it = found.find(tensor);
    if (it != found.end() && it->second == shard) continue;
    return DataLoss("[weights] " + JoinPath(directory, shard) + ": tensor '" + tensor +
                    "' is missing although " + kIndexName + " lists it there");
  }
  return files;
}

}  // namespace ac::weights
