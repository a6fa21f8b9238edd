// Expressions, in the order of precedence.
#include <algorithm>

#include "jinja/internal/builtins.h"
#include "jinja/internal/parser.h"

namespace ac::jinja {
namespace {

// Chains like a + b + c nest to the left without nesting in the text; this bounds what evaluating
// and destroying them costs in stack.
constexpr int kMaxHeight = 300;

}  // namespace

// Sets the height of a new node; fails when the expression became too large.
ExprPtr Parser::Sized(ExprPtr expr, std::initializer_list<const Expr*> children) {
  if (failed()) return nullptr;
  for (const Expr* child : children) {
    if (child != nullptr) expr->height = std::max(expr->height, child->height + 1);
  }
  if (expr->height > kMaxHeight)
    return FailAt(expr->line, "expression too long (300 nested operations)");
  return expr;
}

int Parser::HeightOf(const Arguments& arguments) const {
  int height = 0;
  const auto add = [&](const ExprPtr& expr) {
    if (expr != nullptr) height = std::max(height, expr->height);
  };
  for (const ExprPtr& expr : arguments.positional) add(expr);
  for (const auto& [name, expr] : arguments.named) add(expr);
  add(arguments.star);
  add(arguments.star_star);
  return height;
}

ExprPtr Parser::MakeConst(int line, Value value) {
  auto node = std::make_unique<ConstExpr>(ExprKind::kConst, line);
  node->value = std::move(value);
  return node;
}

ExprPtr Parser::MakeString(int line, std::string text) {
  Mention(text);
  auto node = std::make_unique<ConstExpr>(ExprKind::kConst, line);
  node->text = std::move(text);
  node->value = Value::Borrowed(node->text);
  return node;
}

ExprPtr Parser::MakeBinary(ExprKind kind, int line, ExprPtr left, ExprPtr right) {
  auto node = std::make_unique<BinaryExpr>(kind, line);
  node->left = std::move(left);
  node->right = std::move(right);
  const Expr* l = node->left.get();
  const Expr* r = node->right.get();
  return Sized(std::move(node), {l, r});
}

ExprPtr Parser::ParseTuple(const TupleStyle& style) {
  const int line = Current().line;
  auto tuple = std::make_unique<SequenceExpr>(ExprKind::kTuple, line);
  bool is_tuple = false;
  while (!failed()) {
    if (!tuple->items.empty() && !ExpectOperator(",")) return nullptr;
    if (Current().kind == TokenKind::kVariableEnd || Current().kind == TokenKind::kBlockEnd ||
        AtOperator(")") || (!style.end_word.empty() && AtWord(style.end_word))) {
      break;
    }
    tuple->items.push_back(style.targets ? ParsePrimary() : ParseExpression(style.conditional));
    if (!AtOperator(",")) break;
    is_tuple = true;
  }
  if (failed()) return nullptr;
  if (!is_tuple && !tuple->items.empty()) return std::move(tuple->items[0]);
  if (tuple->items.empty() && !style.parenthesized) {
    return Fail("expected an expression, got " + Describe(Current()));
  }
  for (const ExprPtr& item : tuple->items)
    tuple->height = std::max(tuple->height, item->height + 1);
  return Sized(std::move(tuple), {});
}

ExprPtr Parser::ParseExpression(bool conditional) {
  const Nesting nesting(this);
  if (failed()) return nullptr;
  return conditional ? ParseConditional() : ParseOr();
}

ExprPtr Parser::ParseConditional() {
  int line = Current().line;
  const size_t unknown_before = unknown_.size();
  ExprPtr expr = ParseOr();
  while (!failed() && SkipWord("if")) {
    auto node = std::make_unique<ConditionalExpr>(ExprKind::kConditional, line);
    node->then = std::move(expr);
    node->test = ParseOr();
    if (!failed() && SkipWord("else")) {
      const Nesting nesting(this);
      if (!failed()) node->otherwise = ParseConditional();
    }
    const Expr* children[] = {node->then.get(), node->test.get(), node->otherwise.get()};
    expr = Sized(std::move(node), {children[0], children[1], children[2]});
    line = Current().line;
    unknown_.resize(std::min(unknown_.size(), unknown_before));  // fail when reached, if ever
  }
  return expr;
}

ExprPtr Parser::ParseOr() {
  int line = Current().line;
  ExprPtr left = ParseAnd();
  while (!failed() && SkipWord("or")) {
    left = MakeBinary(ExprKind::kOr, line, std::move(left), ParseAnd());
    line = Current().line;
  }
  return left;
}

ExprPtr Parser::ParseAnd() {
  int line = Current().line;
  ExprPtr left = ParseNot();
  while (!failed() && SkipWord("and")) {
    left = MakeBinary(ExprKind::kAnd, line, std::move(left), ParseNot());
    line = Current().line;
  }
  return left;
}

ExprPtr Parser::ParseNot() {
  if (!AtWord("not")) return ParseComparison();
  const Nesting nesting(this);
  auto node = std::make_unique<UnaryExpr>(ExprKind::kNot, Next().line);
  node->operand = failed() ? nullptr : ParseNot();
  const Expr* operand = node->operand.get();
  return Sized(std::move(node), {operand});
}

ExprPtr Parser::ParseComparison() {
  static constexpr std::pair<std::string_view, Comparison> kOperators[] = {
      {"==", Comparison::kEq}, {"!=", Comparison::kNe}, {"<", Comparison::kLt},
      {"<=", Comparison::kLe}, {">", Comparison::kGt},  {">=", Comparison::kGe}};
  auto node = std::make_unique<CompareExpr>(ExprKind::kCompare, Current().line);
  node->first = ParseSum();
  while (!failed()) {
    const auto* found = std::find_if(std::begin(kOperators), std::end(kOperators),
                                     [&](const auto& entry) { return AtOperator(entry.first); });
    Comparison comparison = Comparison::kIn;
    if (found != std::end(kOperators)) {
      comparison = found->second;
      Next();
    } else if (AtWord("not") && Ahead().kind == TokenKind::kName && Ahead().text == "in") {
      comparison = Comparison::kNotIn;
      Next();
      Next();
    } else if (!SkipWord("in")) {
      break;
    }
    node->rest.emplace_back(comparison, ParseSum());
  }
  if (failed()) return nullptr;
  if (node->rest.empty()) return std::move(node->first);
  for (const auto& [comparison, expr] : node->rest) {
    node->height = std::max(node->height, expr->height + 1);
  }
  const Expr* first = node->first.get();
  return Sized(std::move(node), {first});
}

ExprPtr Parser::ParseSum() {
  int line = Current().line;
  ExprPtr left = ParseConcat();
  while (!failed() && (AtOperator("+") || AtOperator("-"))) {
    const ExprKind kind = Next().text == "+" ? ExprKind::kAdd : ExprKind::kSubtract;
    left = MakeBinary(kind, line, std::move(left), ParseConcat());
    line = Current().line;
  }
  return left;
}

ExprPtr Parser::ParseConcat() {
  auto node = std::make_unique<SequenceExpr>(ExprKind::kConcat, Current().line);
  node->items.push_back(ParseProduct());
  while (!failed() && SkipOperator("~")) node->items.push_back(ParseProduct());
  if (failed()) return nullptr;
  if (node->items.size() == 1) return std::move(node->items[0]);
  for (const ExprPtr& item : node->items) node->height = std::max(node->height, item->height + 1);
  return Sized(std::move(node), {});
}

ExprPtr Parser::ParseProduct() {
  static constexpr std::pair<std::string_view, ExprKind> kOperators[] = {
      {"*", ExprKind::kMultiply},
      {"/", ExprKind::kDivide},
      {"//", ExprKind::kFloorDivide},
      {"%", ExprKind::kModulo}};
  int line = Current().line;
  ExprPtr left = ParsePower();
  while (!failed()) {
    const auto* found = std::find_if(std::begin(kOperators), std::end(kOperators),
                                     [&](const auto& entry) { return AtOperator(entry.first); });
    if (found == std::end(kOperators)) break;
    Next();
    left = MakeBinary(found->second, line, std::move(left), ParsePower());
    line = Current().line;
  }
  return left;
}

// Left-associative, unlike Python's own: 2 ** 3 ** 2 is 64.
ExprPtr Parser::ParsePower() {
  int line = Current().line;
  ExprPtr left = ParseUnary(true);
  while (!failed() && SkipOperator("**")) {
    left = MakeBinary(ExprKind::kPower, line, std::move(left), ParseUnary(true));
    line = Current().line;
  }
  return left;
}

ExprPtr Parser::ParseUnary(bool with_filter) {
  const Nesting nesting(this);
  if (failed()) return nullptr;
  ExprPtr expr;
  if (AtOperator("-") || AtOperator("+")) {
    const Token op = Next();
    auto node =
        std::make_unique<UnaryExpr>(op.text == "-" ? ExprKind::kNegate : ExprKind::kPlus, op.line);
    node->operand = ParseUnary(false);
    const Expr* operand = node->operand.get();
    expr = Sized(std::move(node), {operand});
  } else {
    expr = ParsePrimary();
  }
  expr = ParsePostfix(std::move(expr));
  return with_filter ? ParseFilters(std::move(expr)) : std::move(expr);
}

ExprPtr Parser::ParsePrimary() {
  const Token& token = Current();
  const int line = token.line;
  switch (token.kind) {
    case TokenKind::kName: {
      const std::string name = Next().text;
      if (name == "true" || name == "True") return MakeConst(line, Value::Bool(true));
      if (name == "false" || name == "False") return MakeConst(line, Value::Bool(false));
      if (name == "none" || name == "None") return MakeConst(line, Value::None());
      Mention(name);
      auto node = std::make_unique<NameExpr>(ExprKind::kName, line);
      node->name = name;
      return node;
    }
    case TokenKind::kString: {
      std::string text;  // adjacent literals join
      while (Current().kind == TokenKind::kString) text += Next().text;
      return MakeString(line, std::move(text));
    }
    case TokenKind::kInteger:
      return MakeConst(line, Value::Integer(Next().integer));
    case TokenKind::kFloat:
      return MakeConst(line, Value::Float(Next().real));
    default:
      break;
  }
  if (AtOperator("[")) return ParseList();
  if (AtOperator("{")) return ParseDict();
  if (!SkipOperator("(")) return Fail("unexpected " + Describe(token));
  ExprPtr inner = ParseTuple({.parenthesized = true, .end_word = {}});
  if (failed() || !ExpectOperator(")")) return nullptr;
  return inner;
}

ExprPtr Parser::ParseList() {
  auto node = std::make_unique<SequenceExpr>(ExprKind::kList, Next().line);
  while (!failed() && !AtOperator("]")) {
    if (!node->items.empty() && !ExpectOperator(",")) return nullptr;
    if (AtOperator("]")) break;
    node->items.push_back(ParseExpression());
    if (!failed()) node->height = std::max(node->height, node->items.back()->height + 1);
  }
  if (failed() || !ExpectOperator("]")) return nullptr;
  return Sized(std::move(node), {});
}

ExprPtr Parser::ParseDict() {
  auto node = std::make_unique<DictExpr>(ExprKind::kDict, Next().line);
  while (!failed() && !AtOperator("}")) {
    if (!node->items.empty() && !ExpectOperator(",")) return nullptr;
    if (AtOperator("}")) break;
    ExprPtr key = ParseExpression();
    if (failed() || !ExpectOperator(":")) return nullptr;
    ExprPtr value = ParseExpression();
    if (failed()) return nullptr;
    node->height = std::max(node->height, std::max(key->height, value->height) + 1);
    node->items.emplace_back(std::move(key), std::move(value));
  }
  if (failed() || !ExpectOperator("}")) return nullptr;
  return Sized(std::move(node), {});
}

ExprPtr Parser::ParsePostfix(ExprPtr expr) {
  while (!failed()) {
    if (AtOperator(".") || AtOperator("[")) {
      expr = ParseSubscript(std::move(expr));
    } else if (AtOperator("(")) {
      expr = ParseCall(std::move(expr));
    } else {
      break;
    }
  }
  return expr;
}

ExprPtr Parser::ParseFilters(ExprPtr expr) {
  while (!failed()) {
    if (SkipOperator("|")) {
      expr = ParseFilter(std::move(expr));
    } else if (AtWord("is")) {
      expr = ParseTest(std::move(expr));
    } else if (AtOperator("(")) {
      expr = ParseCall(std::move(expr));
    } else {
      break;
    }
  }
  return expr;
}

ExprPtr Parser::ParseSubscript(ExprPtr object) {
  const Token opener = Next();
  if (opener.text == "." && Current().kind == TokenKind::kName) {
    auto node = std::make_unique<AttributeExpr>(ExprKind::kAttribute, opener.line);
    node->name = Next().text;
    Mention(node->name);
    node->on_string = FindMethod(Kind::kString, node->name);
    node->on_list = FindMethod(Kind::kList, node->name);
    node->on_tuple = FindMethod(Kind::kTuple, node->name);
    node->on_dict = FindMethod(Kind::kDict, node->name);
    node->object = std::move(object);
    const Expr* child = node->object.get();
    return Sized(std::move(node), {child});
  }
  auto node = std::make_unique<ItemExpr>(ExprKind::kItem, opener.line);
  node->object = std::move(object);
  if (opener.text == ".") {
    if (Current().kind != TokenKind::kInteger) return Fail("expected a name or number after '.'");
    node->index = MakeConst(opener.line, Value::Integer(Next().integer));
  } else {
    auto tuple = std::make_unique<SequenceExpr>(ExprKind::kTuple, opener.line);
    while (!failed() && !AtOperator("]")) {
      if (!tuple->items.empty() && !ExpectOperator(",")) return nullptr;
      tuple->items.push_back(ParseIndex());
      if (!failed()) tuple->height = std::max(tuple->height, tuple->items.back()->height + 1);
    }
    if (failed() || !ExpectOperator("]")) return nullptr;
    node->index = tuple->items.size() == 1 ? std::move(tuple->items[0]) : std::move(tuple);
  }
  const Expr* children[] = {node->object.get(), node->index.get()};
  return Sized(std::move(node), {children[0], children[1]});
}

ExprPtr Parser::ParseIndex() {
  const int line = Current().line;
  ExprPtr start;
  if (!AtOperator(":")) {
    start = ParseExpression();
    if (failed() || !AtOperator(":")) return start;
  }
  Next();
  auto node = std::make_unique<SliceExpr>(ExprKind::kSlice, line);
  node->start = std::move(start);
  const auto at_end = [&] { return AtOperator("]") || AtOperator(","); };
  if (!AtOperator(":") && !at_end()) node->stop = ParseExpression();
  if (!failed() && SkipOperator(":") && !at_end()) node->step = ParseExpression();
  const Expr* children[] = {node->start.get(), node->stop.get(), node->step.get()};
  return Sized(std::move(node), {children[0], children[1], children[2]});
}

bool Parser::ParseArguments(Arguments* arguments) {
  const int line = Current().line;
  Next();  // (
  bool comma = false;
  while (!failed() && !AtOperator(")")) {
    if (comma) {
      if (!ExpectOperator(",")) return false;
      if (AtOperator(")")) break;
    }
    comma = true;
    bool in_order = arguments->star_star == nullptr;
    if (SkipOperator("*")) {
      in_order = in_order && arguments->star == nullptr;
      arguments->star = ParseExpression();
    } else if (SkipOperator("**")) {
      arguments->star_star = ParseExpression();
    } else if (Current().kind == TokenKind::kName && Ahead().kind == TokenKind::kOperator &&
               Ahead().text == "=") {
      std::string name = Next().text;
      Mention(name);
      Next();
      for (const auto& [other, expr] : arguments->named) {
        if (other == name) FailAt(line, "keyword argument repeated: " + name);
      }
      arguments->named.emplace_back(std::move(name), ParseExpression());
    } else {
      in_order = in_order && arguments->star == nullptr && arguments->named.empty();
      arguments->positional.push_back(ParseExpression());
    }
    if (!in_order) FailAt(line, "invalid syntax for function call expression");
  }
  return !failed() && ExpectOperator(")");
}

ExprPtr Parser::ParseCall(ExprPtr callee) {
  auto node = std::make_unique<CallExpr>(ExprKind::kCall, Current().line);
  node->callee = std::move(callee);
  if (!ParseArguments(&node->arguments)) return nullptr;
  node->height = HeightOf(node->arguments) + 1;
  const Expr* child = node->callee.get();
  return Sized(std::move(node), {child});
}

std::string Parser::ParseDottedName() {
  std::string name = ExpectName();
  while (!failed() && SkipOperator(".")) name += "." + ExpectName();
  return name;
}

// After the '|'.
ExprPtr Parser::ParseFilter(ExprPtr input) {
  auto node = std::make_unique<FilterExpr>(ExprKind::kFilter, Current().line);
  node->name = ParseDottedName();
  node->filter = FindFilter(node->name);
  if (node->filter == nullptr && !soft_)
    unknown_.emplace_back(node->line, "filter named '" + node->name);
  node->input = std::move(input);
  if (AtOperator("(") && !ParseArguments(&node->arguments)) return nullptr;
  node->height = HeightOf(node->arguments) + 1;
  const Expr* child = node->input.get();
  return Sized(std::move(node), {child});
}

ExprPtr Parser::ParseTest(ExprPtr input) {
  const int line = Next().line;  // is
  const bool negated = SkipWord("not");
  auto node = std::make_unique<TestExpr>(ExprKind::kTest, line);
  node->name = ParseDottedName();
  node->test = FindTest(node->name);
  if (node->test == nullptr && !soft_) unknown_.emplace_back(line, "test named '" + node->name);
  node->input = std::move(input);
  const TokenKind next = Current().kind;
  if (AtOperator("(")) {
    if (!ParseArguments(&node->arguments)) return nullptr;
  } else if ((next == TokenKind::kName || next == TokenKind::kString ||
              next == TokenKind::kInteger || next == TokenKind::kFloat || AtOperator("[") ||
              AtOperator("{")) &&
             !AtAnyWord({"else", "or", "and"})) {
    if (AtWord("is")) return Fail("you cannot chain multiple tests with is");
    node->arguments.positional.push_back(ParsePostfix(ParsePrimary()));
  }
  if (failed()) return nullptr;
  node->height = HeightOf(node->arguments) + 1;
  const Expr* child = node->input.get();
  ExprPtr test = Sized(std::move(node), {child});
  if (!negated) return test;
  auto inverse = std::make_unique<UnaryExpr>(ExprKind::kNot, line);
  child = test.get();
  inverse->operand = std::move(test);
  return Sized(std::move(inverse), {child});
}

}  // namespace ac::jinja
