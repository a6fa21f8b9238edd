// Keeps requests away from a server that keeps failing.
//
// Closed: all pass. After `failures_to_open` failures in a row: open, nothing passes for
// `open_time`. Then half-open: one request at a time may try; `successes_to_close` good ones close
// it, one failure opens it again. A request that was refused for its own sake (4xx) is a success:
// the server works. Thread-safe.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/mutex.h"

namespace ac::remote {

struct BreakerOptions {
  int failures_to_open = 5;
  int successes_to_close = 2;
  Nanos open_time = std::chrono::seconds(30);
};

class CircuitBreaker {
 public:
  enum class State { kClosed, kOpen, kHalfOpen };

  explicit CircuitBreaker(BreakerOptions options = {}, const Clock& clock = Clock::Real())
      : options_(options), clock_(clock) {}

  // Asks before a request; true must be followed by exactly one of the three calls below.
  bool Allow();
  void Succeeded();
  void Failed();
  // Ended without telling anything about the server (the client left).
  void Abandoned();

  State state() const;
  // Until the next try; zero unless open.
  Nanos TimeToRetry() const;

 private:
  bool OpenTimeOver() const AC_REQUIRES(mutex_) {
    return clock_.Now() - opened_at_ >= options_.open_time;
  }

  const BreakerOptions options_;
  const Clock& clock_;
  mutable Mutex mutex_;
  State state_ AC_GUARDED_BY(mutex_) = State::kClosed;
  int failures_ AC_GUARDED_BY(mutex_) = 0;
  int successes_ AC_GUARDED_BY(mutex_) = 0;
  bool trying_ AC_GUARDED_BY(mutex_) = false;
  Nanos opened_at_ AC_GUARDED_BY(mutex_){0};
};

}  // namespace ac::remote
