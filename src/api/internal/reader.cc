#include "api/internal/reader.h"

namespace ac::api::internal {
namespace {

constexpr size_t kMaxUnknownFields = 64;  // enough to see what is new; a hostile body has no end
constexpr size_t kMaxUnknownFieldLength = 120;

std::string NumberText(double number) { return json::Write(json::Value(number)); }

}  // namespace

std::string Path::ToString() const {
  if (parent == nullptr) return "";
  std::string text = parent->ToString();
  if (!text.empty()) text += '.';
  return text + (key.empty() ? std::to_string(index) : std::string(key));
}

std::string Path::Shape() const {
  if (parent == nullptr) return "";
  std::string text = parent->Shape();
  if (key.empty()) return text;
  if (!text.empty()) text += '.';
  return text + std::string(key);
}

void ParseContext::Fail(const Path& path, std::string_view what) {
  if (!status_.ok()) return;
  std::string where = path.ToString();
  if (where.empty()) where = "body";
  status_ = InvalidArgument("[api] " + where + ": " + std::string(what));
}

void ParseContext::FailKind(const Path& path, std::string_view expected, const json::Value& got) {
  Fail(path, "expected " + std::string(expected) + ", got " + std::string(json::KindName(got)));
}

void ParseContext::AddUnknown(std::string name) {
  if (unknown_.size() >= kMaxUnknownFields) return;
  if (name.size() > kMaxUnknownFieldLength) name.resize(kMaxUnknownFieldLength);
  if (std::find(unknown_.begin(), unknown_.end(), name) == unknown_.end()) {
    unknown_.push_back(std::move(name));
  }
}

void ParseContext::AddImage(const Path& path) {
  if (++images_ > limits_.max_images) {
    Fail(path, "more than " + std::to_string(limits_.max_images) + " images and documents");
  }
}

ObjectReader::ObjectReader(ParseContext* context, const Path& path, const json::Value& value)
    : context_(context), path_(path), object_(value.if_object()) {
  if (object_ == nullptr) context_->FailKind(path_, "object", value);
}

ObjectReader::~ObjectReader() {
  if (!ok()) return;
  for (const auto& member : *object_) {
    const std::string_view key = member.key();
    if (std::find(known_.begin(), known_.end(), key) == known_.end()) {
      context_->AddUnknown(path_.Key(key).Shape());
    }
  }
}

const json::Value* ObjectReader::Get(std::string_view key) {
  known_.push_back(key);
  if (!ok()) return nullptr;
  const json::Value* value = object_->if_contains(key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

const json::Value* ObjectReader::Require(std::string_view key) {
  const json::Value* value = Get(key);
  if (value == nullptr && ok()) context_->Fail(path_.Key(key), "field required");
  return value;
}

std::string ObjectReader::String(std::string_view key) {
  const json::Value* value = Get(key);
  if (value == nullptr) return "";
  if (!value->is_string()) {
    context_->FailKind(path_.Key(key), "string", *value);
    return "";
  }
  return std::string(std::string_view(value->get_string()));
}

std::string ObjectReader::RequiredString(std::string_view key) {
  return Require(key) == nullptr ? "" : String(key);
}

bool ObjectReader::Bool(std::string_view key, bool missing) {
  const json::Value* value = Get(key);
  if (value == nullptr) return missing;
  if (!value->is_bool()) {
    context_->FailKind(path_.Key(key), "boolean", *value);
    return missing;
  }
  return value->get_bool();
}

std::optional<double> ObjectReader::Number(std::string_view key, double low, double high) {
  const json::Value* value = Get(key);
  if (value == nullptr) return std::nullopt;
  const std::optional<double> number = json::AsDouble(value);
  if (!number.has_value()) {
    context_->FailKind(path_.Key(key), "number", *value);
  } else if (!(*number >= low && *number <= high)) {
    context_->Fail(path_.Key(key), NumberText(*number) + " is not between " + NumberText(low) +
                                       " and " + NumberText(high));
    return std::nullopt;
  }
  return number;
}

std::optional<int64_t> ObjectReader::Int(std::string_view key, int64_t low, int64_t high) {
  const json::Value* value = Get(key);
  if (value == nullptr) return std::nullopt;
  const std::optional<int64_t> number = json::AsInt(value);
  if (!number.has_value()) {
    context_->FailKind(path_.Key(key), "integer", *value);
  } else if (*number < low || *number > high) {
    context_->Fail(path_.Key(key), std::to_string(*number) + " is not between " +
                                       std::to_string(low) + " and " + std::to_string(high));
    return std::nullopt;
  }
  return number;
}

const json::Array* ObjectReader::Array(std::string_view key) {
  const json::Value* value = Get(key);
  if (value == nullptr) return nullptr;
  if (!value->is_array()) context_->FailKind(path_.Key(key), "array", *value);
  return value->if_array();
}

const json::Value* ObjectReader::Object(std::string_view key) {
  const json::Value* value = Get(key);
  if (value == nullptr) return nullptr;
  if (value->is_object()) return value;
  context_->FailKind(path_.Key(key), "object", *value);
  return nullptr;
}

std::string ObjectReader::Json(std::string_view key) {
  const json::Value* value = Get(key);
  return value == nullptr ? "" : json::Write(*value);
}

std::string ObjectReader::ObjectJson(std::string_view key) {
  const json::Value* value = Object(key);
  return value == nullptr ? "" : json::Write(*value);
}

void ObjectReader::Ignore(std::initializer_list<std::string_view> keys) {
  known_.insert(known_.end(), keys);
}

}  // namespace ac::api::internal
