// From the last byte of a 320 kB agent request to the event that begins its message: parsed,
// rendered, tokenised, with tools whose grammar is known or has never been seen, on an idle engine
// and on one that is busy with a long step. Real vocabulary and template of a Qwen model from the
// shared test data; skipped without them. The model behind costs nothing.
#include <benchmark/benchmark.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <future>
#include <memory>
#include <string>

#include "api/api.h"
#include "backend/local_backend.h"
#include "json/json.h"
#include "support/agent_tools.h"
#include "support/long_agent_request.h"
#include "support/toy_model.h"

namespace ac::backend {
namespace {

using ac::testing::Qwen;
using ac::testing::ToyModel;

constexpr int64_t kContext = 262'144;
constexpr int kPageTokens = 64;

// So many tools in the shapes that agents use.
std::string Tools(int count) {
  const std::vector<chat::ToolSpec> shapes = ac::testing::AgentTools();
  std::string tools;
  for (int i = 0; i < count; ++i) {
    const chat::ToolSpec& shape = shapes[static_cast<size_t>(i) % shapes.size()];
    tools += ",{\"name\":" + json::Quote(shape.name + std::to_string(i)) +
             ",\"description\":\"a tool\",\"input_schema\":" + shape.input_schema + "}";
  }
  return tools;
}

class StartSink : public chat::ChatSink {
 public:
  void OnEvent(chat::ChatEvent event) override {
    if (event.As<chat::Error>() != nullptr) std::abort();
    if (event.As<chat::MessageStart>() != nullptr) begun_.set_value();
    if (event.As<chat::MessageStop>() != nullptr) ended_.set_value();
  }
  void AwaitStart() { begun_.get_future().wait(); }
  void AwaitEnd() { ended_.get_future().wait(); }

 private:
  std::promise<void> begun_;
  std::promise<void> ended_;
};

struct Serving {
  Serving(const Qwen& qwen, std::function<void()> on_step)
      : model(static_cast<int>(qwen.tokenizer->vocab_size()), kContext) {
    model.on_forward = [on_step = std::move(on_step)](auto) {
      on_step();
      return OkStatus();
    };
    auto pool = kv::PagePool::Create(ToyModel::Layout(kPageTokens), kContext / kPageTokens);
    engine = std::make_unique<engine::Engine>(model, *qwen.tokenizer, std::move(pool).value(),
                                              engine::EngineOptions{});
    auto prompts = prompt::PromptBuilder::Create(*qwen.tokenizer, qwen.chat_template, "");
    backend = std::make_unique<LocalBackend>(*engine, *qwen.tokenizer, std::move(prompts).value(),
                                             LocalOptions{.model_id = "m"});
  }

  ToyModel model;
  std::unique_ptr<engine::Engine> engine;
  std::unique_ptr<LocalBackend> backend;
};

std::unique_ptr<Call> Ask(LocalBackend& backend, const std::string& body,
                          const std::shared_ptr<StartSink>& sink) {
  return backend.Start(std::move(api::ParseRequest(api::Endpoint::kMessages, body)).value(), sink);
}

constexpr const char* kOtherTools =
    R"({"model":"m","max_tokens":1,"messages":[{"role":"user","content":"hi"}],"tools":[)"
    R"({"name":"a","input_schema":{}}]})";

void Run(benchmark::State& state, bool known, bool busy) {
  const Qwen* qwen = Qwen::Get();
  if (qwen == nullptr) return state.SkipWithError("no shared test data");
  const std::string body = ac::testing::AgentRequest(0, Tools(static_cast<int>(state.range(0))));
  const std::string before = R"({"model":"m","max_tokens":1,"messages":[{"role":"user","content":)"
                             R"("hi"}],"tools":[)" +
                             body.substr(body.rfind("\"tools\":[") + 9);
  for (auto _ : state) {
    state.PauseTiming();
    std::promise<void> open;
    std::promise<void> stepping;
    const std::shared_future<void> opened = open.get_future().share();
    std::atomic<bool> hold{false};
    auto serving = std::make_unique<Serving>(*qwen, [&] {
      if (!hold.exchange(false)) return;
      stepping.set_value();
      opened.wait();
    });
    // The vocabulary is read once in a server's life, and not by a request.
    const auto first = std::make_shared<StartSink>();
    const auto earlier = Ask(*serving->backend, known ? before : kOtherTools, first);
    first->AwaitEnd();
    std::unique_ptr<Call> other;
    if (busy) {
      hold = true;
      other = Ask(*serving->backend, kOtherTools, std::make_shared<StartSink>());
      stepping.get_future().wait();
    }
    const auto sink = std::make_shared<StartSink>();
    state.ResumeTiming();
    auto call = Ask(*serving->backend, body, sink);
    sink->AwaitStart();
    state.PauseTiming();
    call.reset();
    open.set_value();
    other.reset();
    serving.reset();
    state.ResumeTiming();
  }
  state.counters["bytes"] = static_cast<double>(body.size());
}

void BM_BeginWithKnownTools(benchmark::State& state) { Run(state, true, false); }
void BM_BeginWithNewTools(benchmark::State& state) { Run(state, false, false); }
void BM_BeginWithKnownToolsBehindABusyEngine(benchmark::State& state) { Run(state, true, true); }
void BM_BeginWithNewToolsBehindABusyEngine(benchmark::State& state) { Run(state, false, true); }

#define AC_TOOLS Arg(30)->Arg(128)->UseRealTime()->Unit(benchmark::kMillisecond)
BENCHMARK(BM_BeginWithKnownTools)->AC_TOOLS;
BENCHMARK(BM_BeginWithNewTools)->AC_TOOLS;
BENCHMARK(BM_BeginWithKnownToolsBehindABusyEngine)->AC_TOOLS;
BENCHMARK(BM_BeginWithNewToolsBehindABusyEngine)->AC_TOOLS;

}  // namespace
}  // namespace ac::backend
