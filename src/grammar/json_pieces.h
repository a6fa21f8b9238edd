// JSON values as pieces of a grammar.
//
// Blanks between the parts of a value are allowed and bounded: none, one space, or a line break
// with indentation; a model cannot get lost in them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "grammar/characters.h"
#include "grammar/program.h"

namespace ac::grammar {

Piece JsonBlanks();
// One value of any shape, the parts of one shape.
Piece JsonAny(ProgramBuilder& builder);
Piece JsonAnyObject(ProgramBuilder& builder);
Piece JsonAnyArray(ProgramBuilder& builder);
Piece JsonString(ProgramBuilder& builder, uint64_t min = 0, uint64_t max = kUnlimited);
// A string that is none of these, written without escapes.
Piece JsonStringExcept(std::vector<std::string> excluded);
Piece JsonNumber(ProgramBuilder& builder);
Piece JsonInteger(ProgramBuilder& builder);

// A number in decimal digits between two bounds; either may be missing.
struct NumberRange {
  std::optional<double> min;
  std::optional<double> max;
  bool min_exclusive = false;
  bool max_exclusive = false;
  bool integer = false;
};
Piece JsonNumberIn(const NumberRange& range);

// How an object is written, so that families without JSON objects share its rules.
struct ObjectParts {
  struct Property {
    Piece piece;  // key and value
    bool required = false;
  };
  std::vector<Property> properties;
  Piece extra;      // a key and value without a name here; null: none
  Piece opener;     // before the first
  Piece separator;  // between two
  Piece closer;     // after the last
};
Piece ObjectOf(ObjectParts parts);
// The parts around the properties of a JSON object.
ObjectParts JsonObjectParts();
Piece JsonProperty(const std::string& key, Piece value);

// [ items ]: the first by `prefix`, the others by `rest` (null: none), as many as the bounds say.
Piece JsonArray(std::vector<Piece> prefix, Piece rest, uint64_t min, uint64_t max);

}  // namespace ac::grammar
