// Rates of single kernels: products of every weight format, attention over every cache type.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bench/peak.h"
#include "bench/spread.h"

namespace ac::bench {

struct KernelRate {
  std::string kernel;
  int64_t tokens = 0;
  int64_t depth = 0;  // attention only
  Spread seconds;
  double gflop_per_s = 0;
  double gb_per_s = 0;         // of weights, or of keys and values, read once
  double percent_of_peak = 0;  // one token: of the read bandwidth; more: of the products' peak
};

struct KernelOptions {
  int64_t rows = 4096;
  int64_t cols = 4096;
  int64_t tokens = 256;  // beside one token
  int64_t depth = 4096;
  int repetitions = 5;
};

void MeasureKernels(const ac_kernel_table& table, cpu::ThreadPool& pool,
                    const KernelOptions& options, const Peak& peak,
                    const std::function<void(const KernelRate&)>& on_result);

json::Object ToJson(const KernelRate& rate);

}  // namespace ac::bench
