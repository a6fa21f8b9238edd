// Tokens per second of prefill and decode on a small synthetic model, on every runnable table.
#include <benchmark/benchmark.h>

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

const bool registered = [] {
  for (const ac_kernel_table* table : kernels::RunnableTables()) {
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
