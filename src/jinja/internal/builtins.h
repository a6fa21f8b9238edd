// The functions templates can call: filters, tests, methods and globals, found by name.
//
// All share one signature. `self` is what stands before the '|', the 'is' or the dot; it is none
// for globals. A failed call returns Value::Failed() after Interpreter::Fail.
#pragma once

#include <initializer_list>
#include <string_view>
#include <utility>
#include <vector>

#include "jinja/internal/value.h"

namespace ac::jinja {

class Interpreter;

// Arguments of one call. Names are strings.
struct CallArguments {
  std::vector<Value> positional;
  std::vector<std::pair<Value, Value>> named;

  // Orders the arguments by parameter name: out[i] is missing when parameter i was not given.
  // Fails on unknown, repeated or superfluous ones.
  bool Bind(Interpreter& in, std::string_view callee, std::initializer_list<std::string_view> names,
            std::vector<Value>* out) const;
};

struct Builtin {
  std::string_view name;
  // Null for methods that would change their object: the sandbox refuses them.
  Value (*call)(Interpreter& in, const Value& self, CallArguments& arguments);
};

const Builtin* FindFilter(std::string_view name);
const Builtin* FindTest(std::string_view name);
const Builtin* FindFunction(std::string_view name);
const Builtin* FindMethod(Kind kind, std::string_view name);

// One table per source file; FindFilter looks through the filter tables.
struct BuiltinTable {
  const Builtin* begin;
  const Builtin* end;
};
BuiltinTable TextFilters();
BuiltinTable SequenceFilters();
BuiltinTable ValueFilters();
BuiltinTable TextMethods();

// str.format and the % operator.
Value FormatMethod(Interpreter& in, const Value& self, CallArguments& arguments);
Value FormatMapMethod(Interpreter& in, const Value& self, CallArguments& arguments);
Value FormatPercent(Interpreter& in, const Value& format, const Value& arguments);

}  // namespace ac::jinja
