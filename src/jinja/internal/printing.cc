// str(), repr() and json.dumps(), and the way back from text to numbers.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "jinja/internal/operations.h"
#include "jinja/internal/stable_sort.h"
#include "jinja/internal/text.h"

namespace ac::jinja {
namespace {

constexpr char kHex[] = "0123456789abcdef";

void AppendHex(uint32_t value, int digits, std::string* out) {
  for (int i = digits - 1; i >= 0; --i) out->push_back(kHex[(value >> (4 * i)) & 15]);
}

// Python escapes a character that cannot be printed by the shortest of \x, \u and \U.
void AppendEscape(uint32_t c, std::string* out) {
  *out += c < 0x100 ? "\\x" : c < 0x10000 ? "\\u" : "\\U";
  AppendHex(c, c < 0x100 ? 2 : c < 0x10000 ? 4 : 8, out);
}

bool AppendItems(Interpreter& in, const std::vector<Value>& items, std::string* out) {
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) *out += ", ";
    if (!AppendRepr(in, items[i], out)) return false;
  }
  return true;
}

bool AppendPairs(Interpreter& in, const std::vector<std::pair<Value, Value>>& items,
                 std::string* out) {
  out->push_back('{');
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) *out += ", ";
    if (!AppendRepr(in, items[i].first, out)) return false;
    *out += ": ";
    if (!AppendRepr(in, items[i].second, out)) return false;
  }
  out->push_back('}');
  return true;
}

bool AppendView(Interpreter& in, const ViewObject& view, std::string* out) {
  static constexpr std::string_view kNames[] = {"dict_keys([", "dict_values([", "dict_items(["};
  *out += kNames[static_cast<size_t>(view.view)];
  const auto& items = view.dict.As<DictObject>()->items;
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) *out += ", ";
    const bool pair = view.view == ViewKind::kItems;
    if (pair) out->push_back('(');
    if (view.view != ViewKind::kValues && !AppendRepr(in, items[i].first, out)) return false;
    if (pair) *out += ", ";
    if (view.view != ViewKind::kKeys && !AppendRepr(in, items[i].second, out)) return false;
    if (pair) out->push_back(')');
  }
  *out += "])";
  return true;
}

void AppendRange(const RangeObject& range, std::string* out) {
  *out += "range(";
  AppendInteger(range.start, out);
  *out += ", ";
  AppendInteger(range.stop, out);
  if (range.step != 1) {
    *out += ", ";
    AppendInteger(range.step, out);
  }
  out->push_back(')');
}

// Things that have no literal. Python shows addresses here; templates never rely on them.
bool AppendOther(Interpreter& in, const Value& value, std::string* out) {
  switch (value.kind()) {
    case Kind::kNamespace:
      *out += "<Namespace ";
      if (!AppendPairs(in, value.As<NamespaceObject>()->attributes, out)) return false;
      out->push_back('>');
      return true;
    case Kind::kMacro:
      *out += "<Macro ";
      AppendQuoted(value.As<MacroObject>()->node->name, out);
      out->push_back('>');
      return true;
    case Kind::kLoop: {
      auto* loop = value.As<LoopObject>();
      *out += "<LoopContext ";
      AppendInteger(loop->index0 + 1, out);
      out->push_back('/');
      AppendInteger(loop->Length(in), out);
      out->push_back('>');
      return !in.failed();
    }
    case Kind::kFunction:
      *out += "<function " + std::string(value.function()->name) + ">";
      return true;
    case Kind::kMethod:
      *out += "<built-in method " + std::string(value.As<MethodObject>()->method->name) + ">";
      return true;
    default:
      *out += "<" + std::string(TypeName(value)) + " object>";
      return true;
  }
}

}  // namespace

void AppendInteger(Int value, std::string* out) {
  char digits[48];
  size_t count = 0;
  auto rest = static_cast<unsigned __int128>(value);
  if (value < 0) {
    out->push_back('-');
    rest = -rest;
  }
  do {
    digits[count++] = static_cast<char>('0' + static_cast<int>(rest % 10));
    rest /= 10;
  } while (rest != 0);
  while (count > 0) out->push_back(digits[--count]);
}

void AppendFloat(double value, std::string* out) {
  if (std::isnan(value)) {
    *out += "nan";
    return;
  }
  if (std::signbit(value)) out->push_back('-');
  if (std::isinf(value)) {
    *out += "inf";
    return;
  }
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, std::fabs(value),
                                 std::chars_format::scientific);
  const std::string_view text(buffer, static_cast<size_t>(end.ptr - buffer));
  const size_t e = text.find('e');
  std::string digits(text.substr(0, 1));
  if (e > 2) digits += text.substr(2, e - 2);
  int exponent = 0;
  std::from_chars(buffer + e + (text[e + 1] == '+' ? 2 : 1), end.ptr, exponent);
  const int count = static_cast<int>(digits.size());
  if (exponent < -4 || exponent >= 16) {
    out->push_back(digits[0]);
    if (count > 1) *out += "." + digits.substr(1);
    *out += exponent < 0 ? "e-" : "e+";
    if (std::abs(exponent) < 10) out->push_back('0');
    *out += std::to_string(std::abs(exponent));
  } else if (exponent < 0) {
    *out += "0." + std::string(static_cast<size_t>(-exponent - 1), '0') + digits;
  } else if (count <= exponent + 1) {
    *out += digits + std::string(static_cast<size_t>(exponent + 1 - count), '0') + ".0";
  } else {
    *out += digits.substr(0, static_cast<size_t>(exponent) + 1) + "." +
            digits.substr(static_cast<size_t>(exponent) + 1);
  }
}

void AppendQuoted(std::string_view text, std::string* out) {
  const bool has_single = text.find('\'') != std::string_view::npos;
  const char quote = has_single && text.find('"') == std::string_view::npos ? '"' : '\'';
  out->push_back(quote);
  ForEachCodePoint(text, [&](uint32_t c, std::string_view piece) {
    if (c == static_cast<uint32_t>(quote) || c == '\\') {
      out->push_back('\\');
      *out += piece;
    } else if (c == '\n') {
      *out += "\\n";
    } else if (c == '\r') {
      *out += "\\r";
    } else if (c == '\t') {
      *out += "\\t";
    } else if (IsPrintable(c)) {
      *out += piece;
    } else {
      AppendEscape(c, out);
    }
    return true;
  });
  out->push_back(quote);
}

bool AppendRepr(Interpreter& in, const Value& value, std::string* out) {
  if (!in.Spend() || !in.Reserve(out->size())) return false;
  const Interpreter::Depth depth(in);
  if (!depth.ok()) return false;
  switch (value.kind()) {
    case Kind::kMissing:
    case Kind::kFailed:
      return false;
    case Kind::kUndefined:
      *out += "Undefined";
      return true;
    case Kind::kNone:
      *out += "None";
      return true;
    case Kind::kBool:
      *out += value.boolean() ? "True" : "False";
      return true;
    case Kind::kInt:
      AppendInteger(value.integer(), out);
      return true;
    case Kind::kFloat:
      AppendFloat(value.real(), out);
      return true;
    case Kind::kString:
      if (value.safe()) *out += "Markup(";
      AppendQuoted(value.text(), out);
      if (value.safe()) out->push_back(')');
      return in.Spend(value.text().size());
    case Kind::kList: {
      out->push_back('[');
      if (!AppendItems(in, value.As<ListObject>()->items, out)) return false;
      out->push_back(']');
      return true;
    }
    case Kind::kTuple: {
      const auto& items = value.As<ListObject>()->items;
      out->push_back('(');
      if (!AppendItems(in, items, out)) return false;
      *out += items.size() == 1 ? ",)" : ")";
      return true;
    }
    case Kind::kDict:
      return AppendPairs(in, value.As<DictObject>()->items, out);
    case Kind::kView:
      return AppendView(in, *value.As<ViewObject>(), out);
    case Kind::kRange:
      AppendRange(*value.As<RangeObject>(), out);
      return true;
    default:
      return AppendOther(in, value, out);
  }
}

bool AppendString(Interpreter& in, const Value& value, std::string* out) {
  if (value.Is(Kind::kString)) {
    *out += value.text();
    return true;
  }
  return value.undefined() || AppendRepr(in, value, out);
}

Value ToString(Interpreter& in, const Value& value) { return ToSoftString(in, value).Safe(false); }

Value ToSoftString(Interpreter& in, const Value& value) {
  if (value.Is(Kind::kString) || value.failed()) return value;
  if (value.undefined()) return Value::Borrowed("");
  std::string text;
  return AppendRepr(in, value, &text) ? in.NewString(std::move(text)) : Value::Failed();
}

namespace {

void AppendJsonString(std::string_view text, bool ensure_ascii, std::string* out) {
  out->push_back('"');
  size_t plain = 0;  // start of what needs no escape
  const auto flush = [&](size_t end) { out->append(text.substr(plain, end - plain)); };
  for (size_t i = 0; i < text.size();) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte >= 0x20 && byte != '"' && byte != '\\' && (!ensure_ascii || byte < 0x7F)) {
      ++i;
      continue;
    }
    flush(i);
    const Utf8Char c = byte < 0x80 ? Utf8Char{byte, 1, true} : DecodeUtf8(text, i);
    static constexpr std::string_view kShort = "\"\\\n\r\t\f\b";
    static constexpr std::string_view kNames = "\"\\nrtfb";
    if (const size_t known = kShort.find(static_cast<char>(byte));
        known != std::string_view::npos) {
      out->push_back('\\');
      out->push_back(kNames[known]);
    } else if (c.code_point < 0x10000) {
      *out += "\\u";
      AppendHex(c.code_point, 4, out);
    } else {
      *out += "\\u";
      AppendHex(0xD800 + ((c.code_point - 0x10000) >> 10), 4, out);
      *out += "\\u";
      AppendHex(0xDC00 + ((c.code_point - 0x10000) & 0x3FF), 4, out);
    }
    i += c.length;
    plain = i;
  }
  flush(text.size());
  out->push_back('"');
}

void AppendJsonFloat(double value, std::string* out) {
  if (std::isfinite(value)) return AppendFloat(value, out);
  *out += std::isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
}

class JsonWriter {
 public:
  JsonWriter(Interpreter& in, const JsonStyle& style, std::string* out)
      : in_(in), style_(style), out_(out) {}

  bool Write(const Value& value) {
    if (!in_.Spend()) return false;
    switch (value.kind()) {
      case Kind::kNone:
        *out_ += "null";
        return true;
      case Kind::kBool:
        *out_ += value.boolean() ? "true" : "false";
        return true;
      case Kind::kInt:
        AppendInteger(value.integer(), out_);
        return true;
      case Kind::kFloat:
        AppendJsonFloat(value.real(), out_);
        return true;
      case Kind::kString:
        AppendJsonString(value.text(), style_.ensure_ascii, out_);
        return in_.Spend(value.text().size());
      case Kind::kList:
      case Kind::kTuple:
        return WriteList(value.As<ListObject>()->items);
      case Kind::kDict:
        return WriteDict(*value.As<DictObject>());
      default:
        break;
    }
    in_.Fail("TypeError: Object of type " + std::string(TypeName(value)) +
             " is not JSON serializable");
    return false;
  }

 private:
  void NewLine() {
    if (!style_.indent) return;
    out_->push_back('\n');
    for (int i = 0; i < level_; ++i) *out_ += *style_.indent;
  }

  // Opens a container, lets `items` write, closes it.
  template <typename Items>
  bool Nest(char open, char close, bool empty, Items items) {
    const Interpreter::Depth depth(in_);
    if (!depth.ok() || !in_.Reserve(out_->size())) return false;
    out_->push_back(open);
    if (!empty) {
      ++level_;
      NewLine();
      if (!items()) return false;
      --level_;
      NewLine();
    }
    out_->push_back(close);
    return true;
  }
  void Separate(bool first) {
    if (first) return;
    *out_ += style_.item_separator;
    NewLine();
  }

  bool WriteList(const std::vector<Value>& items) {
    return Nest('[', ']', items.empty(), [&] {
      for (size_t i = 0; i < items.size(); ++i) {
        Separate(i == 0);
        if (!Write(items[i])) return false;
      }
      return true;
    });
  }

  bool WriteDict(const DictObject& dict) {
    std::vector<const DictObject::Item*> items;
    items.reserve(dict.items.size());
    for (const auto& item : dict.items) items.push_back(&item);
    if (style_.sort_keys) {
      StableSort(&items, [&](const auto* a, const auto* b) {
        int order = 0;
        return Order(in_, "<", a->first, b->first, &order) && order < 0;
      });
      if (in_.failed()) return false;
    }
    return Nest('{', '}', items.empty(), [&] {
      for (size_t i = 0; i < items.size(); ++i) {
        Separate(i == 0);
        if (!WriteKey(items[i]->first)) return false;
        *out_ += style_.key_separator;
        if (!Write(items[i]->second)) return false;
      }
      return true;
    });
  }

  bool WriteKey(const Value& key) {
    if (key.Is(Kind::kString)) return Write(key);
    if (!key.IsNumber() && !key.Is(Kind::kNone)) {
      in_.Fail("TypeError: keys must be str, int, float, bool or None, not " +
               std::string(TypeName(key)));
      return false;
    }
    out_->push_back('"');
    const bool ok = Write(key);
    out_->push_back('"');
    return ok;
  }

  Interpreter& in_;
  const JsonStyle& style_;
  std::string* out_;
  int level_ = 0;
};

}  // namespace

bool AppendJson(Interpreter& in, const Value& value, const JsonStyle& style, std::string* out) {
  return JsonWriter(in, style, out).Write(value);
}

namespace {

// Digits with single underscores between them removed; nothing when they are misplaced.
std::optional<std::string> DropUnderscores(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      out.push_back(text[i]);
    } else if (i == 0 || i + 1 == text.size() || text[i - 1] == '_' || text[i + 1] == '_') {
      return std::nullopt;
    }
  }
  return out;
}

int DigitOf(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'z' ? lower - 'a' + 10 : 99;
}

}  // namespace

std::optional<Int> ParseInteger(std::string_view text, int base, bool* overflow) {
  *overflow = false;
  text = Strip(text, Side::kBoth);
  bool negative = false;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    negative = text[0] == '-';
    text.remove_prefix(1);
  }
  if (text.size() > 2 && text[0] == '0') {
    const char prefix = static_cast<char>(text[1] | 0x20);
    const int named = prefix == 'x' ? 16 : prefix == 'o' ? 8 : prefix == 'b' ? 2 : 0;
    if (named != 0 && (base == 0 || base == named)) {
      base = named;
      text.remove_prefix(text[2] == '_' ? 3 : 2);
    }
  }
  if (base == 0) base = 10;
  const std::optional<std::string> digits = DropUnderscores(text);
  if (!digits || digits->empty()) return std::nullopt;
  Int value = 0;
  for (const char c : *digits) {
    const int digit = DigitOf(c);
    if (digit >= base) return std::nullopt;
    *overflow = *overflow || __builtin_mul_overflow(value, Int{base}, &value) ||
                __builtin_add_overflow(value, Int{digit}, &value);
  }
  if (*overflow) return Int{0};
  return negative ? -value : value;
}

std::optional<double> ParseFloat(std::string_view text) {
  const std::optional<std::string> cleaned = DropUnderscores(Strip(text, Side::kBoth));
  if (!cleaned || cleaned->empty()) return std::nullopt;
  const bool negative = (*cleaned)[0] == '-';
  const std::string digits = cleaned->substr(negative || (*cleaned)[0] == '+' ? 1 : 0);
  if (digits.empty() || digits[0] == '-') return std::nullopt;
  double value = 0;
  const char* end = digits.data() + digits.size();
  const auto result = std::from_chars(digits.data(), end, value, std::chars_format::general);
  if (result.ptr != end || result.ec == std::errc::invalid_argument) return std::nullopt;
  if (result.ec == std::errc::result_out_of_range) value = std::strtod(digits.c_str(), nullptr);
  if (digits.find('(') != std::string::npos) return std::nullopt;  // nan(...)
  return negative ? -value : value;
}

bool ToIndex(Interpreter& in, const Value& value, int64_t* out) {
  if (value.undefined()) {
    in.FailUndefined(value);
    return false;
  }
  if (!value.IsInteger()) {
    in.Fail("TypeError: '" + std::string(TypeName(value)) +
            "' object cannot be interpreted as an integer");
    return false;
  }
  const Int number = value.integer();
  *out = static_cast<int64_t>(number);
  if (number == *out) return true;
  in.Fail("OverflowError: Python int too large to convert to C ssize_t");
  return false;
}

Value FollowPath(Interpreter& in, Value item, const Value& path) {
  if (path.Is(Kind::kNone) || path.missing()) return item;
  if (!path.Is(Kind::kString)) return in.GetItem(item, path);
  std::string_view rest = path.text();
  while (!item.failed()) {
    const size_t dot = rest.find('.');
    const std::string_view part = rest.substr(0, dot);
    const bool is_number = !part.empty() && std::all_of(part.begin(), part.end(), [](char c) {
      return c >= '0' && c <= '9';
    });
    bool overflow = false;
    const std::optional<Int> index = is_number ? ParseInteger(part, 10, &overflow) : std::nullopt;
    item = in.GetItem(item, index && !overflow ? Value::Integer(*index) : path.Part(part));
    if (dot == std::string_view::npos) break;
    rest.remove_prefix(dot + 1);
  }
  return item;
}

}  // namespace ac::jinja
