// Which replica should read a prompt: the one that has read most of it before.
//
// A table remembers which replicas have seen which beginnings (facts.h, PrefixChunks). The longest
// match wins, unless that replica is loaded beyond its share; ties go to the session's last
// replica, then to the owner on a consistent-hash ring, so that a replica that comes or goes moves
// only its own share of new prompts. Thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"

namespace ac::routing {

inline constexpr size_t kMaxReplicas = 64;

struct PrefixRouterOptions {
  // A replica may have this many times the average of running requests...
  double load_bound = 1.25;
  // ...and always at least so many: moving a conversation costs its whole prompt.
  int free_load = 4;
  // Known beginnings; beyond, the half that was not used for longest is forgotten.
  size_t max_chunks = size_t{1} << 20;
  size_t max_sessions = size_t{1} << 16;
};

struct ReplicaLoad {
  bool usable = true;
  int running = 0;
};

class PrefixRouter {
 public:
  explicit PrefixRouter(std::vector<std::string> names, PrefixRouterOptions options = {});

  // Every usable replica, the best first; the others are for failover.
  std::vector<size_t> Order(const std::vector<uint64_t>& chunks, std::string_view session,
                            const std::vector<ReplicaLoad>& loads);
  // That replica reads (or has read) the prompt.
  void Remember(const std::vector<uint64_t>& chunks, std::string_view session, size_t replica);
  // Its memory is gone, e.g. because it was restarted.
  void Forget(size_t replica);
  // Leading chunks that the replica knows.
  size_t Match(const std::vector<uint64_t>& chunks, size_t replica) const;

 private:
  using Bits = uint64_t;
  template <typename Key, typename Value>
  struct TwoAges {  // forgets what was not touched while `limit` others were
    std::unordered_map<Key, Value> young, old;
  };
  std::vector<size_t> MatchesLocked(const std::vector<uint64_t>& chunks) const AC_REQUIRES(mutex_);
  std::vector<size_t> RingOrder(uint64_t key) const;

  const PrefixRouterOptions options_;
  const size_t replicas_;
  std::vector<std::pair<uint64_t, size_t>> ring_;  // position, replica; sorted

  mutable Mutex mutex_;
  TwoAges<uint64_t, Bits> seen_ AC_GUARDED_BY(mutex_);
  TwoAges<uint64_t, size_t> sessions_ AC_GUARDED_BY(mutex_);
};

}  // namespace ac::routing
