#include "backend/early_starts.h"

#include "backend/local_call.h"

namespace ac::backend {

EarlyStarts::EarlyStarts() : thread_([this] { Run(); }) {}

EarlyStarts::~EarlyStarts() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.NotifyAll();
  thread_.join();
}

void EarlyStarts::Watch(const std::shared_ptr<LocalCall>& call, Nanos due) {
  MutexLock lock(mutex_);
  waiting_.emplace(due, call);
  wake_.NotifyOne();
}

void EarlyStarts::Run() {
  while (true) {
    std::shared_ptr<LocalCall> call;
    {
      MutexLock lock(mutex_);
      while (waiting_.empty() && !stopping_) wake_.Wait(mutex_);
      if (stopping_) return;
      const Nanos left = waiting_.begin()->first - Clock::Real().Now();
      if (left > Nanos{0}) {
        wake_.WaitFor(mutex_, left);
        continue;
      }
      call = waiting_.begin()->second.lock();
      waiting_.erase(waiting_.begin());
    }
    if (call != nullptr) call->BeginEarly();
  }
}

}  // namespace ac::backend
