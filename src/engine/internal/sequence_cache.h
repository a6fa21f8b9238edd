// The KV memory of an engine's sequences: what they reuse, what they hold, what they leave behind.
//
// Owns the page pool, the prefix tree over it and the link to the disk tier. A waiting sequence is
// prepared (it takes over the cached beginning of its tokens, which may mean waiting for the disk
// or for another sequence that computes the same), grows page by page while it runs, publishes what
// it computed and is released when it ends or is preempted. The engine thread's own, no locks.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "engine/disk_tier.h"
#include "engine/internal/sequence.h"
#include "engine/state_keeper.h"
#include "kv/disk_store.h"
#include "kv/page_pool.h"
#include "kv/prefix_cache.h"
#include "obs/metrics.h"
#include "tokenizer/tokenizer.h"

namespace ac::engine {

struct SequenceCacheOptions {
  bool enabled = true;                  // false: nothing is reused
  std::shared_ptr<kv::DiskStore> disk;  // null: memory only
  obs::Metrics* metrics = nullptr;
  size_t state_bytes = 0;           // of a sequence; 0: the model has no state
  uint64_t state_memory_bytes = 0;  // for checkpoints; 0: a quarter of what the pages take
};

class SequenceCache {
 public:
  using SequenceList = std::list<std::unique_ptr<Sequence>>;

  // `tokenizer` words the reports.
  SequenceCache(kv::PagePool pages, const tokenizer::Tokenizer& tokenizer, Clock& clock,
                const SequenceCacheOptions& options);

  kv::PagePool& pool() { return pool_; }
  const kv::PagePool& pool() const { return pool_; }
  int64_t cached_pages() const { return tree_.page_count(); }
  std::optional<kv::DiskStats> disk_stats() const { return disk_.stats(); }
  int64_t capacity_tokens() const { return pool_.total_pages() * pool_.layout().page_tokens; }

  // Once per step: takes back written pages, restores valuable prefixes after a start. True while
  // the latter goes on, so that an idle engine comes back to it.
  bool Tend();
  // Once per step: whether a sequence generates. Writing to the disk then keeps out of its way.
  void SetDecoding(bool decoding) { disk_.SetDecoding(decoding); }

  // Gives a waiting sequence everything cached of its tokens except the last, whose logits choose
  // the next token. False: not yet, ask again in the next step. The first time, fills in its
  // report. `alone`: the engine has nothing else to do. Then the sequence need not wait for the
  // disk: it is given pages that are still arriving, for one step (docs/adr/0038).
  bool Prepare(Sequence& sequence, const SequenceList& running, bool alone);
  // Whether all that the sequence knows fits beside the running ones, and each of these may grow.
  // Always when nothing runs: waiting would not help.
  bool HasRoomFor(const Sequence& sequence, const SequenceList& running) const;
  // After the step of a sequence whose pages were arriving: waits for them, keeps what is good and
  // fills in the report. False: not all came, and what the step computed is of no use.
  bool FinishArrival(Sequence& sequence);
  // Allocates pages for `tokens` positions, evicting cached prefixes nobody uses. False: none left.
  bool Grow(Sequence& sequence, int64_t tokens);
  bool Holds(const Sequence& sequence, int64_t tokens) const;
  // Shares what is computed. `finished`: the sequence writes no more, so its last, part-filled page
  // may be shared too.
  void Publish(Sequence& sequence, bool finished);
  void Release(Sequence& sequence);
  // Of a model with a state: a chunk ends at the next place where the state is to be kept, and
  // guesses nothing, because a state cannot go back. Nothing changes for other models.
  void CutAtStatePlace(const Sequence& sequence, PlannedChunk* chunk) const;
  // Keeps the state if one of the places behind `from` was reached.
  void KeepState(const Sequence& sequence, int64_t from);
  // A finished request's times: they price a token for the next decision.
  void Observe(FinishInfo* info);

  // Verifies the tree, and that tree and running sequences hold every reference there is.
  Status CheckIntegrity(std::span<const Sequence* const> running) const;

 private:
  bool WaitsForTwin(Sequence& sequence, const SequenceList& running);
  int64_t CommonPages(const Sequence& sequence, std::span<const TokenId> tokens) const;
  void Attach(Sequence& sequence, bool alone);
  void TakeOverPages(Sequence& sequence);
  void CopyPartialPage(Sequence& sequence);
  void GoBackToState(Sequence& sequence);
  bool OwnLastPage(Sequence& sequence, int tokens);
  bool SettleRestore(Sequence& sequence);
  kv::PageId AllocatePage();
  int64_t WallSeconds() const;
  bool TakeBackRestore();
  void Report(Sequence& sequence, int64_t from_disk,
              const kv::PrefixCache::Continuation& behind) const;
  void LogReport(const CacheReport& report) const;

  const bool enabled_;
  const tokenizer::Tokenizer& tokenizer_;
  Clock& clock_;
  kv::PagePool pool_;
  kv::PrefixCache tree_;
  DiskTier disk_;
  std::unique_ptr<StateKeeper> states_;  // null: the model has none, or the cache is off
  const size_t state_bytes_;
  std::vector<Sequence*> restoring_;
  double token_seconds_ = 0;  // what computing a token of prompt takes; 0: not measured
  obs::Counter from_memory_;
  obs::Counter from_disk_;
  obs::Counter computed_;
  obs::Counter failed_restores_;
  obs::Counter skipped_restores_;
  obs::Counter overlapped_restores_;
};

}  // namespace ac::engine
