// Tokens and the syntax tree of a template.
//
// The tree is immutable after ResolveNames; the interpreter only reads it. Node text is referred to
// by values while a render runs.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "jinja/internal/value.h"

namespace ac::jinja {

struct Builtin;

enum class TokenKind : uint8_t {
  kData,
  kVariableBegin,
  kVariableEnd,
  kBlockBegin,
  kBlockEnd,
  kName,
  kString,
  kInteger,
  kFloat,
  kOperator,
  kEnd,
};

struct Token {
  TokenKind kind;
  int line;
  std::string text;  // data, name, unescaped string, operator
  Int integer = 0;
  double real = 0;
};

// A variable: `hops` function frames up, then a slot of that frame.
struct Variable {
  int hops = 0;
  int slot = -1;
};

// What happens to a slot when its scope is entered.
struct SlotLoad {
  enum class Action : uint8_t { kClear, kKeep, kAlias, kResolve };
  Action action;
  int slot;
  Variable source;  // kAlias: copied from here
  int name = -1;    // kResolve: index into Program::names, looked up in the context
};
using Scope = std::vector<SlotLoad>;

enum class ExprKind : uint8_t {
  kConst,
  kName,
  kNamespaceRef,
  kList,
  kTuple,
  kDict,
  kAttribute,
  kItem,
  kSlice,
  kCall,
  kFilter,
  kTest,
  kNot,
  kNegate,
  kPlus,
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kFloorDivide,
  kModulo,
  kPower,
  kAnd,
  kOr,
  kCompare,
  kConcat,
  kConditional,
};

struct Expr {
  Expr(ExprKind which, int at) : kind(which), line(at) {}
  virtual ~Expr() = default;
  const ExprKind kind;
  const int line;
  int height = 1;  // of the subtree: what evaluating it costs in stack
};
using ExprPtr = std::unique_ptr<Expr>;

struct ConstExpr : Expr {
  using Expr::Expr;
  Value value;  // refers to `text` when it is a string
  std::string text;
};
struct NameExpr : Expr {  // also an assignment target
  using Expr::Expr;
  std::string name;
  Variable variable;
};
struct NamespaceRefExpr : Expr {  // {% set name.attribute = ... %}
  using Expr::Expr;
  std::string name, attribute;
  Variable variable;
};
struct SequenceExpr : Expr {  // kList, kTuple, kConcat
  using Expr::Expr;
  std::vector<ExprPtr> items;
};
struct DictExpr : Expr {
  using Expr::Expr;
  std::vector<std::pair<ExprPtr, ExprPtr>> items;
};
struct AttributeExpr : Expr {
  using Expr::Expr;
  ExprPtr object;
  std::string name;
  // The method of this name on each type, looked up once.
  const Builtin *on_string = nullptr, *on_list = nullptr, *on_tuple = nullptr, *on_dict = nullptr;
};
struct ItemExpr : Expr {
  using Expr::Expr;
  ExprPtr object, index;
};
struct SliceExpr : Expr {
  using Expr::Expr;
  ExprPtr start, stop, step;  // each may be null
};
struct Arguments {
  std::vector<ExprPtr> positional;
  std::vector<std::pair<std::string, ExprPtr>> named;
  ExprPtr star, star_star;
};
struct CallExpr : Expr {
  using Expr::Expr;
  ExprPtr callee;
  Arguments arguments;
};
struct FilterExpr : Expr {
  using Expr::Expr;
  ExprPtr input;  // null: the text of the surrounding filter or set block
  std::string name;
  const Builtin* filter = nullptr;  // null: unknown, an error when reached
  Arguments arguments;
};
struct TestExpr : Expr {
  using Expr::Expr;
  ExprPtr input;
  std::string name;
  const Builtin* test = nullptr;
  Arguments arguments;
};
struct UnaryExpr : Expr {  // kNot, kNegate, kPlus
  using Expr::Expr;
  ExprPtr operand;
};
struct BinaryExpr : Expr {  // kAdd .. kOr
  using Expr::Expr;
  ExprPtr left, right;
};
enum class Comparison : uint8_t { kEq, kNe, kLt, kLe, kGt, kGe, kIn, kNotIn };
struct CompareExpr : Expr {
  using Expr::Expr;
  ExprPtr first;
  std::vector<std::pair<Comparison, ExprPtr>> rest;
};
struct ConditionalExpr : Expr {
  using Expr::Expr;
  ExprPtr test, then, otherwise;  // otherwise may be null
};

enum class NodeKind : uint8_t {
  kOutput,
  kIf,
  kFor,
  kSet,
  kSetBlock,
  kMacro,
  kCallBlock,
  kFilterBlock,
  kWith,
  kBreak,
  kContinue,
};

struct Node {
  Node(NodeKind which, int at) : kind(which), line(at) {}
  virtual ~Node() = default;
  const NodeKind kind;
  const int line;
};
using Body = std::vector<std::unique_ptr<Node>>;

struct OutputNode : Node {
  using Node::Node;
  struct Part {
    std::string data;
    ExprPtr expr;  // null: data
  };
  std::vector<Part> parts;
};
struct IfNode : Node {
  using Node::Node;
  std::vector<std::pair<ExprPtr, Body>> branches;  // if, elif...
  Body otherwise;
};
// Code with slots of its own: the template, a macro, the body of a call block, a recursive loop.
struct Routine {
  int slots = 0;
  bool captured = false;  // inner routines may outlive a call, so the frame must too
};
struct ForNode : Node {
  using Node::Node;
  ExprPtr target, test_target, iterable, test;  // test and its copy of the target may be null
  Body body, otherwise;
  Scope scope, test_scope, otherwise_scope;
  bool recursive = false;
  bool uses_loop = false;
  int loop_slot = -1;
  Routine routine;  // when recursive
};
struct SetNode : Node {
  using Node::Node;
  ExprPtr target, value;
};
struct SetBlockNode : Node {
  using Node::Node;
  ExprPtr target, filter;  // filter may be null
  Body body;
  Scope scope;
};
struct MacroNode : Node {
  using Node::Node;
  struct Parameter {
    std::string name;
    int slot = -1;
    ExprPtr fallback;  // may be null
  };
  std::string name;
  Variable variable;  // where the macro itself is stored
  std::vector<Parameter> parameters;
  Body body;
  Scope scope;
  Routine routine;
  int caller_slot = -1, kwargs_slot = -1, varargs_slot = -1;  // -1: the body does not use it
};
struct CallBlockNode : Node {
  using Node::Node;
  std::unique_ptr<MacroNode> caller;
  ExprPtr call;  // null: a generation block, which only renders its body
};
struct FilterBlockNode : Node {
  using Node::Node;
  ExprPtr filter;
  Body body;
  Scope scope;
};
struct WithNode : Node {
  using Node::Node;
  std::vector<std::pair<ExprPtr, ExprPtr>> assignments;
  Body body;
  Scope scope;
};

}  // namespace ac::jinja
