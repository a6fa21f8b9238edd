// Sets of Unicode characters as pieces of a grammar: as UTF-8 text, or as they stand in a JSON
// string.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "grammar/program.h"

namespace ac::grammar {

// Inclusive ranges of code points; surrogates do not count.
class CharacterSet {
 public:
  CharacterSet() = default;
  CharacterSet(std::initializer_list<std::pair<uint32_t, uint32_t>> ranges) : ranges_(ranges) {
    Normalise();
  }
  static CharacterSet All() { return {{0, 0x10FFFF}}; }

  void Add(uint32_t first, uint32_t last);
  void Add(const CharacterSet& other);
  CharacterSet Complement() const;
  CharacterSet Intersect(const CharacterSet& other) const;
  bool Contains(uint32_t c) const;
  bool empty() const { return ranges_.empty(); }
  const std::vector<std::pair<uint32_t, uint32_t>>& ranges() const { return ranges_; }

 private:
  void Normalise();
  std::vector<std::pair<uint32_t, uint32_t>> ranges_;  // sorted, apart
};

// How a character is written.
enum class Spelling {
  kPlain,  // UTF-8
  kJson,   // inside a JSON string: what must be escaped is escaped, everything else is not
};

Piece Character(const CharacterSet& set, Spelling spelling);
// Any character in a JSON string, in any way it may be written.
Piece AnyJsonCharacter();

}  // namespace ac::grammar
