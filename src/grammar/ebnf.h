// EBNF as a grammar, in the notation that llama.cpp made common:
//
//   root   ::= "yes" | "no " reason      # comments to the end of the line
//   reason ::= [a-z ]{1,40} ("!" | ".")? /[0-9]{4}/
//
// The rule "root" is where it begins; "=" or ":" may stand for "::=", and a semicolon may end a
// rule.
#pragma once

#include <string_view>

#include "base/status.h"
#include "grammar/program.h"

namespace ac::grammar {

// Adds the grammar's rules to `builder`. Errors name line and column. Left recursion is refused.
Result<Piece> CompileEbnf(ProgramBuilder& builder, std::string_view text);

}  // namespace ac::grammar
