// The disk side of an engine's prefix cache: starts and settles restores, hands published pages to
// the writer, and restores the most valuable prefixes after a start.
//
// Holds a reference of the pool for every page the store reads from or writes into. The engine
// thread's own; the store's threads touch only the bytes of such pages.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/clock.h"
#include "kv/disk_store.h"
#include "kv/page_pool.h"
#include "kv/prefix_cache.h"

namespace ac::engine {

using TokenId = int32_t;

// Pages that are being read for one prefix.
struct PendingRestore {
  kv::DiskMatch match;
  std::vector<kv::PageId> pages;  // one reference each, in the order of `match`
  std::shared_ptr<kv::Restore> restore;
  Nanos begin{0};
  double worth_seconds = 0;  // longer than this, computing is faster
  // Where the sequence took them over: its pages and tokens before.
  size_t first_page = 0;
  int64_t first_token = 0;

  // Valid once the restore is done: tokens that were restored.
  int64_t RestoredTokens() const;
};

class DiskTier {
 public:
  // `store` may be null: then everything here does nothing. All must outlive the tier.
  DiskTier(std::shared_ptr<kv::DiskStore> store, kv::PagePool& pool, kv::PrefixCache& tree,
           Clock& clock);
  ~DiskTier();
  DiskTier(const DiskTier&) = delete;
  DiskTier& operator=(const DiskTier&) = delete;

  // Begins to read what the disk knows of `tokens` beyond the `pages_known` full pages the caller
  // has. Null when that is nothing, when there is no room, or when computing is faster
  // (`token_seconds` each; 0: not known). `allocate` gives a page or kNoPage.
  template <typename Allocate>
  std::unique_ptr<PendingRestore> Begin(std::span<const TokenId> tokens, int64_t pages_known,
                                        int64_t tokens_known, double token_seconds,
                                        kv::RestoreOrder order, Allocate allocate);
  // How often Begin left pages on the disk because reading them would take longer than computing.
  int64_t left_on_disk() const { return left_on_disk_; }
  // True once nothing writes into the pages any more. Stops a restore that takes too long.
  bool Settled(PendingRestore& pending) const;
  // Stops and waits, at most for one page.
  static void Abandon(PendingRestore& pending);

  void Offer(std::span<const TokenId> tokens, std::span<const kv::PageId> pages,
             std::span<const kv::Place> places);
  // Gives back pages that were written. Call once per step.
  void Collect();
  void SetDecoding(
      bool decoding);  // while some sequence generates, the writer keeps out of its way
  // Waits for the writer to give a page back; false: it holds none.
  bool WaitForPage();
  // References of the pool that the tier holds: for the writer and for warm starts.
  int64_t held_pages() const {
    return held_ + (warm_ == nullptr ? 0 : static_cast<int64_t>(warm_->pages.size()));
  }

  std::optional<kv::DiskStats> stats() const {
    return store_ == nullptr ? std::nullopt : std::optional(store_->stats());
  }

  // One step of restoring the most valuable prefixes into free pages. Cheap when there is none.
  void Warm();
  // Restoring is going on, or has not begun yet.
  bool warming() const { return warm_state_ != WarmState::kDone; }
  // Ends it and gives its pages back; false: it had none.
  bool StopWarming();
  // Lets a request read first: keeps what is restored, goes on with the rest in a later step.
  void PauseWarming();

 private:
  // Waiting this long for the disk is never worse than computing.
  static constexpr double kPatienceSeconds = 0.05;
  // Without a price of a token: so much slower than expected is too slow.
  static constexpr double kSlowFactor = 4;
  static constexpr double kSlowSeconds = 1;

  enum class WarmState { kNotListed, kRunning, kDone };

  std::unique_ptr<PendingRestore> Start(kv::DiskMatch match, std::vector<kv::PageId> pages,
                                        kv::RestoreOrder order, double worth_seconds);
  void ReleasePages(std::span<const kv::PageId> pages);
  void StartNextWarm();
  void FinishWarm();

  const std::shared_ptr<kv::DiskStore> store_;
  kv::PagePool& pool_;
  kv::PrefixCache& tree_;
  Clock& clock_;
  int64_t held_ = 0;  // pages the writer has
  int64_t left_on_disk_ = 0;
  bool decoding_ = false;
  WarmState warm_state_ = WarmState::kNotListed;
  std::deque<std::vector<TokenId>> warm_queue_;
  std::vector<TokenId> warm_tokens_;
  std::vector<kv::PageId> warm_known_;  // pages of the tree before the restored ones
  kv::PrefixCache::Lease warm_lease_;
  std::unique_ptr<PendingRestore> warm_;
};

template <typename Allocate>
std::unique_ptr<PendingRestore> DiskTier::Begin(std::span<const TokenId> tokens,
                                                int64_t pages_known, int64_t tokens_known,
                                                double token_seconds, kv::RestoreOrder order,
                                                Allocate allocate) {
  if (store_ == nullptr) return nullptr;
  kv::DiskMatch match = store_->Match(tokens, pages_known);
  const int64_t page_tokens = pool_.layout().page_tokens;
  const int64_t gained = pages_known * page_tokens + match.tokens - tokens_known;
  if (gained <= page_tokens / 2) return nullptr;
  const double worth = std::max(static_cast<double>(gained) * token_seconds, kPatienceSeconds);
  if (token_seconds > 0 && store_->RestoreSeconds(match) > worth) {
    ++left_on_disk_;
    return nullptr;
  }
  std::vector<kv::PageId> pages;
  for (size_t i = 0; i < match.pages.size(); ++i) {
    const kv::PageId page = allocate();
    if (page == kv::kNoPage) break;
    pages.push_back(page);
  }
  if (pages.size() < match.pages.size()) {
    ReleasePages(pages);
    return nullptr;
  }
  // A step that follows the disk must end even if the disk does not.
  const double slow = kSlowFactor * store_->RestoreSeconds(match) + kSlowSeconds;
  const double unpriced = order == kv::RestoreOrder::kLayers ? slow : 0;
  return Start(std::move(match), std::move(pages), order, token_seconds > 0 ? worth : unpriced);
}

}  // namespace ac::engine
