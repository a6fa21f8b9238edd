// A few threads that run closures in order of arrival: work too slow for an I/O thread (templates,
// tokenising long prompts) goes here.
//
// Post is thread-safe. The destructor runs what was posted and joins.
#pragma once

#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "base/mutex.h"

namespace ac::backend {

class TaskQueue {
 public:
  explicit TaskQueue(int threads);
  ~TaskQueue();
  TaskQueue(const TaskQueue&) = delete;
  TaskQueue& operator=(const TaskQueue&) = delete;

  void Post(std::function<void()> task);

 private:
  void Run();

  Mutex mutex_;
  CondVar wake_;
  std::deque<std::function<void()>> tasks_ AC_GUARDED_BY(mutex_);
  bool stopping_ AC_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace ac::backend
