// Cost of reading a reply token by token: prose, and a call with a long argument.
#include <benchmark/benchmark.h>

#include "json/json.h"
#include "toolcall/test_tools.h"
#include "toolcall/toolcall.h"

namespace ac::toolcall {
namespace {

constexpr size_t kTokenBytes = 4;

void Read(Family family, const std::string& text, benchmark::State& state) {
  const std::vector<chat::ToolSpec> tools = testing::CodingTools();
  std::vector<Event> events;
  for (auto _ : state) {
    const auto parser = MakeParser(family, {.tools = tools});
    for (size_t i = 0; i < text.size(); i += kTokenBytes) {
      events.clear();
      parser->Feed(std::string_view(text).substr(i, kTokenBytes), &events);
    }
    parser->Finish(false, &events);
    benchmark::DoNotOptimize(events);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(text.size() / kTokenBytes));
}

void BM_Prose(benchmark::State& state) {
  std::string text;
  while (text.size() < 40'000) text += "Some prose with `code` and a < b.\n";
  Read(static_cast<Family>(state.range(0)), text, state);
}
BENCHMARK(BM_Prose)
    ->Arg(static_cast<int>(Family::kHermes))
    ->Arg(static_cast<int>(Family::kHarmony));

void BM_LongCall(benchmark::State& state) {
  const auto family = static_cast<Family>(state.range(0));
  std::string content;
  while (content.size() < 40'000) content += "<b>line</b> \"x\"\n";
  const chat::ToolUse call{"toolu_1", "Write",
                           "{\"file_path\":\"/a\",\"content\":" + json::Quote(content) + "}"};
  Read(family, RenderCalls(family, {&call, 1}), state);
}
BENCHMARK(BM_LongCall)
    ->Arg(static_cast<int>(Family::kHermes))
    ->Arg(static_cast<int>(Family::kQwenXml))
    ->Arg(static_cast<int>(Family::kLlama3))
    ->Arg(static_cast<int>(Family::kGlm));

}  // namespace
}  // namespace ac::toolcall
