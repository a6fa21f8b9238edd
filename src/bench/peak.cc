#include "bench/peak.h"

#include <algorithm>
#include <atomic>

#include "base/clock.h"
#include "cpu/bandwidth.h"

namespace ac::bench {
namespace {

constexpr int64_t kRounds = 1 << 14;  // of one piece of work: 20 to 100 us
constexpr int kPasses = 20;

// The best pass: the others were disturbed.
double BestRate(cpu::ThreadPool& pool, int64_t (*peak)(int64_t rounds)) {
  double best = 0;
  for (int pass = 0; pass < kPasses; ++pass) {
    std::atomic<int64_t> operations = 0;
    const Nanos start = Clock::Real().Now();
    pool.ParallelFor(int64_t{pool.threads()} * 64, 1, [&](int64_t begin, int64_t end, int) {
      operations += peak((end - begin) * kRounds);
    });
    const double seconds = std::max(Seconds(Clock::Real().Now() - start), 1e-9);
    best = std::max(best, static_cast<double>(operations.load()) / seconds / 1e9);
  }
  return best;
}

}  // namespace

Result<Peak> MeasurePeak(const ac_kernel_table& table, cpu::ThreadPool& pool) {
  AC_ASSIGN_OR_RETURN(const cpu::Bandwidth bandwidth, cpu::MeasureReadBandwidth(pool));
  return Peak{.float_gflops = BestRate(pool, table.peak_floats),
              .byte_gops = BestRate(pool, table.peak_bytes),
              .read_gb_per_s = bandwidth.gb_per_s,
              .table = table.name,
              .threads = pool.threads()};
}

json::Object ToJson(const Peak& peak) {
  return {{"float_gflop_per_s", peak.float_gflops},
          {"byte_gop_per_s", peak.byte_gops},
          {"read_gb_per_s", peak.read_gb_per_s},
          {"table", peak.table},
          {"threads", peak.threads}};
}

}  // namespace ac::bench
