// One thread that runs closures at a later time: retries, early starts, health checks.
//
// Closures run one after the other and must be short. After Cancel returned (not from inside a
// closure) the closure does not run any more. Thread-safe; the destructor drops what is left.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/mutex.h"

namespace ac::remote {

class Timer {
 public:
  using Id = uint64_t;

  Timer();
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  Id After(Nanos delay, std::function<void()> run);
  void Cancel(Id id);

 private:
  using Key = std::pair<std::chrono::steady_clock::time_point, Id>;
  void Loop();

  Mutex mutex_;
  CondVar changed_;
  std::map<Key, std::function<void()>> waiting_ AC_GUARDED_BY(mutex_);
  Id last_ AC_GUARDED_BY(mutex_) = 0;
  Id running_ AC_GUARDED_BY(mutex_) = 0;
  bool stopping_ AC_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace ac::remote
