#include "kv/page_pool.h"

#include <sys/mman.h>

#include <cassert>
#include <cstring>
#include <string>

namespace ac::kv {

void PagePool::Unmap::operator()(std::byte* p) const { ::munmap(p, bytes); }

Result<PagePool> PagePool::Create(const PageLayout& layout, int64_t pages) {
  assert(layout.page_bytes() > 0);
  if (pages < 1) {
    return InvalidArgument("[kv] the KV cache needs at least one page of " +
                           std::to_string(layout.page_bytes() >> 10) + " KiB; raise kv.memory_mb");
  }
  PagePool pool;
  pool.layout_ = layout;
  const size_t bytes = static_cast<size_t>(pages) * layout.page_bytes();
  // No reservation of swap: pages of the mapping become real when first written.
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    return Status(Code::kResourceExhausted, "[kv] cannot reserve " + std::to_string(bytes >> 20) +
                                                " MiB for the KV cache; lower kv.memory_mb");
  }
#if defined(MADV_HUGEPAGE)
  (void)::madvise(memory, bytes, MADV_HUGEPAGE);  // fewer TLB misses in attention; a hint
#endif
  pool.memory_ = std::unique_ptr<std::byte, Unmap>(static_cast<std::byte*>(memory), Unmap{bytes});
  pool.refs_.assign(static_cast<size_t>(pages), 0);
  for (int64_t page = pages - 1; page >= 0; --page) {
    pool.free_.push_back(static_cast<PageId>(page));
  }
  return pool;
}

Result<PageId> PagePool::Allocate() {
  if (free_.empty()) {
    return Status(Code::kResourceExhausted,
                  "[kv] all " + std::to_string(refs_.size()) + " pages of the KV cache are in use");
  }
  const PageId page = free_.back();
  free_.pop_back();
  refs_[static_cast<size_t>(page)] = 1;
  return page;
}

void PagePool::AddRef(PageId page) {
  assert(RefCount(page) > 0 && "a free page cannot be shared");
  ++refs_[static_cast<size_t>(page)];
}

void PagePool::Release(PageId page) {
  assert(RefCount(page) > 0 && "released twice");
  if (--refs_[static_cast<size_t>(page)] == 0) free_.push_back(page);
}

void PagePool::CopyTokens(PageId from, PageId to, int tokens) {
  const auto count = static_cast<size_t>(tokens);
  const auto copy = [&](size_t offset, size_t bytes) {
    std::memcpy(data(to) + offset, data(from) + offset, bytes);
  };
  const size_t step = layout_.head_bytes();
  for (size_t offset = 0; offset < layout_.page_bytes(); offset += step) {
    copy(offset, count * layout_.row_bytes());
    copy(offset + layout_.scales_offset(), count * KvScaleBytes(layout_.type));
  }
}

}  // namespace ac::kv
