// The stages of Template::Parse: text, tokens, tree, resolved names.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "jinja/internal/syntax.h"

namespace ac::jinja {

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

struct Program {
  std::string name;
  Body body;
  Scope scope;
  Routine routine;
  std::vector<std::string> names;  // looked up in the context
  std::set<std::string> free_variables;
  std::set<std::string, std::less<>> words;  // identifiers, attributes and strings
};

// An error in the template's text.
Status SyntaxError(const std::string& name, int line, std::string_view what);

// Splits a template as jinja2 does with trim_blocks and lstrip_blocks.
Result<std::vector<Token>> Tokenize(std::string_view source, const std::string& name);

// Fills body and words.
Status ParseTokens(std::vector<Token> tokens, Program* program);

// Gives every variable a slot by jinja2's scoping rules; fills scopes, routines and names.
Status ResolveNames(Program* program);

}  // namespace ac::jinja
