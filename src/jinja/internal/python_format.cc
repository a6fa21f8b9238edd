// Text formatting as Python has it: the % operator and str.format with its format specifications.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "jinja/internal/operations.h"
#include "jinja/internal/text.h"

namespace ac::jinja {
namespace {

// Widths beyond this are an attack; precisions beyond it have no digits to show.
constexpr int64_t kMaxWidth = 1 << 20;
constexpr int64_t kMaxPrecision = 1000;

// What both notations come down to.
struct Spec {
  std::string fill = " ";
  char align = '\0';  // < > ^ =
  char sign = '-';    // - + or space
  bool alternate = false;
  int64_t width = 0;
  char group = '\0';  // , or _
  int64_t precision = -1;
  char type = '\0';
};

std::string Padded(std::string text, const Spec& spec, char default_align, size_t prefix) {
  const auto length = static_cast<int64_t>(CountCodePoints(text));
  if (length >= spec.width) return text;
  const auto missing = static_cast<size_t>(spec.width - length);
  const char align = spec.align == '\0' ? default_align : spec.align;
  size_t left = 0;  // how much of the padding stands before
  if (align == '>' || align == '=') left = missing;
  if (align == '^') left = missing / 2;
  std::string out;
  if (align == '=') out = text.substr(0, prefix);
  for (size_t i = 0; i < left; ++i) out += spec.fill;
  out += align == '=' ? text.substr(prefix) : text;
  for (size_t i = left; i < missing; ++i) out += spec.fill;
  return out;
}

std::string Grouped(std::string_view digits, char separator, size_t size) {
  std::string out;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % size == 0) out.push_back(separator);
    out.push_back(digits[i]);
  }
  return out;
}

std::string InBase(unsigned __int128 value, unsigned base, bool upper) {
  const char* digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
  std::string out;
  do {
    const auto digit = static_cast<size_t>(value % base);
    out.push_back(digits[digit]);
    value /= base;
  } while (value != 0);
  std::reverse(out.begin(), out.end());
  return out;
}

// Zeros before the digits count as digits when they are grouped: 0,001.
std::string ZeroExtended(std::string digits, const Spec& spec, size_t prefix, size_t group_size,
                         std::string_view tail) {
  if (spec.group == '\0') return digits;
  const bool extends = spec.align == '=' && spec.fill == "0";
  std::string grouped = Grouped(digits, spec.group, group_size);
  while (extends && static_cast<int64_t>(prefix + grouped.size() + tail.size()) < spec.width) {
    digits.insert(0, "0");
    grouped = Grouped(digits, spec.group, group_size);
  }
  return grouped;
}

std::string SignOf(bool negative, const Spec& spec) {
  return negative ? "-" : spec.sign == '-' ? "" : std::string(1, spec.sign);
}

std::string FormatInteger(Int value, const Spec& spec) {
  const auto magnitude =
      value < 0 ? -static_cast<unsigned __int128>(value) : static_cast<unsigned __int128>(value);
  const unsigned base = spec.type == 'x' || spec.type == 'X' ? 16
                        : spec.type == 'o'                   ? 8
                        : spec.type == 'b'                   ? 2
                                                             : 10;
  std::string prefix = SignOf(value < 0, spec);
  if (spec.alternate && base != 10) prefix += std::string("0") + spec.type;
  std::string digits = InBase(magnitude, base, spec.type == 'X');
  // In the % notation a precision is the least number of digits.
  if (spec.precision > static_cast<int64_t>(digits.size())) {
    digits.insert(0, static_cast<size_t>(spec.precision) - digits.size(), '0');
  }
  digits = ZeroExtended(std::move(digits), spec, prefix.size(), base == 10 ? 3 : 4, "");
  return Padded(prefix + digits, spec, '>', prefix.size());
}

std::string Print(const char* format, int precision, double value) {
  const int size = std::snprintf(nullptr, 0, format, precision, value);
  std::string out(static_cast<size_t>(size) + 1, '\0');
  std::snprintf(out.data(), out.size(), format, precision, value);
  out.pop_back();
  return out;
}

// The digits of a magnitude, without sign or padding.
std::string RealDigits(double value, const Spec& spec) {
  const bool upper = spec.type == 'E' || spec.type == 'F' || spec.type == 'G';
  if (!std::isfinite(value)) {
    const char* name = std::isnan(value) ? (upper ? "NAN" : "nan") : (upper ? "INF" : "inf");
    return spec.type == '%' ? std::string(name) + "%" : name;
  }
  const int precision = spec.precision < 0 ? 6 : static_cast<int>(spec.precision);
  switch (spec.type) {
    case 'e':
      return Print(spec.alternate ? "%#.*e" : "%.*e", precision, value);
    case 'E':
      return Print(spec.alternate ? "%#.*E" : "%.*E", precision, value);
    case 'f':
    case 'F':
      return Print(spec.alternate ? "%#.*f" : "%.*f", precision, value);
    case 'g':
      return Print(spec.alternate ? "%#.*g" : "%.*g", precision, value);
    case 'G':
      return Print(spec.alternate ? "%#.*G" : "%.*G", precision, value);
    case '%':
      return Print("%.*f", precision, value * 100) + "%";
    default:
      break;
  }
  std::string out;
  if (spec.precision < 0) {
    AppendFloat(value, &out);
    return out;
  }
  // Like g, but with at least one digit after the point and scientific from the precision on.
  const int digits = std::max(precision, 1);
  const int exponent = value == 0
                           ? 0
                           : std::stoi(Print("%.*e", digits - 1, value)
                                           .substr(Print("%.*e", digits - 1, value).find('e') + 1));
  out = Print("%.*g", digits, value);
  if (exponent >= digits - 1 && exponent >= -4 && exponent < digits &&
      out.find('e') == std::string::npos && digits > 1) {
    return out + ".0";
  }
  if (exponent == digits - 1 && digits == 1) return Print("%.*e", 0, value);
  if (out.find_first_of(".e") == std::string::npos) out += ".0";
  return out;
}

std::string FormatReal(double value, const Spec& spec) {
  const std::string prefix = SignOf(std::signbit(value) && !std::isnan(value), spec);
  std::string digits = RealDigits(std::fabs(value), spec);
  const size_t whole = std::min(digits.find_first_not_of("0123456789"), digits.size());
  const std::string tail = digits.substr(whole);
  digits = ZeroExtended(digits.substr(0, whole), spec, prefix.size(), 3, tail) + tail;
  return Padded(prefix + digits, spec, '>', prefix.size());
}

std::string FormatText(std::string_view text, const Spec& spec) {
  if (spec.precision >= 0)
    text = text.substr(0, ByteOffset(text, static_cast<size_t>(spec.precision)));
  return Padded(std::string(text), spec, '<', 0);
}

bool CheckSizes(Interpreter& in, const Spec& spec) {
  if (spec.width <= kMaxWidth &&
      spec.precision <= (spec.type == 's' || spec.type == '\0' ? kMaxWidth : kMaxPrecision)) {
    return in.Spend(static_cast<size_t>(std::max<int64_t>(spec.width, 0)) * spec.fill.size());
  }
  in.Fail("ValueError: format width or precision too large");
  return false;
}

// Escapes what goes into markup, unless it is markup itself.
Value ForMarkup(Interpreter& in, bool markup, const Value& text) {
  if (!markup || text.failed() || text.safe()) return text;
  return in.NewString(EscapeHtml(text.text())).Safe(true);
}

int64_t ReadNumber(std::string_view text, size_t* at) {
  int64_t value = 0;
  while (*at < text.size() && text[*at] >= '0' && text[*at] <= '9') {
    value = std::min<int64_t>(value * 10 + (text[(*at)++] - '0'), kMaxWidth + 1);
  }
  return value;
}

bool IsCharacter(Int code_point) {
  return code_point >= 0 && code_point < 0x110000 && (code_point < 0xD800 || code_point > 0xDFFF);
}

// "%(name)-10.3f" and the like, applied to a tuple, a mapping or one value.
class PercentFormatter {
 public:
  PercentFormatter(Interpreter& in, const Value& format, const Value& arguments)
      : in_(in), format_(format.text()), markup_(format.safe()), arguments_(arguments) {
    is_tuple_ = arguments.Is(Kind::kTuple);
    // Python takes whatever can be subscripted for a mapping, undefined too.
    is_mapping_ = arguments.undefined() || arguments.Is(Kind::kDict) || arguments.Is(Kind::kList) ||
                  arguments.Is(Kind::kRange);
  }

  Value Run() {
    while (at_ < format_.size()) {
      const size_t percent = std::min(format_.find('%', at_), format_.size());
      out_ += format_.substr(at_, percent - at_);
      at_ = percent + 1;
      if (percent < format_.size() && !Convert()) return Value::Failed();
      if (!in_.Spend() || !in_.Reserve(out_.size())) return Value::Failed();
    }
    const size_t available = is_tuple_ ? arguments_.As<ListObject>()->items.size() : 1;
    if (!is_mapping_ && next_ < available) {
      return in_.Fail("TypeError: not all arguments converted during string formatting");
    }
    return in_.NewString(std::move(out_)).Safe(markup_);
  }

 private:
  bool Fail(std::string what) {
    in_.Fail(std::move(what));
    return false;
  }

  bool NextArgument(Value* out) {
    if (named_) {
      *out = *named_;
      named_.reset();
      return true;
    }
    if (is_tuple_) {
      const auto& items = arguments_.As<ListObject>()->items;
      if (next_ >= items.size()) return Fail("TypeError: not enough arguments for format string");
      *out = items[next_++];
      return true;
    }
    if (next_++ > 0) return Fail("TypeError: not enough arguments for format string");
    *out = arguments_;
    return true;
  }

  bool ReadName() {
    if (at_ >= format_.size() || format_[at_] != '(') return true;
    if (!arguments_.Is(Kind::kDict)) return Fail("TypeError: format requires a mapping");
    int depth = 1;
    const size_t start = ++at_;
    for (; at_ < format_.size() && depth > 0; ++at_)
      depth += format_[at_] == '(' ? 1 : format_[at_] == ')' ? -1 : 0;
    if (depth > 0) return Fail("ValueError: incomplete format key");
    const std::string_view name = format_.substr(start, at_ - 1 - start);
    const Value* found = arguments_.As<DictObject>()->Find(name);
    if (found == nullptr) return Fail("KeyError: '" + std::string(name) + "'");
    named_ = *found;
    return true;
  }

  bool ReadSize(int64_t* out) {
    if (at_ < format_.size() && format_[at_] == '*') {
      ++at_;
      Value size;
      return NextArgument(&size) && ToIndex(in_, size, out);
    }
    *out = ReadNumber(format_, &at_);
    return true;
  }

  bool Convert() {
    Spec spec;
    if (!ReadName()) return false;
    for (; at_ < format_.size(); ++at_) {
      const char flag = format_[at_];
      if (flag == '-') {
        spec.align = '<';
      } else if (flag == '+' || (flag == ' ' && spec.sign != '+')) {
        spec.sign = flag;
      } else if (flag == '0') {
        spec.fill = "0";
      } else if (flag == '#') {
        spec.alternate = true;
      } else if (flag != ' ') {
        break;
      }
    }
    if (!ReadSize(&spec.width)) return false;
    if (spec.width < 0) {
      spec.align = '<';
      spec.width = -std::max(spec.width, -kMaxWidth - 1);
    }
    if (at_ < format_.size() && format_[at_] == '.') {
      ++at_;
      if (!ReadSize(&spec.precision)) return false;
      spec.precision = std::max<int64_t>(spec.precision, 0);
    }
    while (at_ < format_.size() &&
           (format_[at_] == 'h' || format_[at_] == 'l' || format_[at_] == 'L'))
      ++at_;
    if (at_ >= format_.size()) return Fail("ValueError: incomplete format");
    spec.type = format_[at_++];
    if (spec.type == '%') {
      out_.push_back('%');
      return true;
    }
    Value value;
    return NextArgument(&value) && Apply(&spec, value);
  }

  bool Apply(Spec* spec, const Value& value) {
    const char type = spec->type;
    if (std::string_view("sra").find(type) != std::string_view::npos)
      return ApplyText(*spec, value);
    if (type == 'c') return ApplyCharacter(*spec, value);
    // Left alignment makes zeros pointless.
    if (spec->align == '<') spec->fill = " ";
    if (spec->fill == "0") spec->align = '=';
    if (!CheckSizes(in_, *spec)) return false;
    const bool is_integer = std::string_view("diuxXo").find(type) != std::string_view::npos;
    const bool is_real = std::string_view("eEfFgG").find(type) != std::string_view::npos;
    if (!is_integer && !is_real) {
      return Fail("ValueError: unsupported format character '" + std::string(1, type) + "'");
    }
    if (value.undefined()) {
      in_.FailUndefined(value);
      return false;
    }
    const bool decimal = type == 'd' || type == 'i' || type == 'u';
    if (!value.IsNumber() || (is_integer && !decimal && value.Is(Kind::kFloat))) {
      return Fail("TypeError: %" + std::string(1, type) + " format: a number is required, not " +
                  std::string(TypeName(value)));
    }
    if (is_real) {
      out_ += FormatReal(
          value.Is(Kind::kFloat) ? value.real() : static_cast<double>(value.integer()), *spec);
      return true;
    }
    if (value.Is(Kind::kFloat) && !(std::fabs(value.real()) < 1.7e38)) {
      return Fail("OverflowError: cannot convert float to integer");
    }
    out_ += FormatInteger(value.Is(Kind::kFloat) ? static_cast<Int>(value.real()) : value.integer(),
                          *spec);
    return true;
  }

  bool ApplyText(Spec spec, const Value& value) {
    spec.fill = " ";
    if (spec.align == '\0') spec.align = '>';
    const char type = std::exchange(spec.type, 's');
    Value text = type == 's' ? ToSoftString(in_, value) : Value();
    if (type != 's') {
      std::string repr;
      if (!AppendRepr(in_, value, &repr)) return false;
      text = in_.NewString(std::move(repr));
    }
    text = ForMarkup(in_, markup_, text);
    if (text.failed() || !CheckSizes(in_, spec)) return false;
    out_ += FormatText(text.text(), spec);
    return true;
  }

  bool ApplyCharacter(Spec spec, const Value& value) {
    std::string character;
    if (value.IsInteger() && IsCharacter(value.integer())) {
      AppendUtf8(static_cast<uint32_t>(value.integer()), &character);
    } else if (value.Is(Kind::kString) && CountCodePoints(value.text()) == 1) {
      character = value.text();
    } else {
      return Fail("TypeError: %c requires int or char");
    }
    spec.fill = " ";
    spec.precision = -1;
    if (spec.align == '\0') spec.align = '>';
    if (!CheckSizes(in_, spec)) return false;
    out_ += FormatText(character, spec);
    return true;
  }

  Interpreter& in_;
  const std::string_view format_;
  const bool markup_;
  const Value& arguments_;
  bool is_tuple_ = false, is_mapping_ = false;
  size_t at_ = 0, next_ = 0;
  std::optional<Value> named_;
  std::string out_;
};

bool ParseSpec(Interpreter& in, std::string_view text, Spec* spec) {
  size_t at = 0;
  const auto is_align = [](char c) { return c == '<' || c == '>' || c == '^' || c == '='; };
  if (!text.empty()) {
    const size_t first = DecodeUtf8(text, 0).length;
    if (first < text.size() && is_align(text[first])) {
      spec->fill = text.substr(0, first);
      spec->align = text[first];
      at = first + 1;
    } else if (is_align(text[0])) {
      spec->align = text[0];
      at = 1;
    }
  }
  const auto peek = [&] { return at < text.size() ? text[at] : '\0'; };
  if (peek() == '+' || peek() == '-' || peek() == ' ') spec->sign = text[at++];
  if (peek() == '#') {
    spec->alternate = true;
    ++at;
  }
  if (peek() == '0') {
    if (spec->align == '\0') {
      spec->fill = "0";
      spec->align = '=';
    }
    ++at;
  }
  spec->width = ReadNumber(text, &at);
  if (peek() == ',' || peek() == '_') spec->group = text[at++];
  if (peek() == '.') {
    const size_t digits = ++at;
    spec->precision = ReadNumber(text, &at);
    if (at == digits) {
      in.Fail("ValueError: Format specifier missing precision");
      return false;
    }
  }
  if (at < text.size()) spec->type = text[at++];
  if (at == text.size()) return CheckSizes(in, *spec);
  in.Fail("ValueError: Invalid format specifier '" + std::string(text) + "'");
  return false;
}

Value FormatCharacter(Interpreter& in, Int code_point, const Spec& spec) {
  if (!IsCharacter(code_point)) return in.Fail("OverflowError: %c arg not in range(0x110000)");
  std::string character;
  AppendUtf8(static_cast<uint32_t>(code_point), &character);
  return in.NewString(FormatText(character, spec));
}

// format(value, spec)
Value FormatValue(Interpreter& in, const Value& value, std::string_view spec_text) {
  if (spec_text.empty()) return ToSoftString(in, value);
  Spec spec;
  if (!ParseSpec(in, spec_text, &spec)) return Value::Failed();
  const auto wrong = [&] {
    return in.Fail("ValueError: Unknown format code '" + std::string(1, spec.type) +
                   "' for object of type '" + std::string(TypeName(value)) + "'");
  };
  const bool for_real =
      spec.type != '\0' && std::string_view("eEfFgG%").find(spec.type) != std::string_view::npos;
  if (value.Is(Kind::kString)) {
    if (spec.type != '\0' && spec.type != 's') return wrong();
    if (spec.align == '=' && spec.fill != "0")
      return in.Fail("ValueError: '=' alignment not allowed in string format specifier");
    if (spec.align == '=') spec.align = '<';
    return in.NewString(FormatText(value.text(), spec));
  }
  if (value.IsInteger() && !for_real) {
    if (spec.type == 'c') return FormatCharacter(in, value.integer(), spec);
    if (spec.precision >= 0)
      return in.Fail("ValueError: Precision not allowed in integer format specifier");
    if (spec.type != '\0' && std::string_view("bdnoxX").find(spec.type) == std::string_view::npos)
      return wrong();
    return in.NewString(FormatInteger(value.integer(), spec));
  }
  if (value.IsNumber()) {
    if (!for_real && spec.type != '\0' && spec.type != 'n') return wrong();
    if (spec.type == 'n') spec.type = 'g';
    return in.NewString(FormatReal(
        value.Is(Kind::kFloat) ? value.real() : static_cast<double>(value.integer()), spec));
  }
  return in.Fail("TypeError: unsupported format string passed to " + std::string(TypeName(value)) +
                 ".__format__");
}

// "{0.name[key]!r:>{width}}" and the like.
class BraceFormatter {
 public:
  BraceFormatter(Interpreter& in, bool markup, const CallArguments& arguments)
      : in_(in), markup_(markup), arguments_(arguments) {}

  bool Run(std::string_view format, int nesting, std::string* out) {
    if (nesting > 2) return Fail("ValueError: Max string recursion exceeded");
    for (size_t i = 0; i < format.size();) {
      const size_t brace = std::min(format.find_first_of("{}", i), format.size());
      *out += format.substr(i, brace - i);
      i = brace + 1;
      if (brace == format.size()) break;
      if (i < format.size() && format[i] == format[brace]) {
        out->push_back(format[i++]);
        continue;
      }
      if (format[brace] == '}') return Fail("ValueError: Single '}' encountered in format string");
      int depth = 1;
      const size_t start = i;
      for (; i < format.size() && depth > 0; ++i)
        depth += format[i] == '{' ? 1 : format[i] == '}' ? -1 : 0;
      if (depth > 0) return Fail("ValueError: expected '}' before end of string");
      if (!Field(format.substr(start, i - 1 - start), nesting, out)) return false;
      if (!in_.Spend() || !in_.Reserve(out->size())) return false;
    }
    return true;
  }

 private:
  bool Fail(std::string what) {
    in_.Fail(std::move(what));
    return false;
  }

  bool Field(std::string_view field, int nesting, std::string* out) {
    size_t end = 0;  // of the name: '!' and ':' inside brackets belong to it
    bool bracket = false;
    while (end < field.size() && (bracket || (field[end] != '!' && field[end] != ':'))) {
      if (field[end] == '[') bracket = true;
      if (field[end] == ']') bracket = false;
      ++end;
    }
    Value value;
    if (!Lookup(field.substr(0, end), &value)) return false;
    std::string_view rest = field.substr(end);
    if (!rest.empty() && rest[0] == '!') {
      if (rest.size() < 2 || (rest.size() > 2 && rest[2] != ':'))
        return Fail("ValueError: expected ':' after conversion specifier");
      if (!ConvertValue(rest[1], &value)) return false;
      rest.remove_prefix(2);
    }
    std::string spec;
    if (!rest.empty() && !Run(rest.substr(1), nesting + 1, &spec)) return false;
    const Value text = ForMarkup(in_, markup_, FormatValue(in_, value, spec));
    if (text.failed()) return false;
    *out += text.text();
    return true;
  }

  bool ConvertValue(char conversion, Value* value) {
    if (conversion == 's') {
      *value = ToString(in_, *value);
    } else if (conversion == 'r' || conversion == 'a') {
      std::string repr;
      if (!AppendRepr(in_, *value, &repr)) return false;
      *value = in_.NewString(std::move(repr));
    } else {
      return Fail("ValueError: Unknown conversion specifier " + std::string(1, conversion));
    }
    return !in_.failed();
  }

  bool Lookup(std::string_view name, Value* out) {
    const size_t end = std::min(name.find_first_of(".["), name.size());
    const std::string_view first = name.substr(0, end);
    bool overflow = false;
    std::optional<Int> index;
    if (first.empty()) {
      index = next_++;
    } else if (first[0] >= '0' && first[0] <= '9') {
      index = ParseInteger(first, 10, &overflow);
    }
    if (index) {
      if (overflow || *index >= static_cast<Int>(arguments_.positional.size())) {
        return Fail("IndexError: Replacement index out of range for positional args tuple");
      }
      *out = arguments_.positional[static_cast<size_t>(*index)];
    } else {
      const auto found =
          std::find_if(arguments_.named.begin(), arguments_.named.end(),
                       [&](const auto& entry) { return entry.first.text() == first; });
      if (found == arguments_.named.end()) return Fail("KeyError: '" + std::string(first) + "'");
      *out = found->second;
    }
    return Follow(name.substr(end), out);
  }

  bool Follow(std::string_view path, Value* value) {
    while (!path.empty()) {
      const bool is_item = path[0] == '[';
      const size_t end =
          is_item ? path.find(']') : std::min(path.find_first_of(".[", 1), path.size());
      if (end == std::string_view::npos) return Fail("ValueError: Missing ']' in format string");
      const std::string_view part = path.substr(1, end - 1);
      if (part.empty()) return Fail("ValueError: Empty attribute in format string");
      bool overflow = false;
      const bool digits = is_item && part[0] >= '0' && part[0] <= '9';
      const std::optional<Int> index = digits ? ParseInteger(part, 10, &overflow) : std::nullopt;
      const Value name =
          index && !overflow ? Value::Integer(*index) : in_.NewString(std::string(part));
      if (in_.failed()) return false;
      *value = is_item ? in_.GetItem(*value, name) : in_.GetAttribute(*value, name);
      if (in_.failed()) return false;
      path.remove_prefix(end + (is_item ? 1 : 0));
    }
    return true;
  }

  Interpreter& in_;
  const bool markup_;
  const CallArguments& arguments_;
  Int next_ = 0;
};

}  // namespace

Value FormatPercent(Interpreter& in, const Value& format, const Value& arguments) {
  if (format.failed() || arguments.failed()) return Value::Failed();
  return PercentFormatter(in, format, arguments).Run();
}

Value FormatMethod(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::string out;
  if (!BraceFormatter(in, self.safe(), arguments).Run(self.text(), 0, &out)) return Value::Failed();
  return in.NewString(std::move(out)).Safe(self.safe());
}

Value FormatMapMethod(Interpreter& in, const Value& self, CallArguments& arguments) {
  if (arguments.positional.size() != 1 || !arguments.named.empty()) {
    return in.Fail("TypeError: format_map() takes exactly one argument");
  }
  const Value mapping = arguments.positional[0];
  if (!mapping.Is(Kind::kDict)) return in.Fail("TypeError: format_map() needs a mapping");
  CallArguments named;
  for (const auto& [key, value] : mapping.As<DictObject>()->items) {
    if (key.Is(Kind::kString)) named.named.emplace_back(key, value);
  }
  return FormatMethod(in, self, named);
}

}  // namespace ac::jinja
