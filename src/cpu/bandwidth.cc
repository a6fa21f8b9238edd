#include "cpu/bandwidth.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstring>

#include "cpu/huge_pages.h"
#include "cpu/topology.h"

namespace ac::cpu {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr int64_t kGrainBytes = int64_t{1} << 20;

// Large enough that the last-level cache holds little of it from one pass to the next.
uint64_t DefaultBufferBytes() {
  constexpr uint64_t kSmallest = 256 * kMiB;
  constexpr uint64_t kLargest = 1024 * kMiB;
  const Topology topology = HostTopology();
  const uint64_t packages = static_cast<uint64_t>(topology.packages);
  const uint64_t bytes = std::clamp(topology.l3_bytes * packages * 4, kSmallest, kLargest);
  const uint64_t affordable = topology.memory_available / 4;
  return affordable == 0 ? bytes : std::max(std::min(bytes, affordable), kMiB);
}

// One cache line at a time with a prefetch about 1 KiB ahead, as the decode kernels read.
uint64_t SumLines(const std::byte* data, size_t bytes) {
  constexpr size_t kLine = 64;
  constexpr size_t kAhead = 1024;
  uint64_t sums[8] = {};
  for (size_t offset = 0; offset + kLine <= bytes; offset += kLine) {
    __builtin_prefetch(data + offset + kAhead, 0, 2);
    uint64_t words[8];
    std::memcpy(words, data + offset, kLine);
    for (int i = 0; i < 8; ++i) sums[i] += words[i];
  }
  uint64_t total = 0;
  for (const uint64_t sum : sums) total += sum;
  return total;
}

}  // namespace

Result<Bandwidth> MeasureReadBandwidth(ThreadPool& pool, const BandwidthOptions& options,
                                       const Clock& clock) {
  Bandwidth result;
  result.buffer_bytes = options.buffer_bytes > 0 ? options.buffer_bytes : DefaultBufferBytes();
  AC_ASSIGN_OR_RETURN(HugeBuffer buffer, HugeBuffer::Allocate(result.buffer_bytes));
  const int64_t count = static_cast<int64_t>(buffer.size());
  // Untouched pages all map to one page of zeros; these must be real.
  pool.ParallelFor(count, kGrainBytes, [&](int64_t begin, int64_t end, int) {
    std::memset(buffer.data() + begin, 1, static_cast<size_t>(end - begin));
  });

  std::atomic<uint64_t> sink = 0;  // keeps the reads from being optimised away
  const Nanos deadline = clock.Now() + options.duration;
  do {
    const Nanos start = clock.Now();
    pool.ParallelFor(count, kGrainBytes, [&](int64_t begin, int64_t end, int) {
      sink += SumLines(buffer.data() + begin, static_cast<size_t>(end - begin));
    });
    const double seconds = std::max(Seconds(clock.Now() - start), 1e-9);
    result.gb_per_s = std::max(result.gb_per_s, static_cast<double>(count) / seconds / 1e9);
    ++result.passes;
  } while (clock.Now() < deadline && sink != 0);
  return result;
}

}  // namespace ac::cpu
