// One render of one template: walks the tree, holds variables, output, the first error and the
// limits. Lives on one thread for the time of Template::Render.
//
// Failure is a value: whatever cannot go on calls Fail, returns Value::Failed() (or false), and
// every caller up to Run returns at once.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "jinja/internal/builtins.h"
#include "jinja/internal/objects.h"
#include "jinja/internal/program.h"
#include "jinja/template.h"

namespace ac::jinja {

// The variables of one running routine.
struct Frame {
  Frame* outer = nullptr;  // of the routine around this one in the text
  std::vector<Value> slots;
};

class Interpreter {
 public:
  Interpreter(const Program& program, const json::Value& context, const RenderOptions& options);
  ~Interpreter();
  Result<std::string> Run();

  Value Fail(std::string what, Code code = Code::kInvalidArgument);
  Value FailUndefined(const Value& undefined);
  Value Raise(std::string_view message);  // raise_exception
  bool failed() const { return failed_; }
  // Counts work: one step plus the text moved. False, after Fail, when a limit is passed.
  bool Spend(size_t bytes = 0);
  // Asks before something large is built.
  bool Reserve(size_t bytes);

  Heap& heap() { return heap_; }
  const RenderOptions& options() const { return options_; }

  Value NewString(std::string text);
  Value NewList(std::vector<Value> items) { return NewSequence(Kind::kList, std::move(items)); }
  Value NewTuple(std::vector<Value> items) { return NewSequence(Kind::kTuple, std::move(items)); }
  Value NewSequence(Kind kind, std::vector<Value> items);
  Value NewDict(DictObject* dict);  // after its items are set
  Value FromJson(const json::Value& value, int depth = 0);

  // What the language does with a dot, brackets and parentheses.
  Value GetAttribute(const Value& object, const Value& name);
  Value GetItem(const Value& object, const Value& index);
  Value Slice(const Value& object, const Value& start, const Value& stop, const Value& step);
  Value Call(const Value& callee, CallArguments& arguments);

  // For LoopObject: the condition of a filtered loop, for one item.
  bool Accept(const ForNode& node, Frame* frame, Value* item, bool* accepted);

  // Held while something recursive runs; ok() is false, after Fail, when it went too deep.
  class Depth {
   public:
    explicit Depth(Interpreter& in) : in_(in), ok_(++in.depth_ <= in.options_.limits.max_depth) {
      if (!ok_) in.FailDepth();
    }
    ~Depth() { --in_.depth_; }
    Depth(const Depth&) = delete;
    Depth& operator=(const Depth&) = delete;
    bool ok() const { return ok_; }

   private:
    Interpreter& in_;
    bool ok_;
  };

 private:
  enum class Flow : uint8_t { kNormal, kBreak, kContinue, kFailed };

  // Statements (statements.cc).
  Flow Execute(const Body& body);
  Flow Execute(const Node& node);
  Flow ExecuteNode(const Node& node);
  Flow ExecuteOutput(const OutputNode& node);
  Flow ExecuteIf(const IfNode& node);
  Flow ExecuteFor(const ForNode& node);
  Flow ExecuteSetBlock(const SetBlockNode& node);
  Flow ExecuteCallBlock(const CallBlockNode& node);
  Flow ExecuteFilterBlock(const FilterBlockNode& node);
  Flow ExecuteWith(const WithNode& node);
  Flow RunLoop(const ForNode& node, const Value& iterable, int depth);
  Flow RunPlainLoop(const ForNode& node, const Value& iterable, bool* completed);
  Flow RunLoopBody(const ForNode& node, Value item, bool* completed);
  bool Emit();  // false, after Fail, when the output grew too large
  bool EmitText(const Value& value);
  void Enter(const Scope& scope);
  void Leave(const Scope& scope);
  bool Assign(const Expr& target, Value value);
  Value MakeMacro(const MacroNode& node);
  Value CallMacro(const MacroObject& macro, CallArguments& arguments);
  bool BindMacro(const MacroNode& node, CallArguments& arguments);
  Value CallLoop(const LoopObject& loop, CallArguments& arguments);
  template <typename Function>
  void InFrame(const Routine& routine, Frame* outer, Function run);
  template <typename Function>
  std::string Capture(Function run);

  // Expressions (expressions.cc).
  Value Evaluate(const Expr& expr);
  Value EvaluateNode(const Expr& expr);
  Value EvaluateName(const NameExpr& expr);
  Value EvaluateSequence(const SequenceExpr& expr, Kind kind);
  Value EvaluateDict(const DictExpr& expr);
  Value EvaluateAttribute(const AttributeExpr& expr);
  Value EvaluateItem(const ItemExpr& expr);
  Value EvaluateCall(const CallExpr& expr, const Value* caller);
  Value EvaluateFilter(const FilterExpr& expr);
  Value EvaluateBlockFilter(const Expr& filter, Value text);
  Value EvaluateTest(const TestExpr& expr);
  Value EvaluateBinary(const BinaryExpr& expr);
  Value EvaluateCompare(const CompareExpr& expr);
  Value EvaluateConcat(const SequenceExpr& expr);
  Value EvaluateConditional(const ConditionalExpr& expr);
  bool EvaluateArguments(const Arguments& arguments, CallArguments* out);
  Value AttributeOf(const Value& object, const AttributeExpr& expr);
  const Builtin* MethodOf(const Value& object, const AttributeExpr& expr) const;

  Value& SlotOf(const Variable& variable);
  Value Resolve(int name);
  void FailDepth();

  const Program& program_;
  const json::Value& context_;
  const RenderOptions& options_;
  Heap heap_;
  std::vector<std::unique_ptr<Frame>> captured_;  // frames that macros may still refer to
  std::vector<Value> resolved_;                   // context variables by name index, once converted
  Frame* frame_ = nullptr;
  std::string* out_ = nullptr;
  Value block_text_;  // what a filter without input applies to
  int depth_ = 0;
  size_t steps_ = 0;
  bool failed_ = false;
  bool raised_ = false;
  Code error_code_ = Code::kInvalidArgument;
  std::string error_;
  int error_line_ = 0;
};

}  // namespace ac::jinja
