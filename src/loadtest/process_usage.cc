#include "loadtest/process_usage.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

namespace ac::loadtest {
namespace {

// /proc files say they are empty, so they are read as streams and not by their size.
Result<std::string> ReadProc(pid_t pid, const std::string& name) {
  const std::string path = "/proc/" + std::to_string(pid) + "/" + name;
  std::ifstream file(path);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (text.empty()) return NotFound("[loadtest] there is no process " + std::to_string(pid));
  return text;
}

// "VmRSS:     1234 kB" as megabytes.
double Megabytes(const std::string& status, const std::string& field) {
  const size_t at = status.find(field);
  if (at == std::string::npos) return 0;
  return std::strtod(status.c_str() + at + field.size(), nullptr) * 1024 / 1e6;
}

}  // namespace

Result<ProcessUsage> UsageOf(pid_t pid) {
  AC_ASSIGN_OR_RETURN(const std::string stat, ReadProc(pid, "stat"));
  AC_ASSIGN_OR_RETURN(const std::string status, ReadProc(pid, "status"));
  // The name, in parentheses, may hold anything; fields 14 and 15 are its ticks.
  std::istringstream fields(stat.substr(stat.rfind(')') + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  double user = 0;
  double system = 0;
  fields >> user >> system;
  ProcessUsage usage;
  usage.cpu_s = (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
  usage.memory_mb = Megabytes(status, "VmRSS:");
  usage.peak_memory_mb = Megabytes(status, "VmHWM:");
  return usage;
}

}  // namespace ac::loadtest
