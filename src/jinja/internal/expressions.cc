// The interpreter's expressions: operators, subscripts, attributes, calls.
#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "jinja/internal/operations.h"
#include "jinja/internal/text.h"

namespace ac::jinja {
namespace {

// Deeper than any JSON the parser accepts; contexts built by hand end here.
constexpr int kMaxJsonDepth = 256;

bool Holds(Comparison comparison, int order) {
  switch (comparison) {
    case Comparison::kLt:
      return order < 0;
    case Comparison::kLe:
      return order <= 0;
    case Comparison::kGt:
      return order > 0;
    default:
      return order >= 0;
  }
}

}  // namespace

Value Interpreter::Evaluate(const Expr& expr) {
  // The common leaves cost nothing.
  if (expr.kind == ExprKind::kConst) return static_cast<const ConstExpr&>(expr).value;
  const Depth depth(*this);
  Value value = depth.ok() && Spend() ? EvaluateNode(expr) : Value::Failed();
  if (failed_) {
    if (error_line_ == 0) error_line_ = expr.line;
    return Value::Failed();
  }
  return value;
}

Value Interpreter::EvaluateNode(const Expr& expr) {
  switch (expr.kind) {
    case ExprKind::kConst:
      return static_cast<const ConstExpr&>(expr).value;
    case ExprKind::kName:
      return EvaluateName(static_cast<const NameExpr&>(expr));
    case ExprKind::kList:
      return EvaluateSequence(static_cast<const SequenceExpr&>(expr), Kind::kList);
    case ExprKind::kTuple:
      return EvaluateSequence(static_cast<const SequenceExpr&>(expr), Kind::kTuple);
    case ExprKind::kDict:
      return EvaluateDict(static_cast<const DictExpr&>(expr));
    case ExprKind::kAttribute:
      return EvaluateAttribute(static_cast<const AttributeExpr&>(expr));
    case ExprKind::kItem:
      return EvaluateItem(static_cast<const ItemExpr&>(expr));
    case ExprKind::kCall:
      return EvaluateCall(static_cast<const CallExpr&>(expr), nullptr);
    case ExprKind::kFilter:
      return EvaluateFilter(static_cast<const FilterExpr&>(expr));
    case ExprKind::kTest:
      return EvaluateTest(static_cast<const TestExpr&>(expr));
    case ExprKind::kCompare:
      return EvaluateCompare(static_cast<const CompareExpr&>(expr));
    case ExprKind::kConcat:
      return EvaluateConcat(static_cast<const SequenceExpr&>(expr));
    case ExprKind::kConditional:
      return EvaluateConditional(static_cast<const ConditionalExpr&>(expr));
    case ExprKind::kSlice:
      return Fail("TypeError: a slice cannot be combined with other subscripts");
    case ExprKind::kNamespaceRef:
      return Fail("an assignment target is no expression");
    case ExprKind::kNot:
    case ExprKind::kNegate:
    case ExprKind::kPlus: {
      const Value operand = Evaluate(*static_cast<const UnaryExpr&>(expr).operand);
      if (operand.failed()) return Value::Failed();
      if (expr.kind == ExprKind::kNot) return Value::Bool(!Truth(operand));
      return expr.kind == ExprKind::kNegate ? Negate(*this, operand) : Plus(*this, operand);
    }
    default:
      return EvaluateBinary(static_cast<const BinaryExpr&>(expr));
  }
}

Value Interpreter::EvaluateName(const NameExpr& expr) {
  const Value& value = SlotOf(expr.variable);
  if (!value.missing()) return value;
  return Value::Undefined(UndefinedReason::kName, Kind::kMissing, Value::Borrowed(expr.name));
}

Value Interpreter::EvaluateSequence(const SequenceExpr& expr, Kind kind) {
  std::vector<Value> items;
  items.reserve(expr.items.size());
  for (const ExprPtr& item : expr.items) {
    items.push_back(Evaluate(*item));
    if (failed_) return Value::Failed();
  }
  return NewSequence(kind, std::move(items));
}

Value Interpreter::EvaluateDict(const DictExpr& expr) {
  auto* dict = heap_.New<DictObject>(0);
  Value result = Value::Of(Kind::kDict, dict);
  dict->Reserve(expr.items.size());
  for (const auto& [key_expr, value_expr] : expr.items) {
    Value key = Evaluate(*key_expr);
    if (failed_) return Value::Failed();
    Value value = Evaluate(*value_expr);
    if (failed_ || !CheckHashable(*this, key)) return Value::Failed();
    dict->Set(std::move(key), std::move(value));
  }
  return NewDict(dict);
}

const Builtin* Interpreter::MethodOf(const Value& object, const AttributeExpr& expr) const {
  switch (object.kind()) {
    case Kind::kString:
      return expr.on_string;
    case Kind::kList:
      return expr.on_list;
    case Kind::kTuple:
      return expr.on_tuple;
    case Kind::kDict:
      return expr.on_dict;
    default:
      return nullptr;
  }
}

Value Interpreter::EvaluateAttribute(const AttributeExpr& expr) {
  const Value object = Evaluate(*expr.object);
  return failed_ ? Value::Failed() : AttributeOf(object, expr);
}

// GetAttribute with the methods already looked up.
Value Interpreter::AttributeOf(const Value& object, const AttributeExpr& expr) {
  if (object.Is(Kind::kDict) && expr.on_dict == nullptr) {
    if (const Value* found = object.As<DictObject>()->Find(expr.name)) return *found;
  }
  return GetAttribute(object, Value::Borrowed(expr.name));
}

namespace {

Value LoopAttribute(Interpreter& in, const Value& object, std::string_view name) {
  auto* loop = object.As<LoopObject>();
  if (name == "index") return Value::Integer(loop->index0 + 1);
  if (name == "index0") return Value::Integer(loop->index0);
  if (name == "first") return Value::Bool(loop->index0 == 0);
  if (name == "last") return Value::Bool(!loop->Peek(in));
  if (name == "length") return Value::Integer(loop->Length(in));
  if (name == "revindex") return Value::Integer(loop->Length(in) - loop->index0);
  if (name == "revindex0") return Value::Integer(loop->Length(in) - loop->index0 - 1);
  if (name == "depth") return Value::Integer(loop->depth0 + 1);
  if (name == "depth0") return Value::Integer(loop->depth0);
  const auto nothing = [](std::string_view text) {
    return Value::Undefined(UndefinedReason::kHint, Kind::kMissing, Value::Borrowed(text));
  };
  if (name == "previtem")
    return loop->index0 == 0 ? nothing("there is no previous item") : loop->before;
  if (name == "nextitem") return loop->Peek(in) ? loop->after : nothing("there is no next item");
  return Value();
}

Value MacroAttribute(Interpreter& in, const MacroNode& macro, std::string_view name) {
  if (name == "name") return Value::Borrowed(macro.name);
  if (name == "catch_kwargs") return Value::Bool(macro.kwargs_slot >= 0);
  if (name == "catch_varargs") return Value::Bool(macro.varargs_slot >= 0);
  if (name == "caller") return Value::Bool(macro.caller_slot >= 0);
  if (name != "arguments") return Value();
  std::vector<Value> names;
  names.reserve(macro.parameters.size());
  for (const auto& parameter : macro.parameters) names.push_back(Value::Borrowed(parameter.name));
  return in.NewTuple(std::move(names));
}

// Attributes that are neither methods nor items. Missing when there is none of that name.
Value OwnAttribute(Interpreter& in, const Value& object, std::string_view name) {
  switch (object.kind()) {
    case Kind::kLoop:
      return LoopAttribute(in, object, name);
    case Kind::kMacro:
      return MacroAttribute(in, *object.As<MacroObject>()->node, name);
    case Kind::kNamespace: {
      const Value* found = object.As<NamespaceObject>()->Find(name);
      return found == nullptr ? Value() : *found;
    }
    case Kind::kCycler: {
      const auto* cycler = object.As<CyclerObject>();
      return name == "current" ? cycler->items[cycler->position] : Value();
    }
    case Kind::kTuple: {
      const auto* tuple = object.As<ListObject>();
      if (!tuple->is_group) return Value();
      return name == "grouper" ? tuple->items[0] : name == "list" ? tuple->items[1] : Value();
    }
    case Kind::kRange: {
      const auto* range = object.As<RangeObject>();
      return name == "start"  ? Value::Integer(range->start)
             : name == "stop" ? Value::Integer(range->stop)
             : name == "step" ? Value::Integer(range->step)
                              : Value();
    }
    default:
      return Value();
  }
}

// Every Python object has these; the sandbox keeps them from templates.
bool IsInternalName(std::string_view name) {
  return name.size() > 4 && name.substr(0, 2) == "__" && name.substr(name.size() - 2) == "__";
}

}  // namespace

Value Interpreter::GetAttribute(const Value& object, const Value& name) {
  if (object.undefined()) return FailUndefined(object);
  if (const Builtin* method = FindMethod(object.kind(), name.text())) {
    if (method->call == nullptr)
      return Value::Undefined(UndefinedReason::kUnsafe, object.kind(), name);
    return Value::Of(Kind::kMethod, heap_.New<MethodObject>(0, object, method));
  }
  Value own = OwnAttribute(*this, object, name.text());
  if (failed_) return Value::Failed();
  if (!own.missing()) return own;
  if (object.Is(Kind::kDict)) {
    if (const Value* found = object.As<DictObject>()->Find(name.text())) return *found;
  }
  const auto reason =
      IsInternalName(name.text()) ? UndefinedReason::kUnsafe : UndefinedReason::kAttribute;
  return Value::Undefined(reason, object.kind(), name);
}

Value Interpreter::EvaluateItem(const ItemExpr& expr) {
  const Value object = Evaluate(*expr.object);
  if (failed_) return Value::Failed();
  if (expr.index->kind != ExprKind::kSlice) {
    const Value index = Evaluate(*expr.index);
    return failed_ ? Value::Failed() : GetItem(object, index);
  }
  const auto& slice = static_cast<const SliceExpr&>(*expr.index);
  Value bounds[3] = {Value::None(), Value::None(), Value::None()};
  const Expr* exprs[3] = {slice.start.get(), slice.stop.get(), slice.step.get()};
  for (size_t i = 0; i < 3; ++i) {
    if (exprs[i] != nullptr) bounds[i] = Evaluate(*exprs[i]);
    if (failed_) return Value::Failed();
  }
  return Slice(object, bounds[0], bounds[1], bounds[2]);
}

Value Interpreter::GetItem(const Value& object, const Value& index) {
  if (object.undefined()) return FailUndefined(object);
  if (object.Is(Kind::kDict)) {
    if (const Value* found = object.As<DictObject>()->Find(index)) return *found;
  } else if (index.IsInteger()) {
    const std::optional<Int> length = Length(object);
    Int at = index.integer();
    if (length && at < 0) at += *length;
    if (length && at >= 0 && at < *length) {
      const auto position = static_cast<size_t>(at);
      switch (object.kind()) {
        case Kind::kList:
        case Kind::kTuple:
          return object.As<ListObject>()->items[position];
        case Kind::kRange: {
          const auto* range = object.As<RangeObject>();
          return Value::Integer(range->start + range->step * at);
        }
        case Kind::kString: {
          const size_t start = ByteOffset(object.text(), position);
          if (!Spend(start)) return Value::Failed();
          return object.Part(object.text().substr(start, DecodeUtf8(object.text(), start).length));
        }
        default:
          break;
      }
    }
  }
  if (index.Is(Kind::kString)) return GetAttribute(object, index);
  std::string shown;
  if (!AppendRepr(*this, index, &shown)) return Value::Failed();
  return Value::Undefined(UndefinedReason::kElement, object.kind(), NewString(std::move(shown)));
}

namespace {

// Python's slice.indices: which positions [start, stop) by step selects from `length`.
struct SliceBounds {
  Int start, step, count;
};

bool ComputeBounds(Interpreter& in, const Value* const (&given)[3], Int length, SliceBounds* out) {
  for (const Value* value : given) {
    if (value->Is(Kind::kNone) || value->IsInteger()) continue;
    if (value->undefined()) {
      in.FailUndefined(*value);
    } else {
      in.Fail("TypeError: slice indices must be integers or None");
    }
    return false;
  }
  constexpr Int kFar = Int{1} << 62;  // beyond any length: keeps the sums below in range
  const Int step = given[2]->Is(Kind::kNone) ? 1 : std::clamp(given[2]->integer(), -kFar, kFar);
  if (step == 0) {
    in.Fail("ValueError: slice step cannot be zero");
    return false;
  }
  const Int low = step < 0 ? -1 : 0;
  const Int high = step < 0 ? length - 1 : length;
  const auto clamp = [&](const Value& value, Int fallback) {
    if (value.Is(Kind::kNone)) return fallback;
    const Int at = value.integer() < 0 ? value.integer() + length : value.integer();
    return std::clamp(at, low, high);
  };
  const Int start = clamp(*given[0], step < 0 ? high : low);
  const Int stop = clamp(*given[1], step < 0 ? low : high);
  Int count = 0;
  if (step > 0 && start < stop) count = (stop - start - 1) / step + 1;
  if (step < 0 && start > stop) count = (start - stop - 1) / -step + 1;
  *out = {start, step, count};
  return true;
}

Value SliceText(Interpreter& in, const Value& object, const SliceBounds& bounds) {
  const std::string_view text = object.text();
  if (bounds.count == 0) return object.Part(text.substr(0, 0));
  if (bounds.step == 1) {
    const size_t start = ByteOffset(text, static_cast<size_t>(bounds.start));
    const size_t size = ByteOffset(text.substr(start), static_cast<size_t>(bounds.count));
    return object.Part(text.substr(start, size));
  }
  std::vector<size_t> starts;  // of every character
  if (!in.Reserve(text.size() * sizeof(size_t))) return Value::Failed();
  ForEachCodePoint(text, [&](uint32_t, std::string_view piece) {
    starts.push_back(static_cast<size_t>(piece.data() - text.data()));
    return true;
  });
  std::string result;
  for (Int i = 0; i < bounds.count; ++i) {
    const size_t at = starts[static_cast<size_t>(bounds.start + i * bounds.step)];
    result += text.substr(at, DecodeUtf8(text, at).length);
  }
  return in.NewString(std::move(result)).Safe(object.safe());
}

}  // namespace

Value Interpreter::Slice(const Value& object, const Value& start, const Value& stop,
                         const Value& step) {
  if (object.undefined()) return FailUndefined(object);
  if (object.Is(Kind::kDict)) return Fail("TypeError: unhashable type: 'slice'");
  const bool sliceable = object.Is(Kind::kString) || object.Is(Kind::kList) ||
                         object.Is(Kind::kTuple) || object.Is(Kind::kRange);
  if (!sliceable)
    return Fail("TypeError: '" + std::string(TypeName(object)) + "' object is not subscriptable");
  const std::optional<Int> length = Length(object);
  SliceBounds bounds;
  if (!ComputeBounds(*this, {&start, &stop, &step}, *length, &bounds)) return Value::Failed();
  if (!Spend(static_cast<size_t>(object.Is(Kind::kString) ? *length : bounds.count * 16)))
    return Value::Failed();
  if (object.Is(Kind::kString)) return SliceText(*this, object, bounds);
  if (object.Is(Kind::kRange)) {
    const auto* range = object.As<RangeObject>();
    const Int first = range->start + range->step * bounds.start;
    const Int by = range->step * bounds.step;
    return Value::Of(Kind::kRange, heap_.New<RangeObject>(0, first, first + by * bounds.count, by));
  }
  const auto& items = object.As<ListObject>()->items;
  std::vector<Value> result;
  result.reserve(static_cast<size_t>(bounds.count));
  for (Int i = 0; i < bounds.count; ++i) {
    result.push_back(items[static_cast<size_t>(bounds.start + i * bounds.step)]);
  }
  return NewSequence(object.kind(), std::move(result));
}

bool Interpreter::EvaluateArguments(const Arguments& arguments, CallArguments* out) {
  out->positional.reserve(arguments.positional.size());
  for (const ExprPtr& expr : arguments.positional) {
    out->positional.push_back(Evaluate(*expr));
    if (failed_) return false;
  }
  for (const auto& [name, expr] : arguments.named) {
    out->named.emplace_back(Value::Borrowed(name), Evaluate(*expr));
    if (failed_) return false;
  }
  if (arguments.star != nullptr) {
    const Value rest = Evaluate(*arguments.star);
    if (failed_ || !Collect(*this, rest, &out->positional)) return false;
  }
  if (arguments.star_star == nullptr) return true;
  const Value rest = Evaluate(*arguments.star_star);
  if (failed_) return false;
  if (!rest.Is(Kind::kDict)) {
    Fail("TypeError: argument after ** must be a mapping, not " + std::string(TypeName(rest)));
    return false;
  }
  for (const auto& [name, value] : rest.As<DictObject>()->items) {
    if (!name.Is(Kind::kString)) {
      Fail("TypeError: keywords must be strings");
      return false;
    }
    for (const auto& [other, unused] : out->named) {
      if (other.text() != name.text()) continue;
      Fail("TypeError: got multiple values for keyword argument '" + std::string(name.text()) +
           "'");
      return false;
    }
    out->named.emplace_back(name, value);
  }
  return true;
}

Value Interpreter::EvaluateCall(const CallExpr& expr, const Value* caller) {
  Value self, callee;
  const Builtin* method = nullptr;
  if (expr.callee->kind == ExprKind::kAttribute) {  // object.method(...) without a bound object
    const auto& attribute = static_cast<const AttributeExpr&>(*expr.callee);
    self = Evaluate(*attribute.object);
    if (failed_) return Value::Failed();
    method = MethodOf(self, attribute);
    if (method == nullptr || method->call == nullptr) {
      method = nullptr;
      callee = AttributeOf(self, attribute);
    }
  } else {
    callee = Evaluate(*expr.callee);
  }
  if (failed_) return Value::Failed();
  CallArguments arguments;
  if (!EvaluateArguments(expr.arguments, &arguments)) return Value::Failed();
  if (caller != nullptr) arguments.named.emplace_back(Value::Borrowed("caller"), *caller);
  return method != nullptr ? method->call(*this, self, arguments) : Call(callee, arguments);
}

Value Interpreter::Call(const Value& callee, CallArguments& arguments) {
  switch (callee.kind()) {
    case Kind::kUndefined:
      return FailUndefined(callee);
    case Kind::kFunction:
      return callee.function()->call(*this, Value::None(), arguments);
    case Kind::kMethod: {
      const auto* bound = callee.As<MethodObject>();
      return bound->method->call(*this, bound->self, arguments);
    }
    case Kind::kMacro:
      return CallMacro(*callee.As<MacroObject>(), arguments);
    case Kind::kLoop:
      return CallLoop(*callee.As<LoopObject>(), arguments);
    case Kind::kJoiner: {
      auto* joiner = callee.As<JoinerObject>();
      if (joiner->used) return joiner->separator;
      joiner->used = true;
      return Value::Borrowed("");
    }
    default:
      return Fail("TypeError: '" + std::string(TypeName(callee)) + "' object is not callable");
  }
}

Value Interpreter::EvaluateFilter(const FilterExpr& expr) {
  const Value input = expr.input != nullptr ? Evaluate(*expr.input) : block_text_;
  if (failed_) return Value::Failed();
  if (expr.filter == nullptr) return Fail("there is no filter named '" + expr.name + "'");
  CallArguments arguments;
  if (!EvaluateArguments(expr.arguments, &arguments)) return Value::Failed();
  return expr.filter->call(*this, input, arguments);
}

Value Interpreter::EvaluateBlockFilter(const Expr& filter, Value text) {
  if (text.failed()) return text;
  const Value around = std::exchange(block_text_, std::move(text));
  Value result = Evaluate(filter);
  block_text_ = around;
  return result;
}

Value Interpreter::EvaluateTest(const TestExpr& expr) {
  const Value input = Evaluate(*expr.input);
  if (failed_) return Value::Failed();
  if (expr.test == nullptr) return Fail("there is no test named '" + expr.name + "'");
  CallArguments arguments;
  if (!EvaluateArguments(expr.arguments, &arguments)) return Value::Failed();
  return expr.test->call(*this, input, arguments);
}

Value Interpreter::EvaluateBinary(const BinaryExpr& expr) {
  Value left = Evaluate(*expr.left);
  if (failed_) return Value::Failed();
  if (expr.kind == ExprKind::kAnd) return Truth(left) ? Evaluate(*expr.right) : left;
  if (expr.kind == ExprKind::kOr) return Truth(left) ? left : Evaluate(*expr.right);
  const Value right = Evaluate(*expr.right);
  if (failed_) return Value::Failed();
  return Arithmetic(*this, expr.kind, std::move(left), right);
}

Value Interpreter::EvaluateCompare(const CompareExpr& expr) {
  static constexpr std::string_view kNames[] = {"==", "!=", "<", "<=", ">", ">="};
  Value left = Evaluate(*expr.first);
  if (failed_) return Value::Failed();
  for (const auto& [comparison, right_expr] : expr.rest) {
    Value right = Evaluate(*right_expr);
    if (failed_) return Value::Failed();
    bool holds = false;
    if (comparison == Comparison::kEq || comparison == Comparison::kNe) {
      holds = Equal(*this, left, right) == (comparison == Comparison::kEq);
    } else if (comparison == Comparison::kIn || comparison == Comparison::kNotIn) {
      const Value contained = Contains(*this, right, left);
      if (!failed_) holds = contained.boolean() == (comparison == Comparison::kIn);
    } else {
      int order = 0;
      const std::string_view name = kNames[static_cast<size_t>(comparison)];
      if (Order(*this, name, left, right, &order)) holds = Holds(comparison, order);
    }
    if (failed_) return Value::Failed();
    if (!holds) return Value::Bool(false);
    left = std::move(right);
  }
  return Value::Bool(true);
}

Value Interpreter::EvaluateConcat(const SequenceExpr& expr) {
  std::string text;
  for (const ExprPtr& item : expr.items) {
    const Value value = Evaluate(*item);
    if (failed_ || !AppendString(*this, value, &text)) return Value::Failed();
    if (!Spend(text.size() / 4) || !Reserve(text.size())) return Value::Failed();
  }
  return NewString(std::move(text));
}

Value Interpreter::EvaluateConditional(const ConditionalExpr& expr) {
  const Value test = Evaluate(*expr.test);
  if (failed_) return Value::Failed();
  if (Truth(test)) return Evaluate(*expr.then);
  if (expr.otherwise != nullptr) return Evaluate(*expr.otherwise);
  return Value::Undefined(UndefinedReason::kHint, Kind::kMissing,
                          Value::Borrowed("the inline if-expression evaluated to false and no else "
                                          "section was defined."));
}

Value Interpreter::FailUndefined(const Value& undefined) {
  const std::string name(undefined.text());
  const auto base = [&] {
    if (undefined.base() == Kind::kNone) return std::string("None");
    const std::string object = std::string(TypeName(undefined.base())) + " object";
    return undefined.base() == Kind::kNamespace ? "jinja2.utils." + object : object;
  };
  switch (undefined.reason()) {
    case UndefinedReason::kName:
      return Fail("'" + name + "' is undefined");
    case UndefinedReason::kAttribute:
      return Fail("'" + base() + "' has no attribute '" + name + "'");
    case UndefinedReason::kElement:
      return Fail(base() + " has no element " + name);
    case UndefinedReason::kHint:
      return Fail(name);
    case UndefinedReason::kUnsafe:
      return Fail("access to attribute '" + name + "' of '" +
                  std::string(TypeName(undefined.base())) + "' object is unsafe.");
  }
  return Value::Failed();
}

Value Interpreter::NewString(std::string text) {
  if (failed_ || !Reserve(text.size())) return Value::Failed();
  auto* object = heap_.New<StringObject>(text.size(), std::move(text));
  return Value::Text(object);
}

Value Interpreter::NewSequence(Kind kind, std::vector<Value> items) {
  if (failed_ || !Reserve(items.size() * sizeof(Value))) return Value::Failed();
  return Value::Of(kind, heap_.New<ListObject>(items.size() * sizeof(Value), std::move(items)));
}

Value Interpreter::NewDict(DictObject* dict) {
  Value value = Value::Of(Kind::kDict, dict);
  heap_.Charge(dict, dict->items.size() * (sizeof(DictObject::Item) + sizeof(uint32_t)));
  return failed_ || !Reserve(0) ? Value::Failed() : value;
}

Value Interpreter::FromJson(const json::Value& value, int depth) {
  if (depth > kMaxJsonDepth) return Fail("the context is nested too deeply");
  switch (value.kind()) {
    case boost::json::kind::null:
      return Value::None();
    case boost::json::kind::bool_:
      return Value::Bool(value.get_bool());
    case boost::json::kind::int64:
      return Value::Integer(value.get_int64());
    case boost::json::kind::uint64:
      return Value::Integer(value.get_uint64());
    case boost::json::kind::double_:
      return Value::Float(value.get_double());
    case boost::json::kind::string:
      return Value::Borrowed(value.get_string());
    case boost::json::kind::array: {
      std::vector<Value> items;
      items.reserve(value.get_array().size());
      for (const json::Value& item : value.get_array()) items.push_back(FromJson(item, depth + 1));
      return NewList(std::move(items));
    }
    case boost::json::kind::object: {
      auto* dict = heap_.New<DictObject>(0);
      dict->Reserve(value.get_object().size());
      for (const auto& item : value.get_object()) {
        dict->Set(Value::Borrowed(item.key()), FromJson(item.value(), depth + 1));
      }
      return NewDict(dict);
    }
  }
  return Value::None();
}

}  // namespace ac::jinja
