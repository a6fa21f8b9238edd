// Memory in huge pages: fewer TLB misses for data that is streamed through once per token.
//
// HugeBuffer owns a zeroed region of anonymous memory aligned to a huge page. Huge pages are a
// request: where the system refuses, the buffer works with small ones and advised() is false.
// Pages are taken from the system when first touched. Thread-safe as plain memory is.
#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include "base/status.h"

namespace ac::cpu {

inline constexpr size_t kHugePageBytes = size_t{2} << 20;

class HugeBuffer {
 public:
  // Fails with kResourceExhausted when there is no address space or memory left.
  static Result<HugeBuffer> Allocate(size_t bytes);

  HugeBuffer() = default;
  HugeBuffer(HugeBuffer&& other) noexcept { *this = std::move(other); }
  HugeBuffer& operator=(HugeBuffer&& other) noexcept;
  ~HugeBuffer();

  std::byte* data() { return data_; }
  const std::byte* data() const { return data_; }
  size_t size() const { return size_; }
  std::span<std::byte> bytes() { return {data_, size_}; }
  std::span<const std::byte> bytes() const { return {data_, size_}; }
  bool advised() const { return advised_; }

 private:
  size_t mapped_bytes() const;

  std::byte* data_ = nullptr;
  size_t size_ = 0;
  bool advised_ = false;
};

// Asks for huge pages in existing memory (the whole pages within it). False where the system
// cannot or will not, which changes speed only.
bool AdviseHugePages(void* data, size_t bytes);

}  // namespace ac::cpu
