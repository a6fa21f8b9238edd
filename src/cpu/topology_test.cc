#include "cpu/topology.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "cpu/bandwidth.h"
#include "cpu/huge_pages.h"

namespace ac::cpu {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// A machine as its files under /proc and /sys.
struct Machine {
  std::map<std::string, std::string> files;
  std::vector<int> affinity;

  Topology Read() const {
    return ReadTopology(
        [this](const std::string& path) -> std::optional<std::string> {
          const auto it = files.find(path);
          if (it == files.end()) return std::nullopt;
          return it->second;
        },
        affinity);
  }
  void AddCpu(int cpu, const std::string& siblings, int package = 0) {
    const std::string directory = "/sys/devices/system/cpu/cpu" + std::to_string(cpu);
    files[directory + "/topology/core_cpus_list"] = siblings + "\n";
    files[directory + "/topology/physical_package_id"] = std::to_string(package) + "\n";
    affinity.push_back(cpu);
  }
};

// Four cores with two hyperthreads each, numbered as Intel servers do.
Machine Server() {
  Machine m;
  for (int cpu = 0; cpu < 8; ++cpu) {
    const int core = cpu % 4;
    m.AddCpu(cpu, std::to_string(core) + "," + std::to_string(core + 4), core / 2);
  }
  m.files["/proc/cpuinfo"] = "processor\t: 0\nmodel name\t: Test CPU 3000\n";
  m.files["/proc/meminfo"] =
      "MemTotal:       16777216 kB\nMemFree:         1048576 kB\nMemAvailable:    8388608 kB\n"
      "Hugepagesize:       2048 kB\n";
  m.files["/sys/kernel/mm/transparent_hugepage/enabled"] = "always [madvise] never\n";
  m.files["/sys/devices/system/node/online"] = "0-1\n";
  const std::string cache = "/sys/devices/system/cpu/cpu0/cache/index";
  const char* levels[][3] = {{"1", "Data", "48K"},
                             {"1", "Instruction", "32K"},
                             {"2", "Unified", "2048K"},
                             {"3", "Unified", "32M"}};
  for (int i = 0; i < 4; ++i) {
    const std::string directory = cache + std::to_string(i);
    m.files[directory + "/level"] = std::string(levels[i][0]) + "\n";
    m.files[directory + "/type"] = std::string(levels[i][1]) + "\n";
    m.files[directory + "/size"] = std::string(levels[i][2]) + "\n";
  }
  return m;
}

constexpr uint64_t kGiB = uint64_t{1} << 30;

TEST(Topology, AServerWithoutLimitsIsReadInFull) {
  const Topology t = Server().Read();
  EXPECT_THAT(t.cpus, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
  EXPECT_THAT(t.cores, ElementsAre(0, 1, 2, 3));
  EXPECT_EQ(t.model, "Test CPU 3000");
  EXPECT_EQ(t.packages, 2);
  EXPECT_EQ(t.numa_nodes, 2);
  EXPECT_EQ(t.threads, 4);
  EXPECT_EQ(t.cpu_quota, 0);
  EXPECT_EQ(t.l1d_bytes, 48u << 10);
  EXPECT_EQ(t.l2_bytes, 2u << 20);
  EXPECT_EQ(t.l3_bytes, 32u << 20);
  EXPECT_EQ(t.memory_total, 16 * kGiB);
  EXPECT_EQ(t.memory_available, 8 * kGiB);
  EXPECT_FALSE(t.memory_limited);
  EXPECT_EQ(t.huge_page_bytes, 2u << 20);
  EXPECT_EQ(t.transparent_huge_pages, "madvise");
}

TEST(Topology, AnAffinityMaskOfBothThreadsOfACoreIsOneCore) {
  Machine m = Server();
  m.affinity = {1, 3, 5};
  const Topology t = m.Read();
  EXPECT_THAT(t.cores, ElementsAre(1, 3));
  EXPECT_EQ(t.threads, 2);
}

TEST(Topology, WithoutAMaskAllOnlineCpusCount) {
  Machine m = Server();
  m.affinity.clear();
  m.files["/sys/devices/system/cpu/online"] = "0-2,5\n";
  EXPECT_THAT(m.Read().cpus, ElementsAre(0, 1, 2, 5));
  EXPECT_THAT(m.Read().cores, ElementsAre(0, 1, 2));
}

TEST(Topology, AMachineWithoutAnyFilesIsOneCpu) {
  const Topology t = Machine().Read();
  EXPECT_THAT(t.cpus, ElementsAre(0));
  EXPECT_THAT(t.cores, ElementsAre(0));
  EXPECT_EQ(t.threads, 1);
  EXPECT_EQ(t.memory_total, 0u);
  EXPECT_EQ(t.memory_available, 0u);
}

constexpr char kMountsV2[] =
    "24 1 0:22 / / rw - ext4 /dev/sda rw\n"
    "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";

TEST(Topology, TheTightestVersion2LimitOnThePathWins) {
  Machine m = Server();
  m.files["/proc/self/mountinfo"] = kMountsV2;
  m.files["/proc/self/cgroup"] = "0::/kubepods/pod1/c1\n";
  const std::string root = "/sys/fs/cgroup";
  m.files[root + "/kubepods/pod1/c1/cpu.max"] = "max 100000\n";
  m.files[root + "/kubepods/pod1/cpu.max"] = "250000 100000\n";
  m.files[root + "/kubepods/cpu.max"] = "350000 100000\n";
  m.files[root + "/kubepods/pod1/c1/memory.max"] = "4294967296\n";
  m.files[root + "/kubepods/pod1/c1/memory.current"] = "3221225472\n";
  m.files[root + "/kubepods/pod1/c1/memory.stat"] = "anon 5\ninactive_file 2147483648\nx 1\n";
  m.files[root + "/kubepods/memory.max"] = "max\n";
  const Topology t = m.Read();
  EXPECT_EQ(t.cpu_quota, 2.5);
  EXPECT_EQ(t.threads, 2);
  EXPECT_EQ(t.memory_total, 4 * kGiB);
  EXPECT_EQ(t.memory_available, 3 * kGiB);
  EXPECT_TRUE(t.memory_limited);
}

TEST(Topology, Version1LimitsAreReadFromEachController) {
  Machine m = Server();
  m.files["/proc/self/mountinfo"] =
      "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
      "32 31 0:29 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n"
      "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";
  m.files["/proc/self/cgroup"] = "9:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n0::/\n";
  m.files["/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us"] = "50000\n";
  m.files["/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us"] = "100000\n";
  m.files["/sys/fs/cgroup/memory/memory.limit_in_bytes"] = "2147483648\n";
  m.files["/sys/fs/cgroup/memory/memory.usage_in_bytes"] = "1073741824\n";
  const Topology t = m.Read();
  EXPECT_EQ(t.cpu_quota, 0.5);
  EXPECT_EQ(t.threads, 1);
  EXPECT_EQ(t.memory_total, 2 * kGiB);
  EXPECT_EQ(t.memory_available, 1 * kGiB);
}

TEST(Topology, Version1WithoutLimitsIsNoLimit) {
  Machine m = Server();
  m.files["/proc/self/mountinfo"] =
      "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
      "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
  m.files["/proc/self/cgroup"] = "9:memory:/a\n1:cpu:/\n";
  m.files["/sys/fs/cgroup/cpu/cpu.cfs_quota_us"] = "-1\n";
  m.files["/sys/fs/cgroup/cpu/cpu.cfs_period_us"] = "100000\n";
  m.files["/sys/fs/cgroup/memory/a/memory.limit_in_bytes"] = "9223372036854771712\n";
  const Topology t = m.Read();
  EXPECT_EQ(t.threads, 4);
  EXPECT_EQ(t.memory_total, 16 * kGiB);
  EXPECT_FALSE(t.memory_limited);
}

TEST(Topology, AProcessOutsideItsNamespaceFallsBackToTheMount) {
  Machine m = Server();
  m.files["/proc/self/mountinfo"] = kMountsV2;
  m.files["/proc/self/cgroup"] = "0::/../../other\n";
  m.files["/sys/fs/cgroup/cpu.max"] = "300000 100000\n";
  EXPECT_EQ(m.Read().threads, 3);
}

TEST(Topology, AMemoryLimitBelowWhatIsUsedLeavesNothing) {
  Machine m = Server();
  m.files["/proc/self/mountinfo"] = kMountsV2;
  m.files["/proc/self/cgroup"] = "0::/a\n";
  m.files["/sys/fs/cgroup/a/memory.max"] = "1000\n";
  m.files["/sys/fs/cgroup/a/memory.current"] = "5000\n";
  EXPECT_EQ(m.Read().memory_available, 0u);
}

TEST(Topology, DamagedFilesNeverCrash) {
  const Machine good = Server();
  for (const std::string junk :
       {"", "\n", "max", "-", "-1", "99999999999999999999", "1-99999999999", "[", "][",
        ":::", "a b c - d e f", "0::", "0::x", "1 2 3 / /m x - cgroup2 c rw", "\xff\xfe"}) {
    Machine m = good;
    for (auto& [path, content] : m.files) content = junk;
    for (const char* path : {"/proc/self/mountinfo", "/proc/self/cgroup", "/sys/fs/cgroup/cpu.max",
                             "/sys/fs/cgroup/memory.max", "/sys/devices/system/cpu/online"}) {
      m.files[path] = junk;
    }
    const Topology t = m.Read();
    EXPECT_GE(t.threads, 1) << junk;
    EXPECT_FALSE(t.cores.empty()) << junk;
  }
}

TEST(Topology, CpuListsAreParsedAsTheKernelWritesThem) {
  EXPECT_THAT(ParseCpuList("0-3,8,10-11\n"), ElementsAre(0, 1, 2, 3, 8, 10, 11));
  EXPECT_THAT(ParseCpuList("5"), ElementsAre(5));
  EXPECT_THAT(ParseCpuList(""), IsEmpty());
  EXPECT_THAT(ParseCpuList("x,3-1,-2,7-,2"), ElementsAre(2));
  EXPECT_THAT(ParseCpuList("0-4000000000"), IsEmpty());
}

TEST(Topology, TheHostHasPlausibleNumbers) {
  const Topology t = HostTopology();
  EXPECT_FALSE(t.cpus.empty());
  EXPECT_LE(t.cores.size(), t.cpus.size());
  EXPECT_GE(t.threads, 1);
  EXPECT_LE(static_cast<size_t>(t.threads), t.cores.size());
  EXPECT_GE(t.page_bytes, 4096u);
  EXPECT_LE(t.memory_available, t.memory_total);
}

#if defined(__linux__)
TEST(Topology, AThreadPinnedToACpuSeesOnlyThatOne) {
  const int last = HostTopology().cpus.back();
  std::thread([last] {
    ASSERT_TRUE(PinThisThread(last));
    EXPECT_THAT(HostTopology().cpus, ElementsAre(last));
  }).join();
  EXPECT_FALSE(PinThisThread(-1));
  EXPECT_FALSE(PinThisThread(1 << 20));
}
#endif

TEST(HugePages, ABufferIsAlignedZeroedAndWritableToItsLastByte) {
  for (const size_t bytes : {size_t{1}, kHugePageBytes, 3 * kHugePageBytes + 17}) {
    Result<HugeBuffer> buffer = HugeBuffer::Allocate(bytes);
    ASSERT_TRUE(buffer.ok());
    EXPECT_EQ(buffer->size(), bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer->data()) % kHugePageBytes, 0u);
    EXPECT_EQ(buffer->bytes().front(), std::byte{0});
    EXPECT_EQ(buffer->bytes().back(), std::byte{0});
    buffer->bytes().back() = std::byte{7};
    HugeBuffer moved = std::move(*buffer);
    EXPECT_EQ(moved.bytes().back(), std::byte{7});
    moved = HugeBuffer();
    EXPECT_EQ(moved.size(), 0u);
  }
}

TEST(HugePages, ImpossibleSizesAreRefusedWithAMessage) {
  EXPECT_TRUE(HugeBuffer::Allocate(0).ok());
  for (const size_t bytes : {SIZE_MAX, SIZE_MAX / 2, SIZE_MAX / 4}) {
    const Result<HugeBuffer> buffer = HugeBuffer::Allocate(bytes);
    ASSERT_FALSE(buffer.ok());
    EXPECT_EQ(buffer.status().code(), Code::kResourceExhausted);
    EXPECT_TRUE(buffer.status().message().starts_with("[cpu] "));
  }
}

TEST(HugePages, AdviceOnTooLittleMemoryIsDeclined) {
  char small[16] = {};
  EXPECT_FALSE(AdviseHugePages(small, sizeof(small)));
}

TEST(Bandwidth, AMeasurementStreamsTheBufferAtLeastOnce) {
  ThreadPool::Options threads;
  threads.threads = 2;
  ThreadPool pool(threads);
  BandwidthOptions options;
  options.buffer_bytes = (uint64_t{4} << 20) + 13;
  options.duration = Nanos(0);
  const Result<Bandwidth> bandwidth = MeasureReadBandwidth(pool, options);
  ASSERT_TRUE(bandwidth.ok());
  EXPECT_EQ(bandwidth->passes, 1);
  EXPECT_EQ(bandwidth->buffer_bytes, options.buffer_bytes);
  EXPECT_GT(bandwidth->gb_per_s, 0);
}

TEST(Bandwidth, ABufferBeyondMemoryIsAnError) {
  ThreadPool::Options threads;
  threads.threads = 1;
  ThreadPool pool(threads);
  BandwidthOptions options;
  options.buffer_bytes = uint64_t{1} << 62;
  EXPECT_FALSE(MeasureReadBandwidth(pool, options).ok());
}

}  // namespace
}  // namespace ac::cpu
