#include "engine/internal/sequence_cache.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "obs/log.h"
#include "obs/redact.h"

namespace ac::engine {
namespace {

// Words shown on each side of a divergence: enough to recognise the place, too few to be a log of
// the conversation.
constexpr size_t kShownTokens = 12;
// So much around them is looked at for secrets: a piece of a key cannot be told from other words.
constexpr size_t kCheckedTokens = 128;
// Fewer computed tokens say more about a step's fixed costs than about the price of a token.
constexpr int64_t kPricedTokens = 32;

constexpr std::string_view kHidden = "[a secret is near]";

int64_t PagesFor(int64_t tokens, int page_tokens) {
  return (tokens + page_tokens - 1) / page_tokens;
}

// All but the last: its logits choose the next token, so it is always computed.
std::span<const TokenId> Reusable(const Sequence& sequence) {
  return std::span(sequence.tokens).first(sequence.tokens.size() - 1);
}

}  // namespace

SequenceCache::SequenceCache(kv::PagePool pages, const tokenizer::Tokenizer& tokenizer,
                             Clock& clock, const SequenceCacheOptions& options)
    : enabled_(options.enabled),
      tokenizer_(tokenizer),
      clock_(clock),
      pool_(std::move(pages)),
      tree_(pool_),
      disk_(options.enabled ? options.disk : nullptr, pool_, tree_, clock),
      state_bytes_(options.state_bytes) {
  if (enabled_ && state_bytes_ > 0) {
    const uint64_t page_bytes =
        static_cast<uint64_t>(pool_.total_pages()) * pool_.layout().page_bytes();
    states_ = std::make_unique<StateKeeper>(
        options.state_memory_bytes > 0 ? options.state_memory_bytes : page_bytes / 4,
        options.disk.get(), clock);
  }
  if (options.metrics == nullptr) return;
  const auto prompt_tokens = [&](const char* source) {
    return options.metrics->GetCounter("anyclaude_kv_prompt_tokens_total",
                                       "Prompt tokens by where their keys and values came from",
                                       {{"source", source}});
  };
  from_memory_ = prompt_tokens("memory");
  from_disk_ = prompt_tokens("disk");
  computed_ = prompt_tokens("computed");
  failed_restores_ = options.metrics->GetCounter(
      "anyclaude_kv_failed_restores_total", "Restores that met a damaged, missing or slow page");
  skipped_restores_ = options.metrics->GetCounter(
      "anyclaude_kv_skipped_restores_total",
      "Prefixes left on the disk because computing them is faster than reading them");
  overlapped_restores_ = options.metrics->GetCounter("anyclaude_kv_overlapped_restores_total",
                                                     "Restores that ran beside computing the rest");
}

bool SequenceCache::Tend() {
  disk_.Collect();
  disk_.Warm();
  return disk_.warming();
}

// --- A sequence begins

bool SequenceCache::Prepare(Sequence& sequence, const SequenceList& running, bool alone) {
  if (sequence.request.embed) {  // needs the hidden state of every token, which no page holds
    Report(sequence, /*from_disk=*/0, {});
    return true;
  }
  if (sequence.restore == nullptr) {
    if (WaitsForTwin(sequence, running)) {
      if (sequence.twin_since == Nanos(0)) sequence.twin_since = clock_.Now();
      return false;
    }
    if (sequence.twin_since != Nanos(0)) {
      sequence.info.cache.twin_wait += clock_.Now() - sequence.twin_since;
      sequence.twin_since = Nanos(0);
    }
    Attach(sequence, alone);
    return sequence.restore == nullptr || sequence.arriving;
  }
  if (!disk_.Settled(*sequence.restore)) return false;
  TakeOverPages(sequence);
  (void)SettleRestore(sequence);
  return true;
}

bool SequenceCache::HasRoomFor(const Sequence& sequence, const SequenceList& running) const {
  if (running.empty()) return true;
  std::vector<bool> held(static_cast<size_t>(pool_.total_pages()), false);
  int64_t free = pool_.total_pages();
  for (const auto& other : running) {
    for (const kv::PageId page : other->pages) {
      if (!held[static_cast<size_t>(page)]) --free;
      held[static_cast<size_t>(page)] = true;
    }
  }
  const auto growing = static_cast<int64_t>(running.size());
  return free >= PagesFor(sequence.known(), pool_.layout().page_tokens) + 1 + growing;
}

bool SequenceCache::FinishArrival(Sequence& sequence) {
  sequence.restore->restore->Wait();
  sequence.arriving = false;
  sequence.info.cache.overlapped = true;
  overlapped_restores_.Add();
  return SettleRestore(sequence);
}

// Whether somebody else is about to have more of this prompt than the tree has now.
bool SequenceCache::WaitsForTwin(Sequence& sequence, const SequenceList& running) {
  if (!enabled_) return false;
  int64_t known = -1;
  const auto known_tokens = [&] {
    if (known < 0) known = tree_.Match(Reusable(sequence)).tokens();
    return known;
  };
  const int page_tokens = pool_.layout().page_tokens;
  const auto waits_for = [&](Sequence& leader) {
    if (leader.finished || leader.prompt_done() || &leader == &sequence) return false;
    if (leader.request.embed) return false;
    const int64_t common = CommonPages(sequence, leader.request.prompt);
    if (common < page_tokens || common < known_tokens() + page_tokens) return false;
    if (leader.computed >= common) {
      Publish(leader, /*finished=*/false);  // it has what we want: take it now
      known = -1;
      return false;
    }
    // Whoever waits for it makes it as urgent as itself.
    leader.request.priority = std::min(leader.request.priority, sequence.request.priority);
    return true;
  };
  for (const auto& leader : running) {
    if (waits_for(*leader)) return true;
  }
  for (Sequence* leader : restoring_) {
    if (waits_for(*leader)) return true;
  }
  return false;
}

// Tokens of the full pages that both have.
int64_t SequenceCache::CommonPages(const Sequence& sequence,
                                   std::span<const TokenId> tokens) const {
  const std::span<const TokenId> own = Reusable(sequence);
  const size_t end = std::min(own.size(), tokens.size());
  const auto differs =
      std::mismatch(own.begin(), own.begin() + static_cast<long>(end), tokens.begin());
  const int64_t common = differs.first - own.begin();
  return common - common % pool_.layout().page_tokens;
}

void SequenceCache::Attach(Sequence& sequence, bool alone) {
  assert(sequence.pages.empty() && sequence.computed == 0);
  disk_.PauseWarming();
  if (enabled_) sequence.lease = tree_.Match(Reusable(sequence));
  for (const kv::PageId page : sequence.lease.pages()) {
    pool_.AddRef(page);
    sequence.pages.push_back(page);
  }
  const auto pages = static_cast<int64_t>(sequence.pages.size());
  sequence.computed = pages * pool_.layout().page_tokens;
  // A state can only go on from where it was kept, which is known when all pages are there.
  const bool overlap = alone && state_bytes_ == 0;
  const int64_t left_before = disk_.left_on_disk();
  sequence.restore = disk_.Begin(Reusable(sequence), pages, sequence.lease.tokens(), token_seconds_,
                                 overlap ? kv::RestoreOrder::kLayers : kv::RestoreOrder::kPages,
                                 [this] { return AllocatePage(); });
  if (disk_.left_on_disk() != left_before) {
    skipped_restores_.Add();
    obs::Info("kv", "a prefix on the disk is computed: that is faster than reading it");
  }
  if (sequence.restore != nullptr && overlap) {
    sequence.arriving = true;
    return TakeOverPages(sequence);
  }
  if (sequence.restore != nullptr) {
    restoring_.push_back(&sequence);
    return;
  }
  CopyPartialPage(sequence);
  GoBackToState(sequence);
  Report(sequence, /*from_disk=*/0, tree_.Behind(sequence.lease, kShownTokens));
}

void SequenceCache::CopyPartialPage(Sequence& sequence) {
  const int partial = sequence.lease.partial_tokens();
  if (partial == 0 || !Grow(sequence, sequence.computed + partial)) return;
  pool_.CopyTokens(sequence.lease.partial_page(), sequence.pages.back(), partial);
  sequence.computed += partial;
}

// The pages that are being read become the sequence's own, as if all of them were there.
void SequenceCache::TakeOverPages(Sequence& sequence) {
  std::erase(restoring_, &sequence);
  PendingRestore& pending = *sequence.restore;
  pending.first_page = sequence.pages.size();
  pending.first_token = sequence.computed;
  sequence.pages.insert(sequence.pages.end(), pending.pages.begin(), pending.pages.end());
  sequence.computed += pending.match.tokens;
  pending.pages.clear();
}

// Gives back what did not come, shares the rest, and says what the cache did. False: not all came.
bool SequenceCache::SettleRestore(Sequence& sequence) {
  const std::unique_ptr<PendingRestore> pending = std::move(sequence.restore);
  const size_t wanted = pending->match.pages.size();
  const size_t good = pending->restore->pages();
  if (good < wanted) {
    failed_restores_.Add();
    // Damage was told by the store.
    if (pending->restore->failure().empty()) {
      obs::Warn("kv", "a restore was cut off: computing the rest is faster",
                {{"pages", static_cast<int64_t>(good)}, {"of", static_cast<int64_t>(wanted)}});
    }
    // Pages that the step may have added behind them go too: they say nothing without these.
    const size_t kept = pending->first_page + good;
    while (sequence.pages.size() > kept) {
      pool_.Release(sequence.pages.back());
      sequence.pages.pop_back();
    }
    sequence.computed = pending->first_token + pending->RestoredTokens();
  }
  if (!sequence.started) {
    sequence.info.cache.restore =
        sequence.info.cache.overlapped
            ? std::chrono::duration_cast<Nanos>(
                  std::chrono::duration<double>(pending->restore->seconds()))
            : clock_.Now() - pending->begin;
  }
  const int64_t restored = pending->RestoredTokens();
  kv::PrefixCache::Continuation behind;
  if (good == 0) {
    CopyPartialPage(sequence);
    behind = tree_.Behind(sequence.lease, kShownTokens);
  } else {
    Publish(sequence, /*finished=*/false);
    const kv::DiskMatch::Page& last = pending->match.pages[good - 1];
    behind.tokens = static_cast<int64_t>(last.tokens.size()) - last.use;
    behind.next.assign(last.tokens.begin() + last.use, last.tokens.end());
  }
  GoBackToState(sequence);
  Report(sequence, std::min(restored, sequence.computed), behind);
  return good == wanted;
}

// A model with a state can only go on where one was kept: at or before the end of the pages.
void SequenceCache::GoBackToState(Sequence& sequence) {
  if (state_bytes_ == 0) return;
  sequence.state.assign(state_bytes_, std::byte{0});
  int64_t at = 0;
  if (states_ != nullptr) {
    const auto known = std::span(sequence.tokens).first(static_cast<size_t>(sequence.computed));
    at = states_->Load(known, sequence.state);
  }
  const int page_tokens = pool_.layout().page_tokens;
  while (static_cast<int64_t>(sequence.pages.size()) > PagesFor(at, page_tokens)) {
    pool_.Release(sequence.pages.back());
    sequence.pages.pop_back();
  }
  sequence.computed = at;
  const int partial = static_cast<int>(at % page_tokens);
  if (partial == 0 || OwnLastPage(sequence, partial)) return;
  Release(sequence);  // no page free: begins anew
  sequence.state.assign(state_bytes_, std::byte{0});
}

// Others may read the last page on; this sequence is going to write behind its first `tokens`.
bool SequenceCache::OwnLastPage(Sequence& sequence, int tokens) {
  kv::PageId& last = sequence.pages.back();
  if (pool_.RefCount(last) == 1) return true;
  const kv::PageId own = AllocatePage();
  if (own == kv::kNoPage) return false;
  pool_.CopyTokens(last, own, tokens);
  pool_.Release(last);
  last = own;
  return true;
}

// `behind`: how the cached prefix goes on where the prompt left it. The first admission counts: one
// after a preemption says nothing about the client.
void SequenceCache::Report(Sequence& sequence, int64_t from_disk,
                           const kv::PrefixCache::Continuation& behind) const {
  if (sequence.started) return;
  CacheReport& report = sequence.info.cache;
  const std::span<const TokenId> prompt(sequence.request.prompt);
  report.kept = enabled_;
  report.token_seconds = token_seconds_;
  report.prompt_tokens = static_cast<int64_t>(prompt.size());
  report.from_memory = sequence.computed - from_disk;
  report.from_disk = from_disk;
  const auto at = static_cast<size_t>(
      std::max(sequence.computed, static_cast<int64_t>(sequence.lease.tokens())));
  // The prompt's last token was not asked for; the cached side may well go on with it.
  const bool same_last =
      at + 1 == prompt.size() && !behind.next.empty() && behind.next.front() == prompt.back();
  if (enabled_ && behind.tokens > 0 && !same_last) {
    const auto words = [this](std::span<const TokenId> tokens) {
      return tokenizer_.Decode(tokens.first(std::min(tokens.size(), kShownTokens)));
    };
    Divergence& divergence = report.divergence.emplace();
    divergence.at = static_cast<int64_t>(at);
    divergence.cached = behind.tokens;
    divergence.lost = std::min(behind.tokens, report.prompt_tokens - divergence.at);
    divergence.before =
        words(prompt.subspan(at - std::min(at, kShownTokens), std::min(at, kShownTokens)));
    divergence.was = words(behind.next);
    divergence.now = words(prompt.subspan(at));
    const size_t first = at - std::min(at, kCheckedTokens);
    const std::string around = tokenizer_.Decode(
        prompt.subspan(first, std::min(prompt.size() - first, 2 * kCheckedTokens)));
    const std::string cached =
        tokenizer_.Decode(prompt.subspan(first, at - first)) + divergence.was;
    if (obs::Redact(around) != around || obs::Redact(cached) != cached) {
      divergence.before = divergence.was = divergence.now = std::string(kHidden);
    }
  }
  from_memory_.Add(static_cast<double>(report.from_memory));
  from_disk_.Add(static_cast<double>(report.from_disk));
  computed_.Add(static_cast<double>(report.computed()));
  LogReport(report);
}

void SequenceCache::LogReport(const CacheReport& report) const {
  obs::Info("kv", "prompt",
            {{"tokens", report.prompt_tokens},
             {"memory", report.from_memory},
             {"disk", report.from_disk},
             {"restore_ms", Seconds(report.restore) * 1e3}});
  if (!report.divergence) return;
  const Divergence& divergence = *report.divergence;
  obs::Info("kv", "the prompt left the cached one",
            {{"at", divergence.at}, {"lost", divergence.lost}});
  obs::Debug("kv", "where the prompt left the cached one",
             {{"before", divergence.before}, {"was", divergence.was}, {"now", divergence.now}});
}

void SequenceCache::Observe(FinishInfo* info) {
  const int64_t computed = info->cache.computed();
  if (info->output_tokens == 0 || computed <= 0) return;
  const double seconds = Seconds(info->prefill) / static_cast<double>(computed);
  // Beside a restore, the time was perhaps the disk's.
  if (computed >= kPricedTokens && !info->cache.overlapped) {
    token_seconds_ = token_seconds_ > 0 ? 0.5 * (token_seconds_ + seconds) : seconds;
  }
  if (auto& divergence = info->cache.divergence) {
    divergence->lost_seconds = seconds * static_cast<double>(divergence->lost);
  }
}

// --- A sequence runs and ends

int64_t SequenceCache::WallSeconds() const {
  return std::chrono::duration_cast<std::chrono::seconds>(clock_.WallNow()).count();
}

kv::PageId SequenceCache::AllocatePage() {
  while (true) {
    if (pool_.free_pages() == 0) disk_.Collect();
    if (pool_.free_pages() > 0) return pool_.Allocate().value();
    if (tree_.Evict(1, WallSeconds()) > 0) {
      // Somebody may still hold the evicted page: the writer, who gives it back in a moment, or a
      // running sequence.
      if (pool_.free_pages() == 0) (void)disk_.WaitForPage();
      continue;
    }
    if (!disk_.WaitForPage()) return kv::kNoPage;
  }
}

// For a running sequence in need: pages that are only being filled for later are worth less.
bool SequenceCache::TakeBackRestore() {
  if (disk_.StopWarming()) return true;
  if (restoring_.empty()) return false;
  Release(*restoring_.back());  // asks again when it is its turn
  return true;
}

bool SequenceCache::Grow(Sequence& sequence, int64_t tokens) {
  const auto needed = static_cast<size_t>(PagesFor(tokens, pool_.layout().page_tokens));
  while (sequence.pages.size() < needed) {
    const kv::PageId page = AllocatePage();
    if (page != kv::kNoPage) {
      sequence.pages.push_back(page);
    } else if (!TakeBackRestore()) {
      return false;
    }
  }
  return true;
}

bool SequenceCache::Holds(const Sequence& sequence, int64_t tokens) const {
  return static_cast<int64_t>(sequence.pages.size()) >=
         PagesFor(tokens, pool_.layout().page_tokens);
}

void SequenceCache::Publish(Sequence& sequence, bool finished) {
  // What is arriving was not verified yet.
  if (!enabled_ || sequence.arriving || sequence.request.embed) return;
  const int64_t page_tokens = pool_.layout().page_tokens;
  const int64_t count =
      finished ? sequence.computed : sequence.computed / page_tokens * page_tokens;
  if (count == 0 || !Holds(sequence, count)) return;
  const auto tokens = std::span(sequence.tokens).first(static_cast<size_t>(count));
  const auto pages = std::span(sequence.pages)
                         .first(static_cast<size_t>(PagesFor(count, pool_.layout().page_tokens)));
  tree_.Publish(tokens, pages);
  if (finished && states_ != nullptr) {  // the turn's end: the next one goes on here
    states_->Keep(tokens, sequence.state, kv::PlaceKind::kTurnEnd);
  }
  for (const kv::Place& place : sequence.request.places) {
    if (place.keep_s == 0 || place.tokens > count) continue;
    tree_.Keep(tokens.first(static_cast<size_t>(place.tokens)), WallSeconds() + place.keep_s);
  }
  disk_.Offer(tokens, pages, sequence.request.places);
}

void SequenceCache::CutAtStatePlace(const Sequence& sequence, PlannedChunk* chunk) const {
  if (state_bytes_ == 0) return;
  chunk->count -= std::exchange(chunk->drafted, 0);
  if (states_ == nullptr) return;
  const int64_t end = chunk->begin + chunk->count;
  const auto places = kv::CheckpointPlaces(chunk->begin, end, sequence.request.places);
  if (places.empty() || places.front().tokens == end) return;
  chunk->count = static_cast<int>(places.front().tokens - chunk->begin);
  chunk->samples = false;
}

void SequenceCache::KeepState(const Sequence& sequence, int64_t from) {
  if (states_ == nullptr) return;
  const auto places = kv::CheckpointPlaces(from, sequence.computed, sequence.request.places);
  if (places.empty() || places.back().tokens != sequence.computed) return;
  states_->Keep(std::span(sequence.tokens).first(static_cast<size_t>(sequence.computed)),
                sequence.state, places.back().kind);
}

void SequenceCache::Release(Sequence& sequence) {
  if (sequence.restore != nullptr) {
    DiskTier::Abandon(*sequence.restore);
    for (const kv::PageId page : sequence.restore->pages) pool_.Release(page);
    sequence.restore.reset();
    sequence.arriving = false;
    std::erase(restoring_, &sequence);
  }
  sequence.lease.Release();
  for (const kv::PageId page : sequence.pages) pool_.Release(page);
  sequence.pages.clear();
  sequence.state.clear();
  sequence.computed = 0;
}

Status SequenceCache::CheckIntegrity(std::span<const Sequence* const> running) const {
  AC_RETURN_IF_ERROR(tree_.CheckIntegrity());
  int64_t held = tree_.page_count() + disk_.held_pages();
  for (const Sequence* sequence : restoring_) {
    // What is read for it, and what memory had already: it is not among the running ones yet.
    if (sequence->restore != nullptr) held += static_cast<int64_t>(sequence->restore->pages.size());
    held += static_cast<int64_t>(sequence->pages.size());
  }
  for (const Sequence* sequence : running) held += static_cast<int64_t>(sequence->pages.size());
  int64_t references = 0;
  int64_t used = 0;
  for (kv::PageId page = 0; page < pool_.total_pages(); ++page) {
    references += pool_.RefCount(page);
    used += pool_.RefCount(page) > 0 ? 1 : 0;
  }
  if (references != held || used + pool_.free_pages() != pool_.total_pages()) {
    return Internal("[engine] " + std::to_string(references) + " references to " +
                    std::to_string(used) + " pages, but tree and sequences hold " +
                    std::to_string(held) + " and " + std::to_string(pool_.free_pages()) + " of " +
                    std::to_string(pool_.total_pages()) + " are free");
  }
  return OkStatus();
}

}  // namespace ac::engine
