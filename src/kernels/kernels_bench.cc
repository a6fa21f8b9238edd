// One thread's speed at products and attention, on every runnable table. Rates are per second of
// CPU time, so that a busy machine disturbs them less.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "kernels/kernels.h"
#include "kernels/select.h"
#include "quant/quant.h"

namespace ac::kernels {
namespace {

constexpr int64_t kRows = 4096;

std::vector<float> Random(int64_t n) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<size_t>(n));
  for (float& v : values) v = normal(random);
  return values;
}

void MatMul(benchmark::State& state, const ac_kernel_table* table, ac_quant_type type) {
  const int64_t tokens = state.range(0);
  const int64_t cols = state.range(1);
  const size_t row_bytes = quant::RowBytes(type, cols).value();
  std::vector<unsigned char> bytes(static_cast<size_t>(kRows) * row_bytes);
  const auto row = Random(cols);
  (void)quant::QuantizeRow(type, row.data(), cols, bytes.data());
  for (size_t at = row_bytes; at < bytes.size(); at += row_bytes) {
    std::copy_n(bytes.begin(), row_bytes, bytes.begin() + static_cast<std::ptrdiff_t>(at));
  }
  ac_matrix weights = {};
  weights.type = type;
  weights.rows = kRows;
  weights.cols = cols;
  weights.data = bytes.data();
  weights.row_bytes = row_bytes;
  cpu::ThreadPool pool(cpu::ThreadPool::Options{.threads = 1});
  Kernels kernels(*table, pool);
  const auto x = Random(tokens * cols);
  std::vector<float> out(static_cast<size_t>(tokens * kRows));
  const Product product{x.data(), tokens, &weights, nullptr, out.data(), 0};
  for (auto _ : state) {
    kernels.MatMul({&product, 1});
    benchmark::DoNotOptimize(out.data());
  }
  const auto runs = static_cast<double>(state.iterations());
  state.counters["GFLOP/s"] = benchmark::Counter(
      runs * 2e-9 * static_cast<double>(tokens * kRows * cols), benchmark::Counter::kIsRate);
  state.counters["GB/s"] = benchmark::Counter(runs * 1e-9 * static_cast<double>(bytes.size()),
                                              benchmark::Counter::kIsRate);
}

// One sequence of a model with 32 heads over 8 KV heads of 128 dimensions, bf16 cache.
void Attention(benchmark::State& state, const ac_kernel_table* table) {
  constexpr int32_t kHeads = 32, kKvHeads = 8, kDim = 128;
  const int64_t tokens = state.range(0), depth = state.range(1), context = depth + tokens;
  ac_kv_view kv = {};
  kv.type = AC_KV_BF16;
  kv.page_tokens = 64;
  kv.n_kv_heads = kKvHeads;
  kv.head_dim = kDim;
  kv.head_bytes = size_t{64} * kDim * 2;
  kv.value_offset = kKvHeads * kv.head_bytes;
  const auto page_bytes = 2 * kv.value_offset;
  std::vector<unsigned char> memory(static_cast<size_t>((context + 63) / 64) * page_bytes);
  std::vector<unsigned char*> pages;
  for (size_t at = 0; at < memory.size(); at += page_bytes) pages.push_back(&memory[at]);
  kv.pages = pages.data();
  const auto k = Random(context * kKvHeads * kDim);
  table->kv_write(&kv, 0, context, k.data(), k.data());
  const auto q = Random(tokens * kHeads * kDim);
  std::vector<float> out(q.size());
  const ac_attention attention{q.data(), out.data(), tokens, depth, kHeads, 0.088f, 0, kv};
  cpu::ThreadPool pool(cpu::ThreadPool::Options{.threads = 1});
  Kernels kernels(*table, pool);
  for (auto _ : state) {
    kernels.Attention({&attention, 1});
    benchmark::DoNotOptimize(out.data());
  }
  const auto runs = static_cast<double>(state.iterations());
  const double pairs =
      static_cast<double>(tokens) * static_cast<double>(2 * depth + tokens + 1) / 2;
  state.counters["GFLOP/s"] =
      benchmark::Counter(runs * 4e-9 * kHeads * kDim * pairs, benchmark::Counter::kIsRate);
  state.counters["GB/s"] =
      benchmark::Counter(runs * 1e-9 * static_cast<double>(context * kKvHeads * kDim * 4),
                         benchmark::Counter::kIsRate);
}

const bool registered = [] {
  for (const ac_kernel_table* table : RunnableTables()) {
    const std::string suffix = std::string("/") + table->name;
    for (ac_quant_type type : {AC_Q4_0, AC_Q4_K, AC_Q6_K, AC_Q8_0, AC_Q5_0, AC_F16}) {
      benchmark::RegisterBenchmark(
          ("matmul" + suffix + "/" + std::string(quant::InfoOf(type).name)).c_str(),
          [=](benchmark::State& state) { MatMul(state, table, type); })
          ->ArgsProduct({{1, 2, 3, 4, 6, 8, 12, 16, 32, 256}, {4096}})
          ->Unit(benchmark::kMillisecond);
    }
    benchmark::RegisterBenchmark(("attention" + suffix).c_str(),
                                 [=](benchmark::State& state) { Attention(state, table); })
        ->Args({1, 4096})
        ->Args({256, 0})
        ->Args({256, 2048})
        ->Unit(benchmark::kMillisecond);
  }
  return true;
}();

}  // namespace
}  // namespace ac::kernels
