#include "cpu/internal/cgroup.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "cpu/internal/text.h"

namespace ac::cpu::internal {
namespace {

// Version 1 writes "no limit" as the largest page-aligned int64.
constexpr int64_t kUnlimitedV1 = int64_t{1} << 60;

// Where one controller's files of this process lie, and how far up its groups reach.
struct Group {
  std::string mount;  // "/sys/fs/cgroup/memory"
  std::string path;   // below the mount; starts with "/", or is empty for the mount itself
};

bool ListContains(std::string_view list, std::string_view item) {
  for (const std::string_view part : Split(list, ',')) {
    if (part == item) return true;
  }
  return false;
}

// This process's path in /proc/self/cgroup, lines of "id:controllers:path"; version 2 is "0::path".
std::optional<std::string> GroupPath(std::string_view cgroups, std::string_view controller) {
  while (!cgroups.empty()) {
    std::string_view line = TakePart(&cgroups, '\n');
    const std::string_view id = TakePart(&line, ':');
    const std::string_view controllers = TakePart(&line, ':');
    const bool match = controller.empty() ? id == "0" && controllers.empty()
                                          : ListContains(controllers, controller);
    if (match) return std::string(line);
  }
  return std::nullopt;
}

// Finds the mount of a version 1 controller, or of version 2 when `controller` is empty. A line of
// mountinfo: "id parent dev root mount-point options [tags...] - type source super-options".
std::optional<Group> FindGroup(std::string_view mounts, std::string_view cgroups,
                               std::string_view controller) {
  const std::optional<std::string> path = GroupPath(cgroups, controller);
  if (!path) return std::nullopt;
  while (!mounts.empty()) {
    const std::string_view line = TakePart(&mounts, '\n');
    const size_t dash = line.find(" - ");
    if (dash == std::string_view::npos) continue;
    const std::vector<std::string_view> head = Split(line.substr(0, dash), ' ');
    const std::vector<std::string_view> tail = Split(line.substr(dash + 3), ' ');
    if (head.size() < 5 || tail.size() < 3) continue;
    const bool match = controller.empty()
                           ? tail[0] == "cgroup2"
                           : tail[0] == "cgroup" && ListContains(tail[2], controller);
    if (!match) continue;
    // In a container the mount may show only the part of the tree below `root`.
    std::string_view below = *path;
    const std::string_view root = head[3] == "/" ? std::string_view() : head[3];
    if (below.starts_with(root)) below.remove_prefix(root.size());
    if (below == "/") below = {};
    return Group{std::string(head[4]), std::string(below)};
  }
  return std::nullopt;
}

// The directories from the process's own group up to the mount point. A path that leaves the
// mount ("/../..": the process was moved out of its namespace) is cut to the mount itself.
std::vector<std::string> DirectoriesUp(const Group& group) {
  std::vector<std::string> directories;
  std::string path = group.path.find("/..") == std::string::npos ? group.path : "";
  for (; !path.empty(); path.resize(path.rfind('/'))) {
    if (path.front() != '/') break;
    directories.push_back(group.mount + path);
  }
  directories.push_back(group.mount);
  return directories;
}

std::optional<int64_t> ReadNumber(ReadSystemFile read, const std::string& path) {
  const std::optional<std::string> text = read(path);
  return text ? LeadingNumber(*text) : std::nullopt;
}

void TightenCpu(std::optional<int64_t> quota_us, std::optional<int64_t> period_us,
                CgroupLimits* limits) {
  if (!quota_us || !period_us || *quota_us <= 0 || *period_us <= 0) return;
  const double cpus = static_cast<double>(*quota_us) / static_cast<double>(*period_us);
  if (limits->cpu_quota == 0 || cpus < limits->cpu_quota) limits->cpu_quota = cpus;
}

// File cache that the kernel would drop first does not count as used.
void TightenMemory(std::optional<int64_t> limit, std::optional<int64_t> usage,
                   std::optional<int64_t> inactive_file, CgroupLimits* limits) {
  if (!limit || *limit < 0 || *limit >= kUnlimitedV1) return;
  const int64_t used = std::max<int64_t>(usage.value_or(0) - inactive_file.value_or(0), 0);
  const int64_t left = std::max<int64_t>(*limit - used, 0);
  limits->memory_limit = std::min(limits->memory_limit, static_cast<uint64_t>(*limit));
  limits->memory_left = std::min(limits->memory_left, static_cast<uint64_t>(left));
}

std::optional<int64_t> ReadInactiveFile(ReadSystemFile read, const std::string& path,
                                        std::string_view key) {
  const std::optional<std::string> stat = read(path);
  return stat ? NumberOf(*stat, key) : std::nullopt;
}

void ReadV2(ReadSystemFile read, const Group& group, CgroupLimits* limits) {
  for (const std::string& directory : DirectoriesUp(group)) {
    // "max 100000", or "150000 100000": microseconds of CPU in each period.
    if (const std::optional<std::string> cpu_max = read(directory + "/cpu.max")) {
      std::string_view period = *cpu_max;
      const std::string_view quota = TakePart(&period, ' ');
      TightenCpu(LeadingNumber(quota), LeadingNumber(period), limits);
    }
    TightenMemory(ReadNumber(read, directory + "/memory.max"),
                  ReadNumber(read, directory + "/memory.current"),
                  ReadInactiveFile(read, directory + "/memory.stat", "inactive_file "), limits);
  }
}

}  // namespace

CgroupLimits ReadCgroupLimits(ReadSystemFile read) {
  CgroupLimits limits;
  const std::string cgroups = read("/proc/self/cgroup").value_or("");
  const std::string mounts = read("/proc/self/mountinfo").value_or("");
  if (const auto group = FindGroup(mounts, cgroups, "")) ReadV2(read, *group, &limits);
  if (const auto group = FindGroup(mounts, cgroups, "cpu")) {
    for (const std::string& directory : DirectoriesUp(*group)) {
      TightenCpu(ReadNumber(read, directory + "/cpu.cfs_quota_us"),
                 ReadNumber(read, directory + "/cpu.cfs_period_us"), &limits);
    }
  }
  if (const auto group = FindGroup(mounts, cgroups, "memory")) {
    for (const std::string& directory : DirectoriesUp(*group)) {
      TightenMemory(ReadNumber(read, directory + "/memory.limit_in_bytes"),
                    ReadNumber(read, directory + "/memory.usage_in_bytes"),
                    ReadInactiveFile(read, directory + "/memory.stat", "total_inactive_file "),
                    &limits);
    }
  }
  return limits;
}

}  // namespace ac::cpu::internal
