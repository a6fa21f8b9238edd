// What the disk knows of a prompt, and reading it: the values that DiskStore hands out.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "kv/page_file.h"

namespace ac::kv {

// How far a prompt is known on disk, beyond what the caller has.
struct DiskMatch {
  struct Page {
    PageKey key;
    PageKey parent;
    int64_t position = 0;
    std::vector<TokenId> tokens;  // all of the page's
    int use = 0;                  // of these, that match: less than all only in the last page
  };
  std::vector<Page> pages;
  int64_t tokens = 0;  // sum of `use`
};

// In which order a restore reads: whole pages, so that a beginning is of use when it ends early; or
// layer after layer of all pages, so that a forward pass can follow it. Then nothing is verified,
// and nothing may leave the machine, before the last layer.
enum class RestoreOrder : uint8_t { kPages, kLayers };

// A running restore. The destination pages must stay alive until done().
class Restore {
 public:
  bool done() const { return done_.load(std::memory_order_acquire); }
  // The reader stops after the page it is at.
  void Cancel() { cancelled_.store(true, std::memory_order_relaxed); }
  void Wait();
  // Of a restore in the order of layers: waits until the first `layers` of them are in all pages.
  // False: it ended without them.
  bool WaitForLayers(int layers);
  // Valid once done: pages that were read and checked, from the front; why not all ("": all were).
  size_t pages() const { return pages_; }
  const std::string& failure() const { return failure_; }
  double seconds() const { return seconds_; }

 private:
  friend class DiskStore;
  std::vector<DiskMatch::Page> wanted_;
  std::vector<std::byte*> destinations_;
  RestoreOrder order_ = RestoreOrder::kPages;
  double patience_s_ = 0;       // ends when it takes longer; 0: takes its time
  std::atomic<int> layers_{0};  // that are there; kEnded: no more will come
  std::atomic<bool> cancelled_{false};
  std::atomic<bool> done_{false};
  static constexpr int kEnded = -1;
  size_t pages_ = 0;
  double seconds_ = 0;
  std::string failure_;
};

}  // namespace ac::kv
