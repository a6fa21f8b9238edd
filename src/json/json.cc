#include "json/json.h"

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/value_stack.hpp>
#include <charconv>
#include <cmath>
#include <cstdio>

namespace ac::json {
namespace {

Status ErrorAt(std::string_view text, size_t offset, const std::string& reason) {
  offset = std::min(offset, text.size());
  const std::string_view before = text.substr(0, offset);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const size_t line_start =
      before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
  return InvalidArgument("[json] line " + std::to_string(line) + ", column " +
                         std::to_string(offset - line_start + 1) + ": " + reason);
}

// Builds the tree from the library's parse events. The library's own conversion of fractions can be
// off in the last bit; here every double is the nearest one to its text, so that numbers survive a
// round trip through Parse and Write.
struct TreeBuilder {
  using Text = boost::json::string_view;
  using Error = boost::system::error_code;
  static constexpr size_t max_object_size = boost::json::object::max_size();
  static constexpr size_t max_array_size = boost::json::array::max_size();
  static constexpr size_t max_key_size = boost::json::string::max_size();
  static constexpr size_t max_string_size = boost::json::string::max_size();

  bool on_document_begin(Error&) { return true; }
  bool on_document_end(Error&) { return true; }
  bool on_object_begin(Error&) { return true; }
  bool on_object_end(size_t count, Error&) { return stack.push_object(count), true; }
  bool on_array_begin(Error&) { return true; }
  bool on_array_end(size_t count, Error&) { return stack.push_array(count), true; }
  bool on_key_part(Text text, size_t, Error&) { return stack.push_chars(text), true; }
  bool on_key(Text text, size_t, Error&) { return stack.push_key(text), true; }
  bool on_string_part(Text text, size_t, Error&) { return stack.push_chars(text), true; }
  bool on_string(Text text, size_t, Error&) { return stack.push_string(text), true; }
  bool on_number_part(Text, Error&) { return true; }
  bool on_int64(int64_t number, Text, Error&) { return stack.push_int64(number), true; }
  bool on_uint64(uint64_t number, Text, Error&) { return stack.push_uint64(number), true; }
  bool on_double(double number, Text text, Error&) {
    // Leaves the library's infinity or zero when the text is out of a double's range.
    std::from_chars(text.data(), text.data() + text.size(), number);
    return stack.push_double(number), true;
  }
  bool on_bool(bool truth, Error&) { return stack.push_bool(truth), true; }
  bool on_null(Error&) { return stack.push_null(), true; }
  bool on_comment_part(Text, Error&) { return true; }
  bool on_comment(Text, Error&) { return true; }

  boost::json::value_stack stack;
};

void AppendQuoted(std::string_view text, std::string* out) {
  out->push_back('"');
  for (const char c : text) {
    switch (c) {
      case '"':
        *out += "\\\"";
        break;
      case '\\':
        *out += "\\\\";
        break;
      case '\b':
        *out += "\\b";
        break;
      case '\f':
        *out += "\\f";
        break;
      case '\n':
        *out += "\\n";
        break;
      case '\r':
        *out += "\\r";
        break;
      case '\t':
        *out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          char escape[8];
          std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(c));
          *out += escape;
        } else {
          out->push_back(c);
        }
    }
  }
  out->push_back('"');
}

// ECMAScript Number::toString over the shortest round-trip digits.
void AppendDouble(double number, std::string* out) {
  if (!std::isfinite(number)) {
    *out += "null";  // as JSON.stringify does
    return;
  }
  if (number == 0) {
    *out += '0';
    return;
  }
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, std::fabs(number),
                                 std::chars_format::scientific);
  const std::string_view text(buffer, static_cast<size_t>(end.ptr - buffer));
  const size_t e = text.find('e');
  int exponent = 0;
  const char* exponent_begin = text.data() + e + 1;
  if (*exponent_begin == '+') ++exponent_begin;
  std::from_chars(exponent_begin, end.ptr, exponent);
  std::string digits(1, text[0]);
  if (e > 2) digits += text.substr(2, e - 2);
  const int count = static_cast<int>(digits.size());
  const int point = exponent + 1;  // digits before the decimal point
  if (number < 0) *out += '-';
  if (point > 21 || point < -5) {
    *out += digits[0];
    if (count > 1) *out += '.' + digits.substr(1);
    *out += exponent < 0 ? "e-" : "e+";
    *out += std::to_string(std::abs(exponent));
  } else if (point <= 0) {
    *out += "0." + std::string(static_cast<size_t>(-point), '0') + digits;
  } else if (count <= point) {
    *out += digits + std::string(static_cast<size_t>(point - count), '0');
  } else {
    *out += digits.substr(0, static_cast<size_t>(point)) + '.' +
            digits.substr(static_cast<size_t>(point));
  }
}

class Writer {
 public:
  Writer(bool pretty, std::string* out) : pretty_(pretty), out_(out) {}

  void Append(const Value& value, int depth) {
    switch (value.kind()) {
      case boost::json::kind::null:
        *out_ += "null";
        break;
      case boost::json::kind::bool_:
        *out_ += value.get_bool() ? "true" : "false";
        break;
      case boost::json::kind::int64:
        *out_ += std::to_string(value.get_int64());
        break;
      case boost::json::kind::uint64:
        *out_ += std::to_string(value.get_uint64());
        break;
      case boost::json::kind::double_:
        AppendDouble(value.get_double(), out_);
        break;
      case boost::json::kind::string:
        AppendQuoted(value.get_string(), out_);
        break;
      case boost::json::kind::array:
        AppendArray(value.get_array(), depth);
        break;
      case boost::json::kind::object:
        AppendObject(value.get_object(), depth);
        break;
    }
  }

 private:
  void AppendArray(const Array& array, int depth) {
    *out_ += '[';
    bool first = true;
    for (const Value& item : array) {
      Separate(&first, depth + 1);
      Append(item, depth + 1);
    }
    Close(array.empty(), depth, ']');
  }
  void AppendObject(const Object& object, int depth) {
    *out_ += '{';
    bool first = true;
    for (const auto& member : object) {
      Separate(&first, depth + 1);
      AppendQuoted(member.key(), out_);
      *out_ += pretty_ ? ": " : ":";
      Append(member.value(), depth + 1);
    }
    Close(object.empty(), depth, '}');
  }
  void Separate(bool* first, int depth) {
    if (!*first) *out_ += ',';
    *first = false;
    NewLine(depth);
  }
  void Close(bool empty, int depth, char bracket) {
    if (!empty) NewLine(depth);
    *out_ += bracket;
  }
  void NewLine(int depth) {
    if (!pretty_) return;
    *out_ += '\n';
    out_->append(static_cast<size_t>(depth) * 2, ' ');
  }

  const bool pretty_;
  std::string* const out_;
};

}  // namespace

Result<Value> Parse(std::string_view text, const ParseLimits& limits) {
  if (text.size() > limits.max_bytes) {
    return Status(Code::kTooLarge, "[json] " + std::to_string(text.size()) +
                                       " bytes exceed the limit of " +
                                       std::to_string(limits.max_bytes));
  }
  boost::json::parse_options options;
  options.max_depth = limits.max_depth;
  boost::json::basic_parser<TreeBuilder> parser(options);
  parser.handler().stack.reset();
  boost::system::error_code error;
  const size_t used = parser.write_some(/*more=*/false, text.data(), text.size(), error);
  if (!error && used < text.size()) {
    const size_t extra = text.find_first_not_of(" \t\r\n", used);
    if (extra != std::string_view::npos)
      return ErrorAt(text, extra, "text after the end of the value");
  }
  if (error == boost::json::error::too_deep) {
    return Status(Code::kTooLarge,
                  "[json] nested deeper than " + std::to_string(limits.max_depth) + " levels");
  }
  if (error) {
    const bool cut = error == boost::json::error::incomplete;
    return ErrorAt(text, cut ? text.size() : used, cut ? "the text ends early" : error.message());
  }
  return parser.handler().stack.release();
}

std::string Write(const Value& value) {
  std::string out;
  Writer(false, &out).Append(value, 0);
  return out;
}

std::string WritePretty(const Value& value) {
  std::string out;
  Writer(true, &out).Append(value, 0);
  return out;
}

std::string Quote(std::string_view text) {
  std::string out;
  AppendQuoted(text, &out);
  return out;
}

const Value* Find(const Value& value, std::string_view key) {
  const Object* object = value.if_object();
  return object == nullptr ? nullptr : object->if_contains(key);
}

const Object* AsObject(const Value* value) {
  return value == nullptr ? nullptr : value->if_object();
}
const Array* AsArray(const Value* value) { return value == nullptr ? nullptr : value->if_array(); }

std::optional<std::string_view> AsString(const Value* value) {
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return std::string_view(value->get_string());
}

std::optional<bool> AsBool(const Value* value) {
  if (value == nullptr || !value->is_bool()) return std::nullopt;
  return value->get_bool();
}

std::optional<int64_t> AsInt(const Value* value) {
  if (value == nullptr) return std::nullopt;
  if (value->is_int64()) return value->get_int64();
  if (value->is_double()) {
    const double number = value->get_double();
    if (number == std::floor(number) && std::fabs(number) < 9.2e18)
      return static_cast<int64_t>(number);
  }
  return std::nullopt;
}

std::optional<double> AsDouble(const Value* value) {
  if (value == nullptr) return std::nullopt;
  if (value->is_double()) return value->get_double();
  if (value->is_int64()) return static_cast<double>(value->get_int64());
  if (value->is_uint64()) return static_cast<double>(value->get_uint64());
  return std::nullopt;
}

std::string_view KindName(const Value& value) {
  switch (value.kind()) {
    case boost::json::kind::null:
      return "null";
    case boost::json::kind::bool_:
      return "boolean";
    case boost::json::kind::int64:
    case boost::json::kind::uint64:
    case boost::json::kind::double_:
      return "number";
    case boost::json::kind::string:
      return "string";
    case boost::json::kind::array:
      return "array";
    case boost::json::kind::object:
      return "object";
  }
  return "unknown";
}

}  // namespace ac::json
