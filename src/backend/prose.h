// A reply in prose that may turn into calls, or into thinking: where it may, and where it only
// talks about them.
//
// Private to backend/. What stands in a code fence, in inline code or right behind a quotation mark
// is an example: there an opener is text like any other. The places are those of the parser
// (toolcall/place.h), so that both read a reply alike.
#pragma once

#include <cstdint>
#include <string>

#include "grammar/program.h"
#include "tokenizer/tokenizer.h"

namespace ac::backend {

// A mark as text whose first byte does not come again in it, or as a special token.
struct ProseMark {
  std::string text;
  int32_t token = tokenizer::kNoToken;
  grammar::Piece then;  // null: the mark must not appear where it would count
};

struct ProseOptions {
  ProseMark call;   // counts outside of code and quotes; what follows it ends the reply
  ProseMark think;  // counts at the start of a line outside of code; then prose begins anew
  grammar::ByteSet not_first;  // with which the reply cannot begin
};

grammar::Piece Prose(ProseOptions options);

}  // namespace ac::backend
