// Begins the messages of requests that the engine has not looked at yet.
//
// The engine says how much of a prompt it has in its cache when it admits the request, which can be
// a step, a disk read or a whole queue away. Clients must see their message begin before that, so a
// call that has heard nothing when it is due begins it without those numbers. One thread, awake
// only while something is due. Watch is thread-safe.
#pragma once

#include <map>
#include <memory>
#include <thread>

#include "base/clock.h"
#include "base/mutex.h"

namespace ac::backend {

class LocalCall;

class EarlyStarts {
 public:
  EarlyStarts();
  ~EarlyStarts();
  EarlyStarts(const EarlyStarts&) = delete;
  EarlyStarts& operator=(const EarlyStarts&) = delete;

  // `due` is a time of Clock::Real().
  void Watch(const std::shared_ptr<LocalCall>& call, Nanos due);

 private:
  void Run();

  Mutex mutex_;
  CondVar wake_;
  std::multimap<Nanos, std::weak_ptr<LocalCall>> waiting_ AC_GUARDED_BY(mutex_);  // by due time
  bool stopping_ AC_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace ac::backend
