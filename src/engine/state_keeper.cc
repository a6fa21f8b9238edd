#include "engine/state_keeper.h"

#include <algorithm>
#include <utility>

#include "kv/disk_folder.h"
#include "obs/log.h"

namespace ac::engine {
namespace {

kv::CheckpointOptions OptionsFor(uint64_t max_bytes, const kv::DiskStore* disk) {
  kv::CheckpointOptions options{.max_bytes = max_bytes};
  if (disk == nullptr) return options;
  options.max_disk_bytes = disk->max_bytes() / 4;
  options.folder = disk->folder();
  options.fingerprint = disk->fingerprint();
  return options;
}

}  // namespace

StateKeeper::StateKeeper(uint64_t max_bytes, const kv::DiskStore* disk, Clock& clock)
    : store_(OptionsFor(max_bytes, disk), FileSystem::Real(), clock), writes_(disk != nullptr) {
  if (writes_) writer_ = std::thread([this] { WriteLoop(); });
}

StateKeeper::~StateKeeper() {
  if (!writes_) return;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.NotifyAll();
  writer_.join();
}

void StateKeeper::Keep(std::span<const kv::TokenId> tokens, std::span<const std::byte> state,
                       kv::PlaceKind kind) {
  store_.Put(tokens, {state.begin(), state.end()}, kind);
  if (!writes_) return;
  MutexLock lock(mutex_);
  pending_ = true;
  changed_.NotifyAll();
}

int64_t StateKeeper::Load(std::span<const kv::TokenId> tokens, std::span<std::byte> state) {
  const kv::CheckpointStore::Found found = store_.Find(tokens);
  // Of another size: of a model that changed without changing its fingerprint. Never read as good.
  if (found.tokens == 0 || found.state->size() != state.size()) return 0;
  std::copy(found.state->begin(), found.state->end(), state.begin());
  return found.tokens;
}

void StateKeeper::WriteLoop() {
  kv::RunInBackground();
  while (true) {
    {
      MutexLock lock(mutex_);
      while (!pending_ && !stopping_) changed_.Wait(mutex_);
      if (!std::exchange(pending_, false)) return;
    }
    const Status status = store_.WritePending();
    if (status.ok()) continue;
    obs::Warn("kv", "state checkpoints are no longer written", {{"why", status.message()}});
    return;
  }
}

}  // namespace ac::engine
