// All the memory for keys and values, handed out in pages with reference counts.
//
// Memory is reserved at creation and touched on first use, so an idle server holds little. A page
// belongs to whoever holds references to it; when the last one goes the page is free again. Not
// thread-safe: the engine thread owns the pool. data() may be read and written by compute threads
// while the engine thread waits for them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/status.h"
#include "kv/layout.h"

namespace ac::kv {

using PageId = int32_t;
inline constexpr PageId kNoPage = -1;

class PagePool {
 public:
  // Fails with the numbers needed when the memory cannot be reserved.
  static Result<PagePool> Create(const PageLayout& layout, int64_t pages);
  PagePool(PagePool&&) noexcept = default;
  PagePool& operator=(PagePool&&) noexcept = default;

  const PageLayout& layout() const { return layout_; }
  int64_t total_pages() const { return static_cast<int64_t>(refs_.size()); }
  int64_t free_pages() const { return static_cast<int64_t>(free_.size()); }

  // One reference, owned by the caller. kResourceExhausted when every page is in use.
  Result<PageId> Allocate();
  void AddRef(PageId page);
  void Release(PageId page);
  int RefCount(PageId page) const { return refs_[static_cast<size_t>(page)]; }

  std::byte* data(PageId page) {
    return memory_.get() + static_cast<size_t>(page) * layout_.page_bytes();
  }
  const std::byte* data(PageId page) const {
    return memory_.get() + static_cast<size_t>(page) * layout_.page_bytes();
  }

  // Copies the first `tokens` positions of every layer and head.
  void CopyTokens(PageId from, PageId to, int tokens);

 private:
  struct Unmap {
    size_t bytes;
    void operator()(std::byte* p) const;
  };

  PagePool() = default;

  PageLayout layout_;
  std::unique_ptr<std::byte, Unmap> memory_{nullptr, Unmap{0}};
  std::vector<int> refs_;
  std::vector<PageId> free_;  // last one is handed out first: it is the warmest
};

}  // namespace ac::kv
