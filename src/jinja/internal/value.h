// Values a template computes with: Python's data model as far as templates can see it.
//
// A Value is 32 bytes and cheap to copy. Text is a view: into the template, into the caller's JSON,
// or into a shared StringObject, so slicing and stripping never copy. Containers are immutable
// after construction (the sandbox forbids mutation); only namespaces, loops and cyclers change.
// Objects are reference-counted by one thread and belong to one Heap, which counts their bytes and,
// at the end of a render, empties the mutable ones so that no cycle survives.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace ac::jinja {

// Python integers are unbounded; templates get 128 bits and an error beyond.
using Int = __int128;

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
    if (this != &other) Value(other).Swap(*this);
    return *this;
  }
  Value& operator=(Value&& other) noexcept {
    if (this != &other) {
      Drop();
      Take(other);
    }
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
  void Swap(Value& other) noexcept {
    Value held(std::move(other));
    other.Take(*this);
    Take(held);
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

// Objects that can refer to values made later. Linked so that the heap can empty them.
struct MutableObject : Object {
  ~MutableObject() override;
  virtual void Clear() = 0;

  MutableObject* previous = nullptr;
  MutableObject* next = nullptr;
};

class Heap {
 public:
  explicit Heap(size_t max_bytes) : max_bytes_(max_bytes) {}
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;
  // Every value of the render must be gone or reachable only from mutable objects.
  ~Heap() { ClearMutable(); }

  template <typename T, typename... Args>
  T* New(size_t payload, Args&&... args) {
    T* object = new T{std::forward<Args>(args)...};
    object->heap = this;
    Charge(object, sizeof(T) + payload);
    if constexpr (std::is_base_of_v<MutableObject, T>) Link(object);
    return object;
  }
  void Charge(Object* object, size_t bytes) {
    object->charge += bytes;
    live_bytes_ += bytes;
  }
  // For what lives as long as the render.
  void ChargeForever(size_t bytes) { live_bytes_ += bytes; }
  // Whether `bytes` more would stay within the limit: ask before building something large.
  bool Fits(size_t bytes) const { return bytes <= max_bytes_ && live_bytes_ <= max_bytes_ - bytes; }
  bool exceeded() const { return live_bytes_ > max_bytes_; }

  void ClearMutable();
  void Bury(Object* object);

 private:
  friend struct MutableObject;
  void Link(MutableObject* object);

  size_t max_bytes_;
  size_t live_bytes_ = 0;
  Object* dead_ = nullptr;
  bool burying_ = false;
  MutableObject* first_mutable_ = nullptr;
};

}  // namespace ac::jinja
