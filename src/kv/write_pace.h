// How fast the disk tier's writer may go. A writer of lowest priority still costs a decoding engine
// more than its share: it enters a core whenever a compute thread naps between two steps and is not
// taken off at once, while every other thread waits for that one. So while tokens are generated it
// works in small pieces and rests after each; a page that somebody waits for is written at full
// speed. Thread-safe.
#pragma once

#include "base/clock.h"
#include "base/mutex.h"

namespace ac::kv {

class WritePace {
 public:
  // The writer works one part of its time and rests this many.
  static constexpr int kRestParts = 40;

  explicit WritePace(Clock& clock) : clock_(clock) {}

  // Whether tokens are being generated: then the writer rests between its pieces.
  void SetDecoding(bool decoding);
  // Called by the writer after a piece of work. Returns when it may go on.
  void Rest(Nanos worked);

  // While one lives, the writer does not rest: somebody waits for it.
  class Hurry {
   public:
    explicit Hurry(WritePace& pace);
    ~Hurry();
    Hurry(const Hurry&) = delete;
    Hurry& operator=(const Hurry&) = delete;

   private:
    WritePace& pace_;
  };

 private:
  Clock& clock_;
  Mutex mutex_;
  CondVar changed_;
  bool decoding_ AC_GUARDED_BY(mutex_) = false;
  int waiting_ AC_GUARDED_BY(mutex_) = 0;
};

}  // namespace ac::kv
