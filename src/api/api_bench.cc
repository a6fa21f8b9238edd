// Cost of the protocol alone: a long agent's request read, a token's event written.
#include <benchmark/benchmark.h>

#include <string>

#include "api/api.h"
#include "api/codec.h"
#include "json/json.h"

namespace ac::api {
namespace {

// A conversation of about `bytes` bytes with tools, calls and results.
std::string AgentRequest(size_t bytes) {
  std::string tools, messages = R"({"role":"user","content":"go"})";
  for (int i = 0; i < 12; ++i) {
    tools += (i > 0 ? "," : "") + std::string(R"({"name":"Tool)") + std::to_string(i) +
             R"(","description":)" + json::Quote(std::string(2000, 'd')) +
             R"(,"input_schema":{"type":"object","properties":{"a":{"type":"string"}}}})";
  }
  for (int i = 0; messages.size() + tools.size() < bytes; ++i) {
    const std::string id = "toolu_" + std::to_string(i);
    messages += R"(,{"role":"assistant","content":[{"type":"tool_use","id":")";
    messages += id;
    messages += R"(","name":"Tool1","input":{"a":"b"}}]},{"role":"user","content":[)";
    messages += R"({"type":"tool_result","tool_use_id":")";
    messages += id;
    messages += R"(","content":)" + json::Quote(std::string(1500, 'x') + "\n\"l\"\n") + "}]}";
  }
  return R"({"model":"m","max_tokens":32000,"stream":true,"messages":[)" + messages +
         R"(],"tools":[)" + tools + "]}";
}

void BM_ParseAgentRequest(benchmark::State& state) {
  const std::string body = AgentRequest(static_cast<size_t>(state.range(0)));
  for (auto _ : state) {
    benchmark::DoNotOptimize(ParseRequest(Endpoint::kMessages, body));
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(body.size()));
}
BENCHMARK(BM_ParseAgentRequest)->Arg(50'000)->Arg(300'000);

void BM_EncodeTextDelta(benchmark::State& state) {
  const auto endpoint = static_cast<Endpoint>(state.range(0));
  const auto encoder = MakeEventEncoder(endpoint, {});
  std::string out;
  encoder->Encode({chat::MessageStart{"msg_1", "m", {}, {}}}, &out);
  encoder->Encode({chat::BlockStart{0, {chat::Text{}, ""}}}, &out);
  for (auto _ : state) {
    out.clear();
    encoder->Encode({chat::TextDelta{0, " token", {}}}, &out);
    benchmark::DoNotOptimize(out);
  }
}
BENCHMARK(BM_EncodeTextDelta)
    ->Arg(static_cast<int>(Endpoint::kMessages))
    ->Arg(static_cast<int>(Endpoint::kChatCompletions))
    ->Arg(static_cast<int>(Endpoint::kResponses));

}  // namespace
}  // namespace ac::api
