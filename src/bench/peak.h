// What this machine can do at most, measured beside whatever is compared with it.
#pragma once

#include "base/status.h"
#include "cpu/thread_pool.h"
#include "json/json.h"
#include "kernels/table.h"

namespace ac::bench {

struct Peak {
  double float_gflops = 0;   // multiplications and additions of floats, all threads, 10^9/s
  double byte_gops = 0;      // the same of 8-bit integers: products with quantised weights
  double read_gb_per_s = 0;  // from memory, all threads
  const char* table = "";
  int threads = 0;
};

// Takes about a second. Like everything timed, it shrinks when the machine is shared.
Result<Peak> MeasurePeak(const ac_kernel_table& table, cpu::ThreadPool& pool);

json::Object ToJson(const Peak& peak);

}  // namespace ac::bench
