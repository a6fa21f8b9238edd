// State checkpoints: for models whose memory of a prompt is not a list of pages (recurrent layers,
// linear attention) but one blob that stands for all tokens before it.
//
// Such a model can only go on from a place where its state was kept. CheckpointPlaces says where:
// at the end of tools and system prompt, at every turn's end, and on a sparse grid. The store finds
// the longest kept prefix of a prompt by comparing tokens, evicts by value, and keeps checkpoints
// in files too (docs/formats/kv_disk.md, kind 2), within a budget of their own. Thread-safe.
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

#include "base/clock.h"
#include "base/file_system.h"
#include "base/mutex.h"
#include "kv/page_file.h"
#include "kv/place.h"

namespace ac::kv {

inline constexpr int64_t kCheckpointGrid = 2048;

// Where to keep a state while computing tokens (from, to] of a prompt, in ascending order: at
// `places`, as the conversation has them, and on the grid.
std::vector<Place> CheckpointPlaces(int64_t from, int64_t to, std::span<const Place> places);

struct CheckpointOptions {
  uint64_t max_bytes = 0;       // in memory
  uint64_t max_disk_bytes = 0;  // in files
  std::string folder;           // of this fingerprint alone; empty: memory only
  Hash128 fingerprint;
};

class CheckpointStore {
 public:
  using State = std::shared_ptr<const std::vector<std::byte>>;
  struct Found {
    int64_t tokens = 0;  // that the state stands for; 0: none was found
    State state;
  };

  // Knows the files that are there.
  explicit CheckpointStore(CheckpointOptions options, FileSystem& fs = FileSystem::Real(),
                           Clock& clock = Clock::Real());

  // Remembers the state after `prefix`; one that is there already is kept.
  void Put(std::span<const TokenId> prefix, std::vector<std::byte> state, PlaceKind kind);
  // The state of the longest kept prefix of `tokens`. One on disk is read and checked; a bad file
  // is deleted and the next shorter prefix is tried.
  Found Find(std::span<const TokenId> tokens);
  // The length of that prefix, without reading or touching anything.
  int64_t LongestKept(std::span<const TokenId> tokens) const;
  // Writes what is not on disk yet and deletes what is beyond the budget; for one background
  // thread. A failure leaves the rest unwritten.
  Status WritePending();

  uint64_t bytes_in_memory() const;
  uint64_t bytes_on_disk() const;
  size_t size() const;

 private:
  struct Entry {
    State state;  // null: only on disk
    bool on_disk = false;
    bool gave_way = false;  // its file was deleted for others: not written again
    PlaceKind kind = PlaceKind::kGrid;
    uint64_t bytes = 0;
    double value = 0;        // in memory
    int64_t last_use_s = 0;  // on disk; in the future by what its place is worth
  };
  using Entries = std::map<std::vector<TokenId>, Entry>;
  using Ranked = std::pair<double, const std::vector<TokenId>*>;

  Entries::const_iterator LongestPrefix(std::span<const TokenId> tokens) const AC_REQUIRES(mutex_);
  void Touch(Entries::iterator entry) AC_REQUIRES(mutex_);
  void MakeRoom() AC_REQUIRES(mutex_);
  std::string LeastUsedFile() AC_REQUIRES(mutex_);
  void MakeRoomOnDisk();
  Status WriteOne(const std::vector<TokenId>& tokens, const State& state, PlaceKind kind);
  State Read(std::span<const TokenId> prefix) const;
  std::string PathOf(std::span<const TokenId> prefix) const;

  const CheckpointOptions options_;
  FileSystem& fs_;
  Clock& clock_;

  mutable Mutex mutex_;
  Entries entries_ AC_GUARDED_BY(mutex_);
  std::set<Ranked> in_memory_ AC_GUARDED_BY(mutex_);  // least valuable first
  double floor_ AC_GUARDED_BY(mutex_) = 0;            // value of what was evicted last
  uint64_t bytes_ AC_GUARDED_BY(mutex_) = 0;
  uint64_t disk_bytes_ AC_GUARDED_BY(mutex_) = 0;
  uint64_t next_temporary_ = 0;  // the writing thread's
};

}  // namespace ac::kv
