// The CPU and memory limits of the control groups this process sits in, versions 1 and 2.
//
// Pure functions of file contents; nothing is cached. Limits of a parent group bind its children,
// so the whole path up to the mount point is read and the tightest limit wins. Missing or damaged
// files mean "no limit".
#pragma once

#include <cstdint>
#include <limits>

#include "cpu/topology.h"

namespace ac::cpu::internal {

struct CgroupLimits {
  double cpu_quota = 0;  // CPUs; 0 = none
  uint64_t memory_limit = std::numeric_limits<uint64_t>::max();
  uint64_t memory_left = std::numeric_limits<uint64_t>::max();  // below the tightest limit
};

CgroupLimits ReadCgroupLimits(ReadSystemFile read);

}  // namespace ac::cpu::internal
