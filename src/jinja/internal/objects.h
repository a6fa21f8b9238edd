// The heap objects behind Value: text, containers and the small machines of the language.
//
// Made by Heap::New, owned by the Values that refer to them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "jinja/internal/heap.h"

namespace ac::jinja {

struct Builtin;
class Interpreter;
struct ForNode;
struct Frame;
struct MacroNode;

struct StringObject : Object {
  explicit StringObject(std::string value) : text(std::move(value)) {}
  std::string text;
};

// Lists and tuples.
struct ListObject : Object {
  explicit ListObject(std::vector<Value> values) : items(std::move(values)) {}
  std::vector<Value> items;
  bool is_group = false;  // an element of groupby: items also answer to .grouper and .list
};

// Insertion-ordered. Keys are hashable values; a later equal key replaces the value.
struct DictObject : Object {
  using Item = std::pair<Value, Value>;

  const Value* Find(std::string_view key) const;
  const Value* Find(const Value& key) const;  // null also for keys that cannot be hashed
  void Reserve(size_t count) { items.reserve(count); }
  void Set(Value key, Value value);  // `key` must be hashable

  std::vector<Item> items;

 private:
  size_t Lookup(const Value& key, size_t hash) const;
  void Rehash();
  std::vector<uint32_t> index_;  // open addressing over items, position + 1; empty while small
};

struct RangeObject : Object {
  RangeObject(Int first, Int last, Int by);
  Int start, stop, step;
  Int length = 0;
};

enum class ViewKind : uint8_t { kKeys, kValues, kItems };

struct ViewObject : Object {
  ViewObject(Value of, ViewKind what) : dict(std::move(of)), view(what) {}
  Value dict;
  ViewKind view;
};

// A lazy sequence. Next returns false at the end and when the evaluation failed.
struct IteratorObject : Object {
  virtual bool Next(Interpreter& in, Value* out) = 0;
};

// Walks anything iterable, without allocating for the built-in containers.
class Cursor {
 public:
  // Fails the evaluation ("'int' object is not iterable") and returns false when it cannot.
  bool Start(Interpreter& in, Value source);
  bool Next(Interpreter& in, Value* out);

 private:
  Value source_;
  size_t position_ = 0;
};

struct NamespaceObject : MutableObject {
  Value* Find(std::string_view name);
  void Clear() override;
  std::vector<std::pair<Value, Value>> attributes;
};

struct MethodObject : Object {
  MethodObject(Value of, const Builtin* which) : self(std::move(of)), method(which) {}
  Value self;
  const Builtin* method;
};

// A macro together with the variables around its definition.
struct MacroObject : Object {
  MacroObject(const MacroNode* which, Frame* around) : node(which), closure(around) {}
  const MacroNode* node;
  Frame* closure;
};

// The variable `loop`. Looks one item ahead only when asked, as lazily filtered loops can tell.
struct LoopObject : MutableObject {
  LoopObject(const ForNode* which, Frame* in_frame, int depth)
      : node(which), frame(in_frame), depth0(depth) {}
  bool Start(Interpreter& in, Value source);
  bool Next(Interpreter& in, Value* out);
  bool Peek(Interpreter& in);  // whether there is a next item; it is in `after`
  Int Length(Interpreter& in);
  void Clear() override;  // also ends the loop: nothing can be pulled afterwards

  const ForNode* node;
  Frame* frame;  // where the loop's condition is evaluated; null when the loop has ended
  int depth0;
  Int index0 = -1;
  Value before, current, after, last_changed;

 private:
  bool Pull(Interpreter& in, Value* out);
  Cursor cursor_;
  Int length_ = -1;
  std::vector<Value> rest_;  // what Length() had to pull early
  size_t rest_position_ = 0;
  bool pulled_ = false;
};

struct CyclerObject : Object {
  explicit CyclerObject(std::vector<Value> values) : items(std::move(values)) {}
  std::vector<Value> items;
  size_t position = 0;
};

struct JoinerObject : Object {
  explicit JoinerObject(Value value) : separator(std::move(value)) {}
  Value separator;
  bool used = false;
};

}  // namespace ac::jinja
