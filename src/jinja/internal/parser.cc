// Statements.
#include "jinja/internal/parser.h"

#include <algorithm>

#include "jinja/internal/builtins.h"

namespace ac::jinja {

Status ParseTokens(std::vector<Token> tokens, Program* program) {
  return Parser(std::move(tokens), program).Run();
}

Status Parser::Run() {
  program_->body = ParseBody({});
  if (!failed() && Current().kind != TokenKind::kEnd) {
    Fail("unknown tag '" + Describe(Current()) + "'");
  }
  if (!failed() && !unknown_.empty()) {
    FailAt(unknown_[0].first, "there is no " + unknown_[0].second + "'");
  }
  return status_;
}

std::nullptr_t Parser::FailAt(int line, std::string_view what) {
  if (status_.ok()) status_ = SyntaxError(program_->name, line, what);
  return nullptr;
}

Token Parser::Next() {
  Token token = tokens_[position_];
  if (token.kind != TokenKind::kEnd) ++position_;
  return token;
}

bool Parser::AtOperator(std::string_view op) const {
  return Current().kind == TokenKind::kOperator && Current().text == op;
}

bool Parser::AtWord(std::string_view word) const {
  return Current().kind == TokenKind::kName && Current().text == word;
}

bool Parser::AtAnyWord(Words words) const {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return AtWord(word); });
}

bool Parser::SkipOperator(std::string_view op) {
  if (!AtOperator(op)) return false;
  Next();
  return true;
}

bool Parser::SkipWord(std::string_view word) {
  if (!AtWord(word)) return false;
  Next();
  return true;
}

bool Parser::ExpectOperator(std::string_view op) {
  if (SkipOperator(op)) return true;
  Fail("expected '" + std::string(op) + "', got " + Describe(Current()));
  return false;
}

bool Parser::ExpectWord(std::string_view word) {
  if (SkipWord(word)) return true;
  Fail("expected '" + std::string(word) + "', got " + Describe(Current()));
  return false;
}

bool Parser::ExpectKind(TokenKind kind) {
  if (Current().kind == kind) {
    Next();
    return true;
  }
  Fail("expected " + Describe({kind, 0, ""}) + ", got " + Describe(Current()));
  return false;
}

std::string Parser::ExpectName() {
  if (Current().kind == TokenKind::kName) return Next().text;
  Fail("expected a name, got " + Describe(Current()));
  return "";
}

std::string Parser::Describe(const Token& token) {
  switch (token.kind) {
    case TokenKind::kData:
      return "text";
    case TokenKind::kVariableBegin:
      return "'{{'";
    case TokenKind::kVariableEnd:
      return "'}}'";
    case TokenKind::kBlockBegin:
      return "'{%'";
    case TokenKind::kBlockEnd:
      return "'%}'";
    case TokenKind::kString:
      return "a string";
    case TokenKind::kInteger:
    case TokenKind::kFloat:
      return "a number";
    case TokenKind::kEnd:
      return "the end of the template";
    case TokenKind::kName:
    case TokenKind::kOperator:
      return "'" + token.text + "'";
  }
  return "";
}

Body Parser::ParseBody(Words end_words) {
  const Nesting nesting(this);
  Body body;
  OutputNode* output = nullptr;
  while (!failed() && Current().kind != TokenKind::kEnd) {
    if (Current().kind == TokenKind::kBlockBegin) {
      Next();
      output = nullptr;
      if (end_words.size() > 0 && AtAnyWord(end_words)) return body;
      body.push_back(ParseStatement());
      if (!failed()) ExpectKind(TokenKind::kBlockEnd);
      continue;
    }
    if (output == nullptr) {
      body.push_back(std::make_unique<OutputNode>(NodeKind::kOutput, Current().line));
      output = static_cast<OutputNode*>(body.back().get());
    }
    ParseOutput(output);
  }
  if (!failed() && end_words.size() > 0) {
    Fail("unexpected end of the template; it still needs '" + std::string(*(end_words.end() - 1)) +
         "'");
  }
  return body;
}

void Parser::ParseOutput(OutputNode* node) {
  if (Current().kind == TokenKind::kData) {
    node->parts.push_back({Next().text, nullptr});
    return;
  }
  Next();  // {{
  node->parts.push_back({"", ParseTuple({})});
  if (!failed()) ExpectKind(TokenKind::kVariableEnd);
}

std::unique_ptr<Node> Parser::ParseStatement() {
  if (Current().kind != TokenKind::kName) return Fail("tag name expected");
  const std::string word = Current().text;
  if (word == "if") return ParseIf();
  if (word == "for") return ParseFor();
  if (word == "set") return ParseSet();
  if (word == "macro") return ParseMacro();
  if (word == "call") return ParseCallBlock();
  if (word == "filter") return ParseFilterBlock();
  if (word == "with") return ParseWith();
  if (word == "generation") return ParseGeneration();
  if (word == "print") return ParsePrint();
  if (word == "break") return ParseLoopControl(NodeKind::kBreak);
  if (word == "continue") return ParseLoopControl(NodeKind::kContinue);
  for (const char* other : {"include", "import", "from", "extends", "block", "autoescape"}) {
    if (word != other) continue;
    status_ =
        Unsupported("[jinja] '" + program_->name + "' line " + std::to_string(Current().line) +
                    ": the tag '" + word + "' is not supported: a chat template is one file");
    return nullptr;
  }
  return Fail("unknown tag '" + word + "'");
}

Body Parser::ParseBlock(Words end_words) {
  SkipOperator(":");  // Python habit, allowed
  if (failed() || !ExpectKind(TokenKind::kBlockEnd)) return {};
  return ParseBody(end_words);
}

// The body of a macro, call or generation block: loops around it cannot be left from inside.
Body Parser::ParseRoutine(std::string_view end_word) {
  const int loops = std::exchange(loops_, 0);
  const bool soft = std::exchange(soft_, false);
  Body body = ParseBlock({end_word});
  loops_ = loops;
  soft_ = soft;
  Next();
  return body;
}

std::unique_ptr<Node> Parser::ParseIf() {
  auto node = std::make_unique<IfNode>(NodeKind::kIf, Next().line);
  const bool soft = std::exchange(soft_, true);
  while (!failed()) {
    ExprPtr test = ParseTuple({.conditional = false, .end_word = {}});
    if (failed()) break;
    Body body = ParseBlock({"elif", "else", "endif"});
    node->branches.emplace_back(std::move(test), std::move(body));
    if (failed()) break;
    const std::string word = Next().text;
    if (word == "elif") continue;
    if (word == "else") {
      node->otherwise = ParseBlock({"endif"});
      Next();
    }
    break;
  }
  soft_ = soft;
  return node;
}

std::unique_ptr<Node> Parser::ParseFor() {
  auto node = std::make_unique<ForNode>(NodeKind::kFor, Next().line);
  const bool soft = std::exchange(soft_, false);
  ++for_depth_;
  node->target = ParseTarget("in", false);
  if (failed() || !ExpectWord("in")) return nullptr;
  node->iterable = ParseTuple({.conditional = false, .end_word = "recursive"});
  if (!failed() && SkipWord("if")) {
    node->test = ParseExpression();
    node->test_target = CloneTarget(*node->target);
  }
  node->recursive = SkipWord("recursive");
  ++loops_;
  node->body = ParseBlock({"else", "endfor"});
  --loops_;
  if (!failed() && Next().text == "else") {
    const int loops = node->recursive ? std::exchange(loops_, 0) : loops_;
    node->otherwise = ParseBlock({"endfor"});
    loops_ = loops;
    Next();
  }
  --for_depth_;
  soft_ = soft;
  return node;
}

std::unique_ptr<Node> Parser::ParseSet() {
  const int line = Next().line;
  ExprPtr target = ParseTarget("", true);
  if (failed()) return nullptr;
  if (SkipOperator("=")) {
    auto node = std::make_unique<SetNode>(NodeKind::kSet, line);
    node->target = std::move(target);
    node->value = ParseTuple({});
    return node;
  }
  auto node = std::make_unique<SetBlockNode>(NodeKind::kSetBlock, line);
  node->target = std::move(target);
  while (!failed() && SkipOperator("|")) node->filter = ParseFilter(std::move(node->filter));
  const bool soft = std::exchange(soft_, false);
  node->body = ParseBlock({"endset"});
  soft_ = soft;
  Next();
  return node;
}

bool Parser::ParseSignature(MacroNode* macro) {
  if (!ExpectOperator("(")) return false;
  while (!failed() && !AtOperator(")")) {
    if (!macro->parameters.empty() && !ExpectOperator(",")) return false;
    MacroNode::Parameter parameter;
    parameter.name = ExpectName();
    if (SkipOperator("=")) {
      parameter.fallback = ParseExpression();
    } else if (!macro->parameters.empty() && macro->parameters.back().fallback != nullptr) {
      Fail("a parameter without a default follows one with a default");
    }
    macro->parameters.push_back(std::move(parameter));
  }
  return !failed() && ExpectOperator(")");
}

std::unique_ptr<Node> Parser::ParseMacro() {
  auto node = std::make_unique<MacroNode>(NodeKind::kMacro, Next().line);
  node->name = ExpectName();
  if (failed() || !ParseSignature(node.get())) return nullptr;
  node->body = ParseRoutine("endmacro");
  return node;
}

std::unique_ptr<Node> Parser::ParseCallBlock() {
  auto node = std::make_unique<CallBlockNode>(NodeKind::kCallBlock, Next().line);
  node->caller = std::make_unique<MacroNode>(NodeKind::kMacro, node->line);
  node->caller->name = "caller";
  if (AtOperator("(") && !ParseSignature(node->caller.get())) return nullptr;
  node->call = ParseExpression();
  if (failed()) return nullptr;
  if (node->call->kind != ExprKind::kCall)
    return FailAt(node->line, "expected a call after 'call'");
  node->caller->body = ParseRoutine("endcall");
  return node;
}

std::unique_ptr<Node> Parser::ParseGeneration() {
  auto node = std::make_unique<CallBlockNode>(NodeKind::kCallBlock, Next().line);
  node->caller = std::make_unique<MacroNode>(NodeKind::kMacro, node->line);
  node->caller->body = ParseRoutine("endgeneration");
  return node;
}

std::unique_ptr<Node> Parser::ParseFilterBlock() {
  auto node = std::make_unique<FilterBlockNode>(NodeKind::kFilterBlock, Next().line);
  const bool soft = std::exchange(soft_, false);
  node->filter = ParseFilter(nullptr);
  while (!failed() && SkipOperator("|")) node->filter = ParseFilter(std::move(node->filter));
  node->body = ParseBlock({"endfilter"});
  soft_ = soft;
  Next();
  return node;
}

std::unique_ptr<Node> Parser::ParseWith() {
  auto node = std::make_unique<WithNode>(NodeKind::kWith, Next().line);
  while (!failed() && Current().kind != TokenKind::kBlockEnd) {
    if (!node->assignments.empty() && !ExpectOperator(",")) return nullptr;
    ExprPtr target = ParseTarget("", false);
    if (failed() || !ExpectOperator("=")) return nullptr;
    node->assignments.emplace_back(std::move(target), ParseExpression());
  }
  const bool soft = std::exchange(soft_, false);
  node->body = ParseBlock({"endwith"});
  soft_ = soft;
  Next();
  return node;
}

std::unique_ptr<Node> Parser::ParsePrint() {
  auto node = std::make_unique<OutputNode>(NodeKind::kOutput, Next().line);
  while (!failed() && Current().kind != TokenKind::kBlockEnd) {
    if (!node->parts.empty() && !ExpectOperator(",")) return nullptr;
    node->parts.push_back({"", ParseExpression()});
  }
  return node;
}

std::unique_ptr<Node> Parser::ParseLoopControl(NodeKind kind) {
  const Token token = Next();
  if (loops_ == 0) return FailAt(token.line, "'" + token.text + "' outside loop");
  return std::make_unique<Node>(kind, token.line);
}

ExprPtr Parser::ParseTarget(std::string_view end_word, bool with_namespace) {
  if (with_namespace && Current().kind == TokenKind::kName &&
      Ahead().kind == TokenKind::kOperator && Ahead().text == ".") {
    const Token name = Next();
    Next();
    auto target = std::make_unique<NamespaceRefExpr>(ExprKind::kNamespaceRef, name.line);
    target->name = name.text;
    target->attribute = ExpectName();
    return target;
  }
  ExprPtr target = ParseTuple({.targets = true, .end_word = end_word});
  if (failed() || !CheckTarget(*target, for_depth_ > 0)) return nullptr;
  return target;
}

bool Parser::CheckTarget(const Expr& target, bool in_loop) {
  if (target.kind == ExprKind::kName) {
    if (!in_loop || static_cast<const NameExpr&>(target).name != "loop") return true;
    FailAt(target.line, "can't assign to the special variable 'loop' in a for statement");
    return false;
  }
  if (target.kind == ExprKind::kTuple) {
    const auto& items = static_cast<const SequenceExpr&>(target).items;
    return std::all_of(items.begin(), items.end(),
                       [&](const ExprPtr& item) { return CheckTarget(*item, in_loop); });
  }
  FailAt(target.line, "can only assign to a name, a tuple of names or an attribute of a namespace");
  return false;
}

ExprPtr Parser::CloneTarget(const Expr& target) {
  if (target.kind == ExprKind::kName) {
    auto copy = std::make_unique<NameExpr>(ExprKind::kName, target.line);
    copy->name = static_cast<const NameExpr&>(target).name;
    return copy;
  }
  auto copy = std::make_unique<SequenceExpr>(ExprKind::kTuple, target.line);
  for (const ExprPtr& item : static_cast<const SequenceExpr&>(target).items) {
    copy->items.push_back(CloneTarget(*item));
  }
  return copy;
}

}  // namespace ac::jinja
