// Measures how fast this machine streams memory: the ceiling of decode speed.
//
// For `doctor` and benchmarks; the result depends on what else runs. Uses the caller's pool, owns
// nothing afterwards.
#pragma once

#include <chrono>
#include <cstdint>

#include "base/clock.h"
#include "base/status.h"
#include "cpu/thread_pool.h"

namespace ac::cpu {

struct Bandwidth {
  double gb_per_s = 0;        // 10^9 bytes, the best pass
  uint64_t buffer_bytes = 0;  // what was streamed
  int passes = 0;
};

struct BandwidthOptions {
  Nanos duration = std::chrono::milliseconds(300);  // filling the buffer comes on top
  uint64_t buffer_bytes = 0;                        // 0 = well beyond the caches
};

// Fails only when there is no memory for the buffer.
Result<Bandwidth> MeasureReadBandwidth(ThreadPool& pool, const BandwidthOptions& options = {},
                                       const Clock& clock = Clock::Real());

}  // namespace ac::cpu
