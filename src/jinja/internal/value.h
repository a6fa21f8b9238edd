// Values a template computes with: Python's data model as far as templates can see it.
//
// A Value is 32 bytes and cheap to copy. Text is a view: into the template, into the caller's JSON,
// or into a shared StringObject, so slicing and stripping never copy. Containers are immutable
// after construction (the sandbox forbids mutation); only namespaces, loops and cyclers change.
// Objects are reference-counted by one thread and belong to one Heap, which counts their bytes and,
// at the end of a render, empties the mutable ones so that no cycle survives.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include "jinja/internal/kind.h"

namespace ac::jinja {

// Python integers are unbounded; templates get 128 bits and an error beyond.
using Int = __int128;

class Heap;
struct Builtin;
struct StringObject;

struct Object {
  Object() = default;
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
  virtual ~Object() = default;

  Heap* heap = nullptr;
  Object* next_dead = nullptr;
  size_t references = 0;
  size_t charge = 0;  // bytes counted in the heap
};

class Value {
 public:
  Value() = default;
  static Value None() { return Value(Kind::kNone); }
  static Value Failed() { return Value(Kind::kFailed); }
  static Value Bool(bool value);
  static Value Integer(Int value);
  static Value Float(double value);
  // `text` must outlive the render: template source, context, literals.
  static Value Borrowed(std::string_view text);
  static Value Text(StringObject* object);
  static Value Undefined(UndefinedReason reason, Kind base, Value name);
  static Value Of(Kind kind, Object* object);
  static Value Function(const Builtin* function);

  Value(const Value& other) { Copy(other); }
  Value(Value&& other) noexcept { Take(other); }
  Value& operator=(const Value& other) {
    Value copy(other);
    Drop();
    Take(copy);
    return *this;
  }
  Value& operator=(Value&& other) noexcept {
    Value held(std::move(other));  // `other` may live inside what Drop destroys
    Drop();
    Take(held);
    return *this;
  }
  ~Value() { Drop(); }

  Kind kind() const { return kind_; }
  bool Is(Kind kind) const { return kind_ == kind; }
  bool failed() const { return kind_ == Kind::kFailed; }
  bool undefined() const { return kind_ == Kind::kUndefined; }
  bool missing() const { return kind_ == Kind::kMissing; }

  bool boolean() const { return scalar_.boolean; }
  Int integer() const;  // of kBool too
  double real() const { return scalar_.real; }
  std::string_view text() const { return {scalar_.text.data, scalar_.text.size}; }
  const Builtin* function() const { return scalar_.function; }
  bool IsNumber() const { return kind_ >= Kind::kBool && kind_ <= Kind::kFloat; }
  bool IsInteger() const { return kind_ == Kind::kBool || kind_ == Kind::kInt; }

  // Markup: text marked by |safe or |escape, which escapes what is added to it.
  bool safe() const { return safe_; }
  Value Safe(bool safe) &&;
  // A part of this text, sharing its storage and its mark.
  Value Part(std::string_view part) const;

  UndefinedReason reason() const { return reason_; }
  Kind base() const { return base_; }

  Object* object() const { return object_; }
  template <typename T>
  T* As() const {
    return static_cast<T*>(object_);
  }

 private:
  explicit Value(Kind kind) : kind_(kind) {}
  void CopyFields(const Value& other) {
    kind_ = other.kind_;
    safe_ = other.safe_;
    reason_ = other.reason_;
    base_ = other.base_;
    scalar_ = other.scalar_;
    object_ = other.object_;
  }
  void Copy(const Value& other) {
    CopyFields(other);
    if (object_ != nullptr) ++object_->references;
  }
  void Take(Value& other) noexcept {
    CopyFields(other);
    other.object_ = nullptr;
    other.kind_ = Kind::kMissing;
  }
  void Drop() {
    if (object_ != nullptr && --object_->references == 0) Bury();
  }
  void Bury();

  Kind kind_ = Kind::kMissing;
  bool safe_ = false;
  UndefinedReason reason_ = UndefinedReason::kName;
  Kind base_ = Kind::kMissing;
  union Scalar {
    bool boolean;
    double real;
    struct {
      uint64_t low, high;
    } integer;
    struct {
      const char* data;
      size_t size;
    } text;
    const Builtin* function;
  } scalar_ = {.integer = {0, 0}};
  Object* object_ = nullptr;
};

}  // namespace ac::jinja
