// Reads request fields with one rule for errors: the first failure is kept with the path of its
// field, everything after it reads as missing, and the caller asks once at the end.
//
// A Path lives on the stack of the function that walks into a value and is turned into text only
// for a message. Not thread-safe; one ParseContext per request.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/api.h"
#include "base/status.h"
#include "json/json.h"

namespace ac::api::internal {

struct Path {
  const Path* parent = nullptr;  // null: the body itself
  std::string_view key;          // empty for an array element
  size_t index = 0;

  Path Key(std::string_view name) const { return {this, name, 0}; }
  Path Index(size_t i) const { return {this, {}, i}; }
  std::string ToString() const;  // "messages.3.content"
  std::string Shape() const;     // the same without indices: "messages.content"
};

class ParseContext {
 public:
  explicit ParseContext(const RequestLimits& limits) : limits_(limits) {}

  const RequestLimits& limits() const { return limits_; }
  const Status& status() const { return status_; }
  bool ok() const { return status_.ok(); }

  void Fail(const Path& path, std::string_view what);
  void FailKind(const Path& path, std::string_view expected, const json::Value& got);
  void AddUnknown(std::string name);
  void AddImage(const Path& path);
  std::vector<std::string> TakeUnknown() { return std::move(unknown_); }

 private:
  const RequestLimits& limits_;
  Status status_;
  std::vector<std::string> unknown_;
  size_t images_ = 0;
};

// One JSON object. JSON null reads as missing. The destructor names the keys nobody asked for.
class ObjectReader {
 public:
  ObjectReader(ParseContext* context, const Path& path, const json::Value& value);
  ~ObjectReader();
  ObjectReader(const ObjectReader&) = delete;
  ObjectReader& operator=(const ObjectReader&) = delete;

  bool ok() const { return object_ != nullptr && context_->ok(); }
  const Path& path() const { return path_; }

  const json::Value* Get(std::string_view key);
  const json::Value* Require(std::string_view key);
  std::string String(std::string_view key);
  std::string RequiredString(std::string_view key);
  bool Bool(std::string_view key, bool missing = false);
  std::optional<double> Number(std::string_view key, double low, double high);
  std::optional<int64_t> Int(std::string_view key, int64_t low, int64_t high);
  const json::Array* Array(std::string_view key);
  const json::Value* Object(std::string_view key);
  std::string Json(std::string_view key);        // any value as text, empty when missing
  std::string ObjectJson(std::string_view key);  // must be an object
  // Fields we know and that change nothing here.
  void Ignore(std::initializer_list<std::string_view> keys);

 private:
  ParseContext* const context_;
  const Path path_;
  const json::Object* object_ = nullptr;
  std::vector<std::string_view> known_;
};

// visit(path of the element, element) until the end or the first failure.
template <typename Visit>
void ForEach(ParseContext* context, const Path& path, const json::Array& array, Visit visit) {
  for (size_t i = 0; i < array.size() && context->ok(); ++i) visit(path.Index(i), array[i]);
}

}  // namespace ac::api::internal
