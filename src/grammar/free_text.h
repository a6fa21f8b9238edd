// Text that goes on until one of some marks appears in it, as the inside of an XML element does.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "grammar/program.h"

namespace ac::grammar {

struct TextMark {
  std::string text;
  // What follows the mark; null: the mark must not appear.
  Piece then;
};

struct FreeTextOptions {
  std::vector<TextMark> marks;
  // The text may also stop anywhere: `next` of the piece follows. Otherwise `next` is what follows
  // the marks' pieces.
  bool may_stop = false;
  // Special tokens that no mark names may stand in the text.
  bool special_tokens = false;
  // Only well-formed UTF-8; needed for bounds.
  bool well_formed = false;
  // Bounds in characters; only without `may_stop`, and with ASCII marks.
  uint64_t min = 0;
  uint64_t max = kUnlimited;
  // Special tokens with a meaning in the text: what follows each. Null: it must not appear.
  std::vector<std::pair<int32_t, Piece>> tokens;
};

Piece FreeText(FreeTextOptions options);

}  // namespace ac::grammar
