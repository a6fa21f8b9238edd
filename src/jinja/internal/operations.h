// Python's operators and conversions over Values.
//
// Functions that can fail take the Interpreter and report there.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "jinja/internal/interpreter.h"

namespace ac::jinja {

std::string_view TypeName(Kind kind);  // as Python names it: "str", "int", "NoneType"
inline std::string_view TypeName(const Value& value) { return TypeName(value.kind()); }

bool Truth(const Value& value);
// len(), or nothing for what has no length.
std::optional<Int> Length(const Value& value);
Value LengthOrFail(Interpreter& in, const Value& value);
bool IsIterable(const Value& value);
bool IsIdentical(const Value& a, const Value& b);  // Python's `is`
bool IsCallable(const Value& value);

// Equality never fails in Python; ours does at the depth limit only.
bool Equal(Interpreter& in, const Value& a, const Value& b);
// -1, 0 or 1 through *order. False, after Fail, for types without an order between them.
bool Order(Interpreter& in, std::string_view op, const Value& a, const Value& b, int* order);
Value Less(Interpreter& in, const Value& a, const Value& b);
Value Contains(Interpreter& in, const Value& container, const Value& item);
// Equality of dict keys and the hash that goes with it. Nothing when it cannot be hashed.
std::optional<size_t> HashOf(const Value& value);
bool KeysEqual(const Value& a, const Value& b);
bool CheckHashable(Interpreter& in, const Value& key);  // fails when it is not

Value Arithmetic(Interpreter& in, ExprKind op, Value a, const Value& b);
Value Negate(Interpreter& in, const Value& value);
Value Plus(Interpreter& in, const Value& value);

// str() and repr(), appended. False after a failure.
bool AppendString(Interpreter& in, const Value& value, std::string* out);
bool AppendRepr(Interpreter& in, const Value& value, std::string* out);
Value ToString(Interpreter& in, const Value& value);      // str(): never marked safe
Value ToSoftString(Interpreter& in, const Value& value);  // str() that keeps text as it is
void AppendInteger(Int value, std::string* out);
void AppendFloat(double value, std::string* out);  // repr: shortest form that reads back
void AppendQuoted(std::string_view text, std::string* out);

struct JsonStyle {
  bool ensure_ascii = false;
  bool sort_keys = false;
  std::optional<std::string> indent;  // one level
  std::string item_separator = ", ", key_separator = ": ";
};
bool AppendJson(Interpreter& in, const Value& value, const JsonStyle& style, std::string* out);

// Everything an iterable yields.
bool Collect(Interpreter& in, const Value& iterable, std::vector<Value>* out);
// A dotted path as filters take it: "a.0.b", an integer, or none for the item itself.
Value FollowPath(Interpreter& in, Value item, const Value& path);
// int() of text: white space, sign, underscores, base prefixes. Nothing when it is no number.
std::optional<Int> ParseInteger(std::string_view text, int base, bool* overflow);
std::optional<double> ParseFloat(std::string_view text);
// An argument that must be an integer; fails when it is not or is out of range.
bool ToIndex(Interpreter& in, const Value& value, int64_t* out);

// Building blocks that filters and methods share; each asks the limits first.
Value ReplaceText(Interpreter& in, const Value& text, std::string_view from, std::string_view to,
                  int64_t count);
enum class Padding : uint8_t { kLeft, kRight, kCenter };  // where the fill goes
Value PadText(Interpreter& in, const Value& text, int64_t width, std::string_view fill,
              Padding padding);
Value JoinText(Interpreter& in, const Value& separator, const std::vector<Value>& pieces);

}  // namespace ac::jinja
