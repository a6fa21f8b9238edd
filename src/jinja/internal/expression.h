// The syntax tree of a template: expressions and assignment targets.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "jinja/internal/value.h"

namespace ac::jinja {

struct Builtin;

// A variable: `hops` function frames up, then a slot of that frame.
struct Variable {
  int hops = 0;
  int slot = -1;
};

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

}  // namespace ac::jinja
