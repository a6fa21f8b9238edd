#include "backend/early_starts.h"

#include "backend/local_call.h"

namespace ac::backend {

EarlyStarts::EarlyStarts(Nanos patience) : patience_(patience), thread_([this] { Run(); }) {}

EarlyStarts::~EarlyStarts() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.NotifyAll();
  thread_.join();
}

void EarlyStarts::Watch(const std::shared_ptr<LocalCall>& call) {
  MutexLock lock(mutex_);
  waiting_.emplace_back(Clock::Real().Now() + patience_, call);
  wake_.NotifyOne();
}

void EarlyStarts::Run() {
  while (true) {
    std::shared_ptr<LocalCall> call;
    {
      MutexLock lock(mutex_);
      while (waiting_.empty() && !stopping_) wake_.Wait(mutex_);
      if (stopping_) return;
      const Nanos left = waiting_.front().first - Clock::Real().Now();
      if (left > Nanos{0}) {
        wake_.WaitFor(mutex_, left);
        continue;
      }
      call = waiting_.front().second.lock();
      waiting_.pop_front();
    }
    if (call != nullptr) call->BeginEarly();
  }
}

}  // namespace ac::backend
