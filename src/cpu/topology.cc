#include "cpu/topology.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <limits>
#include <memory>
#include <set>
#include <utility>

#include "cpu/internal/cgroup.h"
#include "cpu/internal/text.h"

#if defined(__linux__)
#include <sched.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#endif

namespace ac::cpu {
namespace {

using internal::LeadingNumber;
using internal::NumberOf;
using internal::TakePart;
using internal::Trim;

constexpr uint64_t kKiB = 1024;
// No machine has more; a damaged list must not fill the memory.
constexpr int64_t kMaxCpu = 65535;

std::string CpuPath(int cpu, std::string_view name) {
  return "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/" + std::string(name);
}

// Hyperthreads of one core list the same siblings, so the first of each list stands for the core.
std::vector<int> OnePerCore(ReadSystemFile read, const std::vector<int>& cpus) {
  std::vector<int> cores;
  std::set<std::string> seen;
  for (const int cpu : cpus) {
    std::optional<std::string> siblings = read(CpuPath(cpu, "topology/core_cpus_list"));
    if (!siblings) siblings = read(CpuPath(cpu, "topology/thread_siblings_list"));
    const std::string key = siblings ? std::string(Trim(*siblings)) : std::to_string(cpu);
    if (seen.insert(key).second) cores.push_back(cpu);
  }
  return cores;
}

int CountPackages(ReadSystemFile read, const std::vector<int>& cpus) {
  std::set<int64_t> packages;
  for (const int cpu : cpus) {
    const std::optional<std::string> id = read(CpuPath(cpu, "topology/physical_package_id"));
    if (id) packages.insert(LeadingNumber(*id).value_or(0));
  }
  return std::max(1, static_cast<int>(packages.size()));
}

// "32K", "1024K", "32M" -> bytes.
uint64_t ParseCacheSize(std::string_view text) {
  text = Trim(text);
  const std::optional<int64_t> number = LeadingNumber(text);
  if (!number || *number < 0 || *number > (int64_t{1} << 40)) return 0;
  uint64_t unit = 1;
  if (text.ends_with('K')) unit = kKiB;
  if (text.ends_with('M')) unit = kKiB * kKiB;
  return static_cast<uint64_t>(*number) * unit;
}

void ReadCaches(ReadSystemFile read, int cpu, Topology* out) {
  constexpr int kMaxCaches = 16;
  for (int index = 0; index < kMaxCaches; ++index) {
    const std::string directory = CpuPath(cpu, "cache/index" + std::to_string(index));
    const std::optional<std::string> level = read(directory + "/level");
    if (!level) return;
    const std::string type = read(directory + "/type").value_or("");
    if (Trim(type) == "Instruction") continue;
    const uint64_t bytes = ParseCacheSize(read(directory + "/size").value_or(""));
    switch (LeadingNumber(*level).value_or(0)) {
      case 1:
        out->l1d_bytes = bytes;
        break;
      case 2:
        out->l2_bytes = bytes;
        break;
      case 3:
        out->l3_bytes = bytes;
        break;
      default:
        break;
    }
  }
}

uint64_t KilobytesOf(std::string_view meminfo, std::string_view key) {
  const int64_t kilobytes = NumberOf(meminfo, key).value_or(0);
  const bool plausible = kilobytes > 0 && kilobytes < (int64_t{1} << 50);
  return plausible ? static_cast<uint64_t>(kilobytes) * kKiB : 0;
}

void ReadMemory(ReadSystemFile read, Topology* out) {
  const std::string meminfo = read("/proc/meminfo").value_or("");
  out->memory_total = KilobytesOf(meminfo, "MemTotal:");
  out->memory_available = KilobytesOf(meminfo, "MemAvailable:");
  out->huge_page_bytes = KilobytesOf(meminfo, "Hugepagesize:");
  if (out->memory_available == 0) out->memory_available = KilobytesOf(meminfo, "MemFree:");

  // "always [madvise] never": the brackets mark what is on.
  const std::string modes = read("/sys/kernel/mm/transparent_hugepage/enabled").value_or("");
  const size_t open = modes.find('[');
  const size_t close = modes.find(']');
  if (open != std::string::npos && close != std::string::npos && close > open) {
    out->transparent_huge_pages = modes.substr(open + 1, close - open - 1);
  }
}

void ApplyLimits(const internal::CgroupLimits& limits, Topology* out) {
  out->cpu_quota = limits.cpu_quota;
  // Rounded down: a pool over its quota is stopped as a whole for the rest of each period.
  const int cores = static_cast<int>(out->cores.size());
  out->threads = cores;
  if (limits.cpu_quota > 0 && limits.cpu_quota < cores) {
    out->threads = std::max(1, static_cast<int>(limits.cpu_quota));
  }
  out->memory_limited = out->memory_total > 0 && limits.memory_limit < out->memory_total;
  if (out->memory_limited) out->memory_total = limits.memory_limit;
  out->memory_available = std::min(out->memory_available, limits.memory_left);
}

std::string ModelName(std::string_view cpuinfo) {
  while (!cpuinfo.empty()) {
    const std::string_view line = TakePart(&cpuinfo, '\n');
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const std::string_view key = Trim(line.substr(0, colon));
    if (key == "model name" || key == "Model") return std::string(Trim(line.substr(colon + 1)));
  }
  return "";
}

std::optional<std::string> ReadHostFile(const std::string& path) {
  // Not MappedFile nor File: these pseudo-files report a size of 0.
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"),
                                                             &std::fclose);
  if (file == nullptr) return std::nullopt;
  std::string content;
  char buffer[4096];
  while (const size_t n = std::fread(buffer, 1, sizeof(buffer), file.get())) {
    content.append(buffer, n);
  }
  return content;
}

std::vector<int> HostAffinity() {
  std::vector<int> cpus;
#if defined(__linux__)
  // The mask must be as long as the kernel's own; machines with over 1024 CPUs need more.
  for (int capacity = CPU_SETSIZE; capacity <= kMaxCpu + 1; capacity *= 4) {
    cpu_set_t* set = CPU_ALLOC(static_cast<size_t>(capacity));
    const size_t bytes = CPU_ALLOC_SIZE(static_cast<size_t>(capacity));
    const bool ok = set != nullptr && ::sched_getaffinity(0, bytes, set) == 0;
    for (int cpu = 0; ok && cpu < capacity; ++cpu) {
      if (CPU_ISSET_S(static_cast<size_t>(cpu), bytes, set)) cpus.push_back(cpu);
    }
    CPU_FREE(set);
    if (ok) break;
  }
#endif
  return cpus;
}

#if defined(__APPLE__)
uint64_t SysctlNumber(const char* name) {
  uint64_t value = 0;
  size_t size = sizeof(value);
  return ::sysctlbyname(name, &value, &size, nullptr, 0) == 0 ? value : 0;
}

// macOS has neither /proc nor affinity masks; performance cores are what compute should use.
void ReadApple(Topology* out) {
  int cores = static_cast<int>(SysctlNumber("hw.perflevel0.physicalcpu"));
  if (cores <= 0) cores = static_cast<int>(SysctlNumber("hw.physicalcpu"));
  out->cores.clear();
  for (int core = 0; core < std::max(1, cores); ++core) out->cores.push_back(core);
  out->threads = static_cast<int>(out->cores.size());
  out->l1d_bytes = SysctlNumber("hw.l1dcachesize");
  out->l2_bytes = SysctlNumber("hw.l2cachesize");
  out->l3_bytes = SysctlNumber("hw.l3cachesize");
  out->memory_total = SysctlNumber("hw.memsize");
  out->memory_available = out->memory_total / 2;  // a guess; the exact count needs Mach calls
}
#endif

}  // namespace

std::vector<int> ParseCpuList(std::string_view text) {
  std::vector<int> cpus;
  for (const std::string_view part : internal::Split(Trim(text), ',')) {
    const std::optional<int64_t> first = LeadingNumber(part);
    const size_t dash = part.find('-', 1);
    const std::optional<int64_t> last =
        dash == std::string_view::npos ? first : LeadingNumber(part.substr(dash + 1));
    if (!first || !last || *first < 0 || *last > kMaxCpu) continue;
    for (int64_t cpu = *first; cpu <= *last; ++cpu) cpus.push_back(static_cast<int>(cpu));
  }
  std::sort(cpus.begin(), cpus.end());
  cpus.erase(std::unique(cpus.begin(), cpus.end()), cpus.end());
  return cpus;
}

Topology ReadTopology(ReadSystemFile read, std::vector<int> affinity) {
  Topology out;
  out.cpus = std::move(affinity);
  if (out.cpus.empty()) {
    out.cpus = ParseCpuList(read("/sys/devices/system/cpu/online").value_or(""));
  }
  if (out.cpus.empty()) out.cpus = {0};
  out.cores = OnePerCore(read, out.cpus);
  out.packages = CountPackages(read, out.cpus);
  const std::string nodes = read("/sys/devices/system/node/online").value_or("");
  out.numa_nodes = std::max(1, static_cast<int>(ParseCpuList(nodes).size()));
  out.model = ModelName(read("/proc/cpuinfo").value_or(""));
  ReadCaches(read, out.cpus.front(), &out);
  ReadMemory(read, &out);
  ApplyLimits(internal::ReadCgroupLimits(read), &out);
  return out;
}

Topology HostTopology() {
  std::vector<int> affinity = HostAffinity();
  if (affinity.empty()) {
    const long online = ::sysconf(_SC_NPROCESSORS_ONLN);
    for (int cpu = 0; cpu < static_cast<int>(online); ++cpu) affinity.push_back(cpu);
  }
  Topology topology =
      ReadTopology([](const std::string& path) { return ReadHostFile(path); }, std::move(affinity));
  const long page = ::sysconf(_SC_PAGESIZE);
  if (page > 0) topology.page_bytes = static_cast<uint64_t>(page);
#if defined(__APPLE__)
  ReadApple(&topology);
#endif
  return topology;
}

bool PinThisThread(int cpu) {
#if defined(__linux__)
  if (cpu < 0 || cpu >= CPU_SETSIZE) return false;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(cpu), &set);
  return ::sched_setaffinity(0, sizeof(set), &set) == 0;
#else
  static_cast<void>(cpu);
  return false;
#endif
}

}  // namespace ac::cpu
