// The small pieces that larger ones are made of.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "grammar/program.h"

namespace ac::grammar {

Piece Nothing();
Piece Text(std::string_view text);
Piece OneByteOf(std::string_view bytes);
Piece ByteRange(uint8_t first, uint8_t last);
Piece Sequence(std::vector<Piece> parts);
Piece OneOf(std::vector<Piece> parts);
Piece Optional(Piece part);
Piece Times(uint64_t min, uint64_t max, Piece part, bool of_characters = false);
Piece Rule(RuleId rule);

}  // namespace ac::grammar
