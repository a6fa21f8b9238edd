// How many requests a server gets at once; the others wait in the order they came.
//
// One GPU that serves four agents badly serves them well one after the other. Grants are called
// from the thread that leaves (or at once, from Enter). Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <utility>

#include "base/mutex.h"

namespace ac::remote {

class Admission {
 public:
  // `limit` 0: everybody at once.
  Admission(int limit, size_t max_waiting) : limit_(limit), max_waiting_(max_waiting) {}

  using Ticket = uint64_t;  // 0: refused, the queue is full

  // Calls `granted` when it is this caller's turn; then Leave must follow. Until then Withdraw may
  // be called instead.
  Ticket Enter(std::function<void()> granted);
  void Leave();
  // False: it was granted (or is being granted) already, so Leave is due.
  bool Withdraw(Ticket ticket);

  int running() const;
  size_t waiting() const;

 private:
  const int limit_;
  const size_t max_waiting_;
  mutable Mutex mutex_;
  Ticket last_ AC_GUARDED_BY(mutex_) = 0;
  int running_ AC_GUARDED_BY(mutex_) = 0;
  std::list<std::pair<Ticket, std::function<void()>>> waiting_ AC_GUARDED_BY(mutex_);
};

}  // namespace ac::remote
