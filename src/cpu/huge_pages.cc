#include "cpu/huge_pages.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <limits>
#include <string>

namespace ac::cpu {
namespace {

constexpr size_t RoundUp(size_t value, size_t unit) { return (value + unit - 1) / unit * unit; }

}  // namespace

Result<HugeBuffer> HugeBuffer::Allocate(size_t bytes) {
  if (bytes == 0) return HugeBuffer();
  if (bytes > std::numeric_limits<size_t>::max() / 2) {
    return Status(Code::kResourceExhausted,
                  "[cpu] cannot reserve " + std::to_string(bytes) + " bytes of memory");
  }
  // One huge page more than needed, so that an aligned start lies inside; the rest goes back.
  const size_t wanted = RoundUp(bytes, kHugePageBytes);
  const size_t reserved = wanted + kHugePageBytes;
  void* const region =
      ::mmap(nullptr, reserved, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (region == MAP_FAILED) {
    return FromErrno(errno, "[cpu] cannot reserve " + std::to_string(bytes) +
                                " bytes of memory; use a smaller model or cache");
  }
  std::byte* const start = static_cast<std::byte*>(region);
  const size_t misalignment = reinterpret_cast<uintptr_t>(start) % kHugePageBytes;
  const size_t head = misalignment == 0 ? 0 : kHugePageBytes - misalignment;
  if (head > 0) ::munmap(start, head);
  ::munmap(start + head + wanted, kHugePageBytes - head);

  HugeBuffer buffer;
  buffer.data_ = start + head;
  buffer.size_ = bytes;
  buffer.advised_ = AdviseHugePages(buffer.data_, wanted);
  return buffer;
}

size_t HugeBuffer::mapped_bytes() const { return RoundUp(size_, kHugePageBytes); }

HugeBuffer& HugeBuffer::operator=(HugeBuffer&& other) noexcept {
  if (this == &other) return *this;
  if (data_ != nullptr) ::munmap(data_, mapped_bytes());
  data_ = std::exchange(other.data_, nullptr);
  size_ = std::exchange(other.size_, 0);
  advised_ = std::exchange(other.advised_, false);
  return *this;
}

HugeBuffer::~HugeBuffer() {
  if (data_ != nullptr) ::munmap(data_, mapped_bytes());
}

bool AdviseHugePages(void* data, size_t bytes) {
#if defined(MADV_HUGEPAGE)
  const long page = ::sysconf(_SC_PAGESIZE);
  if (page <= 0) return false;
  const uintptr_t unit = static_cast<uintptr_t>(page);
  const uintptr_t address = reinterpret_cast<uintptr_t>(data);
  const size_t head = RoundUp(address, unit) - address;
  if (bytes < head + unit) return false;
  const size_t whole_pages = (bytes - head) / unit * unit;
  return ::madvise(static_cast<std::byte*>(data) + head, whole_pages, MADV_HUGEPAGE) == 0;
#else
  static_cast<void>(data);
  static_cast<void>(bytes);
  return false;
#endif
}

}  // namespace ac::cpu
