// Recursive descent over the tokens of one template. Used once, by ParseTokens.
//
// The first error is kept and ends the parse: a parse function returns null after it.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "jinja/internal/program.h"

namespace ac::jinja {

class Parser {
 public:
  Parser(std::vector<Token> tokens, Program* program)
      : tokens_(std::move(tokens)), program_(program) {}
  Status Run();

 private:
  using Words = std::initializer_list<std::string_view>;
  // How an expression may end or look; see ParseTuple.
  struct TupleStyle {
    bool targets = false;        // names and literals only
    bool conditional = true;     // `a if b else c` allowed
    bool parenthesized = false;  // an empty tuple is fine
    std::string_view end_word;   // also ends the tuple
  };

  // Statements (parser.cc).
  Body ParseBody(Words end_words);
  void ParseOutput(OutputNode* node);
  std::unique_ptr<Node> ParseStatement();
  std::unique_ptr<Node> ParseIf();
  std::unique_ptr<Node> ParseFor();
  std::unique_ptr<Node> ParseSet();
  std::unique_ptr<Node> ParseMacro();
  std::unique_ptr<Node> ParseCallBlock();
  std::unique_ptr<Node> ParseGeneration();
  std::unique_ptr<Node> ParseFilterBlock();
  std::unique_ptr<Node> ParseWith();
  std::unique_ptr<Node> ParsePrint();
  std::unique_ptr<Node> ParseLoopControl(NodeKind kind);
  Body ParseBlock(Words end_words);  // up to, not including, the end word
  Body ParseRoutine(std::string_view end_word);
  bool ParseSignature(MacroNode* macro);
  ExprPtr ParseTarget(std::string_view end_word, bool with_namespace);
  bool CheckTarget(const Expr& target, bool in_loop);
  ExprPtr CloneTarget(const Expr& target);

  // Expressions (parser_expressions.cc).
  ExprPtr ParseTuple(const TupleStyle& style);
  ExprPtr ParseExpression(bool conditional = true);
  ExprPtr ParseConditional();
  ExprPtr ParseOr();
  ExprPtr ParseAnd();
  ExprPtr ParseNot();
  ExprPtr ParseComparison();
  ExprPtr ParseSum();
  ExprPtr ParseConcat();
  ExprPtr ParseProduct();
  ExprPtr ParsePower();
  ExprPtr ParseUnary(bool with_filter);
  ExprPtr ParsePrimary();
  ExprPtr ParseList();
  ExprPtr ParseDict();
  ExprPtr ParsePostfix(ExprPtr expr);
  ExprPtr ParseFilters(ExprPtr expr);
  ExprPtr ParseFilter(ExprPtr input);
  ExprPtr ParseTest(ExprPtr input);
  ExprPtr ParseSubscript(ExprPtr object);
  ExprPtr ParseIndex();
  ExprPtr ParseCall(ExprPtr callee);
  bool ParseArguments(Arguments* arguments);
  std::string ParseDottedName();
  ExprPtr MakeConst(int line, Value value);
  ExprPtr MakeString(int line, std::string text);
  ExprPtr MakeBinary(ExprKind kind, int line, ExprPtr left, ExprPtr right);
  ExprPtr Sized(ExprPtr expr, std::initializer_list<const Expr*> children);
  int HeightOf(const Arguments& arguments) const;

  // Tokens.
  const Token& Current() const { return tokens_[position_]; }
  const Token& Ahead() const { return tokens_[std::min(position_ + 1, tokens_.size() - 1)]; }
  Token Next();
  bool AtOperator(std::string_view op) const;
  bool AtWord(std::string_view word) const;
  bool AtAnyWord(Words words) const;
  bool SkipOperator(std::string_view op);
  bool SkipWord(std::string_view word);
  bool ExpectOperator(std::string_view op);
  bool ExpectWord(std::string_view word);
  bool ExpectKind(TokenKind kind);
  std::string ExpectName();
  static std::string Describe(const Token& token);

  std::nullptr_t Fail(std::string_view what) { return FailAt(Current().line, what); }
  std::nullptr_t FailAt(int line, std::string_view what);
  bool failed() const { return !status_.ok(); }
  void Mention(const std::string& word) { program_->words.insert(word); }
  // Deep enough for any template a person wrote, small enough for any stack.
  static constexpr int kMaxNesting = 100;
  class Nesting {
   public:
    explicit Nesting(Parser* parser) : parser_(parser) {
      if (++parser_->nesting_ > kMaxNesting) parser_->Fail("nested too deeply (limit 100)");
    }
    ~Nesting() { --parser_->nesting_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;

   private:
    Parser* parser_;
  };

  std::vector<Token> tokens_;
  Program* program_;
  size_t position_ = 0;
  int nesting_ = 0;
  int loops_ = 0;      // for statements around, within the current routine
  int for_depth_ = 0;  // the same, across routines
  bool soft_ = false;  // inside if: unknown filters and tests fail only when reached
  std::vector<std::pair<int, std::string>> unknown_;  // those that fail now, by line
  Status status_;
};

}  // namespace ac::jinja
