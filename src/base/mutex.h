// Mutex with Clang thread-safety annotations.
//
// libstdc++'s std::mutex carries no annotations, so shared state uses this one: members say
// AC_GUARDED_BY(mutex_) and the `clang` preset refuses unlocked access at compile time.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define AC_TS_ATTRIBUTE(x) __attribute__((x))
#else
#define AC_TS_ATTRIBUTE(x)
#endif
#define AC_CAPABILITY(x) AC_TS_ATTRIBUTE(capability(x))
#define AC_SCOPED_CAPABILITY AC_TS_ATTRIBUTE(scoped_lockable)
#define AC_GUARDED_BY(x) AC_TS_ATTRIBUTE(guarded_by(x))
#define AC_PT_GUARDED_BY(x) AC_TS_ATTRIBUTE(pt_guarded_by(x))
#define AC_REQUIRES(...) AC_TS_ATTRIBUTE(requires_capability(__VA_ARGS__))
#define AC_ACQUIRE(...) AC_TS_ATTRIBUTE(acquire_capability(__VA_ARGS__))
#define AC_RELEASE(...) AC_TS_ATTRIBUTE(release_capability(__VA_ARGS__))
#define AC_EXCLUDES(...) AC_TS_ATTRIBUTE(locks_excluded(__VA_ARGS__))
#define AC_NO_THREAD_SAFETY_ANALYSIS AC_TS_ATTRIBUTE(no_thread_safety_analysis)

namespace ac {

class AC_CAPABILITY("mutex") Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;
  void Lock() AC_ACQUIRE() { mutex_.lock(); }
  void Unlock() AC_RELEASE() { mutex_.unlock(); }

 private:
  friend class CondVar;
  std::mutex mutex_;
};

// Holds a Mutex for a scope.
class AC_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) AC_ACQUIRE(mutex) : mutex_(mutex) { mutex_.Lock(); }
  ~MutexLock() AC_RELEASE() { mutex_.Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

// Condition variable of a Mutex that the caller holds. Waits may wake early: loop on the condition.
class CondVar {
 public:
  void Wait(Mutex& mutex) AC_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    cv_.wait(lock);
    lock.release();
  }
  // Returns false when the time passed without a notification.
  bool WaitFor(Mutex& mutex, std::chrono::nanoseconds timeout) AC_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    const bool notified = cv_.wait_for(lock, timeout) == std::cv_status::no_timeout;
    lock.release();
    return notified;
  }
  void NotifyOne() { cv_.notify_one(); }
  void NotifyAll() { cv_.notify_all(); }

 private:
  std::condition_variable cv_;
};

}  // namespace ac
