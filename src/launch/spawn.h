// Starts a program with an own environment; used by the launcher's children.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/status.h"

namespace ac::launch {

// With no signal blocked and the usual ones at their defaults, whatever this thread has. `output`
// becomes its standard output; -1 leaves ours.
Result<pid_t> Spawn(const std::vector<std::string>& argv, const std::vector<std::string>& env,
                    int output = -1);

}  // namespace ac::launch
