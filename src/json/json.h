// JSON in and out: a thin face over Boost.JSON.
//
// Parsing has limits (depth, size) and errors that name line and column. Objects keep the order of
// their keys, because prompts are built from them. Values own their memory; functions are
// thread-safe. No exception of the library leaves this module as long as callers use Find/Get*
// instead of at()/as_*().
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "json/json_fwd.h"

namespace ac::json {

// Strict JSON (RFC 8259), UTF-8. Failure: kInvalidArgument "[json] line 3, column 14: ...", or
// kTooLarge when a limit is passed.
Result<Value> Parse(std::string_view text, const ParseLimits& limits = {});

// Compact text: no spaces, keys in their order, numbers as JavaScript's JSON.stringify prints them
// (5000.0 -> 5000, 1e21 -> 1e+21), non-ASCII text left as UTF-8.
std::string Write(const Value& value);
// Two-space indentation, for people.
std::string WritePretty(const Value& value);
// The text as a JSON string with its quotes.
std::string Quote(std::string_view text);

// Lookups that return null instead of throwing. Find also returns null when `value` is no object.
const Value* Find(const Value& value, std::string_view key);
const Object* AsObject(const Value* value);
const Array* AsArray(const Value* value);
std::optional<std::string_view> AsString(const Value* value);
std::optional<bool> AsBool(const Value* value);
// Any number without a fraction that fits.
std::optional<int64_t> AsInt(const Value* value);
std::optional<double> AsDouble(const Value* value);

inline std::optional<std::string_view> GetString(const Value& object, std::string_view key) {
  return AsString(Find(object, key));
}
inline std::string_view StringOrEmpty(const Value& object, std::string_view key) {
  return GetString(object, key).value_or("");
}
inline std::optional<bool> GetBool(const Value& object, std::string_view key) {
  return AsBool(Find(object, key));
}
inline std::optional<int64_t> GetInt(const Value& object, std::string_view key) {
  return AsInt(Find(object, key));
}
inline std::optional<double> GetDouble(const Value& object, std::string_view key) {
  return AsDouble(Find(object, key));
}

// "object", "array", "string", "number", "boolean", "null": for error messages.
std::string_view KindName(const Value& value);

}  // namespace ac::json
