// The methods of containers and of the language's own objects.
//
// A method without a function is one that would change its object: the immutable sandbox hides it.
#include <algorithm>
#include <cmath>

#include "jinja/internal/operations.h"

namespace ac::jinja {
namespace {

Value Get(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given;
  if (!arguments.Bind(in, "get", {"key", "default"}, &given)) return Value::Failed();
  if (given[0].missing()) return in.Fail("TypeError: get expected at least 1 argument, got 0");
  if (!CheckHashable(in, given[0])) return Value::Failed();
  if (const Value* found = self.As<DictObject>()->Find(given[0])) return *found;
  return given[1].missing() ? Value::None() : given[1];
}

template <ViewKind view>
Value View(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given;
  if (!arguments.Bind(in, "items", {}, &given)) return Value::Failed();
  return Value::Of(Kind::kView, in.heap().New<ViewObject>(0, self, view));
}

// A copy of what cannot change is the thing itself.
Value CopyMethod(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given;
  return arguments.Bind(in, "copy", {}, &given) ? self : Value::Failed();
}

Value CountMethod(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given;
  Cursor cursor;
  if (!arguments.Bind(in, "count", {"value"}, &given) || !cursor.Start(in, self))
    return Value::Failed();
  if (given[0].missing()) return in.Fail("TypeError: count() takes exactly one argument (0 given)");
  Int count = 0;
  for (Value item; cursor.Next(in, &item);) count += Equal(in, item, given[0]) ? 1 : 0;
  return in.failed() ? Value::Failed() : Value::Integer(count);
}

Value IndexMethod(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given;
  Cursor cursor;
  if (!arguments.Bind(in, "index", {"value", "start", "stop"}, &given) || !cursor.Start(in, self))
    return Value::Failed();
  if (given[0].missing()) return in.Fail("TypeError: index expected at least 1 argument, got 0");
  const auto length = static_cast<int64_t>(Length(self).value_or(0));
  int64_t from = 0, to = length;
  if (!given[1].missing() && !ToIndex(in, given[1], &from)) return Value::Failed();
  if (!given[2].missing() && !ToIndex(in, given[2], &to)) return Value::Failed();
  if (from < 0) from = std::max<int64_t>(from + length, 0);
  if (to < 0) to += length;
  int64_t index = 0;
  for (Value item; cursor.Next(in, &item); ++index) {
    if (index >= from && index < to && Equal(in, item, given[0])) return Value::Integer(index);
  }
  return in.failed()
             ? Value::Failed()
             : in.Fail("ValueError: the value is not in the " + std::string(TypeName(self)));
}

Value LoopCycle(Interpreter& in, const Value& self, CallArguments& arguments) {
  if (arguments.positional.empty()) return in.Fail("TypeError: no items for cycling given");
  const auto index = static_cast<size_t>(self.As<LoopObject>()->index0);
  return arguments.positional[index % arguments.positional.size()];
}

Value LoopChanged(Interpreter& in, const Value& self, CallArguments& arguments) {
  const Value now = in.NewTuple(std::move(arguments.positional));
  auto* loop = self.As<LoopObject>();
  if (in.failed()) return Value::Failed();
  const bool same = !loop->last_changed.missing() && Equal(in, loop->last_changed, now);
  if (in.failed()) return Value::Failed();
  loop->last_changed = now;
  return Value::Bool(!same);
}

Value CyclerNext(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given;
  if (!arguments.Bind(in, "next", {}, &given)) return Value::Failed();
  auto* cycler = self.As<CyclerObject>();
  const Value current = cycler->items[cycler->position];
  cycler->position = (cycler->position + 1) % cycler->items.size();
  return current;
}

Value CyclerReset(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given;
  if (!arguments.Bind(in, "reset", {}, &given)) return Value::Failed();
  self.As<CyclerObject>()->position = 0;
  return Value::None();
}

Value FloatIsInteger(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given;
  if (!arguments.Bind(in, "is_integer", {}, &given)) return Value::Failed();
  return Value::Bool(std::isfinite(self.real()) && std::trunc(self.real()) == self.real());
}

constexpr Builtin kDictMethods[] = {
    {"clear", nullptr},
    {"copy", CopyMethod},
    {"get", Get},
    {"items", View<ViewKind::kItems>},
    {"keys", View<ViewKind::kKeys>},
    {"pop", nullptr},
    {"popitem", nullptr},
    {"setdefault", nullptr},
    {"update", nullptr},
    {"values", View<ViewKind::kValues>},
};
constexpr Builtin kListMethods[] = {
    {"append", nullptr}, {"clear", nullptr},     {"copy", CopyMethod}, {"count", CountMethod},
    {"extend", nullptr}, {"index", IndexMethod}, {"insert", nullptr},  {"pop", nullptr},
    {"remove", nullptr}, {"reverse", nullptr},   {"sort", nullptr},
};
constexpr Builtin kTupleMethods[] = {{"count", CountMethod}, {"index", IndexMethod}};
constexpr Builtin kLoopMethods[] = {{"changed", LoopChanged}, {"cycle", LoopCycle}};
constexpr Builtin kCyclerMethods[] = {{"next", CyclerNext}, {"reset", CyclerReset}};
constexpr Builtin kFloatMethods[] = {{"is_integer", FloatIsInteger}};

template <size_t size>
constexpr BuiltinTable TableOf(const Builtin (&methods)[size]) {
  return {methods, methods + size};
}

BuiltinTable MethodsOf(Kind kind) {
  switch (kind) {
    case Kind::kString:
      return TextMethods();
    case Kind::kDict:
      return TableOf(kDictMethods);
    case Kind::kList:
      return TableOf(kListMethods);
    case Kind::kTuple:
    case Kind::kRange:
      return TableOf(kTupleMethods);
    case Kind::kLoop:
      return TableOf(kLoopMethods);
    case Kind::kCycler:
      return TableOf(kCyclerMethods);
    case Kind::kFloat:
      return TableOf(kFloatMethods);
    default:
      return {nullptr, nullptr};
  }
}

}  // namespace

const Builtin* FindMethod(Kind kind, std::string_view name) {
  const BuiltinTable table = MethodsOf(kind);
  const auto* found = std::find_if(table.begin, table.end,
                                   [&](const Builtin& entry) { return entry.name == name; });
  return found == table.end ? nullptr : found;
}

}  // namespace ac::jinja
