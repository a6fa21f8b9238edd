// Where the objects behind Values live during one render.
//
// Counts the bytes of what is alive against a limit, destroys without recursion, and at the end of
// a render empties the objects that can change, so that no circle of references survives. One
// thread.
#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

#include "jinja/internal/value.h"

namespace ac::jinja {

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
