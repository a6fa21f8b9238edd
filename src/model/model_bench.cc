// Tokens per second of prefill and decode on a small synthetic model, on every runnable table.
#include <benchmark/benchmark.h>

#include <cstring>
#include <string>

#include "support/model_runner.h"
#include "weights/synth.h"

namespace ac::model {
namespace {

// Large enough to leave the caches of a core, small enough to write in a second.
std::string ModelPath(const std::string& quant) {
  const std::string path = "/tmp/anyclaude-bench-" + quant + ".gguf";
  if (!FileSystem::Real().Exists(path)) {
    const auto recipe = weights::RecipeByName(quant);
    const Status status =
        weights::Synthesize({"qwen2.5-coder-0.5b", *recipe, 1}, path, FileSystem::Real(), {});
    if (!status.ok()) return {};
  }
  return path;
}

std::vector<TokenId> Prompt(int64_t count) {
  std::vector<TokenId> tokens;
  for (int64_t i = 0; i < count; ++i) tokens.push_back(static_cast<TokenId>(i * 31 % 1000));
  return tokens;
}

void Prefill(benchmark::State& state, const ac_kernel_table* table, const std::string& quant) {
  auto runner = testing::ModelRunner::Open(ModelPath(quant), {.table = table});
  if (!runner.ok()) return state.SkipWithError(runner.status().message().c_str());
  const auto prompt = Prompt(state.range(0));
  for (auto _ : state) {
    testing::ModelRunner::Sequence sequence;
    benchmark::DoNotOptimize((*runner)->Run({{&sequence, prompt}}));
    (*runner)->Free(sequence);
  }
  state.counters["tok/s"] = benchmark::Counter(
      static_cast<double>(state.iterations() * state.range(0)), benchmark::Counter::kIsRate);
}

void Decode(benchmark::State& state, const ac_kernel_table* table, const std::string& quant) {
  auto runner = testing::ModelRunner::Open(ModelPath(quant), {.table = table});
  if (!runner.ok()) return state.SkipWithError(runner.status().message().c_str());
  testing::ModelRunner::Sequence sequence;
  benchmark::DoNotOptimize((*runner)->Run({{&sequence, Prompt(state.range(0))}}));
  for (auto _ : state) {
    benchmark::DoNotOptimize((*runner)->Run({{&sequence, {1}}}));
    --sequence.length;  // always the same depth
  }
  state.counters["tok/s"] =
      benchmark::Counter(static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

// One step of several sequences at a depth, each with a few tokens (more than one: guesses). Depth
// is memory that was never computed: attention takes as long over zeros. `shared`: all of it is one
// prefix.
void Batch(benchmark::State& state, const ac_kernel_table* table, bool shared) {
  const auto sequences = static_cast<size_t>(state.range(0));
  const int64_t depth = state.range(1);
  const auto tokens = static_cast<size_t>(state.range(2));
  const auto pages = static_cast<int>(depth / kv::kPageTokens + 2);
  auto runner = testing::ModelRunner::Open(
      ModelPath("q4_k_m"), {.table = table,
                            .kv_type = kv::KvType::kBF16,
                            .pages = pages * static_cast<int>(shared ? 2 : sequences) + 32});
  if (!runner.ok()) return state.SkipWithError(runner.status().message().c_str());
  std::vector<testing::ModelRunner::Sequence> all(sequences);
  for (auto& sequence : all) {
    if (shared && &sequence != &all.front()) sequence.pages = all.front().pages;
    sequence.length = depth / kv::kPageTokens * kv::kPageTokens;
    while (static_cast<int64_t>(sequence.pages.size()) * kv::kPageTokens < sequence.length) {
      auto page = (*runner)->pool().Allocate();
      std::memset((*runner)->pool().data(*page), 0, (*runner)->pool().layout().page_bytes());
      sequence.pages.push_back(*page);
    }
  }
  const std::vector<TokenId> input(tokens, 7);
  for (auto _ : state) {
    std::vector<testing::ModelRunner::Input> inputs;
    for (auto& sequence : all) inputs.push_back({&sequence, input, LogitRows::kAll});
    benchmark::DoNotOptimize((*runner)->Run(std::move(inputs)));
    for (auto& sequence : all) sequence.length -= static_cast<int64_t>(tokens);
  }
  state.counters["tok/s"] = benchmark::Counter(
      static_cast<double>(state.iterations()) * static_cast<double>(sequences * tokens),
      benchmark::Counter::kIsRate);
}

void RegisterBatches(const ac_kernel_table* table) {
  const auto add = [&](const std::string& name, bool shared) {
    return benchmark::RegisterBenchmark(
               (name + "/" + table->name).c_str(),
               [=](benchmark::State& state) { Batch(state, table, shared); })
        ->Unit(benchmark::kMillisecond)
        ->UseRealTime();
  };
  auto* short_ones = add("batch", false);
  for (const int64_t n : {1, 2, 4, 8, 16}) short_ones->Args({n, 64, 1});
  auto* deep = add("batch", false);
  for (const int64_t n : {1, 8}) deep->Args({n, 18490, 1});
  auto* one_prefix = add("batch_over_one_prefix", true);
  for (const int64_t n : {1, 2, 4, 8, 16}) one_prefix->Args({n, 18490, 1});
  auto* verify = add("verify", false);
  for (const int64_t n : {1, 2, 3, 4, 5, 6, 8, 12, 16, 24}) verify->Args({1, 2048, n});
}

const bool registered = [] {
  for (const ac_kernel_table* table : kernels::RunnableTables()) {
    RegisterBatches(table);
    for (const std::string quant : {"q4_0", "q4_k_m", "q8_0"}) {
      const std::string suffix = std::string("/") + table->name + "/" + quant;
      benchmark::RegisterBenchmark(("prefill" + suffix).c_str(),
                                   [=](benchmark::State& state) { Prefill(state, table, quant); })
          ->Arg(512)
          ->Unit(benchmark::kMillisecond)
          ->UseRealTime();
      benchmark::RegisterBenchmark(("decode" + suffix).c_str(),
                                   [=](benchmark::State& state) { Decode(state, table, quant); })
          ->Arg(16)
          ->Arg(2048)
          ->Unit(benchmark::kMillisecond)
          ->UseRealTime();
    }
  }
  return true;
}();

}  // namespace
}  // namespace ac::model
