// How long the tools of an agent take to be ready, and what masks of prose cost that may turn into
// a call. With a real vocabulary of 152k tokens, made larger, where the shared test data has one.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>

#include "backend/reply_grammar.h"
#include "support/agent_tools.h"
#include "support/shared_data.h"
#include "support/test_vocab.h"

namespace ac::backend {
namespace {

using Milliseconds = std::chrono::duration<double, std::milli>;

const tokenizer::Tokenizer* LargeTokenizer() {
  static const auto tokenizer = []() -> std::unique_ptr<tokenizer::Tokenizer> {
    auto real = ac::testing::LoadTestVocab(ac::testing::SharedData("vocab/ggml-vocab-qwen2.gguf"));
    if (!real.ok()) return nullptr;
    auto large = ac::testing::EnlargeVocab(**real, 248'000);
    return large.ok() ? std::move(*large) : nullptr;
  }();
  return tokenizer.get();
}

chat::ChatRequest Request(size_t tools) {
  chat::ChatRequest request;
  const std::vector<chat::ToolSpec> some = ac::testing::AgentTools();
  for (size_t i = 0; i < tools; ++i) {
    request.tools.push_back(some[i % some.size()]);
    request.tools.back().name += std::to_string(i);
  }
  return request;
}

// New tools for a running server, up to the first mask; then the same tools again.
void BM_ToolsReady(benchmark::State& state) {
  if (LargeTokenizer() == nullptr) return state.SkipWithError("no shared test data");
  ReplyGrammars grammars(*LargeTokenizer(), toolcall::Family::kHermes, "");
  grammars.Prepare();
  chat::ChatRequest request = Request(static_cast<size_t>(state.range(0)));
  std::vector<double> cold, cached;
  for (auto _ : state) {
    request.tools[0].name += "x";
    for (std::vector<double>* times : {&cold, &cached}) {
      const auto begin = std::chrono::steady_clock::now();
      auto constraint = grammars.For(request, request.tools, false);
      if (!constraint.ok()) return state.SkipWithError("no grammar");
      benchmark::DoNotOptimize((*constraint)->Fork()->Allowed().data());
      times->push_back(Milliseconds(std::chrono::steady_clock::now() - begin).count());
    }
  }
  for (std::vector<double>* times : {&cold, &cached}) std::sort(times->begin(), times->end());
  state.counters["cold_ms"] = cold[cold.size() / 2];
  state.counters["cached_ms"] = cached[cached.size() / 2];
}
BENCHMARK(BM_ToolsReady)->Arg(30)->Arg(128)->Iterations(20)->Unit(benchmark::kMillisecond);

// Prose with code and quotes in it, token by token, with masks that nobody asked for yet.
void BM_MasksOfProse(benchmark::State& state) {
  if (LargeTokenizer() == nullptr) return state.SkipWithError("no shared test data");
  ReplyGrammars grammars(*LargeTokenizer(), toolcall::Family::kHermes, "");
  chat::ChatRequest request = Request(30);
  const std::vector<int32_t> tokens = LargeTokenizer()->Encode(
      "I'll look at `main.cc` first. It says \"hello\" in:\n```cpp\nint main() {\n  return x < 1;"
      "\n}\n```\nThe fix is *small*: replace the **literal**, as in <b>this</b> line.\n\n- one\n");
  double worst = 0, total = 0;
  int64_t count = 0;
  for (auto _ : state) {
    request.tools[0].name += "x";
    auto constraint = grammars.For(request, request.tools, false);
    if (!constraint.ok()) return state.SkipWithError("no grammar");
    const auto reply = (*constraint)->Fork();
    for (const int32_t token : tokens) {
      const auto begin = std::chrono::steady_clock::now();
      benchmark::DoNotOptimize(reply->Allowed().data());
      const double took = Milliseconds(std::chrono::steady_clock::now() - begin).count();
      worst = std::max(worst, took);
      total += took;
      ++count;
      if (!reply->Accept(token)) return state.SkipWithError("prose was refused");
    }
  }
  state.counters["worst_ms"] = worst;
  state.counters["us_per_token"] = 1e3 * total / static_cast<double>(count);
}
BENCHMARK(BM_MasksOfProse)->Iterations(20)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace ac::backend
