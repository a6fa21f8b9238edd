// What the engine tells the operator: counters, gauges and times under anyclaude_engine_*.
//
// Without a Metrics object nothing is counted. The engine thread writes.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "engine/request.h"
#include "engine/scheduler.h"
#include "obs/metrics.h"
#include "speculation/draft.h"

namespace ac::engine {

class EngineMetrics {
 public:
  // What the engine holds at the end of a step.
  struct Levels {
    int64_t queued = 0;
    int64_t running = 0;
    int64_t prompt_tokens_waiting = 0;  // of admitted requests, not computed yet
    int64_t pages_total = 0;
    int64_t pages_free = 0;
    int64_t pages_cached = 0;
  };

  explicit EngineMetrics(obs::Metrics* metrics);

  void Step(std::span<const PlannedChunk> plan, double seconds) const;
  void Set(const Levels& levels) const;
  void Token() const { output_tokens_.Add(); }
  void Guesses(speculation::Draft::Source source, int computed, int right) const;
  void Preempted() const { preemptions_.Add(); }
  void Refused() const { refused_.Add(); }
  void Finished(const FinishInfo& info) const;

 private:
  obs::Gauge queued_, running_, prompt_tokens_waiting_, pages_total_, pages_free_, pages_cached_;
  obs::Counter prompt_tokens_, cached_tokens_, output_tokens_;
  std::array<obs::Counter, 2> guessed_, guessed_right_;  // by source
  obs::Counter preemptions_, refused_, finished_[6];
  obs::Histogram decode_step_, prompt_step_, mixed_step_, queue_time_, prefill_time_, decode_time_;
};

}  // namespace ac::engine
