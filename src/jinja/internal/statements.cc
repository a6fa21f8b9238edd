// The interpreter's frame and its statements.
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "jinja/internal/operations.h"

namespace ac::jinja {

Interpreter::Interpreter(const Program& program, const json::Value& context,
                         const RenderOptions& options)
    : program_(program),
      context_(context),
      options_(options),
      heap_(options.limits.max_memory_bytes),
      resolved_(program.names.size(), Value::Failed()) {}

// Frames and namespaces may refer to each other in circles: empty both before the heap goes.
Interpreter::~Interpreter() {
  for (const auto& frame : captured_) frame->slots.clear();
  resolved_.clear();
  block_text_ = Value();
  heap_.ClearMutable();
}

Result<std::string> Interpreter::Run() {
  std::string out;
  out_ = &out;
  InFrame(program_.routine, nullptr, [&] {
    Enter(program_.scope);
    if (!failed_) Execute(program_.body);
  });
  if (!failed_) return out;
  const std::string where = "'" + program_.name + "' line " + std::to_string(error_line_);
  if (raised_) return Status(error_code_, "[jinja] raise_exception in " + where + ": " + error_);
  return Status(error_code_, "[jinja] " + where + ": " + error_);
}

Value Interpreter::Fail(std::string what, Code code) {
  if (failed_) return Value::Failed();  // the first error is the cause
  failed_ = true;
  error_ = std::move(what);
  error_code_ = code;
  return Value::Failed();
}

Value Interpreter::Raise(std::string_view message) {
  if (!failed_) raised_ = true;
  return Fail(std::string(message));
}

void Interpreter::FailDepth() {
  Fail("nested more than " + std::to_string(options_.limits.max_depth) +
           " evaluations deep: a macro that calls itself without end?",
       Code::kTooLarge);
}

bool Interpreter::Spend(size_t bytes) {
  constexpr size_t kBytesPerStep = 64;
  steps_ += 1 + bytes / kBytesPerStep;
  if (steps_ > options_.limits.max_steps) {
    Fail("stopped after " + std::to_string(options_.limits.max_steps) + " steps: an endless loop?",
         Code::kTooLarge);
    return false;
  }
  return Reserve(0);
}

bool Interpreter::Reserve(size_t bytes) {
  if (heap_.Fits(bytes)) return true;
  Fail("needs more than " + std::to_string(options_.limits.max_memory_bytes) + " bytes of memory",
       Code::kTooLarge);
  return false;
}

template <typename Function>
void Interpreter::InFrame(const Routine& routine, Frame* outer, Function run) {
  Frame local;
  Frame* frame = &local;
  if (routine.captured) {
    captured_.push_back(std::make_unique<Frame>());
    frame = captured_.back().get();
    heap_.ChargeForever(sizeof(Frame) + static_cast<size_t>(routine.slots) * sizeof(Value));
  }
  frame->outer = outer;
  frame->slots.resize(static_cast<size_t>(routine.slots));
  Frame* const around = std::exchange(frame_, frame);
  run();
  frame_ = around;
}

// Runs with the output going to a text of its own.
template <typename Function>
std::string Interpreter::Capture(Function run) {
  std::string text;
  std::string* const around = std::exchange(out_, &text);
  run();
  out_ = around;
  return text;
}

void Interpreter::Enter(const Scope& scope) {
  for (const SlotLoad& load : scope) {
    Value& slot = frame_->slots[static_cast<size_t>(load.slot)];
    switch (load.action) {
      case SlotLoad::Action::kKeep:
        break;
      case SlotLoad::Action::kClear:
        slot = Value();
        break;
      case SlotLoad::Action::kAlias:
        slot = SlotOf(load.source);
        break;
      case SlotLoad::Action::kResolve:
        slot = Resolve(load.name);
        break;
    }
  }
}

void Interpreter::Leave(const Scope& scope) {
  for (const SlotLoad& load : scope) frame_->slots[static_cast<size_t>(load.slot)] = Value();
}

Value& Interpreter::SlotOf(const Variable& variable) {
  Frame* frame = frame_;
  for (int hop = 0; hop < variable.hops; ++hop) frame = frame->outer;
  return frame->slots[static_cast<size_t>(variable.slot)];
}

Value Interpreter::Resolve(int name) {
  Value& known = resolved_[static_cast<size_t>(name)];
  if (!known.failed()) return known;
  const std::string& text = program_.names[static_cast<size_t>(name)];
  const json::Object* object = context_.if_object();
  const json::Value* found = object == nullptr ? nullptr : object->if_contains(text);
  if (found != nullptr) {
    known = FromJson(*found);
    if (known.failed()) return Value();  // the error is kept; statements see it
  } else if (const Builtin* function = FindFunction(text)) {
    known = Value::Function(function);
  } else {
    known = Value();
  }
  return known;
}

bool Interpreter::Emit() {
  if (failed_) return false;
  if (out_->size() <= options_.limits.max_output_bytes) return true;
  Fail("the output is larger than " + std::to_string(options_.limits.max_output_bytes) + " bytes",
       Code::kTooLarge);
  return false;
}

// Filter and call blocks write texts only: jinja2 does not convert what they return.
bool Interpreter::EmitText(const Value& value) {
  if (value.failed()) return false;
  if (!value.Is(Kind::kString)) {
    Fail("TypeError: the block's result is no text but " + std::string(TypeName(value)));
    return false;
  }
  *out_ += value.text();
  return Emit();
}

Interpreter::Flow Interpreter::Execute(const Body& body) {
  for (const auto& node : body) {
    const Flow flow = Execute(*node);
    if (flow != Flow::kNormal) return flow;
  }
  return Flow::kNormal;
}

Interpreter::Flow Interpreter::Execute(const Node& node) {
  const Depth depth(*this);
  Flow flow = Flow::kFailed;
  if (depth.ok() && Spend()) flow = ExecuteNode(node);
  if (failed_) {
    if (error_line_ == 0) error_line_ = node.line;
    return Flow::kFailed;
  }
  return flow;
}

Interpreter::Flow Interpreter::ExecuteNode(const Node& node) {
  switch (node.kind) {
    case NodeKind::kOutput:
      return ExecuteOutput(static_cast<const OutputNode&>(node));
    case NodeKind::kIf:
      return ExecuteIf(static_cast<const IfNode&>(node));
    case NodeKind::kFor:
      return ExecuteFor(static_cast<const ForNode&>(node));
    case NodeKind::kSet: {
      const auto& set = static_cast<const SetNode&>(node);
      return Assign(*set.target, Evaluate(*set.value)) ? Flow::kNormal : Flow::kFailed;
    }
    case NodeKind::kSetBlock:
      return ExecuteSetBlock(static_cast<const SetBlockNode&>(node));
    case NodeKind::kMacro: {
      const auto& macro = static_cast<const MacroNode&>(node);
      SlotOf(macro.variable) = MakeMacro(macro);
      return Flow::kNormal;
    }
    case NodeKind::kCallBlock:
      return ExecuteCallBlock(static_cast<const CallBlockNode&>(node));
    case NodeKind::kFilterBlock:
      return ExecuteFilterBlock(static_cast<const FilterBlockNode&>(node));
    case NodeKind::kWith:
      return ExecuteWith(static_cast<const WithNode&>(node));
    case NodeKind::kBreak:
      return Flow::kBreak;
    case NodeKind::kContinue:
      return Flow::kContinue;
  }
  return Flow::kNormal;
}

Interpreter::Flow Interpreter::ExecuteOutput(const OutputNode& node) {
  for (const OutputNode::Part& part : node.parts) {
    const size_t before = out_->size();
    if (part.expr == nullptr) {
      *out_ += part.data;
    } else {
      const Value value = Evaluate(*part.expr);
      if (value.failed() || !AppendString(*this, value, out_)) return Flow::kFailed;
    }
    if (!Spend(out_->size() - before) || !Emit()) return Flow::kFailed;
  }
  return Flow::kNormal;
}

Interpreter::Flow Interpreter::ExecuteIf(const IfNode& node) {
  for (const auto& [test, body] : node.branches) {
    const Value value = Evaluate(*test);
    if (value.failed()) return Flow::kFailed;
    if (Truth(value)) return Execute(body);
  }
  return Execute(node.otherwise);
}

Interpreter::Flow Interpreter::ExecuteFor(const ForNode& node) {
  const Value iterable = Evaluate(*node.iterable);
  if (iterable.failed()) return Flow::kFailed;
  if (!node.recursive) return RunLoop(node, iterable, 0);
  InFrame(node.routine, frame_, [&] { RunLoop(node, iterable, 0); });
  return failed_ ? Flow::kFailed : Flow::kNormal;
}

Interpreter::Flow Interpreter::RunLoop(const ForNode& node, const Value& iterable, int depth) {
  // Python's else runs when no iteration came to the end of its body.
  bool completed = false;
  Flow flow = Flow::kNormal;
  if (node.uses_loop) {
    auto* loop = heap_.New<LoopObject>(0, &node, frame_, depth);
    const Value value = Value::Of(Kind::kLoop, loop);
    if (loop->Start(*this, iterable)) {
      Value item;
      while (flow == Flow::kNormal && loop->Next(*this, &item)) {
        frame_->slots[static_cast<size_t>(node.loop_slot)] = value;
        flow = RunLoopBody(node, std::move(item), &completed);
      }
    }
    loop->Clear();
  } else {
    flow = RunPlainLoop(node, iterable, &completed);
  }
  Leave(node.scope);
  if (failed_) return Flow::kFailed;
  if (completed || node.otherwise.empty()) return Flow::kNormal;
  Enter(node.otherwise_scope);
  flow = failed_ ? Flow::kFailed : Execute(node.otherwise);
  Leave(node.otherwise_scope);
  return flow;
}

Interpreter::Flow Interpreter::RunPlainLoop(const ForNode& node, const Value& iterable,
                                            bool* completed) {
  Cursor cursor;
  if (!cursor.Start(*this, iterable)) return Flow::kFailed;
  Value item;
  Flow flow = Flow::kNormal;
  while (flow == Flow::kNormal && cursor.Next(*this, &item)) {
    bool accepted = true;
    if (node.test != nullptr && !Accept(node, frame_, &item, &accepted)) return Flow::kFailed;
    if (accepted) flow = RunLoopBody(node, std::move(item), completed);
  }
  return flow;
}

// kNormal to go on with the next item, also after `continue`.
Interpreter::Flow Interpreter::RunLoopBody(const ForNode& node, Value item, bool* completed) {
  Enter(node.scope);
  if (failed_ || !Spend() || !Assign(*node.target, std::move(item))) return Flow::kFailed;
  const Flow flow = Execute(node.body);
  if (flow == Flow::kNormal) *completed = true;
  return flow == Flow::kContinue ? Flow::kNormal : flow;
}

// Whether the loop's condition holds for an item. Where the target has several names, Python's
// filter hands on a tuple of what they received instead of the item.
bool Interpreter::Accept(const ForNode& node, Frame* frame, Value* item, bool* accepted) {
  Frame* const around = std::exchange(frame_, frame);
  Enter(node.test_scope);
  if (!failed_ && Spend() && Assign(*node.test_target, *item)) {
    const Value result = Evaluate(*node.test);
    *accepted = !result.failed() && Truth(result);
    if (*accepted && node.test_target->kind == ExprKind::kTuple)
      *item = Evaluate(*node.test_target);
  }
  frame_ = around;
  return !failed_;
}

Interpreter::Flow Interpreter::ExecuteSetBlock(const SetBlockNode& node) {
  Flow flow = Flow::kNormal;
  Enter(node.scope);
  std::string text = Capture([&] { flow = failed_ ? Flow::kFailed : Execute(node.body); });
  if (flow == Flow::kNormal) {
    Value value = NewString(std::move(text));
    if (node.filter != nullptr) value = EvaluateBlockFilter(*node.filter, std::move(value));
    if (!Assign(*node.target, std::move(value))) flow = Flow::kFailed;
  }
  Leave(node.scope);
  return flow;
}

Interpreter::Flow Interpreter::ExecuteFilterBlock(const FilterBlockNode& node) {
  Flow flow = Flow::kNormal;
  Enter(node.scope);
  std::string text = Capture([&] { flow = failed_ ? Flow::kFailed : Execute(node.body); });
  if (flow == Flow::kNormal) {
    const Value value = EvaluateBlockFilter(*node.filter, NewString(std::move(text)));
    if (!EmitText(value)) flow = Flow::kFailed;
  }
  Leave(node.scope);
  return flow;
}

Interpreter::Flow Interpreter::ExecuteCallBlock(const CallBlockNode& node) {
  const Value caller = MakeMacro(*node.caller);
  CallArguments none;
  const Value value = node.call == nullptr
                          ? CallMacro(*caller.As<MacroObject>(), none)
                          : EvaluateCall(static_cast<const CallExpr&>(*node.call), &caller);
  return EmitText(value) ? Flow::kNormal : Flow::kFailed;
}

Interpreter::Flow Interpreter::ExecuteWith(const WithNode& node) {
  Enter(node.scope);
  Flow flow = failed_ ? Flow::kFailed : Flow::kNormal;
  for (const auto& [target, value] : node.assignments) {
    if (flow == Flow::kNormal && !Assign(*target, Evaluate(*value))) flow = Flow::kFailed;
  }
  if (flow == Flow::kNormal) flow = Execute(node.body);
  Leave(node.scope);
  return flow;
}

bool Interpreter::Assign(const Expr& target, Value value) {
  if (value.failed()) return false;
  if (target.kind == ExprKind::kName) {
    SlotOf(static_cast<const NameExpr&>(target).variable) = std::move(value);
    return true;
  }
  if (target.kind == ExprKind::kNamespaceRef) {
    const auto& ref = static_cast<const NamespaceRefExpr&>(target);
    const Value& space = SlotOf(ref.variable);
    if (!space.Is(Kind::kNamespace)) {
      Fail("cannot assign attribute on non-namespace object '" + ref.name + "'");
      return false;
    }
    auto* object = space.As<NamespaceObject>();
    if (Value* known = object->Find(ref.attribute)) {
      *known = std::move(value);
    } else {
      object->attributes.emplace_back(Value::Borrowed(ref.attribute), std::move(value));
      heap_.Charge(object, sizeof object->attributes[0]);
    }
    return true;
  }
  const auto& items = static_cast<const SequenceExpr&>(target).items;
  std::vector<Value> values;
  if (!IsIterable(value)) {
    Fail("TypeError: cannot unpack non-iterable " + std::string(TypeName(value)) + " object");
    return false;
  }
  if (!Collect(*this, value, &values)) return false;
  if (values.size() != items.size()) {
    const std::string expected = "(expected " + std::to_string(items.size());
    Fail(values.size() > items.size() ? "ValueError: too many values to unpack " + expected + ")"
                                      : "ValueError: not enough values to unpack " + expected +
                                            ", got " + std::to_string(values.size()) + ")");
    return false;
  }
  for (size_t i = 0; i < items.size(); ++i) {
    if (!Assign(*items[i], std::move(values[i]))) return false;
  }
  return true;
}

Value Interpreter::MakeMacro(const MacroNode& node) {
  return Value::Of(Kind::kMacro, heap_.New<MacroObject>(0, &node, frame_));
}

Value Interpreter::CallMacro(const MacroObject& macro, CallArguments& arguments) {
  const Depth depth(*this);
  if (!depth.ok()) return Value::Failed();
  std::string text = Capture([&] {
    InFrame(macro.node->routine, macro.closure, [&] {
      if (BindMacro(*macro.node, arguments)) Execute(macro.node->body);
    });
  });
  return failed_ ? Value::Failed() : NewString(std::move(text));
}

// Fills the parameter slots of the current frame.
bool Interpreter::BindMacro(const MacroNode& node, CallArguments& arguments) {
  const auto slot = [&](int index) -> Value& { return frame_->slots[static_cast<size_t>(index)]; };
  auto& named = arguments.named;
  const auto take = [&](std::string_view name, Value* out) {
    for (auto it = named.begin(); it != named.end(); ++it) {
      if (it->first.text() != name) continue;
      *out = std::move(it->second);
      named.erase(it);
      return true;
    }
    return false;
  };
  const size_t given = std::min(arguments.positional.size(), node.parameters.size());
  for (size_t i = 0; i < node.parameters.size(); ++i) {
    Value& target = slot(node.parameters[i].slot);
    if (i < given) {
      target = arguments.positional[i];
    } else {
      take(node.parameters[i].name, &target);
    }
  }
  if (node.caller_slot >= 0 && !take("caller", &slot(node.caller_slot))) {
    slot(node.caller_slot) = Value::Undefined(UndefinedReason::kHint, Kind::kMissing,
                                              Value::Borrowed("No caller defined"));
  }
  if (node.kwargs_slot >= 0) {
    auto* rest = heap_.New<DictObject>(0);
    for (auto& [name, value] : named) rest->Set(name, std::move(value));
    slot(node.kwargs_slot) = NewDict(rest);
  } else if (!named.empty()) {
    Fail("TypeError: macro '" + node.name + "' takes no keyword argument '" +
         std::string(named[0].first.text()) + "'");
    return false;
  }
  if (node.varargs_slot >= 0) {
    slot(node.varargs_slot) = NewTuple(
        {arguments.positional.begin() + static_cast<ptrdiff_t>(given), arguments.positional.end()});
  } else if (arguments.positional.size() > node.parameters.size()) {
    Fail("TypeError: macro '" + node.name + "' takes not more than " +
         std::to_string(node.parameters.size()) + " argument(s)");
    return false;
  }
  Enter(node.scope);
  if (failed_) return false;
  for (const auto& parameter : node.parameters) {
    if (!slot(parameter.slot).missing()) continue;
    Value value =
        parameter.fallback != nullptr
            ? Evaluate(*parameter.fallback)
            : Value::Undefined(UndefinedReason::kHint, Kind::kMissing,
                               NewString("parameter '" + parameter.name + "' was not provided"));
    if (value.failed()) return false;
    slot(parameter.slot) = std::move(value);
  }
  return true;
}

// loop(children) inside a recursive loop: the loop again, one level down, as text.
Value Interpreter::CallLoop(const LoopObject& loop, CallArguments& arguments) {
  if (loop.frame == nullptr || !loop.node->recursive) {
    return Fail("TypeError: the loop must have the 'recursive' marker to be called recursively");
  }
  if (arguments.positional.size() != 1 || !arguments.named.empty()) {
    return Fail("TypeError: loop() takes one iterable");
  }
  const Depth depth(*this);
  if (!depth.ok()) return Value::Failed();
  const Value iterable = arguments.positional[0];
  std::string text = Capture([&] {
    InFrame(loop.node->routine, loop.frame->outer,
            [&] { RunLoop(*loop.node, iterable, loop.depth0 + 1); });
  });
  return failed_ ? Value::Failed() : NewString(std::move(text));
}

}  // namespace ac::jinja
