#include "remote/timer.h"

#include <algorithm>

namespace ac::remote {

using std::chrono::steady_clock;

Timer::Timer() : thread_([this] { Loop(); }) {}

Timer::~Timer() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    waiting_.clear();
  }
  changed_.NotifyAll();
  thread_.join();
}

Timer::Id Timer::After(Nanos delay, std::function<void()> run) {
  MutexLock lock(mutex_);
  const Id id = ++last_;
  if (!stopping_) waiting_.emplace(Key{steady_clock::now() + delay, id}, std::move(run));
  changed_.NotifyAll();
  return id;
}

void Timer::Cancel(Id id) {
  std::function<void()> dropped;  // destroyed without the lock: it may own anything
  MutexLock lock(mutex_);
  const auto found = std::find_if(waiting_.begin(), waiting_.end(),
                                  [id](const auto& entry) { return entry.first.second == id; });
  if (found != waiting_.end()) {
    dropped = std::move(found->second);
    waiting_.erase(found);
    return;
  }
  if (thread_.get_id() == std::this_thread::get_id()) return;
  while (running_ == id && id != 0) changed_.Wait(mutex_);
}

void Timer::Loop() {
  MutexLock lock(mutex_);
  while (!stopping_) {
    if (waiting_.empty()) {
      changed_.Wait(mutex_);
      continue;
    }
    const auto first = waiting_.begin();
    const auto now = steady_clock::now();
    if (first->first.first > now) {
      changed_.WaitFor(mutex_, first->first.first - now);
      continue;
    }
    std::function<void()> run = std::move(first->second);
    running_ = first->first.second;
    waiting_.erase(first);
    mutex_.Unlock();
    run();
    run = nullptr;
    mutex_.Lock();
    running_ = 0;
    changed_.NotifyAll();
  }
}

}  // namespace ac::remote
