#include "engine/internal/sequence_cache.h"

#include <algorithm>
#include <cassert>

namespace ac::engine {
namespace {

// Words shown on each side of a divergence: enough to recognise the place, too few to be a log of
// the conversation.
constexpr size_t kShownTokens = 12;

int64_t PagesFor(int64_t tokens, int page_tokens) {
  return (tokens + page_tokens - 1) / page_tokens;
}

}  // namespace

SequenceCache::SequenceCache(kv::PagePool pages, const tokenizer::Tokenizer& tokenizer,
                             bool enabled)
    : enabled_(enabled), tokenizer_(tokenizer), pool_(std::move(pages)), tree_(pool_) {}

void SequenceCache::Attach(Sequence& sequence) {
  assert(sequence.pages.empty() && sequence.computed == 0);
  if (enabled_) {
    const std::span<const TokenId> tokens(sequence.tokens);
    sequence.lease = tree_.Match(tokens.first(tokens.size() - 1));
  }
  for (const kv::PageId page : sequence.lease.pages()) {
    pool_.AddRef(page);
    sequence.pages.push_back(page);
  }
  sequence.computed = static_cast<int64_t>(sequence.pages.size()) * pool_.layout().page_tokens;
  const int partial = sequence.lease.partial_tokens();
  if (partial > 0 && Grow(sequence, sequence.computed + partial)) {
    pool_.CopyTokens(sequence.lease.partial_page(), sequence.pages.back(), partial);
    sequence.computed += partial;
  }
  if (!sequence.started) Report(sequence);
}

void SequenceCache::Report(Sequence& sequence) const {
  CacheReport& report = sequence.info.cache;
  const std::span<const TokenId> prompt(sequence.request.prompt);
  report.prompt_tokens = static_cast<int64_t>(prompt.size());
  report.from_memory = sequence.computed;
  if (!enabled_) return;
  const kv::PrefixCache::Continuation behind = tree_.Behind(sequence.lease, kShownTokens);
  if (behind.tokens == 0) return;
  const auto at = static_cast<size_t>(sequence.lease.tokens());
  // The prompt's last token was not asked for; the cached side may well go on with it.
  if (at + 1 == prompt.size() && behind.next.front() == prompt.back()) return;
  const size_t shown = std::min(at, kShownTokens);
  Divergence& divergence = report.divergence.emplace();
  divergence.at = static_cast<int64_t>(at);
  divergence.cached = behind.tokens;
  divergence.lost = std::min(behind.tokens, report.prompt_tokens - divergence.at);
  divergence.before = Words(prompt.subspan(at - shown, shown));
  divergence.was = Words(behind.next);
  divergence.now = Words(prompt.subspan(at).first(std::min(prompt.size() - at, kShownTokens)));
}

std::string SequenceCache::Words(std::span<const TokenId> tokens) const {
  return tokenizer_.Decode(tokens);
}

bool SequenceCache::Grow(Sequence& sequence, int64_t tokens) {
  const auto needed = static_cast<size_t>(PagesFor(tokens, pool_.layout().page_tokens));
  while (sequence.pages.size() < needed) {
    if (pool_.free_pages() == 0 && tree_.Evict(1) == 0) return false;
    // An evicted page may still be referenced by a running sequence: then nothing came free yet.
    if (pool_.free_pages() == 0) continue;
    Result<kv::PageId> page = pool_.Allocate();
    if (!page.ok()) return false;
    sequence.pages.push_back(*page);
  }
  return true;
}

bool SequenceCache::Holds(const Sequence& sequence, int64_t tokens) const {
  return static_cast<int64_t>(sequence.pages.size()) >=
         PagesFor(tokens, pool_.layout().page_tokens);
}

void SequenceCache::Publish(Sequence& sequence, bool finished) {
  if (!enabled_) return;
  const int64_t page_tokens = pool_.layout().page_tokens;
  const int64_t count =
      finished ? sequence.computed : sequence.computed / page_tokens * page_tokens;
  if (count == 0 || !Holds(sequence, count)) return;
  const auto pages = static_cast<size_t>(PagesFor(count, pool_.layout().page_tokens));
  tree_.Publish(std::span(sequence.tokens).first(static_cast<size_t>(count)),
                std::span(sequence.pages).first(pages));
}

void SequenceCache::Release(Sequence& sequence) {
  sequence.lease.Release();
  for (const kv::PageId page : sequence.pages) pool_.Release(page);
  sequence.pages.clear();
  sequence.computed = 0;
}

}  // namespace ac::engine
