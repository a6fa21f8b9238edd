#include "remote/circuit_breaker.h"

#include <algorithm>

namespace ac::remote {

bool CircuitBreaker::Allow() {
  MutexLock lock(mutex_);
  if (state_ == State::kOpen && OpenTimeOver()) {
    state_ = State::kHalfOpen;
    successes_ = 0;
    trying_ = false;
  }
  if (state_ == State::kClosed) return true;
  if (state_ == State::kOpen || trying_) return false;
  return trying_ = true;
}

void CircuitBreaker::Succeeded() {
  MutexLock lock(mutex_);
  failures_ = 0;
  if (state_ != State::kHalfOpen) return;
  trying_ = false;
  if (++successes_ >= options_.successes_to_close) state_ = State::kClosed;
}

void CircuitBreaker::Failed() {
  MutexLock lock(mutex_);
  const bool too_many = ++failures_ >= options_.failures_to_open;
  // A request that was let through before the circuit opened must not move the time on.
  if (state_ == State::kOpen || (state_ == State::kClosed && !too_many)) return;
  state_ = State::kOpen;
  opened_at_ = clock_.Now();
  trying_ = false;
}

void CircuitBreaker::Abandoned() {
  MutexLock lock(mutex_);
  trying_ = false;
}

CircuitBreaker::State CircuitBreaker::state() const {
  MutexLock lock(mutex_);
  return state_ == State::kOpen && OpenTimeOver() ? State::kHalfOpen : state_;
}

Nanos CircuitBreaker::TimeToRetry() const {
  MutexLock lock(mutex_);
  if (state_ != State::kOpen) return Nanos(0);
  return std::max(Nanos(0), opened_at_ + options_.open_time - clock_.Now());
}

}  // namespace ac::remote
