#include "base/mutex.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>
#include <vector>

namespace ac {
namespace {

class Counter {
 public:
  void Add() AC_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    ++count_;
    changed_.NotifyAll();
  }
  void WaitUntil(int count) AC_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    while (count_ < count) changed_.Wait(mutex_);
  }
  int count() AC_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return count_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  int count_ AC_GUARDED_BY(mutex_) = 0;
};

TEST(Mutex, SerialisesThreads) {
  Counter counter;
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) counter.Add();
    });
  }
  counter.WaitUntil(4000);
  EXPECT_EQ(counter.count(), 4000);
}

TEST(CondVar, WaitWakesOnNotification) {
  Counter counter;
  std::jthread waiter([&] { counter.WaitUntil(1); });
  counter.Add();
  waiter.join();
  EXPECT_EQ(counter.count(), 1);
}

TEST(CondVar, WaitForReturnsFalseWhenNobodyCalls) {
  Mutex mutex;
  CondVar nobody;
  MutexLock lock(mutex);
  while (nobody.WaitFor(mutex, std::chrono::milliseconds(1))) {
  }  // spurious wake-ups are allowed, never ending is not
}

TEST(CondVar, WaitForHoldsTheMutexAgainAfterwards) {
  Mutex mutex;
  CondVar changed;
  bool ready = false;
  std::jthread other([&] {
    MutexLock lock(mutex);
    ready = true;
    changed.NotifyOne();
  });
  MutexLock lock(mutex);
  while (!ready) (void)changed.WaitFor(mutex, std::chrono::seconds(10));
  EXPECT_TRUE(ready);
}

}  // namespace
}  // namespace ac
