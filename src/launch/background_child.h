// A server that runs beside us for a while: started, waited for until it says where it is, stopped.
//
// Its output is read until then and no further, so it should print little later (a pipe holds 64
// kB); its error output is ours. For one owner thread.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"

namespace ac::launch {

class BackgroundChild {
 public:
  // kNotFound and the like when argv[0] cannot be run.
  static Result<std::unique_ptr<BackgroundChild>> Start(const std::vector<std::string>& argv,
                                                        const std::vector<std::string>& env);
  // SIGTERM, and SIGKILL when it has not ended ten seconds later.
  ~BackgroundChild();

  pid_t pid() const { return pid_; }

  // What follows `mark` on the first line of its output that has it, up to the next space. An error
  // has what it said instead.
  Result<std::string> WaitFor(const std::string& mark, std::chrono::milliseconds limit);

 private:
  BackgroundChild(pid_t pid, int output) : pid_(pid), output_(output) {}

  const pid_t pid_;
  const int output_;
};

}  // namespace ac::launch
