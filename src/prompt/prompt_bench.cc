// A long agent's request on its way to token ids: parsed, rendered and tokenised, when all of it is
// new and when the conversation only went on. Real vocabulary and template of a Qwen model from the
// shared test data; skipped without them.
#include <benchmark/benchmark.h>

#include <string>

#include "api/api.h"
#include "prompt/prompt_builder.h"
#include "support/long_agent_request.h"

namespace ac::prompt {
namespace {

using ac::testing::AgentRequest;
using ac::testing::Qwen;

std::unique_ptr<const PromptBuilder> Builder(const Qwen& qwen) {
  return std::move(PromptBuilder::Create(*qwen.tokenizer, qwen.chat_template, "")).value();
}

size_t Build(const PromptBuilder& prompts, const std::string& body) {
  const auto request = api::ParseRequest(api::Endpoint::kMessages, body);
  return prompts.Build(*request, nullptr)->tokens.size();
}

void Report(benchmark::State& state, const std::string& body, size_t tokens) {
  state.counters["bytes"] = static_cast<double>(body.size());
  state.counters["tokens"] = static_cast<double>(tokens);
}

void BM_NewAgentRequest(benchmark::State& state) {
  const Qwen* qwen = Qwen::Get();
  if (qwen == nullptr) return state.SkipWithError("no shared test data");
  const std::string body = AgentRequest(0);
  size_t tokens = 0;
  for (auto _ : state) {
    state.PauseTiming();
    const auto prompts = Builder(*qwen);  // its cache knows nothing
    state.ResumeTiming();
    tokens = Build(*prompts, body);
  }
  Report(state, body, tokens);
}
BENCHMARK(BM_NewAgentRequest)->Unit(benchmark::kMillisecond);

void BM_AgentRequestThatGoesOn(benchmark::State& state) {
  const Qwen* qwen = Qwen::Get();
  if (qwen == nullptr) return state.SkipWithError("no shared test data");
  const std::string before = AgentRequest(0);
  const std::string body = AgentRequest(1);
  const auto prompts = Builder(*qwen);
  size_t tokens = 0;
  for (auto _ : state) {
    state.PauseTiming();
    Build(*prompts, before);
    state.ResumeTiming();
    tokens = Build(*prompts, body);
  }
  Report(state, body, tokens);
}
BENCHMARK(BM_AgentRequestThatGoesOn)->Unit(benchmark::kMillisecond);

void BM_OnlyParse(benchmark::State& state) {
  const std::string body = AgentRequest(0);
  for (auto _ : state) {
    benchmark::DoNotOptimize(api::ParseRequest(api::Endpoint::kMessages, body));
  }
}
BENCHMARK(BM_OnlyParse)->Unit(benchmark::kMillisecond);

void BM_OnlyRender(benchmark::State& state) {
  const Qwen* qwen = Qwen::Get();
  if (qwen == nullptr) return state.SkipWithError("no shared test data");
  const auto request = api::ParseRequest(api::Endpoint::kMessages, AgentRequest(0));
  const auto prompts = Builder(*qwen);
  for (auto _ : state) benchmark::DoNotOptimize(prompts->Render(*request));
}
BENCHMARK(BM_OnlyRender)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace ac::prompt
