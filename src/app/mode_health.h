// Which of the modes that do not serve would work now, for the page at /.
//
// A thread of its own asks the servers of this machine, and those that the user's variables name,
// every period while somebody looks at the page; nobody looks, nobody is asked. Clouds are never
// asked: having a key is all that is said of them. Thread-safe.
#pragma once

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "app/backends.h"
#include "app/config.h"
#include "base/clock.h"
#include "base/mutex.h"

namespace ac::app {

struct ModeState {
  std::string name;
  std::string title;
  std::string state;  // "answers at http://...", "no answer at http://...", "a key is set"
  bool ok = false;    // it would work
};

class ModeHealth {
 public:
  // `serving` is left out: its requests show how it is.
  ModeHealth(std::string serving, Environment environment, Nanos period = std::chrono::seconds(30));
  ~ModeHealth();
  ModeHealth(const ModeHealth&) = delete;
  ModeHealth& operator=(const ModeHealth&) = delete;

  // What the last round found; empty before the first one. Does not block, and keeps the rounds
  // going for two periods more.
  std::vector<ModeState> Look();

 private:
  void Run();
  std::vector<ModeState> AskAll() const;

  const std::string serving_;
  const Environment environment_;
  const Nanos period_;

  Mutex mutex_;
  CondVar wake_;
  std::vector<ModeState> states_ AC_GUARDED_BY(mutex_);
  int rounds_wanted_ AC_GUARDED_BY(mutex_) = 0;
  bool stopping_ AC_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace ac::app
