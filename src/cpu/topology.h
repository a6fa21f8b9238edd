// The cores, caches and memory this process may use, after affinity masks and container limits.
//
// Topology is a snapshot taken by HostTopology(); memory_available ages, the rest does not. The
// parser sees the system only through a ReadSystemFile, so tests play any machine. Thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/function_ref.h"

namespace ac::cpu {

struct Topology {
  std::string model;       // from /proc/cpuinfo, where it has one
  std::vector<int> cpus;   // logical CPUs in the affinity mask, ascending; never empty
  std::vector<int> cores;  // one logical CPU for each physical core among them; never empty
  int packages = 1;
  int numa_nodes = 1;
  double cpu_quota = 0;  // CPUs the container may use at once on average; 0 = no limit
  int threads = 1;       // what to give a compute pool: physical cores, within the quota

  uint64_t l1d_bytes = 0;  // of one core; 0 = unknown
  uint64_t l2_bytes = 0;   // of one instance
  uint64_t l3_bytes = 0;   // of one instance

  uint64_t memory_total = 0;      // of the machine or the container, the smaller
  uint64_t memory_available = 0;  // without swapping or hitting the container's limit
  bool memory_limited = false;    // a container limit is below the machine's memory

  uint64_t page_bytes = 4096;
  uint64_t huge_page_bytes = 0;        // 0 = unknown
  std::string transparent_huge_pages;  // "always", "madvise", "never"; empty = unknown
};

// The contents of a file under /proc or /sys, or nullopt.
using ReadSystemFile = FunctionRef<std::optional<std::string>(const std::string& path)>;

// `affinity` are the logical CPUs the scheduler allows; empty means unknown (then all online).
Topology ReadTopology(ReadSystemFile read, std::vector<int> affinity);
Topology HostTopology();

// Binds the calling thread to one logical CPU. False where the system refuses or cannot.
bool PinThisThread(int cpu);

// "0-3,8,10-11" as the kernel writes CPU lists. Damaged parts are skipped.
std::vector<int> ParseCpuList(std::string_view text);

}  // namespace ac::cpu
