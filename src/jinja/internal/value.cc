#include "jinja/internal/value.h"

#include "jinja/internal/objects.h"

namespace ac::jinja {

Value Value::Bool(bool value) {
  Value result(Kind::kBool);
  result.scalar_.boolean = value;
  return result;
}

Value Value::Integer(Int value) {
  Value result(Kind::kInt);
  const auto bits = static_cast<unsigned __int128>(value);
  result.scalar_.integer.low = static_cast<uint64_t>(bits);
  result.scalar_.integer.high = static_cast<uint64_t>(bits >> 64);
  return result;
}

Value Value::Float(double value) {
  Value result(Kind::kFloat);
  result.scalar_.real = value;
  return result;
}

Value Value::Borrowed(std::string_view text) {
  Value result(Kind::kString);
  result.scalar_.text = {text.data(), text.size()};
  return result;
}

Value Value::Text(StringObject* object) {
  Value result = Of(Kind::kString, object);
  result.scalar_.text = {object->text.data(), object->text.size()};
  return result;
}

Value Value::Undefined(UndefinedReason reason, Kind base, Value name) {
  name.kind_ = Kind::kUndefined;
  name.safe_ = false;
  name.reason_ = reason;
  name.base_ = base;
  return name;
}

Value Value::Of(Kind kind, Object* object) {
  Value result(kind);
  result.object_ = object;
  ++object->references;
  return result;
}

Value Value::Function(const Builtin* function) {
  Value result(Kind::kFunction);
  result.scalar_.function = function;
  return result;
}

Int Value::integer() const {
  if (kind_ == Kind::kBool) return scalar_.boolean ? 1 : 0;
  return static_cast<Int>((static_cast<unsigned __int128>(scalar_.integer.high) << 64) |
                          scalar_.integer.low);
}

Value Value::Safe(bool safe) && {
  safe_ = safe;
  return std::move(*this);
}

Value Value::Part(std::string_view part) const {
  Value result(*this);
  result.scalar_.text = {part.data(), part.size()};
  return result;
}

void Value::Bury() { object_->heap->Bury(object_); }

MutableObject::~MutableObject() {
  if (previous != nullptr) previous->next = next;
  if (heap->first_mutable_ == this) heap->first_mutable_ = next;
  if (next != nullptr) next->previous = previous;
}

void Heap::Link(MutableObject* object) {
  object->next = first_mutable_;
  if (first_mutable_ != nullptr) first_mutable_->previous = object;
  first_mutable_ = object;
}

// Destroying a list drops its elements, which may drop lists of their own: a queue instead of
// recursion, because a template can build a chain of any length.
void Heap::Bury(Object* object) {
  object->next_dead = dead_;
  dead_ = object;
  if (burying_) return;
  burying_ = true;
  while (dead_ != nullptr) {
    Object* next = dead_;
    dead_ = next->next_dead;
    live_bytes_ -= next->charge;
    delete next;
  }
  burying_ = false;
}

void Heap::ClearMutable() {
  while (first_mutable_ != nullptr) {
    // A reference of our own keeps the object alive while it forgets its values.
    const Value held = Value::Of(Kind::kNamespace, first_mutable_);
    MutableObject* object = first_mutable_;
    first_mutable_ = object->next;
    if (first_mutable_ != nullptr) first_mutable_->previous = nullptr;
    object->previous = object->next = nullptr;
    object->Clear();
  }
}

}  // namespace ac::jinja
