// Time as an object, so that tests can move it by hand.
//
// Code that waits, times out or stamps takes a Clock&; production passes Clock::Real().
#pragma once

#include <atomic>
#include <chrono>

namespace ac {

using Nanos = std::chrono::nanoseconds;

class Clock {
 public:
  virtual ~Clock() = default;
  // Monotonic, for intervals and deadlines.
  virtual Nanos Now() const = 0;
  // Since the Unix epoch, for stamps that people and files read.
  virtual Nanos WallNow() const = 0;
  virtual void SleepFor(Nanos duration) = 0;

  static Clock& Real();
};

// Stands still until told to move. Thread-safe.
class FakeClock : public Clock {
 public:
  explicit FakeClock(Nanos start = std::chrono::seconds(1'000'000)) : now_(start.count()) {}
  Nanos Now() const override { return Nanos(now_.load()); }
  Nanos WallNow() const override { return Nanos(now_.load()); }
  void SleepFor(Nanos duration) override { Advance(duration); }
  void Advance(Nanos duration) { now_ += duration.count(); }

 private:
  std::atomic<Nanos::rep> now_;
};

inline double Seconds(Nanos duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace ac
