// The KV memory of an engine's sequences: what they reuse, what they hold, what they leave behind.
//
// Owns the page pool and the prefix tree over it. A sequence is attached when it is admitted (it
// takes over the cached beginning of its tokens), grows page by page, publishes what it computed
// and is released when it ends or is preempted. The engine thread's own, no locks.
#pragma once

#include <cstdint>

#include "engine/internal/sequence.h"
#include "kv/page_pool.h"
#include "kv/prefix_cache.h"
#include "tokenizer/tokenizer.h"

namespace ac::engine {

class SequenceCache {
 public:
  // `enabled` false: nothing is reused. `tokenizer` words the reports.
  SequenceCache(kv::PagePool pages, const tokenizer::Tokenizer& tokenizer, bool enabled);

  kv::PagePool& pool() { return pool_; }
  const kv::PagePool& pool() const { return pool_; }
  int64_t cached_pages() const { return tree_.page_count(); }
  int64_t capacity_tokens() const { return pool_.total_pages() * pool_.layout().page_tokens; }

  // Gives a sequence without pages everything cached of its tokens except the last, whose logits
  // choose the next token. The first time, fills in its report.
  void Attach(Sequence& sequence);
  // Allocates pages for `tokens` positions, evicting cached prefixes nobody uses. False: none left.
  bool Grow(Sequence& sequence, int64_t tokens);
  bool Holds(const Sequence& sequence, int64_t tokens) const;
  // Shares what is computed. `finished`: the sequence writes no more, so its last, part-filled page
  // may be shared too.
  void Publish(Sequence& sequence, bool finished);
  void Release(Sequence& sequence);

 private:
  void Report(Sequence& sequence) const;
  std::string Words(std::span<const TokenId> tokens) const;

  const bool enabled_;
  const tokenizer::Tokenizer& tokenizer_;
  kv::PagePool pool_;
  kv::PrefixCache tree_;
};

}  // namespace ac::engine
