// The syntax tree of a template: statements. Expressions are in expression.h.
//
// The tree is immutable after ResolveNames; the interpreter only reads it, from any thread. Values
// refer to its texts while a render runs.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "jinja/internal/expression.h"

namespace ac::jinja {

// What happens to a slot when its scope is entered.
struct SlotLoad {
  enum class Action : uint8_t { kClear, kKeep, kAlias, kResolve };
  Action action;
  int slot;
  Variable source;  // kAlias: copied from here
  int name = -1;    // kResolve: index into Program::names, looked up in the context
};
using Scope = std::vector<SlotLoad>;

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
