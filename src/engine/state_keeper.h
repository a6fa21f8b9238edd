// State checkpoints of an engine's sequences, for models that have a state (forward_model.h).
//
// Keep and Load copy bytes and are the engine thread's; files are written by a thread of lowest
// priority, into the folder of the disk tier and within a quarter of its budget. When writing fails
// it stops with one warning and checkpoints live in memory only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <thread>

#include "base/clock.h"
#include "base/mutex.h"
#include "kv/checkpoints.h"
#include "kv/disk_store.h"

namespace ac::engine {

class StateKeeper {
 public:
  // `disk` null: memory only.
  StateKeeper(uint64_t max_bytes, const kv::DiskStore* disk, Clock& clock);
  // Writes what is not written yet.
  ~StateKeeper();
  StateKeeper(const StateKeeper&) = delete;
  StateKeeper& operator=(const StateKeeper&) = delete;

  void Keep(std::span<const kv::TokenId> tokens, std::span<const std::byte> state,
            kv::PlaceKind kind);
  // Copies the state of the longest kept prefix of `tokens` into `state`; returns how many tokens
  // it stands for. 0: none, `state` is unchanged.
  int64_t Load(std::span<const kv::TokenId> tokens, std::span<std::byte> state);

 private:
  void WriteLoop();

  kv::CheckpointStore store_;
  const bool writes_;
  Mutex mutex_;
  CondVar changed_;
  bool pending_ AC_GUARDED_BY(mutex_) = false;
  bool stopping_ AC_GUARDED_BY(mutex_) = false;
  std::thread writer_;
};

}  // namespace ac::engine
