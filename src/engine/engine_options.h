// How an engine is set up. Plain data.
#pragma once

#include <cstdint>
#include <memory>

#include "engine/speculation.h"
#include "kv/disk_store.h"
#include "obs/metrics.h"

namespace ac::engine {

struct EngineOptions {
  int max_running = 32;  // sequences that share a step
  int max_queued = 256;  // beyond: kOverloaded
  int max_step_tokens = 512;
  int64_t context_length = 0;  // 0: the model's
  // A step aims at this long, so that cancellation and other streams wait no longer.
  double step_seconds = 0.2;
  bool prefix_cache = true;
  Speculation speculation = Speculation::kAuto;
  std::shared_ptr<speculation::DraftModel> draft;  // null: guesses come from the text alone
  // 0: no limit. A request that waits or runs longer fails with kOverloaded or kDeadlineExceeded.
  double queue_timeout_seconds = 0;
  double request_timeout_seconds = 0;
  obs::Metrics* metrics = nullptr;      // must outlive the engine
  std::shared_ptr<kv::DiskStore> disk;  // null: the cache lives in memory only
  // For checkpoints of models that have a state; 0: a quarter of what the pages take.
  uint64_t state_memory_bytes = 0;
};

}  // namespace ac::engine
