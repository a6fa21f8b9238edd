#include "kv/write_pace.h"

namespace ac::kv {

void WritePace::SetDecoding(bool decoding) {
  MutexLock lock(mutex_);
  decoding_ = decoding;
  changed_.NotifyAll();
}

void WritePace::Rest(Nanos worked) {
  MutexLock lock(mutex_);
  const Nanos until = clock_.Now() + worked * kRestParts;
  while (decoding_ && waiting_ == 0) {
    const Nanos left = until - clock_.Now();
    if (left <= Nanos(0)) return;
    changed_.WaitFor(mutex_, left);
  }
}

WritePace::Hurry::Hurry(WritePace& pace) : pace_(pace) {
  MutexLock lock(pace_.mutex_);
  ++pace_.waiting_;
  pace_.changed_.NotifyAll();
}

WritePace::Hurry::~Hurry() {
  MutexLock lock(pace_.mutex_);
  --pace_.waiting_;
}

}  // namespace ac::kv
