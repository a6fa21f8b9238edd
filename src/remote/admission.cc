#include "remote/admission.h"

namespace ac::remote {

Admission::Ticket Admission::Enter(std::function<void()> granted) {
  Ticket ticket = 0;
  {
    MutexLock lock(mutex_);
    ticket = ++last_;
    if (limit_ > 0 && running_ >= limit_) {
      if (waiting_.size() >= max_waiting_) return 0;
      waiting_.emplace_back(ticket, std::move(granted));
      return ticket;
    }
    ++running_;
  }
  granted();
  return ticket;
}

void Admission::Leave() {
  std::function<void()> next;
  {
    MutexLock lock(mutex_);
    if (waiting_.empty()) {
      --running_;
      return;
    }
    next = std::move(waiting_.front().second);
    waiting_.pop_front();
  }
  next();
}

bool Admission::Withdraw(Ticket ticket) {
  std::function<void()> dropped;
  MutexLock lock(mutex_);
  for (auto it = waiting_.begin(); it != waiting_.end(); ++it) {
    if (it->first != ticket) continue;
    dropped = std::move(it->second);
    waiting_.erase(it);
    return true;
  }
  return false;
}

int Admission::running() const {
  MutexLock lock(mutex_);
  return running_;
}

size_t Admission::waiting() const {
  MutexLock lock(mutex_);
  return waiting_.size();
}

}  // namespace ac::remote
