#include "grammar/internal/mask_cache.h"

#include <algorithm>

#include "base/hash.h"

namespace ac::grammar::internal {
namespace {

// Nearer to a limit than this, characters are counted one by one.
constexpr uint64_t kExactCharacters = 4;
// Counts of anything else are exact up to here; one token holds fewer of them.
constexpr uint64_t kExactItems = 64;
// Smaller subtrees are walked: finding out what a state swallows costs more.
constexpr uint32_t kSubtreeWorthAsking = 24;
// Beyond either, everything is forgotten and computed again.
constexpr size_t kMaxStates = 20000;
constexpr size_t kMaxMaskBytes = size_t{48} << 20;

uint64_t RoundCount(const LoopSpec& loop, uint64_t count, size_t longest_token, size_t* longest) {
  if (count > kMinLeft) return count;
  const uint64_t room = loop.max == kUnlimited ? kUnlimited : loop.max - count;
  const uint64_t missing = count >= loop.min ? 0 : loop.min - count;
  const uint64_t exact = loop.of_characters ? kExactCharacters : kExactItems;
  if (room < exact + loop.held_back) return count;
  // A token of so many bytes cannot pass the limit, so the limit need not be counted.
  const uint64_t sure = room - loop.held_back;
  if (loop.of_characters && sure < longest_token) *longest = std::min<uint64_t>(*longest, sure);
  if (missing == 0) return kFree;
  if (missing >= exact) return kBelow;
  return loop.of_characters ? kMinLeft + missing : count;
}

}  // namespace

size_t MaskCache::states() const {
  MutexLock lock(mutex_);
  return states_.size();
}

MaskCache::Mask MaskCache::Get(const ThreadSet& threads, const FrameStore& frames,
                               size_t* longest) {
  MutexLock lock(mutex_);
  ClearIfLarge();
  *longest = kAnyLength;
  rounded_.clear();
  ThreadSet rounded{.threads = {}, .accepting = threads.accepting};
  for (const Thread& thread : threads.threads) {
    rounded.threads.push_back({thread.pc, Round(thread.frame, frames, longest)});
  }
  std::sort(rounded.threads.begin(), rounded.threads.end());
  const auto unique = std::unique(rounded.threads.begin(), rounded.threads.end());
  rounded.threads.erase(unique, rounded.threads.end());
  const StateId state = Intern(std::move(rounded));
  if (states_[state].mask == nullptr) {
    Mask mask = Compute(state);
    mask_bytes_ += mask->size() * sizeof(uint64_t);
    states_[state].mask = std::move(mask);
  }
  return states_[state].mask;
}

void MaskCache::ClearIfLarge() {
  if (!states_.empty() && states_.size() < kMaxStates && mask_bytes_ < kMaxMaskBytes) return;
  frames_.Clear();
  by_hash_.clear();
  states_.clear();
  mask_bytes_ = 0;
  states_.emplace_back();  // kDead
  states_.back().swallows_known = true;
}

FrameId MaskCache::Round(FrameId id, const FrameStore& from, size_t* longest) {
  if (id == kBottom) return kBottom;
  if (const auto it = rounded_.find(id); it != rounded_.end()) return it->second;
  const Frame& frame = from[id];
  const FrameId parent = Round(frame.parent, from, longest);
  const Op& op = program_.op(frame.pc);
  uint64_t data = frame.data;
  if (op.kind == OpKind::kLoop || op.kind == OpKind::kText) {
    data = RoundCount(program_.loop(op), data, vocabulary_.longest(), longest);
  }
  const FrameId rounded = frames_.Push(frame.pc, data, parent);
  rounded_[id] = rounded;
  return rounded;
}

MaskCache::StateId MaskCache::Intern(ThreadSet set) {
  if (set.dead()) return kDead;
  const uint64_t hash =
      Hash64(set.threads.data(), set.threads.size() * sizeof(Thread), set.accepting ? 1 : 0);
  const auto [begin, end] = by_hash_.equal_range(hash);
  for (auto it = begin; it != end; ++it) {
    if (states_[it->second].set == set) return it->second;
  }
  const auto id = static_cast<StateId>(states_.size());
  by_hash_.emplace(hash, id);
  states_.emplace_back();
  states_.back().set = std::move(set);
  return id;
}

MaskCache::StateId MaskCache::Next(StateId state, uint8_t byte) {
  if (state == kDead) return kDead;
  if (states_[state].next == nullptr) {
    states_[state].next = std::make_unique<std::array<StateId, 256>>();
    states_[state].next->fill(kUnknown);
  }
  StateId next = (*states_[state].next)[byte];
  if (next != kUnknown) return next;
  ThreadSet set;
  simulator_.StepByte(states_[state].set, byte, &set);
  next = Intern(std::move(set));
  (*states_[state].next)[byte] = next;
  return next;
}

uint64_t MaskCache::Swallows(StateId state) {
  if (states_[state].swallows_known) return states_[state].swallows;
  uint64_t kinds = ~uint64_t{0};
  for (int byte = 0; byte < 0x80; ++byte) {
    const auto b = static_cast<uint8_t>(byte);
    const uint64_t kind = uint64_t{1} << Vocabulary::KindOf(b);
    if ((kinds & kind) != 0 && Next(state, b) != state) kinds &= ~kind;
  }
  bool cut = true;
  for (int byte = 0x80; byte < 0x100 && cut; ++byte) {
    cut = Next(state, static_cast<uint8_t>(byte)) == state;
  }
  if (!cut) kinds &= ~(uint64_t{1} << Vocabulary::kCutCharacters);
  if (!cut && !SwallowsCharacters(state)) kinds &= ~(uint64_t{1} << Vocabulary::kWholeCharacters);
  states_[state].swallows_known = true;
  states_[state].swallows = kinds;
  return kinds;
}

// Does every well-formed multi-byte character lead back?
bool MaskCache::SwallowsCharacters(StateId state) {
  std::vector<std::pair<StateId, int>> seen;  // states in the middle, bytes missing
  const auto completes = [&](const auto& self, StateId at, int missing, int low, int high) -> bool {
    if (at == kDead) return false;
    const bool all = low == 0x80 && high == 0xBF;
    if (all && std::find(seen.begin(), seen.end(), std::pair(at, missing)) != seen.end()) {
      return true;
    }
    for (int byte = low; byte <= high; ++byte) {
      const StateId next = Next(at, static_cast<uint8_t>(byte));
      if (missing == 1 ? next != state : !self(self, next, missing - 1, 0x80, 0xBF)) return false;
    }
    if (all) seen.emplace_back(at, missing);
    return true;
  };
  for (int lead = 0xC2; lead <= 0xF4; ++lead) {
    const int missing = lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
    const int low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    const int high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (!completes(completes, Next(state, static_cast<uint8_t>(lead)), missing, low, high)) {
      return false;
    }
  }
  return true;
}

MaskCache::Mask MaskCache::Compute(StateId start) {
  auto mask = std::make_shared<std::vector<uint64_t>>(vocabulary_.mask_words());
  const auto& nodes = vocabulary_.nodes();
  const auto& ranked = vocabulary_.ranked();
  const auto allow = [&](uint32_t begin, uint32_t end) {
    for (uint32_t rank = begin; rank < end; ++rank) {
      const auto id = static_cast<size_t>(ranked[rank]);
      (*mask)[id / 64] |= uint64_t{1} << (id % 64);
    }
  };
  struct Level {
    uint32_t end;  // the node after the subtree
    StateId state;
  };
  std::vector<Level> path{{nodes[0].next, start}};
  for (uint32_t at = 1; at < nodes[0].next;) {
    while (at >= path.back().end) path.pop_back();
    const Vocabulary::Node& node = nodes[at];
    const StateId state = Next(path.back().state, node.byte);
    if (state == kDead) {
      at = node.next;
      continue;
    }
    const bool worth =
        node.end - node.begin >= kSubtreeWorthAsking || states_[state].swallows_known;
    if (worth && (node.kinds & ~Swallows(state)) == 0) {
      allow(node.begin, node.end);
      at = node.next;
      continue;
    }
    allow(node.begin, node.begin + node.own);
    path.push_back({node.next, state});
    ++at;
  }
  AddSpecial(states_[start].set, mask.get());
  return mask;
}

void MaskCache::AddSpecial(const ThreadSet& set, std::vector<uint64_t>* mask) const {
  const auto allow = [mask](int32_t id) {
    (*mask)[static_cast<size_t>(id) / 64] |= uint64_t{1} << (id % 64);
  };
  bool any = false;
  for (const Thread& thread : set.threads) {
    const Op& op = program_.op(thread.pc);
    if (op.kind == OpKind::kToken) allow(static_cast<int32_t>(op.a));
    any = any || op.kind == OpKind::kAnyToken;
  }
  if (any) {
    for (const int32_t id : vocabulary_.special()) {
      if (!program_.names_token(id) && !vocabulary_.EndsReply(id)) allow(id);
    }
  }
  if (set.accepting) {
    for (const int32_t id : vocabulary_.ends()) allow(id);
  }
}

}  // namespace ac::grammar::internal
