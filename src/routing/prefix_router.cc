#include "routing/prefix_router.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/hash.h"

namespace ac::routing {
namespace {

constexpr int kRingPoints = 64;  // per replica: shares differ by a few percent

uint64_t SessionKey(std::string_view session) { return Hash64(session, 1); }

}  // namespace

PrefixRouter::PrefixRouter(std::vector<std::string> names, PrefixRouterOptions options)
    : options_(options), replicas_(std::min(names.size(), kMaxReplicas)) {
  for (size_t i = 0; i < replicas_; ++i) {
    for (int point = 0; point < kRingPoints; ++point) {
      ring_.emplace_back(Hash64(names[i], static_cast<uint64_t>(point)), i);
    }
  }
  std::sort(ring_.begin(), ring_.end());
}

std::vector<size_t> PrefixRouter::RingOrder(uint64_t key) const {
  std::vector<size_t> order;
  auto at = std::lower_bound(ring_.begin(), ring_.end(), std::pair<uint64_t, size_t>(key, 0));
  for (size_t steps = 0; steps < ring_.size() && order.size() < replicas_; ++steps, ++at) {
    if (at == ring_.end()) at = ring_.begin();
    if (std::find(order.begin(), order.end(), at->second) == order.end()) {
      order.push_back(at->second);
    }
  }
  return order;
}

std::vector<size_t> PrefixRouter::MatchesLocked(const std::vector<uint64_t>& chunks) const {
  std::vector<size_t> matches(replicas_, 0);
  Bits all = ~Bits{0};
  for (const uint64_t chunk : chunks) {
    Bits here = 0;
    if (const auto it = seen_.young.find(chunk); it != seen_.young.end()) here |= it->second;
    if (const auto it = seen_.old.find(chunk); it != seen_.old.end()) here |= it->second;
    all &= here;
    if (all == 0) break;
    for (size_t i = 0; i < replicas_; ++i) matches[i] += (all >> i) & 1;
  }
  return matches;
}

size_t PrefixRouter::Match(const std::vector<uint64_t>& chunks, size_t replica) const {
  MutexLock lock(mutex_);
  return MatchesLocked(chunks)[replica];
}

std::vector<size_t> PrefixRouter::Order(const std::vector<uint64_t>& chunks,
                                        std::string_view session,
                                        const std::vector<ReplicaLoad>& loads) {
  std::vector<size_t> matches;
  size_t home = replicas_;  // the session's
  {
    MutexLock lock(mutex_);
    matches = MatchesLocked(chunks);
    for (const auto* age : {&sessions_.young, &sessions_.old}) {
      const auto it = age->find(SessionKey(session));
      if (it != age->end() && home == replicas_) home = it->second;
    }
  }
  int running = 1;  // with this one
  int usable = 0;
  for (size_t i = 0; i < replicas_; ++i) {
    if (!loads[i].usable) continue;
    running += loads[i].running;
    ++usable;
  }
  const double share = usable == 0 ? 1 : static_cast<double>(running) / usable;
  const int bound =
      std::max(options_.free_load, static_cast<int>(std::ceil(options_.load_bound * share)));
  // New prompts without any common beginning spread by their start.
  std::vector<size_t> order = RingOrder(chunks.empty() ? SessionKey(session) : chunks.front());
  std::erase_if(order, [&](size_t i) { return !loads[i].usable; });
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const bool a_has_room = loads[a].running < bound;
    const bool b_has_room = loads[b].running < bound;
    if (a_has_room != b_has_room) return a_has_room;
    if (matches[a] != matches[b]) return matches[a] > matches[b];
    return a == home && b != home;
  });
  return order;
}

void PrefixRouter::Remember(const std::vector<uint64_t>& chunks, std::string_view session,
                            size_t replica) {
  MutexLock lock(mutex_);
  for (const uint64_t chunk : chunks) {
    Bits bits = Bits{1} << replica;
    if (const auto it = seen_.old.find(chunk); it != seen_.old.end()) {
      bits |= it->second;
      seen_.old.erase(it);
    }
    seen_.young[chunk] |= bits;
  }
  if (seen_.young.size() > options_.max_chunks / 2) {
    seen_.old = std::move(seen_.young);
    seen_.young.clear();
  }
  sessions_.young[SessionKey(session)] = replica;
  if (sessions_.young.size() > options_.max_sessions / 2) {
    sessions_.old = std::move(sessions_.young);
    sessions_.young.clear();
  }
}

void PrefixRouter::Forget(size_t replica) {
  const Bits keep = ~(Bits{1} << replica);
  MutexLock lock(mutex_);
  for (auto* age : {&seen_.young, &seen_.old}) {
    for (auto& [chunk, bits] : *age) bits &= keep;
  }
  for (auto* age : {&sessions_.young, &sessions_.old}) {
    std::erase_if(*age, [replica](const auto& entry) { return entry.second == replica; });
  }
}

}  // namespace ac::routing
