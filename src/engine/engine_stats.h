// What an engine is doing and has done, for pages and tests. Data.
#pragma once

#include <cstdint>

namespace ac::engine {

struct EngineStats {
  int64_t running = 0;
  int64_t queued = 0;
  int64_t pages_total = 0;
  int64_t pages_free = 0;
  int64_t pages_cached = 0;
  int64_t disk_pages = 0;  // of the disk tier; all zero without one
  int64_t disk_bytes = 0;
  int64_t disk_bad_pages = 0;  // damaged or missing when they were to be read
  bool disk_writing = false;
  uint64_t requests = 0;
  uint64_t prompt_tokens = 0;  // of finished and running requests
  uint64_t cached_tokens = 0;  // of these, not computed again
  uint64_t output_tokens = 0;
  uint64_t preemptions = 0;
  uint64_t guessed_tokens = 0;  // computed by speculation
  uint64_t guessed_right = 0;   // of these, accepted
  uint64_t drafted_tokens = 0;  // of the guessed ones, those of the draft model
  uint64_t drafted_right = 0;
  int64_t retry_after_s = 1;  // when a refused client may find a place
};

}  // namespace ac::engine
