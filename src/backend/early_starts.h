// Begins the messages of requests that the engine has not looked at yet.
//
// The engine says how much of a prompt it has in its cache when it admits the request, which can be
// a step, a disk read or a whole queue away. Clients must see their message begin before that, so a
// call that has heard nothing within `patience` begins it without those numbers. One thread, awake
// only while something is due. Watch is thread-safe.
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/mutex.h"

namespace ac::backend {

class LocalCall;

class EarlyStarts {
 public:
  explicit EarlyStarts(Nanos patience);
  ~EarlyStarts();
  EarlyStarts(const EarlyStarts&) = delete;
  EarlyStarts& operator=(const EarlyStarts&) = delete;

  void Watch(const std::shared_ptr<LocalCall>& call);

 private:
  using Due = std::pair<Nanos, std::weak_ptr<LocalCall>>;
  void Run();

  const Nanos patience_;
  Mutex mutex_;
  CondVar wake_;
  std::deque<Due> waiting_ AC_GUARDED_BY(mutex_);  // in order of time: all wait equally long
  bool stopping_ AC_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace ac::backend
