// Runs the client on our terminal and waits for it, as a shell would.
//
// Signals that another process sends us are passed to the child by its process id; those that the
// terminal sends reach the child by themselves. When the child stops (Ctrl-Z), so do we. For one
// thread; block ForwardedSignals() in it before any other thread starts, so that none of them takes
// these signals.
#pragma once

#include <signal.h>

#include <string>
#include <vector>

#include "base/status.h"

namespace ac::launch {

sigset_t ForwardedSignals();

// Where PATH has an executable file of this name (a name with a slash is taken as it is).
Result<std::string> FindProgram(const std::string& name);

// The exit code of the child, 128 + N when signal N ended it; kNotFound
// when argv[0] cannot be run.
Result<int> RunChild(const std::vector<std::string>& argv, const std::vector<std::string>& env);

}  // namespace ac::launch
