// Truth, equality, order, hashing and arithmetic as Python has them.
#include <algorithm>
#include <cmath>

#include "base/hash.h"
#include "jinja/internal/operations.h"
#include "jinja/internal/text.h"

namespace ac::jinja {
namespace {

// A tuple of more values than this, all levels counted, is no dict key. Also bounds the recursion.
constexpr int kMaxKeySize = 1000;
// long double represents every 64-bit integer exactly on the machines we build for.
using Wide = long double;

Wide WideOf(const Value& number) {
  return number.Is(Kind::kFloat) ? static_cast<Wide>(number.real())
                                 : static_cast<Wide>(number.integer());
}
double RealOf(const Value& number) {
  return number.Is(Kind::kFloat) ? number.real() : static_cast<double>(number.integer());
}

// -1, 0, 1, or nothing when a NaN is involved.
std::optional<int> CompareNumbers(const Value& a, const Value& b) {
  if (a.IsInteger() && b.IsInteger()) {
    const Int x = a.integer(), y = b.integer();
    return x < y ? -1 : x > y ? 1 : 0;
  }
  const Wide x = WideOf(a), y = WideOf(b);
  if (std::isnan(x) || std::isnan(y)) return std::nullopt;
  return x < y ? -1 : x > y ? 1 : 0;
}

bool SequencesEqual(Interpreter& in, const ListObject& a, const ListObject& b) {
  if (a.items.size() != b.items.size()) return false;
  for (size_t i = 0; i < a.items.size(); ++i) {
    if (!Equal(in, a.items[i], b.items[i])) return false;
  }
  return true;
}

bool DictsEqual(Interpreter& in, const DictObject& a, const DictObject& b) {
  if (a.items.size() != b.items.size()) return false;
  for (const auto& [key, value] : a.items) {
    const Value* other = b.Find(key);
    if (other == nullptr || !Equal(in, value, *other)) return false;
  }
  return true;
}

std::optional<size_t> HashWithin(const Value& value, int* budget) {
  if (--*budget < 0) return std::nullopt;
  switch (value.kind()) {
    case Kind::kList:
    case Kind::kDict:
    case Kind::kView:
      return std::nullopt;
    case Kind::kString:
      return Hash64(value.text());
    case Kind::kFloat: {
      const double real = value.real();
      if (real == std::floor(real) && std::fabs(real) < 1e18) {
        return HashWithin(Value::Integer(static_cast<Int>(real)), budget);
      }
      return Hash64(&real, sizeof real);
    }
    case Kind::kBool:
    case Kind::kInt: {
      const Int number = value.integer();
      return Hash64(&number, sizeof number);
    }
    case Kind::kTuple: {
      size_t hash = 1;
      for (const Value& item : value.As<ListObject>()->items) {
        const std::optional<size_t> inner = HashWithin(item, budget);
        if (!inner) return std::nullopt;
        hash = hash * 1000003 + *inner;
      }
      return hash;
    }
    default: {
      const auto address = reinterpret_cast<uintptr_t>(value.object());
      return Hash64(&address, sizeof address, static_cast<uint64_t>(value.kind()));
    }
  }
}

}  // namespace

std::string_view TypeName(Kind kind) {
  switch (kind) {
    case Kind::kMissing:
    case Kind::kFailed:
    case Kind::kUndefined:
      return "Undefined";
    case Kind::kNone:
      return "NoneType";
    case Kind::kBool:
      return "bool";
    case Kind::kInt:
      return "int";
    case Kind::kFloat:
      return "float";
    case Kind::kString:
      return "str";
    case Kind::kList:
      return "list";
    case Kind::kTuple:
      return "tuple";
    case Kind::kDict:
      return "dict";
    case Kind::kRange:
      return "range";
    case Kind::kView:
      return "dict_items";
    case Kind::kIterator:
      return "generator";
    case Kind::kNamespace:
      return "Namespace";
    case Kind::kFunction:
      return "function";
    case Kind::kMethod:
      return "builtin_function_or_method";
    case Kind::kMacro:
      return "Macro";
    case Kind::kLoop:
      return "LoopContext";
    case Kind::kCycler:
      return "Cycler";
    case Kind::kJoiner:
      return "Joiner";
  }
  return "object";
}

std::optional<Int> Length(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
      return 0;
    case Kind::kString:
      return static_cast<Int>(CountCodePoints(value.text()));
    case Kind::kList:
    case Kind::kTuple:
      return static_cast<Int>(value.As<ListObject>()->items.size());
    case Kind::kDict:
      return static_cast<Int>(value.As<DictObject>()->items.size());
    case Kind::kView:
      return Length(value.As<ViewObject>()->dict);
    case Kind::kRange:
      return value.As<RangeObject>()->length;
    default:
      return std::nullopt;
  }
}

Value LengthOrFail(Interpreter& in, const Value& value) {
  if (value.Is(Kind::kLoop)) return Value::Integer(value.As<LoopObject>()->Length(in));
  const std::optional<Int> length = Length(value);
  if (length) return Value::Integer(*length);
  return in.Fail("TypeError: object of type '" + std::string(TypeName(value)) + "' has no len()");
}

bool Truth(const Value& value) {
  switch (value.kind()) {
    case Kind::kMissing:
    case Kind::kFailed:
    case Kind::kUndefined:
    case Kind::kNone:
      return false;
    case Kind::kBool:
      return value.boolean();
    case Kind::kInt:
      return value.integer() != 0;
    case Kind::kFloat:
      return value.real() != 0;
    case Kind::kString:
      return !value.text().empty();
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kDict:
    case Kind::kView:
    case Kind::kRange:
      return *Length(value) != 0;
    default:
      return true;
  }
}

bool IsIterable(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
    case Kind::kString:
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kDict:
    case Kind::kRange:
    case Kind::kView:
    case Kind::kIterator:
      return true;
    default:
      return false;
  }
}

bool IsCallable(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
    case Kind::kFunction:
    case Kind::kMethod:
    case Kind::kMacro:
    case Kind::kLoop:
    case Kind::kJoiner:
      return true;
    default:
      return false;
  }
}

bool IsIdentical(const Value& a, const Value& b) {
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Kind::kNone:
      return true;
    case Kind::kBool:
      return a.boolean() == b.boolean();
    case Kind::kInt:
      return a.integer() == b.integer();
    case Kind::kFloat:
      return false;
    case Kind::kString:
      return a.text() == b.text() && a.safe() == b.safe();
    case Kind::kFunction:
      return a.function() == b.function();
    case Kind::kUndefined:
      return false;
    default:
      return a.object() == b.object();
  }
}

bool Equal(Interpreter& in, const Value& a, const Value& b) {
  if (a.IsNumber() && b.IsNumber()) return CompareNumbers(a, b) == 0;
  if (a.kind() != b.kind() || !in.Spend()) return false;
  switch (a.kind()) {
    case Kind::kUndefined:
    case Kind::kNone:
      return true;
    case Kind::kString:
      return a.text() == b.text();
    case Kind::kFunction:
      return a.function() == b.function();
    default:
      break;
  }
  if (a.object() == b.object()) return true;
  const Interpreter::Depth depth(in);
  if (!depth.ok()) return false;
  switch (a.kind()) {
    case Kind::kList:
    case Kind::kTuple:
      return SequencesEqual(in, *a.As<ListObject>(), *b.As<ListObject>());
    case Kind::kDict:
      return DictsEqual(in, *a.As<DictObject>(), *b.As<DictObject>());
    case Kind::kRange: {
      const auto *x = a.As<RangeObject>(), *y = b.As<RangeObject>();
      return x->length == y->length && (x->length == 0 || x->start == y->start) &&
             (x->length < 2 || x->step == y->step);
    }
    default:
      return false;
  }
}

bool Order(Interpreter& in, std::string_view op, const Value& a, const Value& b, int* order) {
  *order = 0;
  if (a.IsNumber() && b.IsNumber()) {
    // With a NaN every comparison is false.
    *order = CompareNumbers(a, b).value_or(op[0] == '<' ? 1 : -1);
    return true;
  }
  if (!in.Spend()) return false;
  if (a.Is(Kind::kString) && b.Is(Kind::kString)) {
    *order = a.text().compare(b.text());  // the order of UTF-8 bytes is that of code points
    return true;
  }
  if (a.undefined() || b.undefined()) {
    in.FailUndefined(a.undefined() ? a : b);
    return false;
  }
  if (a.kind() == b.kind() && (a.Is(Kind::kList) || a.Is(Kind::kTuple))) {
    const Interpreter::Depth depth(in);
    if (!depth.ok()) return false;
    const auto &x = a.As<ListObject>()->items, &y = b.As<ListObject>()->items;
    for (size_t i = 0; i < std::min(x.size(), y.size()); ++i) {
      if (Equal(in, x[i], y[i])) continue;
      return !in.failed() && Order(in, op, x[i], y[i], order);
    }
    *order = x.size() < y.size() ? -1 : x.size() > y.size() ? 1 : 0;
    return !in.failed();
  }
  in.Fail("TypeError: '" + std::string(op) + "' not supported between instances of '" +
          std::string(TypeName(a)) + "' and '" + std::string(TypeName(b)) + "'");
  return false;
}

Value Contains(Interpreter& in, const Value& container, const Value& item) {
  if (container.Is(Kind::kString)) {
    if (!item.Is(Kind::kString)) {
      if (item.undefined()) return in.FailUndefined(item);
      return in.Fail("TypeError: 'in <string>' requires string as left operand, not " +
                     std::string(TypeName(item)));
    }
    if (!in.Spend(container.text().size())) return Value::Failed();
    return Value::Bool(container.text().find(item.text()) != std::string_view::npos);
  }
  if (container.Is(Kind::kDict)) {
    if (!CheckHashable(in, item)) return Value::Failed();
    return Value::Bool(container.As<DictObject>()->Find(item) != nullptr);
  }
  if (container.Is(Kind::kRange) && item.IsInteger()) {
    const auto* range = container.As<RangeObject>();
    Int offset = 0;
    if (__builtin_sub_overflow(item.integer(), range->start, &offset)) return Value::Bool(false);
    return Value::Bool(offset % range->step == 0 && offset / range->step >= 0 &&
                       offset / range->step < range->length);
  }
  if (!IsIterable(container)) {
    return in.Fail("TypeError: argument of type '" + std::string(TypeName(container)) +
                   "' is not iterable");
  }
  Cursor cursor;
  cursor.Start(in, container);
  for (Value element; cursor.Next(in, &element);) {
    if (Equal(in, element, item)) return Value::Bool(true);
  }
  return in.failed() ? Value::Failed() : Value::Bool(false);
}

std::optional<size_t> HashOf(const Value& value) {
  int budget = kMaxKeySize;
  return HashWithin(value, &budget);
}

bool KeysEqual(const Value& a, const Value& b) {
  if (a.Is(Kind::kString) && b.Is(Kind::kString)) return a.text() == b.text();
  if (a.IsNumber() && b.IsNumber()) return CompareNumbers(a, b) == 0;
  if (a.kind() != b.kind()) return false;
  if (!a.Is(Kind::kTuple)) return a.Is(Kind::kUndefined) || IsIdentical(a, b);
  const auto &x = a.As<ListObject>()->items, &y = b.As<ListObject>()->items;
  return x.size() == y.size() && std::equal(x.begin(), x.end(), y.begin(), KeysEqual);
}

bool CheckHashable(Interpreter& in, const Value& key) {
  if (HashOf(key)) return true;
  in.Fail("TypeError: unhashable type: '" + std::string(TypeName(key)) + "'");
  return false;
}

namespace {

std::string_view OperatorSign(ExprKind op) {
  switch (op) {
    case ExprKind::kAdd:
      return "+";
    case ExprKind::kSubtract:
      return "-";
    case ExprKind::kMultiply:
      return "*";
    case ExprKind::kDivide:
      return "/";
    case ExprKind::kFloorDivide:
      return "//";
    case ExprKind::kModulo:
      return "%";
    default:
      return "** or pow()";
  }
}

Value TooBig(Interpreter& in) {
  return in.Fail("OverflowError: integers beyond 128 bits are not supported");
}
Value DivisionByZero(Interpreter& in) { return in.Fail("ZeroDivisionError: division by zero"); }

Value IntegerPower(Interpreter& in, Int base, Int exponent) {
  if (exponent < 0) {
    if (base == 0) return in.Fail("ZeroDivisionError: 0.0 cannot be raised to a negative power");
    return Value::Float(std::pow(static_cast<double>(base), static_cast<double>(exponent)));
  }
  if (base == 0 || base == 1) return Value::Integer(exponent == 0 ? 1 : base);
  if (base == -1) return Value::Integer(exponent % 2 == 0 ? 1 : -1);
  if (exponent > 127) return TooBig(in);
  Int result = 1;
  for (Int i = 0; i < exponent; ++i) {
    if (__builtin_mul_overflow(result, base, &result)) return TooBig(in);
  }
  return Value::Integer(result);
}

Value IntegerArithmetic(Interpreter& in, ExprKind op, Int a, Int b) {
  Int result = 0;
  switch (op) {
    case ExprKind::kAdd:
      return __builtin_add_overflow(a, b, &result) ? TooBig(in) : Value::Integer(result);
    case ExprKind::kSubtract:
      return __builtin_sub_overflow(a, b, &result) ? TooBig(in) : Value::Integer(result);
    case ExprKind::kMultiply:
      return __builtin_mul_overflow(a, b, &result) ? TooBig(in) : Value::Integer(result);
    case ExprKind::kPower:
      return IntegerPower(in, a, b);
    default:
      break;
  }
  if (b == 0) return DivisionByZero(in);
  if (op == ExprKind::kDivide) {
    return Value::Float(static_cast<double>(static_cast<Wide>(a) / static_cast<Wide>(b)));
  }
  if (b == -1) {  // the one quotient that can overflow
    if (op == ExprKind::kModulo) return Value::Integer(0);
    return __builtin_sub_overflow(Int{0}, a, &result) ? TooBig(in) : Value::Integer(result);
  }
  Int quotient = a / b, remainder = a % b;
  if (remainder != 0 && (remainder < 0) != (b < 0)) {  // round towards minus infinity
    --quotient;
    remainder += b;
  }
  return Value::Integer(op == ExprKind::kModulo ? remainder : quotient);
}

Value FloatArithmetic(Interpreter& in, ExprKind op, double a, double b) {
  switch (op) {
    case ExprKind::kAdd:
      return Value::Float(a + b);
    case ExprKind::kSubtract:
      return Value::Float(a - b);
    case ExprKind::kMultiply:
      return Value::Float(a * b);
    case ExprKind::kPower: {
      if (a == 0 && b < 0)
        return in.Fail("ZeroDivisionError: 0.0 cannot be raised to a negative power");
      if (a < 0 && b != std::floor(b) && std::isfinite(b)) {
        return in.Fail("ValueError: complex numbers are not supported");
      }
      const double power = std::pow(a, b);
      if (std::isinf(power) && std::isfinite(a) && std::isfinite(b)) {
        return in.Fail("OverflowError: (34, 'Numerical result out of range')");
      }
      return Value::Float(power);
    }
    default:
      break;
  }
  if (b == 0) return DivisionByZero(in);
  if (op == ExprKind::kDivide) return Value::Float(a / b);
  double remainder = std::fmod(a, b);
  if (remainder != 0 && (remainder < 0) != (b < 0)) {
    remainder += b;
  } else if (remainder == 0) {
    remainder = std::copysign(0.0, b);
  }
  if (op == ExprKind::kModulo) return Value::Float(remainder);
  const double quotient = (a - remainder) / b;
  double floor = std::floor(quotient);
  if (quotient - floor > 0.5) floor += 1.0;
  return Value::Float(quotient == 0 ? std::copysign(0.0, a / b) : floor);
}

// Takes `a` by value to see whether anybody else holds it.
// NOLINTNEXTLINE(performance-unnecessary-value-param)
Value AddText(Interpreter& in, Value a, const Value& b) {
  if (!in.Spend(b.text().size()) || !in.Reserve(a.text().size() + b.text().size()))
    return Value::Failed();
  if (a.safe() != b.safe()) {  // markup escapes the other side
    const std::string left = a.safe() ? std::string(a.text()) : EscapeHtml(a.text());
    return in.NewString(left + (b.safe() ? std::string(b.text()) : EscapeHtml(b.text())))
        .Safe(true);
  }
  // A sum of many pieces grows one buffer: the left side is often a result nobody else holds.
  auto* object = a.As<StringObject>();
  if (object != nullptr && object->references == 1 && object->text.size() == a.text().size()) {
    object->text += b.text();
    in.heap().Charge(object, b.text().size());
    return Value::Text(object).Safe(a.safe());
  }
  std::string text;
  text.reserve(a.text().size() + b.text().size() + 64);
  text += a.text();
  text += b.text();
  return in.NewString(std::move(text)).Safe(a.safe());
}

Value AddLists(Interpreter& in, const Value& a, const Value& b) {
  const auto &x = a.As<ListObject>()->items, &y = b.As<ListObject>()->items;
  const size_t bytes = (x.size() + y.size()) * sizeof(Value);
  if (!in.Spend(bytes) || !in.Reserve(bytes)) return Value::Failed();
  std::vector<Value> items;
  items.reserve(x.size() + y.size());
  items.insert(items.end(), x.begin(), x.end());
  items.insert(items.end(), y.begin(), y.end());
  return in.NewSequence(a.kind(), std::move(items));
}

Value Repeat(Interpreter& in, const Value& sequence, Int times) {
  const bool is_text = sequence.Is(Kind::kString);
  const size_t size = is_text ? sequence.text().size() : sequence.As<ListObject>()->items.size();
  if (times <= 0 || size == 0) {
    return is_text ? sequence.Part(sequence.text().substr(0, 0))
                   : in.NewSequence(sequence.kind(), {});
  }
  const size_t unit = size * (is_text ? 1 : sizeof(Value));
  constexpr Int kMost = Int{1} << 40;
  const auto bytes = static_cast<size_t>(std::min(times, kMost)) * unit;
  if (times > kMost || bytes / unit != static_cast<size_t>(times) || !in.Reserve(bytes) ||
      !in.Spend(bytes)) {
    return in.Fail("the repetition is larger than the memory limit", Code::kTooLarge);
  }
  if (is_text) {
    std::string text;
    text.reserve(bytes);
    for (Int i = 0; i < times; ++i) text += sequence.text();
    return in.NewString(std::move(text)).Safe(sequence.safe());
  }
  std::vector<Value> items;
  items.reserve(size * static_cast<size_t>(times));
  const auto& source = sequence.As<ListObject>()->items;
  for (Int i = 0; i < times; ++i) items.insert(items.end(), source.begin(), source.end());
  return in.NewSequence(sequence.kind(), std::move(items));
}

bool IsSequence(const Value& value) {
  return value.Is(Kind::kString) || value.Is(Kind::kList) || value.Is(Kind::kTuple);
}

}  // namespace

Value Arithmetic(Interpreter& in, ExprKind op, Value a, const Value& b) {
  if (a.IsInteger() && b.IsInteger()) return IntegerArithmetic(in, op, a.integer(), b.integer());
  if (a.IsNumber() && b.IsNumber()) return FloatArithmetic(in, op, RealOf(a), RealOf(b));
  if (op == ExprKind::kModulo && a.Is(Kind::kString)) return FormatPercent(in, a, b);
  if (a.undefined() || b.undefined()) return in.FailUndefined(a.undefined() ? a : b);
  if (op == ExprKind::kAdd) {
    if (a.Is(Kind::kString) && b.Is(Kind::kString)) return AddText(in, std::move(a), b);
    if (a.kind() == b.kind() && IsSequence(a)) return AddLists(in, a, b);
    if (IsSequence(a)) {
      return in.Fail("TypeError: can only concatenate " + std::string(TypeName(a)) + " (not \"" +
                     std::string(TypeName(b)) + "\") to " + std::string(TypeName(a)));
    }
  }
  if (op == ExprKind::kMultiply) {
    if (IsSequence(a) && b.IsInteger()) return Repeat(in, a, b.integer());
    if (a.IsInteger() && IsSequence(b)) return Repeat(in, b, a.integer());
  }
  return in.Fail("TypeError: unsupported operand type(s) for " + std::string(OperatorSign(op)) +
                 ": '" + std::string(TypeName(a)) + "' and '" + std::string(TypeName(b)) + "'");
}

Value Negate(Interpreter& in, const Value& value) {
  if (value.Is(Kind::kFloat)) return Value::Float(-value.real());
  if (value.IsInteger()) return IntegerArithmetic(in, ExprKind::kSubtract, 0, value.integer());
  if (value.undefined()) return in.FailUndefined(value);
  return in.Fail("TypeError: bad operand type for unary -: '" + std::string(TypeName(value)) + "'");
}

Value Plus(Interpreter& in, const Value& value) {
  if (value.Is(Kind::kFloat)) return value;
  if (value.IsInteger()) return Value::Integer(value.integer());
  if (value.undefined()) return in.FailUndefined(value);
  return in.Fail("TypeError: bad operand type for unary +: '" + std::string(TypeName(value)) + "'");
}

bool Collect(Interpreter& in, const Value& iterable, std::vector<Value>* out) {
  Cursor cursor;
  if (!cursor.Start(in, iterable)) return false;
  constexpr size_t kCheckEvery = 1024;
  for (Value item; cursor.Next(in, &item);) {
    out->push_back(std::move(item));
    if (out->size() % kCheckEvery == 0 && !in.Reserve(out->size() * sizeof(Value))) return false;
  }
  return !in.failed() && in.Reserve(out->size() * sizeof(Value));
}

}  // namespace ac::jinja
