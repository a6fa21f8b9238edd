// State checkpoints: for models whose memory of a prompt is not a list of pages (recurrent layers,
// linear attention) but one blob that stands for all tokens before it.
//
// Such a model can only go on from a place where its state was kept. CheckpointPlaces says where:
// at the end of tools and system prompt, at every turn's end, and on a sparse grid. The store finds
// the longest kept prefix of a prompt by comparing tokens, evicts by value, and keeps checkpoints
// in files too (docs/formats/kv_disk.md, kind 2). Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/file_system.h"
#include "base/mutex.h"
#include "kv/page_file.h"

namespace ac::kv {

enum class CheckpointKind {
  kGrid,     // a multiple of kCheckpointGrid
  kTurnEnd,  // where the next turn of this conversation goes on
  kTrunk,    // end of tools and system prompt: where every new conversation goes on
};
inline constexpr int64_t kCheckpointGrid = 2048;

struct CheckpointPlace {
  int64_t tokens = 0;
  CheckpointKind kind = CheckpointKind::kGrid;
  friend bool operator==(const CheckpointPlace&, const CheckpointPlace&) = default;
};

// Where to keep a state while computing tokens (from, to] of a prompt, in ascending order.
// `trunk_end` and `turn_ends` as the conversation has them (0: none); places outside are left out.
std::vector<CheckpointPlace> CheckpointPlaces(int64_t from, int64_t to, int64_t trunk_end,
                                              std::span<const int64_t> turn_ends);

class CheckpointStore {
 public:
  using State = std::shared_ptr<const std::vector<std::byte>>;
  struct Found {
    int64_t tokens = 0;  // that the state stands for; 0: none was found
    State state;
  };

  explicit CheckpointStore(uint64_t max_bytes) : max_bytes_(max_bytes) {}
  // Keeps files too, in a folder of this fingerprint alone, and knows those that are there.
  CheckpointStore(uint64_t max_bytes, std::string folder, const Hash128& fingerprint,
                  FileSystem& fs = FileSystem::Real());

  // Remembers the state after `prefix`; one that is there already is kept.
  void Put(std::span<const TokenId> prefix, std::vector<std::byte> state, CheckpointKind kind);
  // The state of the longest kept prefix of `tokens`. One on disk is read and checked; a bad file
  // is deleted and the next shorter prefix is tried.
  Found Find(std::span<const TokenId> tokens);
  // Writes what is not on disk yet; for a background thread. The first failure ends writing.
  Status WritePending();

  uint64_t bytes_in_memory() const;
  size_t size() const;

 private:
  struct Entry {
    State state;  // null: only on disk
    bool on_disk = false;
    CheckpointKind kind = CheckpointKind::kGrid;
    uint64_t bytes = 0;
    double value = 0;
  };
  using Entries = std::map<std::vector<TokenId>, Entry>;
  using Ranked = std::pair<double, const std::vector<TokenId>*>;

  Entries::iterator LongestPrefix(std::span<const TokenId> tokens) AC_REQUIRES(mutex_);
  void Touch(Entries::iterator entry) AC_REQUIRES(mutex_);
  void MakeRoom() AC_REQUIRES(mutex_);
  State Read(std::span<const TokenId> prefix) const;
  std::string PathOf(std::span<const TokenId> prefix) const;

  const uint64_t max_bytes_;
  const std::string folder_;  // empty: memory only
  const Hash128 fingerprint_;
  FileSystem* const fs_ = nullptr;

  mutable Mutex mutex_;
  Entries entries_ AC_GUARDED_BY(mutex_);
  std::set<Ranked> in_memory_ AC_GUARDED_BY(mutex_);  // least valuable first
  double floor_ AC_GUARDED_BY(mutex_) = 0;            // value of what was evicted last
  uint64_t bytes_ AC_GUARDED_BY(mutex_) = 0;
};

}  // namespace ac::kv
