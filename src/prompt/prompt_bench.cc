// A long agent's request on its way to token ids: parsed, rendered and tokenised, when all of it is
// new and when the conversation only went on. Real vocabulary and template of a Qwen model from the
// shared test data; skipped without them.
#include <benchmark/benchmark.h>

#include <random>
#include <string>

#include "api/api.h"
#include "base/file_system.h"
#include "json/json.h"
#include "prompt/prompt_builder.h"
#include "support/shared_data.h"
#include "tokenizer/gguf_vocab.h"
#include "weights/gguf.h"

namespace ac::prompt {
namespace {

constexpr size_t kRequestBytes = 300'000;

// Lines that look like source code: names that repeat, numbers that do not.
std::string Code(std::mt19937* random, size_t bytes) {
  static const char* const kWords[] = {"result", "Status", "buffer", "index",  "return", "const",
                                       "auto",   "string", "size_t", "vector", "if",     "while",
                                       "Parse",  "value",  "first",  "second", "client", "server"};
  std::string text;
  while (text.size() < bytes) {
    text.append(2 * ((*random)() % 4), ' ');
    const auto words = 3 + (*random)() % 6;
    for (unsigned i = 0; i < words; ++i) {
      text += kWords[(*random)() % std::size(kWords)];
      static const char* const kBetween[] = {" ", "_", "(", ") ", "::", " = ", "->", ", "};
      text += kBetween[(*random)() % std::size(kBetween)];
    }
    text += std::to_string((*random)() % 1000) + ";\n";
  }
  return text;
}

// As Claude Code asks: tools, a system prompt, then calls and their results.
std::string AgentRequest(size_t turns_more) {
  std::mt19937 random(7);
  std::string tools;
  for (int i = 0; i < 12; ++i) {
    tools += (i > 0 ? "," : "") + std::string(R"({"name":"Tool)") + std::to_string(i) +
             R"(","description":)" + json::Quote(Code(&random, 2000)) +
             R"(,"input_schema":{"type":"object","properties":{"path":{"type":"string"}}}})";
  }
  std::string messages = R"({"role":"user","content":"go"})";
  size_t turns = 0;
  const auto add_turn = [&] {
    const std::string id = "toolu_" + std::to_string(turns++);
    messages += R"(,{"role":"assistant","content":[{"type":"tool_use","id":")" + id +
                R"(","name":"Tool1","input":{"path":"src/file)" + std::to_string(turns) +
                R"(.cc"}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":")" + id +
                R"(","content":)" + json::Quote(Code(&random, 4000)) + "}]}";
  };
  while (messages.size() + tools.size() < kRequestBytes) add_turn();
  for (size_t i = 0; i < turns_more; ++i) add_turn();
  return R"({"model":"m","max_tokens":32000,"stream":true,"messages":[)" + messages +
         R"(],"system":)" + json::Quote(Code(&random, 20'000)) + R"(,"tools":[)" + tools + "]}";
}

struct Qwen {
  std::unique_ptr<tokenizer::Tokenizer> tokenizer;
  std::string chat_template;

  static const Qwen* Get() {
    static const Qwen* const loaded = Load();
    return loaded;
  }

 private:
  static const Qwen* Load() {
    auto file = weights::GgufFile::Open(testing::SharedData("vocab/ggml-vocab-qwen2.gguf"));
    const auto text = ReadFile(FileSystem::Real(),
                               testing::SharedData("templates/Qwen-Qwen2.5-7B-Instruct.jinja"));
    if (!file.ok() || !text.ok()) return nullptr;
    auto spec = tokenizer::SpecFromGgufMetadata(file->metadata());
    if (!spec.ok()) return nullptr;
    auto made = tokenizer::Tokenizer::Create(std::move(spec).value());
    if (!made.ok()) return nullptr;
    auto qwen = std::make_unique<Qwen>();
    qwen->tokenizer = std::move(made).value();
    qwen->chat_template = *text;
    return qwen.release();
  }
};

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
