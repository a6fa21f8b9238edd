// The types of values.
#pragma once

#include <cstdint>

namespace ac::jinja {

enum class Kind : uint8_t {
  kMissing,  // a variable slot without a value; templates never see it
  kFailed,   // an evaluation failed; the Interpreter holds the error
  kUndefined,
  kNone,
  kBool,
  kInt,
  kFloat,
  kString,
  kList,
  kTuple,
  kDict,
  kRange,
  kView,      // dict.keys(), dict.values(), dict.items()
  kIterator,  // what map, select and the like return: consumed once
  kNamespace,
  kFunction,  // a global function
  kMethod,    // a method bound to its object
  kMacro,
  kLoop,
  kCycler,
  kJoiner,
};

// Why a value is undefined: decides the text of the error when it is used.
enum class UndefinedReason : uint8_t { kName, kAttribute, kElement, kHint, kUnsafe };

}  // namespace ac::jinja
