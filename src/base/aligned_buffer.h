// Owned, aligned, zero-initialised memory for tensors and scratch space.
//
// Moves leave the source empty; there are no copies, they would be expensive. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

namespace ac {

// 64 bytes: a cache line, a ZMM register, a row of an AMX tile.
inline constexpr size_t kBufferAlignment = 64;

template <typename T>
class AlignedBuffer {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(size_t size) { Resize(size); }
  AlignedBuffer(AlignedBuffer&& other) noexcept
      : data_(std::move(other.data_)), size_(std::exchange(other.size_, 0)) {}
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    data_ = std::move(other.data_);
    size_ = std::exchange(other.size_, 0);
    return *this;
  }

  // Discards the contents; the new elements are zero. Out of memory ends the process: a partial
  // tensor helps nobody.
  void Resize(size_t size) {
    if (size > (SIZE_MAX - kBufferAlignment) / sizeof(T)) throw std::bad_alloc();
    const size_t bytes =
        (size * sizeof(T) + kBufferAlignment - 1) / kBufferAlignment * kBufferAlignment;
    data_.reset(bytes == 0 ? nullptr
                           : static_cast<T*>(std::aligned_alloc(kBufferAlignment, bytes)));
    if (bytes != 0 && data_ == nullptr) throw std::bad_alloc();
    if (bytes != 0) std::memset(static_cast<void*>(data_.get()), 0, bytes);
    size_ = size;
  }
  // Grows when needed, never shrinks; growth discards the contents.
  void EnsureSize(size_t size) {
    if (size > size_) Resize(size);
  }

  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  size_t size() const { return size_; }
  T& operator[](size_t i) { return data_.get()[i]; }
  const T& operator[](size_t i) const { return data_.get()[i]; }
  std::span<T> span() { return {data_.get(), size_}; }
  std::span<const T> span() const { return {data_.get(), size_}; }

 private:
  struct Free {
    void operator()(T* p) const { std::free(p); }
  };
  std::unique_ptr<T, Free> data_;
  size_t size_ = 0;
};

}  // namespace ac
