// The tests behind `is`, the global functions, and how all built-ins are found and called.
#include <algorithm>
#include <cmath>
#include <ctime>

#include "jinja/internal/operations.h"
#include "jinja/internal/text.h"

namespace ac::jinja {

bool CallArguments::Bind(Interpreter& in, std::string_view callee,
                         std::initializer_list<std::string_view> names,
                         std::vector<Value>* out) const {
  out->assign(names.size(), Value());
  if (positional.size() > names.size()) {
    in.Fail("TypeError: " + std::string(callee) + " takes at most " + std::to_string(names.size()) +
            " arguments, got " + std::to_string(positional.size()));
    return false;
  }
  std::copy(positional.begin(), positional.end(), out->begin());
  for (const auto& [name, value] : named) {
    const auto* found = std::find(names.begin(), names.end(), name.text());
    if (found == names.end()) {
      in.Fail("TypeError: " + std::string(callee) + " got an unexpected keyword argument '" +
              std::string(name.text()) + "'");
      return false;
    }
    Value& target = (*out)[static_cast<size_t>(found - names.begin())];
    if (!target.missing()) {
      in.Fail("TypeError: " + std::string(callee) + " got multiple values for argument '" +
              std::string(name.text()) + "'");
      return false;
    }
    target = value;
  }
  return true;
}

namespace {

const Builtin* FindIn(const Builtin* begin, const Builtin* end, std::string_view name) {
  const Builtin* found =
      std::find_if(begin, end, [&](const Builtin& entry) { return entry.name == name; });
  return found == end ? nullptr : found;
}

// Tests of the value alone.
template <bool (*test)(const Value&)>
Value Simple(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given;
  return arguments.Bind(in, "test", {}, &given) ? Value::Bool(test(self)) : Value::Failed();
}

bool IsDefined(const Value& value) { return !value.undefined(); }
bool IsUndefined(const Value& value) { return value.undefined(); }
bool IsNone(const Value& value) { return value.Is(Kind::kNone); }
bool IsBoolean(const Value& value) { return value.Is(Kind::kBool); }
bool IsTrue(const Value& value) { return value.Is(Kind::kBool) && value.boolean(); }
bool IsFalse(const Value& value) { return value.Is(Kind::kBool) && !value.boolean(); }
bool IsIntegerTest(const Value& value) { return value.Is(Kind::kInt); }
bool IsFloat(const Value& value) { return value.Is(Kind::kFloat); }
bool IsNumberTest(const Value& value) { return value.IsNumber(); }
bool IsString(const Value& value) { return value.Is(Kind::kString); }
bool IsMapping(const Value& value) { return value.Is(Kind::kDict); }
bool IsEscaped(const Value& value) { return value.Is(Kind::kString) && value.safe(); }
// What has a length and can be subscripted; undefined passes, as in jinja2.
bool IsSequence(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
    case Kind::kString:
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kDict:
    case Kind::kRange:
      return true;
    default:
      return false;
  }
}
bool IsFilter(const Value& value) {
  return value.Is(Kind::kString) && FindFilter(value.text()) != nullptr;
}
bool IsTest(const Value& value) {
  return value.Is(Kind::kString) && FindTest(value.text()) != nullptr;
}

template <bool upper>
Value HasCase(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given;
  if (!arguments.Bind(in, "test", {}, &given)) return Value::Failed();
  const Value text = ToString(in, self);
  return text.failed() ? text
                       : Value::Bool(upper ? IsUpperText(text.text()) : IsLowerText(text.text()));
}

// value % divisor == rest
Value RemainderIs(Interpreter& in, const Value& self, const Value& divisor, Int rest) {
  const Value remainder = Arithmetic(in, ExprKind::kModulo, self, divisor);
  return remainder.failed() ? remainder : Value::Bool(Equal(in, remainder, Value::Integer(rest)));
}
Value Odd(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given;
  if (!arguments.Bind(in, "odd", {}, &given)) return Value::Failed();
  return RemainderIs(in, self, Value::Integer(2), 1);
}
Value Even(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given;
  if (!arguments.Bind(in, "even", {}, &given)) return Value::Failed();
  return RemainderIs(in, self, Value::Integer(2), 0);
}

bool BindOne(Interpreter& in, const CallArguments& arguments, std::string_view test,
             std::string_view name, Value* out) {
  std::vector<Value> given;
  if (!arguments.Bind(in, test, {name}, &given)) return false;
  if (given[0].missing()) {
    in.Fail("TypeError: the test '" + std::string(test) + "' needs an argument");
    return false;
  }
  *out = given[0];
  return true;
}

Value DivisibleBy(Interpreter& in, const Value& self, CallArguments& arguments) {
  Value divisor;
  if (!BindOne(in, arguments, "divisibleby", "num", &divisor)) return Value::Failed();
  return RemainderIs(in, self, divisor, 0);
}
Value SameAs(Interpreter& in, const Value& self, CallArguments& arguments) {
  Value other;
  if (!BindOne(in, arguments, "sameas", "other", &other)) return Value::Failed();
  return Value::Bool(IsIdentical(self, other));
}
Value In(Interpreter& in, const Value& self, CallArguments& arguments) {
  Value container;
  if (!BindOne(in, arguments, "in", "seq", &container)) return Value::Failed();
  return Contains(in, container, self);
}

template <bool wanted>
Value Equals(Interpreter& in, const Value& self, CallArguments& arguments) {
  Value other;
  if (!BindOne(in, arguments, "equalto", "b", &other)) return Value::Failed();
  return Value::Bool(Equal(in, self, other) == wanted);
}

// kLess etc. as the sign the order must have: -1 and 1 exclude equality, -2 and 2 include it.
template <int sign>
Value Compares(Interpreter& in, const Value& self, CallArguments& arguments) {
  static constexpr std::string_view kSign = sign == -1   ? "<"
                                            : sign == -2 ? "<="
                                            : sign == 1  ? ">"
                                                         : ">=";
  Value other;
  int order = 0;
  if (!BindOne(in, arguments, kSign, "b", &other) || !Order(in, kSign, self, other, &order))
    return Value::Failed();
  return Value::Bool(sign == -1   ? order < 0
                     : sign == -2 ? order <= 0
                     : sign == 1  ? order > 0
                                  : order >= 0);
}

constexpr Builtin kTests[] = {
    {"!=", Equals<false>},
    {"<", Compares<-1>},
    {"<=", Compares<-2>},
    {"==", Equals<true>},
    {">", Compares<1>},
    {">=", Compares<2>},
    {"boolean", Simple<IsBoolean>},
    {"callable", Simple<IsCallable>},
    {"defined", Simple<IsDefined>},
    {"divisibleby", DivisibleBy},
    {"eq", Equals<true>},
    {"equalto", Equals<true>},
    {"escaped", Simple<IsEscaped>},
    {"even", Even},
    {"false", Simple<IsFalse>},
    {"filter", Simple<IsFilter>},
    {"float", Simple<IsFloat>},
    {"ge", Compares<2>},
    {"greaterthan", Compares<1>},
    {"gt", Compares<1>},
    {"in", In},
    {"integer", Simple<IsIntegerTest>},
    {"iterable", Simple<IsIterable>},
    {"le", Compares<-2>},
    {"lessthan", Compares<-1>},
    {"lower", HasCase<false>},
    {"lt", Compares<-1>},
    {"mapping", Simple<IsMapping>},
    {"ne", Equals<false>},
    {"none", Simple<IsNone>},
    {"number", Simple<IsNumberTest>},
    {"odd", Odd},
    {"sameas", SameAs},
    {"sequence", Simple<IsSequence>},
    {"string", Simple<IsString>},
    {"test", Simple<IsTest>},
    {"true", Simple<IsTrue>},
    {"undefined", Simple<IsUndefined>},
    {"upper", HasCase<true>},
};

Value Range(Interpreter& in, const Value&, CallArguments& arguments) {
  constexpr Int kMaxRange = 100000;  // of the sandbox
  const auto& given = arguments.positional;
  if (given.empty() || given.size() > 3 || !arguments.named.empty()) {
    return in.Fail("TypeError: range expects 1 to 3 positional arguments");
  }
  int64_t bounds[3] = {0, 0, 1};
  for (size_t i = 0; i < given.size(); ++i) {
    if (!ToIndex(in, given[i], &bounds[i])) return Value::Failed();
  }
  if (given.size() == 1) std::swap(bounds[0], bounds[1]);
  if (bounds[2] == 0) return in.Fail("ValueError: range() arg 3 must not be zero");
  auto* range = in.heap().New<RangeObject>(0, bounds[0], bounds[1], bounds[2]);
  Value result = Value::Of(Kind::kRange, range);
  if (range->length <= kMaxRange) return result;
  return in.Fail(
      "OverflowError: Range too big. The sandbox blocks ranges larger than MAX_RANGE (100000).");
}

// dict(): from a mapping or pairs, then the named arguments.
bool FillItems(Interpreter& in, const CallArguments& arguments, DictObject* dict) {
  if (arguments.positional.size() > 1) {
    in.Fail("TypeError: dict expected at most 1 argument, got " +
            std::to_string(arguments.positional.size()));
    return false;
  }
  if (!arguments.positional.empty() && arguments.positional[0].Is(Kind::kDict)) {
    for (const auto& [key, value] : arguments.positional[0].As<DictObject>()->items)
      dict->Set(key, value);
  } else if (!arguments.positional.empty()) {
    Cursor cursor;
    if (!cursor.Start(in, arguments.positional[0])) return false;
    for (Value item; cursor.Next(in, &item);) {
      std::vector<Value> pair;
      if (!Collect(in, item, &pair)) return false;
      if (pair.size() != 2) {
        in.Fail("ValueError: a dictionary needs pairs of key and value");
        return false;
      }
      if (!CheckHashable(in, pair[0])) return false;
      dict->Set(std::move(pair[0]), std::move(pair[1]));
    }
  }
  for (const auto& [name, value] : arguments.named) dict->Set(name, value);
  return !in.failed();
}

Value Dict(Interpreter& in, const Value&, CallArguments& arguments) {
  auto* dict = in.heap().New<DictObject>(0);
  const Value held = Value::Of(Kind::kDict, dict);
  return FillItems(in, arguments, dict) ? in.NewDict(dict) : Value::Failed();
}

Value Namespace(Interpreter& in, const Value&, CallArguments& arguments) {
  auto* space = in.heap().New<NamespaceObject>(0);
  Value result = Value::Of(Kind::kNamespace, space);
  auto* dict = in.heap().New<DictObject>(0);
  const Value held = Value::Of(Kind::kDict, dict);
  if (!FillItems(in, arguments, dict)) return Value::Failed();
  for (const auto& [key, value] : dict->items) {
    if (!key.Is(Kind::kString))
      return in.Fail("TypeError: attribute names of a namespace must be strings");
    space->attributes.emplace_back(key, value);
  }
  in.heap().Charge(space, space->attributes.size() * sizeof(DictObject::Item));
  return result;
}

Value CyclerFunction(Interpreter& in, const Value&, CallArguments& arguments) {
  if (arguments.positional.empty())
    return in.Fail("RuntimeError: at least one item has to be provided");
  return Value::Of(Kind::kCycler, in.heap().New<CyclerObject>(0, std::move(arguments.positional)));
}

Value JoinerFunction(Interpreter& in, const Value&, CallArguments& arguments) {
  std::vector<Value> given;
  if (!arguments.Bind(in, "joiner", {"sep"}, &given)) return Value::Failed();
  return Value::Of(Kind::kJoiner, in.heap().New<JoinerObject>(
                                      0, given[0].missing() ? Value::Borrowed(", ") : given[0]));
}

Value RaiseException(Interpreter& in, const Value&, CallArguments& arguments) {
  std::vector<Value> given;
  if (!arguments.Bind(in, "raise_exception", {"message"}, &given)) return Value::Failed();
  const Value message = given[0].missing() ? Value::Borrowed("") : ToString(in, given[0]);
  return in.failed() ? Value::Failed() : in.Raise(message.text());
}

// datetime.now().strftime(format): a time without zone, so %z and %Z are empty.
Value StrftimeNow(Interpreter& in, const Value&, CallArguments& arguments) {
  std::vector<Value> given;
  if (!arguments.Bind(in, "strftime_now", {"format"}, &given)) return Value::Failed();
  if (!given[0].Is(Kind::kString)) return in.Fail("TypeError: strftime_now needs a format text");
  constexpr size_t kMaxFormat = 4096;
  if (given[0].text().size() > kMaxFormat)
    return in.Fail("strftime_now: the format is longer than 4096 bytes");
  const Clock& clock = in.options().clock != nullptr ? *in.options().clock : Clock::Real();
  const auto micros =
      std::chrono::duration_cast<std::chrono::microseconds>(clock.WallNow()).count();
  const auto seconds = static_cast<std::time_t>(micros / 1'000'000);
  std::tm local{};
  localtime_r(&seconds, &local);
  std::string format;
  const std::string_view wanted = given[0].text();
  for (size_t i = 0; i < wanted.size(); ++i) {
    const char next = wanted[i] == '%' && i + 1 < wanted.size() ? wanted[i + 1] : '\0';
    if (next == 'f') {
      const std::string digits = std::to_string(micros % 1'000'000);
      format += std::string(6 - digits.size(), '0') + digits;
    } else if (next == '\0') {
      format.push_back(wanted[i]);
      continue;
    } else if (next != 'z' && next != 'Z') {
      format += wanted.substr(i, 2);
    }
    ++i;
  }
  if (format.empty()) return Value::Borrowed("");
  // 256 bytes per directive are enough; widths such as %9999d are glibc's own and end here.
  std::string out(256 + format.size() * 32, '\0');
  out.resize(std::strftime(out.data(), out.size(), format.c_str(), &local));
  return in.NewString(std::move(out));
}

constexpr Builtin kFunctions[] = {
    {"cycler", CyclerFunction},          {"dict", Dict},
    {"joiner", JoinerFunction},          {"namespace", Namespace},
    {"raise_exception", RaiseException}, {"range", Range},
    {"strftime_now", StrftimeNow},
};

}  // namespace

const Builtin* FindFilter(std::string_view name) {
  for (const BuiltinTable& table : {TextFilters(), SequenceFilters(), ValueFilters()}) {
    if (const Builtin* found = FindIn(table.begin, table.end, name)) return found;
  }
  return nullptr;
}

const Builtin* FindTest(std::string_view name) {
  return FindIn(std::begin(kTests), std::end(kTests), name);
}

const Builtin* FindFunction(std::string_view name) {
  return FindIn(std::begin(kFunctions), std::end(kFunctions), name);
}

}  // namespace ac::jinja
