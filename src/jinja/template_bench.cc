// Rendering the size of request that a coding agent sends: tools with large schemas, long texts.
#include <benchmark/benchmark.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdlib>
#include <string>

#include "base/file_system.h"
#include "jinja/template.h"

namespace ac::jinja {
namespace {

json::Object Schema(int parameters) {
  json::Object properties;
  for (int i = 0; i < parameters; ++i) {
    json::Object one{{"type", i % 3 == 0 ? "string" : "integer"},
                     {"description", std::string(250, 'd')}};
    if (i % 4 == 0) one["enum"] = json::Array{"first", "second", "third"};
    properties["parameter_" + std::to_string(i)] = std::move(one);
  }
  return {{"type", "object"},
          {"properties", std::move(properties)},
          {"required", json::Array{"parameter_0"}}};
}

// 18 tools with some 60 kB of schemas, a 20 kB system prompt and 12 messages of 30 kB together.
json::Object AgentRequest() {
  json::Array tools, messages;
  for (int i = 0; i < 18; ++i) {
    tools.push_back(json::Object{{"type", "function"},
                                 {"function", json::Object{{"name", "tool_" + std::to_string(i)},
                                                           {"description", std::string(1000, 't')},
                                                           {"parameters", Schema(8)}}}});
  }
  messages.push_back(json::Object{{"role", "system"}, {"content", std::string(20'000, 's')}});
  for (int i = 0; i < 4; ++i) {
    messages.push_back(json::Object{{"role", "user"}, {"content", std::string(2'500, 'u')}});
    messages.push_back(json::Object{
        {"role", "assistant"},
        {"content", "Let me look."},
        {"tool_calls",
         json::Array{json::Object{
             {"type", "function"},
             {"function",
              json::Object{{"name", "tool_1"}, {"arguments", json::Object{{"path", "a"}}}}}}}}});
    messages.push_back(json::Object{{"role", "tool"}, {"content", std::string(5'000, 'r')}});
  }
  return {{"messages", std::move(messages)},
          {"tools", std::move(tools)},
          {"add_generation_prompt", true}};
}

constexpr const char* kOwnTemplate = R"(
{%- macro text(content) -%}{{ content if content is string else content|map(attribute='text')|join }}{%- endmacro -%}
{{- '<|im_start|>system\n' }}
{%- if messages[0].role == 'system' %}{{- text(messages[0].content) + '\n\n' }}{%- endif %}
{%- for tool in tools %}{{- '\n' ~ (tool|tojson) }}{%- endfor %}
{{- '<|im_end|>\n' }}
{%- for message in messages %}
  {%- if message.role == 'user' or message.role == 'tool' %}
    {{- '<|im_start|>' + message.role + '\n' + text(message.content) + '<|im_end|>' + '\n' }}
  {%- elif message.role == 'assistant' %}
    {{- '<|im_start|>assistant\n' + message.content }}
    {%- for call in message.tool_calls %}
      {{- '\n<tool_call>\n' ~ call.function.name ~ (call.function.arguments|tojson) ~ '\n</tool_call>' }}
    {%- endfor %}
    {{- '<|im_end|>\n' }}
  {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %})";

void RenderBenchmark(benchmark::State& state, const std::string& source) {
  const auto parsed = Template::Parse(source, "bench");
  const json::Value context = AgentRequest();
  size_t bytes = 0;
  for (auto unused : state) {
    const auto result = (*parsed)->Render(context);
    if (!result.ok()) return state.SkipWithError(result.status().message().c_str());
    bytes = result->size();
    benchmark::DoNotOptimize(result->data());
  }
  state.counters["prompt_bytes"] = static_cast<double>(bytes);
  state.SetBytesProcessed(static_cast<int64_t>(bytes) * static_cast<int64_t>(state.iterations()));
}

void RenderOwn(benchmark::State& state) { RenderBenchmark(state, kOwnTemplate); }
BENCHMARK(RenderOwn)->Unit(benchmark::kMicrosecond);

// A published template, when the shared data is there.
void RenderShared(benchmark::State& state, const char* name) {
  const char* folder = std::getenv("AC_SHARED_DIR");
  const auto source =
      ReadFile(FileSystem::Real(), std::string(folder == nullptr ? "../shared" : folder) +
                                       "/data/templates/" + name + ".jinja");
  if (!source.ok())
    return state.SkipWithError("shared test data not on this machine (set AC_SHARED_DIR)");
  RenderBenchmark(state, *source);
}
BENCHMARK_CAPTURE(RenderShared, qwen3_coder, "Qwen3-Coder")->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(RenderShared, qwen3, "Qwen-Qwen3-0.6B")->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(RenderShared, gpt_oss, "openai-gpt-oss-120b")->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(RenderShared, hermes_3, "NousResearch-Hermes-3-Llama-3.1-8B-tool_use")
    ->Unit(benchmark::kMicrosecond);

void ParseOwn(benchmark::State& state) {
  for (auto unused : state) benchmark::DoNotOptimize(Template::Parse(kOwnTemplate, "bench").ok());
}
BENCHMARK(ParseOwn)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace ac::jinja
