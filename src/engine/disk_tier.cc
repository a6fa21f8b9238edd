#include "engine/disk_tier.h"

#include <algorithm>
#include <utility>

namespace ac::engine {
namespace {

// At the end, pages that are still waiting to be written get this long.
constexpr double kFlushSeconds = 10;
// The writer gives a page back within this time unless the disk hangs.
constexpr double kPageSeconds = 0.2;

}  // namespace

int64_t PendingRestore::RestoredTokens() const {
  int64_t tokens = 0;
  for (size_t i = 0; i < restore->pages(); ++i) tokens += match.pages[i].use;
  return tokens;
}

DiskTier::DiskTier(std::shared_ptr<kv::DiskStore> store, kv::PagePool& pool, kv::PrefixCache& tree,
                   Clock& clock)
    : store_(std::move(store)), pool_(pool), tree_(tree), clock_(clock) {
  if (store_ == nullptr) warm_state_ = WarmState::kDone;
}

DiskTier::~DiskTier() {
  if (store_ == nullptr) return;
  SetDecoding(false);
  (void)StopWarming();
  (void)store_->FlushFor(kFlushSeconds);
  store_->DropQueued();
  Collect();
}

std::unique_ptr<PendingRestore> DiskTier::Start(kv::DiskMatch match, std::vector<kv::PageId> pages,
                                                kv::RestoreOrder order, double worth_seconds) {
  auto pending = std::make_unique<PendingRestore>();
  pending->match = match;
  pending->pages = std::move(pages);
  pending->begin = clock_.Now();
  pending->worth_seconds = worth_seconds;
  std::vector<std::byte*> destinations;
  for (const kv::PageId page : pending->pages) destinations.push_back(pool_.data(page));
  pending->restore =
      store_->StartRestore(std::move(match), std::move(destinations), order, worth_seconds);
  return pending;
}

bool DiskTier::Settled(PendingRestore& pending) const {
  const double waited = Seconds(clock_.Now() - pending.begin);
  if (pending.worth_seconds > 0 && waited > pending.worth_seconds) pending.restore->Cancel();
  return pending.restore->done();
}

void DiskTier::Abandon(PendingRestore& pending) {
  pending.restore->Cancel();
  pending.restore->Wait();
}

void DiskTier::ReleasePages(std::span<const kv::PageId> pages) {
  for (const kv::PageId page : pages) pool_.Release(page);
}

void DiskTier::Offer(std::span<const TokenId> tokens, std::span<const kv::PageId> pages,
                     std::span<const kv::Place> places) {
  if (store_ == nullptr) return;
  for (const kv::PageId page : store_->Offer(tokens, pages, pool_, places)) {
    pool_.AddRef(page);
    ++held_;
  }
}

void DiskTier::Collect() {
  if (held_ == 0) return;
  const std::vector<kv::PageId> written = store_->TakeWritten();
  held_ -= static_cast<int64_t>(written.size());
  ReleasePages(written);
}

void DiskTier::SetDecoding(bool decoding) {
  if (store_ == nullptr || std::exchange(decoding_, decoding) == decoding) return;
  store_->SetDecoding(decoding);
}

bool DiskTier::WaitForPage() {
  if (held_ == 0) return false;
  const Nanos begin = clock_.Now();
  const int64_t before = held_;
  while (held_ == before && Seconds(clock_.Now() - begin) < kPageSeconds) {
    (void)store_->FlushFor(0.001);
    Collect();
  }
  if (held_ == before) {
    store_->DropQueued();
    Collect();
  }
  return true;
}

void DiskTier::Warm() {
  if (warm_state_ == WarmState::kDone) return;
  if (warm_state_ == WarmState::kNotListed) {
    if (!store_->listed()) return;
    // The other half of the memory is for what comes.
    for (auto& tokens : store_->MostValuable(pool_.free_pages() / 2)) {
      warm_queue_.push_back(std::move(tokens));
    }
    warm_state_ = WarmState::kRunning;
  }
  if (warm_ != nullptr) {
    if (!Settled(*warm_)) return;
    FinishWarm();
  }
  StartNextWarm();
}

bool DiskTier::StopWarming() {
  if (warm_ == nullptr) return false;
  Abandon(*warm_);
  ReleasePages(warm_->pages);
  warm_.reset();
  warm_queue_.clear();
  StartNextWarm();  // there is none: ends
  return true;
}

void DiskTier::PauseWarming() {
  if (warm_ == nullptr) return;
  Abandon(*warm_);
  FinishWarm();
  warm_queue_.push_front(std::move(warm_tokens_));
}

void DiskTier::StartNextWarm() {
  while (!warm_queue_.empty()) {
    warm_tokens_ = std::move(warm_queue_.front());
    warm_queue_.pop_front();
    warm_lease_ = tree_.Match(warm_tokens_);
    warm_known_.assign(warm_lease_.pages().begin(), warm_lease_.pages().end());
    const auto allocate = [this] {
      const Result<kv::PageId> page = pool_.Allocate();
      return page.ok() ? *page : kv::kNoPage;
    };
    warm_ = Begin(warm_tokens_, static_cast<int64_t>(warm_known_.size()), warm_lease_.tokens(), 0,
                  kv::RestoreOrder::kPages, allocate);
    if (warm_ != nullptr) return;
  }
  warm_tokens_.clear();
  warm_lease_.Release();
  warm_state_ = WarmState::kDone;
}

void DiskTier::FinishWarm() {
  const auto restored = static_cast<size_t>(warm_->RestoredTokens());
  std::vector<kv::PageId> pages = warm_known_;
  pages.insert(pages.end(), warm_->pages.begin(),
               warm_->pages.begin() + static_cast<long>(warm_->restore->pages()));
  const size_t known = warm_known_.size() * static_cast<size_t>(pool_.layout().page_tokens);
  tree_.Publish(std::span(warm_tokens_).first(known + restored), pages);
  ReleasePages(warm_->pages);
  warm_.reset();
  warm_lease_.Release();
}

}  // namespace ac::engine
