// What another process has used so far, as the kernel counts it. Linux only.
#pragma once

#include <sys/types.h>

#include "base/status.h"

namespace ac::loadtest {

struct ProcessUsage {
  double cpu_s = 0;           // of all its threads, user and system
  double memory_mb = 0;       // resident now (10^6 bytes)
  double peak_memory_mb = 0;  // resident at most since its start
};

// Errors name the process.
Result<ProcessUsage> UsageOf(pid_t pid);

}  // namespace ac::loadtest
