// Filters over single values: defaults, numbers, JSON.
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "jinja/internal/operations.h"
#include "jinja/internal/text.h"

namespace ac::jinja {
namespace {

Value Default(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given;
  if (!arguments.Bind(in, "default", {"default_value", "boolean"}, &given)) return Value::Failed();
  if (!self.undefined() && !(Truth(given[1]) && !Truth(self))) return self;
  return given[0].missing() ? Value::Borrowed("") : given[0];
}

Value IntFromFloat(Interpreter& in, double real, const Value& fallback) {
  if (std::isnan(real)) return fallback;
  if (std::isinf(real)) return in.Fail("OverflowError: cannot convert float infinity to integer");
  constexpr double kLimit = 1.7e38;  // just inside 128 bits
  if (std::fabs(real) > kLimit)
    return in.Fail("OverflowError: integers beyond 128 bits are not supported");
  return Value::Integer(static_cast<Int>(real));
}

Value ToInt(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given;
  if (!arguments.Bind(in, "int", {"default", "base"}, &given)) return Value::Failed();
  const Value& fallback = given[0];
  if (fallback.missing()) given[0] = Value::Integer(0);
  int64_t base = 10;
  if (!given[1].missing() && !ToIndex(in, given[1], &base)) return Value::Failed();
  if (self.undefined()) return in.FailUndefined(self);
  if (self.IsInteger()) return Value::Integer(self.integer());
  if (self.Is(Kind::kFloat)) return IntFromFloat(in, self.real(), fallback);
  if (!self.Is(Kind::kString)) return fallback;
  bool overflow = false;
  const bool base_ok = base == 0 || (base >= 2 && base <= 36);
  if (base_ok) {
    const std::optional<Int> number = ParseInteger(self.text(), static_cast<int>(base), &overflow);
    if (overflow) return in.Fail("OverflowError: integers beyond 128 bits are not supported");
    if (number) return Value::Integer(*number);
  }
  const std::optional<double> real = ParseFloat(self.text());
  return real ? IntFromFloat(in, *real, fallback) : fallback;
}

Value ToFloat(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given;
  if (!arguments.Bind(in, "float", {"default"}, &given)) return Value::Failed();
  if (self.undefined()) return in.FailUndefined(self);
  if (self.Is(Kind::kFloat)) return self;
  if (self.IsInteger()) return Value::Float(static_cast<double>(self.integer()));
  const std::optional<double> real =
      self.Is(Kind::kString) ? ParseFloat(self.text()) : std::nullopt;
  if (real) return Value::Float(*real);
  return given[0].missing() ? Value::Float(0) : given[0];
}

Value Abs(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given;
  if (!arguments.Bind(in, "abs", {}, &given)) return Value::Failed();
  if (self.Is(Kind::kFloat)) return Value::Float(std::fabs(self.real()));
  if (self.IsInteger())
    return self.integer() < 0 ? Negate(in, self) : Value::Integer(self.integer());
  return in.Fail("TypeError: bad operand type for abs(): '" + std::string(TypeName(self)) + "'");
}

// round() of Python: halves go to the even neighbour of the exact binary value.
double RoundReal(double real, int64_t digits) {
  if (!std::isfinite(real) || digits > 300) return real;
  if (digits < -308) return std::copysign(0.0, real);
  if (digits < 0) {
    const double unit = std::pow(10.0, static_cast<double>(-digits));
    return std::nearbyint(real / unit) * unit;
  }
  std::array<char, 700> buffer;  // 309 digits, a point, 300 digits
  std::snprintf(buffer.data(), buffer.size(), "%.*f", static_cast<int>(digits), real);
  return std::strtod(buffer.data(), nullptr);
}

Value RoundInteger(Interpreter& in, Int number, int64_t digits) {
  if (digits >= 0) return Value::Integer(number);
  if (digits < -37) return Value::Integer(0);
  Int unit = 1;
  for (int64_t i = 0; i < -digits; ++i) unit *= 10;
  Int quotient = number / unit, rest = number % unit;
  if (rest < 0) {
    rest += unit;
    --quotient;
  }
  if (rest > unit / 2 || (rest == unit / 2 && quotient % 2 != 0)) ++quotient;
  return Arithmetic(in, ExprKind::kMultiply, Value::Integer(quotient), Value::Integer(unit));
}

Value Round(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given;
  if (!arguments.Bind(in, "round", {"precision", "method"}, &given)) return Value::Failed();
  int64_t digits = 0;
  if (!given[0].missing() && !ToIndex(in, given[0], &digits)) return Value::Failed();
  const std::string_view method = given[1].Is(Kind::kString) ? given[1].text()
                                  : given[1].missing()       ? "common"
                                                             : "";
  if (method != "common" && method != "ceil" && method != "floor") {
    return in.Fail("method must be common, ceil or floor");
  }
  if (!self.IsNumber()) {
    return in.Fail("TypeError: type " + std::string(TypeName(self)) +
                   " doesn't define __round__ method");
  }
  if (method == "common") {
    if (self.IsInteger()) return RoundInteger(in, self.integer(), digits);
    return Value::Float(RoundReal(self.real(), digits));
  }
  const double unit = std::pow(10.0, static_cast<double>(digits));
  const double real = self.Is(Kind::kFloat) ? self.real() : static_cast<double>(self.integer());
  const double scaled = real * unit;
  return Value::Float((method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / unit);
}

bool ReadSeparators(Interpreter& in, const Value& given, JsonStyle* style) {
  std::vector<Value> parts;
  if (!Collect(in, given, &parts)) return false;
  if (parts.size() != 2 || !parts[0].Is(Kind::kString) || !parts[1].Is(Kind::kString)) {
    in.Fail("ValueError: separators must be two texts: between items, and after keys");
    return false;
  }
  style->item_separator = parts[0].text();
  style->key_separator = parts[1].text();
  return true;
}

// Transformers' own tojson: json.dumps without HTML escaping, and with its options exposed.
Value ToJson(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given;
  if (!arguments.Bind(in, "tojson", {"ensure_ascii", "indent", "separators", "sort_keys"},
                      &given)) {
    return Value::Failed();
  }
  JsonStyle style;
  style.ensure_ascii = Truth(given[0]);
  style.sort_keys = Truth(given[3]);
  if (given[1].Is(Kind::kString)) {
    style.indent = std::string(given[1].text());
  } else if (!given[1].missing() && !given[1].Is(Kind::kNone)) {
    int64_t width = 0;
    if (!ToIndex(in, given[1], &width)) return Value::Failed();
    width = std::max<int64_t>(width, 0);
    if (!in.Reserve(static_cast<size_t>(width))) return Value::Failed();
    style.indent = std::string(static_cast<size_t>(width), ' ');
  }
  if (style.indent) style.item_separator = ",";
  if (!given[2].missing() && !given[2].Is(Kind::kNone) && !ReadSeparators(in, given[2], &style))
    return Value::Failed();
  std::string out;
  if (!AppendJson(in, self, style, &out)) return Value::Failed();
  return in.NewString(std::move(out));
}

// Like repr. Python's pprint also sorts keys and folds lines at 80 columns, which no prompt needs.
Value PrettyPrint(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given;
  std::string out;
  if (!arguments.Bind(in, "pprint", {}, &given) || !AppendRepr(in, self, &out))
    return Value::Failed();
  return in.NewString(std::move(out));
}

Value Attr(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given;
  if (!arguments.Bind(in, "attr", {"name"}, &given)) return Value::Failed();
  if (!given[0].Is(Kind::kString)) return in.Fail("TypeError: attribute name must be string");
  // Attributes only: items of a mapping do not count.
  if (self.Is(Kind::kDict) && FindMethod(Kind::kDict, given[0].text()) == nullptr) {
    return Value::Undefined(UndefinedReason::kAttribute, Kind::kDict, given[0]);
  }
  return in.GetAttribute(self, given[0]);
}

Value FileSize(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given;
  if (!arguments.Bind(in, "filesizeformat", {"binary"}, &given)) return Value::Failed();
  const bool binary = Truth(given[0]);
  CallArguments none;
  const Value number = ToFloat(in, self, none);
  if (number.failed()) return Value::Failed();
  const double bytes = number.real(), base = binary ? 1024 : 1000;
  if (bytes == 1) return Value::Borrowed("1 Byte");
  std::array<char, 400> out;
  if (bytes < base) {
    std::snprintf(out.data(), out.size(), "%.0f Bytes", std::trunc(bytes));
    return in.NewString(out.data());
  }
  static constexpr std::string_view kPrefixes = "kMGTPEZY";
  double unit = base;
  for (size_t i = 0; i < kPrefixes.size(); ++i) {
    unit *= base;
    if (bytes >= unit && i + 1 < kPrefixes.size()) continue;
    const char prefix = binary && i == 0 ? 'K' : kPrefixes[i];
    std::snprintf(out.data(), out.size(), "%.1f %c%sB", base * bytes / unit, prefix,
                  binary ? "i" : "");
    break;
  }
  return in.NewString(out.data());
}

constexpr Builtin kValueFilters[] = {
    {"abs", Abs},
    {"attr", Attr},
    {"d", Default},
    {"default", Default},
    {"filesizeformat", FileSize},
    {"float", ToFloat},
    {"int", ToInt},
    {"pprint", PrettyPrint},
    {"round", Round},
    {"tojson", ToJson},
};

}  // namespace

BuiltinTable ValueFilters() { return {std::begin(kValueFilters), std::end(kValueFilters)}; }

}  // namespace ac::jinja
