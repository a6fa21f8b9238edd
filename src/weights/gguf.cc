#include "weights/gguf.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <limits>

#include "base/file_system.h"
#include "quant/quant.h"

namespace ac::weights {
namespace {

constexpr uint32_t kMagic = 0x46554747;  // "GGUF"
constexpr uint64_t kDefaultAlignment = 32;
constexpr int kMaxArrayDepth = 8;
// Smallest encodings: key length + one byte of key + type + one byte of value; name length + one
// byte + dimension count + one dimension + type + offset.
constexpr uint64_t kMinEntryBytes = 8 + 1 + 4 + 1;
constexpr uint64_t kMinTensorBytes = 8 + 1 + 4 + 8 + 4 + 8;
constexpr uint64_t kMaxNameBytes = 65535;  // the format's limit for keys; generous for tensor names

struct TypeId {
  ac_quant_type type;
  uint32_t id;
};
constexpr TypeId kTypeIds[] = {
    {AC_F32, 0},     {AC_F16, 1},     {AC_Q4_0, 2},  {AC_Q4_1, 3},   {AC_Q5_0, 6},  {AC_Q5_1, 7},
    {AC_Q8_0, 8},    {AC_Q2_K, 10},   {AC_Q3_K, 11}, {AC_Q4_K, 12},  {AC_Q5_K, 13}, {AC_Q6_K, 14},
    {AC_IQ4_NL, 20}, {AC_IQ4_XS, 23}, {AC_BF16, 30}, {AC_MXFP4, 39},
};

// Types other programs write that we do not read: a name helps more than a number.
constexpr std::pair<uint32_t, const char*> kForeignTypes[] = {
    {9, "Q8_1"},   {15, "Q8_K"},  {16, "IQ2_XXS"}, {17, "IQ2_XS"}, {18, "IQ3_XXS"}, {19, "IQ1_S"},
    {21, "IQ3_S"}, {22, "IQ2_S"}, {24, "I8"},      {25, "I16"},    {26, "I32"},     {27, "I64"},
    {28, "F64"},   {29, "IQ1_M"}, {34, "TQ1_0"},   {35, "TQ2_0"},
};

std::string UnsupportedTypeMessage(uint32_t id) {
  std::string name = "number " + std::to_string(id);
  for (const auto& [foreign_id, foreign_name] : kForeignTypes) {
    if (foreign_id == id) name = foreign_name;
  }
  std::string supported;
  for (const TypeId& entry : kTypeIds) {
    supported += " " + std::string(quant::InfoOf(entry.type).name);
  }
  return "has type " + name + ", which is not supported; supported:" + supported;
}

size_t ScalarBytes(GgufType type) {
  switch (type) {
    case GgufType::kUint8:
    case GgufType::kInt8:
    case GgufType::kBool:
      return 1;
    case GgufType::kUint16:
    case GgufType::kInt16:
      return 2;
    case GgufType::kUint32:
    case GgufType::kInt32:
    case GgufType::kFloat32:
      return 4;
    case GgufType::kUint64:
    case GgufType::kInt64:
    case GgufType::kFloat64:
      return 8;
    case GgufType::kString:
    case GgufType::kArray:
      return 0;
  }
  return 0;
}

template <typename T>
T Load(std::span<const std::byte> bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

// Reads forward through untrusted bytes; every read says whether it fitted.
class Cursor {
 public:
  explicit Cursor(std::span<const std::byte> bytes) : bytes_(bytes) {}

  size_t position() const { return position_; }
  size_t remaining() const { return bytes_.size() - position_; }

  bool Take(uint64_t size, std::span<const std::byte>* out) {
    if (size > remaining()) return false;
    *out = bytes_.subspan(position_, static_cast<size_t>(size));
    position_ += static_cast<size_t>(size);
    return true;
  }
  template <typename T>
  bool Read(T* out) {
    std::span<const std::byte> raw;
    if (!Take(sizeof(T), &raw)) return false;
    *out = Load<T>(raw);
    return true;
  }
  bool ReadString(std::string_view* out) {
    uint64_t size = 0;
    std::span<const std::byte> raw;
    if (!Read(&size) || !Take(size, &raw)) return false;
    *out = {reinterpret_cast<const char*>(raw.data()), raw.size()};
    return true;
  }

 private:
  std::span<const std::byte> bytes_;
  size_t position_ = 0;
};

enum class ReadError { kNone, kTruncated, kBadType, kTooDeep };

// Finds the extent of one value; arrays are walked so that later decoding cannot run off the end.
ReadError ReadValue(Cursor* in, GgufType type, int depth, GgufValue* out) {
  out->type = type;
  const size_t scalar = ScalarBytes(type);
  if (scalar != 0) return in->Take(scalar, &out->bytes) ? ReadError::kNone : ReadError::kTruncated;
  if (type == GgufType::kString) {
    uint64_t size = 0;
    return in->Read(&size) && in->Take(size, &out->bytes) ? ReadError::kNone
                                                          : ReadError::kTruncated;
  }
  if (type != GgufType::kArray) return ReadError::kBadType;
  if (depth >= kMaxArrayDepth) return ReadError::kTooDeep;
  if (!in->Read(&out->element_type) || !in->Read(&out->count)) return ReadError::kTruncated;
  if (out->element_type > GgufType::kFloat64) return ReadError::kBadType;
  const size_t element = ScalarBytes(out->element_type);
  if (element != 0) {
    if (out->count > in->remaining() / element) return ReadError::kTruncated;
    return in->Take(out->count * element, &out->bytes) ? ReadError::kNone : ReadError::kTruncated;
  }
  // An empty string takes 8 bytes, an empty array 12: a larger count cannot be true.
  if (out->count > in->remaining() / 8) return ReadError::kTruncated;
  Cursor start = *in;
  const size_t begin = in->position();
  for (uint64_t i = 0; i < out->count; ++i) {
    GgufValue ignored;
    const ReadError error = ReadValue(in, out->element_type, depth + 1, &ignored);
    if (error != ReadError::kNone) return error;
  }
  (void)start.Take(in->position() - begin, &out->bytes);
  return ReadError::kNone;
}

// The value at the cursor, which ReadValue has already walked once.
GgufValue NextElement(Cursor* in, GgufType type) {
  GgufValue value;
  (void)ReadValue(in, type, 1, &value);
  return value;
}

}  // namespace

std::optional<uint32_t> GgufTypeId(ac_quant_type type) {
  for (const TypeId& entry : kTypeIds) {
    if (entry.type == type) return entry.id;
  }
  return std::nullopt;
}

std::optional<ac_quant_type> TypeOfGgufId(uint32_t id) {
  for (const TypeId& entry : kTypeIds) {
    if (entry.id == id) return entry.type;
  }
  return std::nullopt;
}

std::optional<int64_t> GgufValue::AsInt() const {
  switch (type) {
    case GgufType::kUint8:
      return Load<uint8_t>(bytes);
    case GgufType::kInt8:
      return Load<int8_t>(bytes);
    case GgufType::kUint16:
      return Load<uint16_t>(bytes);
    case GgufType::kInt16:
      return Load<int16_t>(bytes);
    case GgufType::kUint32:
      return Load<uint32_t>(bytes);
    case GgufType::kInt32:
      return Load<int32_t>(bytes);
    case GgufType::kInt64:
      return Load<int64_t>(bytes);
    case GgufType::kUint64: {
      const auto value = Load<uint64_t>(bytes);
      if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return std::nullopt;
      return static_cast<int64_t>(value);
    }
    default:
      return std::nullopt;
  }
}

std::optional<uint64_t> GgufValue::AsUint() const {
  if (type == GgufType::kUint64) return Load<uint64_t>(bytes);
  const std::optional<int64_t> value = AsInt();
  if (!value.has_value() || *value < 0) return std::nullopt;
  return static_cast<uint64_t>(*value);
}

std::optional<double> GgufValue::AsDouble() const {
  if (type == GgufType::kFloat32) return Load<float>(bytes);
  if (type == GgufType::kFloat64) return Load<double>(bytes);
  if (type == GgufType::kUint64) return static_cast<double>(Load<uint64_t>(bytes));
  const std::optional<int64_t> value = AsInt();
  if (!value.has_value()) return std::nullopt;
  return static_cast<double>(*value);
}

std::optional<bool> GgufValue::AsBool() const {
  if (type != GgufType::kBool) return std::nullopt;
  return Load<uint8_t>(bytes) != 0;
}

std::optional<std::string_view> GgufValue::AsString() const {
  if (type != GgufType::kString) return std::nullopt;
  return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

std::optional<std::vector<GgufValue>> GgufValue::AsArray() const {
  if (type != GgufType::kArray) return std::nullopt;
  std::vector<GgufValue> out;
  out.reserve(static_cast<size_t>(count));
  Cursor in(bytes);
  for (uint64_t i = 0; i < count; ++i) out.push_back(NextElement(&in, element_type));
  return out;
}

const GgufValue* GgufMetadata::Find(std::string_view key) const {
  const auto it = index_.find(key);
  return it == index_.end() ? nullptr : &entries_[it->second].value;
}

std::optional<uint64_t> GgufMetadata::GetUint(std::string_view key) const {
  const GgufValue* value = Find(key);
  return value == nullptr ? std::nullopt : value->AsUint();
}

std::optional<int64_t> GgufMetadata::GetInt(std::string_view key) const {
  const GgufValue* value = Find(key);
  return value == nullptr ? std::nullopt : value->AsInt();
}

std::optional<double> GgufMetadata::GetFloat(std::string_view key) const {
  const GgufValue* value = Find(key);
  return value == nullptr ? std::nullopt : value->AsDouble();
}

std::optional<bool> GgufMetadata::GetBool(std::string_view key) const {
  const GgufValue* value = Find(key);
  return value == nullptr ? std::nullopt : value->AsBool();
}

std::optional<std::string_view> GgufMetadata::GetString(std::string_view key) const {
  const GgufValue* value = Find(key);
  return value == nullptr ? std::nullopt : value->AsString();
}

namespace {

// Decodes every element of an array with `get`; nullopt when one is of another kind.
template <typename T, typename Get>
std::optional<std::vector<T>> DecodeArray(const GgufValue* value, Get get) {
  if (value == nullptr || value->type != GgufType::kArray) return std::nullopt;
  std::vector<T> out;
  out.reserve(static_cast<size_t>(value->count));
  Cursor in(value->bytes);
  for (uint64_t i = 0; i < value->count; ++i) {
    const std::optional<T> element = get(NextElement(&in, value->element_type));
    if (!element.has_value()) return std::nullopt;
    out.push_back(*element);
  }
  return out;
}

}  // namespace

std::optional<std::vector<std::string_view>> GgufMetadata::GetStringArray(
    std::string_view key) const {
  return DecodeArray<std::string_view>(Find(key), [](const GgufValue& v) { return v.AsString(); });
}

std::optional<std::vector<double>> GgufMetadata::GetFloatArray(std::string_view key) const {
  return DecodeArray<double>(Find(key), [](const GgufValue& v) { return v.AsDouble(); });
}

std::optional<std::vector<int64_t>> GgufMetadata::GetIntArray(std::string_view key) const {
  return DecodeArray<int64_t>(Find(key), [](const GgufValue& v) {
    const std::optional<bool> flag = v.AsBool();
    return flag.has_value() ? std::optional<int64_t>(*flag ? 1 : 0) : v.AsInt();
  });
}

uint64_t GgufMetadata::ArraySize(std::string_view key) const {
  const GgufValue* value = Find(key);
  return value == nullptr || value->type != GgufType::kArray ? 0 : value->count;
}

// Parses one file. Messages name the file; the caller's GgufFile is only touched on success.
class GgufParser {
 public:
  GgufParser(std::span<const std::byte> bytes, const std::string& name)
      : bytes_(bytes), name_(name), in_(bytes) {}

  Status Run() {
    AC_RETURN_IF_ERROR(ReadHeader());
    AC_RETURN_IF_ERROR(ReadMetadata());
    AC_RETURN_IF_ERROR(ReadAlignment());
    AC_RETURN_IF_ERROR(ReadTensors());
    return CheckOverlaps();
  }

  GgufMetadata TakeMetadata() { return std::move(metadata_); }
  const std::vector<GgufTensor>& tensors() const { return tensors_; }
  uint32_t version() const { return version_; }

 private:
  std::string Prefix() const { return "[weights] " + name_ + ": "; }
  Status Truncated(const std::string& where) const {
    return DataLoss(Prefix() + "the file ends inside " + where + " (" +
                    std::to_string(bytes_.size()) +
                    " bytes); it is truncated or damaged, download it again");
  }
  Status Bad(const std::string& what) const { return DataLoss(Prefix() + what); }
  Status BadTensor(std::string_view tensor, const std::string& what) const {
    return DataLoss(Prefix() + "tensor '" + std::string(tensor) + "' " + what);
  }

  Status ReadHeader() {
    uint32_t magic = 0;
    if (!in_.Read(&magic)) return Truncated("the header");
    if (magic != kMagic) {
      return InvalidArgument(Prefix() + "not a GGUF file (it does not start with \"GGUF\")");
    }
    if (!in_.Read(&version_)) return Truncated("the header");
    if (version_ != 0 && (version_ & 0xFFFFu) == 0) {
      return Unsupported(Prefix() + "big-endian GGUF; convert it to little-endian first");
    }
    if (version_ != 2 && version_ != 3) {
      return Unsupported(Prefix() + "GGUF version " + std::to_string(version_) +
                         " is not supported; versions 2 and 3 are");
    }
    if (!in_.Read(&tensor_count_) || !in_.Read(&entry_count_)) return Truncated("the header");
    if (entry_count_ > in_.remaining() / kMinEntryBytes) {
      return Bad("claims " + std::to_string(entry_count_) +
                 " metadata entries, more than fit the file");
    }
    if (tensor_count_ > in_.remaining() / kMinTensorBytes) {
      return Bad("claims " + std::to_string(tensor_count_) + " tensors, more than fit the file");
    }
    return OkStatus();
  }

  Status ReadMetadata() {
    metadata_.entries_.reserve(static_cast<size_t>(entry_count_));
    for (uint64_t i = 0; i < entry_count_; ++i) {
      GgufMetadata::Entry entry;
      GgufType type = GgufType::kUint8;
      if (!in_.ReadString(&entry.key) || !in_.Read(&type)) {
        return Truncated("metadata entry " + std::to_string(i));
      }
      if (entry.key.empty() || entry.key.size() > kMaxNameBytes) {
        return Bad("metadata entry " + std::to_string(i) + " has a key of " +
                   std::to_string(entry.key.size()) + " bytes");
      }
      const std::string key = "metadata '" + std::string(entry.key) + "'";
      if (type > GgufType::kFloat64) {
        return Bad(key + " has unknown value type " + std::to_string(static_cast<uint32_t>(type)));
      }
      switch (ReadValue(&in_, type, 0, &entry.value)) {
        case ReadError::kNone:
          break;
        case ReadError::kTruncated:
          return Truncated(key);
        case ReadError::kBadType:
          return Bad(key + " has an array of unknown type");
        case ReadError::kTooDeep:
          return Bad(key + " nests arrays too deeply");
      }
      if (!metadata_.index_.emplace(entry.key, metadata_.entries_.size()).second) {
        return Bad(key + " appears twice");
      }
      metadata_.entries_.push_back(entry);
    }
    return OkStatus();
  }

  Status ReadAlignment() {
    const GgufValue* value = metadata_.Find("general.alignment");
    if (value == nullptr) return OkStatus();
    const uint64_t alignment = value->AsUint().value_or(0);
    // Larger than a huge page makes no sense; smaller than 8 would break reads of 8-byte words.
    if (alignment < 8 || alignment > (1u << 21) || !std::has_single_bit(alignment)) {
      return Bad("general.alignment must be a power of two from 8 to 2097152");
    }
    alignment_ = alignment;
    return OkStatus();
  }

  Status ReadTensors() {
    tensors_.reserve(static_cast<size_t>(tensor_count_));
    std::vector<uint64_t> offsets;
    offsets.reserve(static_cast<size_t>(tensor_count_));
    for (uint64_t i = 0; i < tensor_count_; ++i) {
      GgufTensor tensor;
      uint64_t offset = 0;
      AC_RETURN_IF_ERROR(ReadDescription(i, &tensor, &offset));
      tensors_.push_back(tensor);
      offsets.push_back(offset);
    }
    if (tensors_.empty()) return OkStatus();
    const uint64_t data_start = (in_.position() + alignment_ - 1) / alignment_ * alignment_;
    if (data_start > bytes_.size()) return Truncated("the tensor descriptions");
    for (size_t i = 0; i < tensors_.size(); ++i) {
      AC_RETURN_IF_ERROR(PlaceData(data_start, offsets[i], &tensors_[i]));
    }
    return OkStatus();
  }

  Status ReadDescription(uint64_t number, GgufTensor* tensor, uint64_t* offset) {
    const std::string where = "tensor description " + std::to_string(number);
    uint32_t n_dims = 0;
    uint32_t type_id = 0;
    if (!in_.ReadString(&tensor->name) || !in_.Read(&n_dims)) return Truncated(where);
    if (tensor->name.empty() || tensor->name.size() > kMaxNameBytes) {
      return Bad(where + " has a name of " + std::to_string(tensor->name.size()) + " bytes");
    }
    if (!names_.emplace(tensor->name, number).second)
      return BadTensor(tensor->name, "appears twice");
    if (n_dims < 1 || n_dims > 4) {
      return BadTensor(tensor->name,
                       "has " + std::to_string(n_dims) + " dimensions; 1 to 4 are possible");
    }
    tensor->n_dims = static_cast<int>(n_dims);
    for (uint32_t d = 0; d < n_dims; ++d) {
      if (!in_.Read(&tensor->dims[d])) return Truncated(where);
    }
    if (!in_.Read(&type_id) || !in_.Read(offset)) return Truncated(where);
    const std::optional<ac_quant_type> type = TypeOfGgufId(type_id);
    if (!type.has_value()) {
      return Unsupported(Prefix() + "tensor '" + std::string(tensor->name) + "' " +
                         UnsupportedTypeMessage(type_id));
    }
    tensor->type = *type;
    if (*offset % alignment_ != 0) {
      return BadTensor(tensor->name, "starts at offset " + std::to_string(*offset) +
                                         ", which is no multiple of the alignment " +
                                         std::to_string(alignment_));
    }
    return OkStatus();
  }

  Status PlaceData(uint64_t data_start, uint64_t offset, GgufTensor* tensor) {
    uint64_t rows = 1;
    for (int d = 0; d < tensor->n_dims; ++d) {
      const int64_t size = tensor->dims[static_cast<size_t>(d)];
      if (size <= 0)
        return BadTensor(tensor->name, "has a dimension of size " + std::to_string(size));
      if (d > 0 && __builtin_mul_overflow(rows, static_cast<uint64_t>(size), &rows)) {
        return BadTensor(tensor->name, "is absurdly large");
      }
    }
    // Beyond this a row cannot fit any file and the arithmetic below could overflow.
    if (static_cast<uint64_t>(tensor->dims[0]) > (uint64_t{1} << 48)) {
      return BadTensor(tensor->name, "is absurdly large");
    }
    const Result<size_t> row_bytes = quant::RowBytes(tensor->type, tensor->dims[0]);
    if (!row_bytes.ok()) {
      return BadTensor(tensor->name, "is damaged: " + row_bytes.status().message());
    }
    tensor->row_bytes = *row_bytes;
    uint64_t size = 0;
    if (__builtin_mul_overflow(rows, static_cast<uint64_t>(*row_bytes), &size)) {
      return BadTensor(tensor->name, "is absurdly large");
    }
    const uint64_t available = bytes_.size() - data_start;
    if (offset > available || size > available - offset) {
      return BadTensor(tensor->name, "ends beyond the file (" + std::to_string(size) +
                                         " bytes at offset " + std::to_string(offset) + " of " +
                                         std::to_string(available) +
                                         "); the file is truncated, download it again");
    }
    tensor->data =
        bytes_.subspan(static_cast<size_t>(data_start + offset), static_cast<size_t>(size));
    return OkStatus();
  }

  Status CheckOverlaps() const {
    std::vector<const GgufTensor*> order;
    order.reserve(tensors_.size());
    for (const GgufTensor& tensor : tensors_) order.push_back(&tensor);
    std::sort(order.begin(), order.end(), [](const GgufTensor* a, const GgufTensor* b) {
      return a->data.data() < b->data.data();
    });
    for (size_t i = 1; i < order.size(); ++i) {
      if (order[i - 1]->data.data() + order[i - 1]->data.size() > order[i]->data.data()) {
        return BadTensor(order[i]->name,
                         "overlaps tensor '" + std::string(order[i - 1]->name) + "'");
      }
    }
    return OkStatus();
  }

  const std::span<const std::byte> bytes_;
  const std::string name_;
  Cursor in_;
  uint32_t version_ = 0;
  uint64_t tensor_count_ = 0;
  uint64_t entry_count_ = 0;
  uint64_t alignment_ = kDefaultAlignment;
  GgufMetadata metadata_;
  std::vector<GgufTensor> tensors_;
  std::unordered_map<std::string_view, uint64_t> names_;
};

namespace {

// NAME-00002-of-00005.gguf.
struct SplitName {
  std::string stem;
  int count = 0;
};

std::optional<SplitName> ParseSplitName(const std::string& path) {
  // "-00002-of-00005.gguf"
  constexpr size_t kSuffix = 20;
  if (path.size() < kSuffix || !path.ends_with(".gguf")) return std::nullopt;
  const std::string_view suffix = std::string_view(path).substr(path.size() - kSuffix);
  const auto number = [&](size_t at) {
    int value = -1;
    const std::string_view digits = suffix.substr(at, 5);
    if (digits.find_first_not_of("0123456789") == std::string_view::npos) {
      std::from_chars(digits.data(), digits.data() + digits.size(), value);
    }
    return value;
  };
  if (suffix[0] != '-' || suffix.substr(6, 4) != "-of-") return std::nullopt;
  const int part = number(1);
  const int count = number(10);
  if (part < 1 || count < 1 || part > count) return std::nullopt;
  return SplitName{path.substr(0, path.size() - kSuffix), count};
}

std::string PartPath(const SplitName& split, int part) {
  char suffix[32];
  std::snprintf(suffix, sizeof suffix, "-%05d-of-%05d.gguf", part, split.count);
  return split.stem + suffix;
}

}  // namespace

Status GgufFile::AddPart(std::span<const std::byte> bytes, const std::string& name, bool first) {
  GgufParser parser(bytes, name);
  AC_RETURN_IF_ERROR(parser.Run());
  for (const GgufTensor& tensor : parser.tensors()) {
    if (!index_.emplace(tensor.name, tensors_.size()).second) {
      return DataLoss("[weights] " + name + ": tensor '" + std::string(tensor.name) +
                      "' is in another part of the split file too");
    }
    tensors_.push_back(tensor);
  }
  total_bytes_ += bytes.size();
  if (first) {
    version_ = parser.version();
    metadata_ = std::make_unique<GgufMetadata>(parser.TakeMetadata());
  }
  return OkStatus();
}

Status GgufFile::OpenParts(const std::string& path) {
  const std::optional<SplitName> split = ParseSplitName(path);
  const int count = split.has_value() ? split->count : 1;
  for (int part = 1; part <= count; ++part) {
    const std::string part_path = split.has_value() ? PartPath(*split, part) : path;
    Result<MappedFile> file = MappedFile::Open(part_path);
    if (!file.ok()) {
      const std::string missing = "[weights] part " + std::to_string(part) + " of " +
                                  std::to_string(count) + " of a split GGUF file: ";
      return count > 1 ? Status(file.status().code(), missing + file.status().message())
                       : file.status();
    }
    files_.push_back(std::move(*file));
    AC_RETURN_IF_ERROR(AddPart(files_.back().bytes(), part_path, part == 1));
  }
  const uint64_t declared = metadata_->GetUint("split.count").value_or(0);
  if (declared > 1 && declared != static_cast<uint64_t>(count)) {
    const int parts = static_cast<int>(std::min<uint64_t>(declared, 99999));
    return InvalidArgument(
        "[weights] " + path + ": the file says it is one of " + std::to_string(declared) +
        " parts; keep the parts together and name them as published, ending in " +
        PartPath({"", parts}, 1));
  }
  const uint64_t tensors = metadata_->GetUint("split.tensors.count").value_or(tensors_.size());
  if (tensors != tensors_.size()) {
    return DataLoss("[weights] " + path + ": the parts hold " + std::to_string(tensors_.size()) +
                    " tensors, the first part promises " + std::to_string(tensors));
  }
  return OkStatus();
}

Result<GgufFile> GgufFile::Open(const std::string& path) {
  GgufFile file;
  AC_RETURN_IF_ERROR(file.OpenParts(path));
  return file;
}

Result<GgufFile> GgufFile::Parse(std::span<const std::byte> bytes, const std::string& name) {
  GgufFile file;
  AC_RETURN_IF_ERROR(file.AddPart(bytes, name, true));
  return file;
}

const GgufTensor* GgufFile::Find(std::string_view name) const {
  const auto it = index_.find(name);
  return it == index_.end() ? nullptr : &tensors_[it->second];
}

}  // namespace ac::weights
