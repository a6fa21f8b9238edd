// How long a mask takes, per token of a tool call and at worst, and a set of tools to compile.
// Uses a real vocabulary of 152k tokens where the shared test data has one, and the same with pairs
// of its tokens up to 248k.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>

#include "grammar/json_schema.h"
#include "grammar/matcher.h"
#include "grammar/pieces.h"
#include "support/agent_tools.h"
#include "support/shared_data.h"
#include "support/test_vocab.h"

namespace ac::grammar {
namespace {

const tokenizer::Tokenizer* RealTokenizer() {
  static const auto tokenizer = [] {
    const std::string path = ac::testing::SharedData("vocab/ggml-vocab-qwen2.gguf");
    Result<std::unique_ptr<tokenizer::Tokenizer>> loaded = ac::testing::LoadTestVocab(path);
    return loaded.ok() ? std::move(loaded).value() : nullptr;
  }();
  return tokenizer.get();
}

std::shared_ptr<const Vocabulary> RealVocabulary() {
  if (RealTokenizer() == nullptr) return nullptr;
  static const auto vocabulary = std::make_shared<const Vocabulary>(*RealTokenizer());
  return vocabulary;
}

std::shared_ptr<const Vocabulary> LargeVocabulary() {
  if (RealTokenizer() == nullptr) return nullptr;
  // The ids of the real one mean the same here.
  static const auto tokenizer = ac::testing::EnlargeVocab(*RealTokenizer(), 248'000);
  if (!tokenizer.ok()) return nullptr;
  static const auto vocabulary = std::make_shared<const Vocabulary>(**tokenizer);
  return vocabulary;
}

Result<Program> CompileTools(size_t count) {
  const std::vector<chat::ToolSpec> tools = ac::testing::AgentTools();
  ProgramBuilder builder;
  std::vector<Piece> pieces;
  for (size_t i = 0; i < count; ++i) {
    const chat::ToolSpec& tool = tools[i % tools.size()];
    AC_ASSIGN_OR_RETURN(const json::Value schema, json::Parse(tool.input_schema));
    SchemaCompiler compiler(builder, schema, nullptr);
    AC_ASSIGN_OR_RETURN(Piece arguments, compiler.CompileRoot());
    pieces.push_back(Sequence({Text("{\"name\": \"" + tool.name + "\", \"arguments\": "),
                               std::move(arguments), Text("}")}));
  }
  return builder.Build(OneOf(std::move(pieces)));
}

constexpr std::string_view kCall =
    R"({"name": "Edit", "arguments": {"file_path": "/home/user/src/main.cc", "old_string": )"
    R"("int main() {\n  return 1;\n}\n", "new_string": "int main(int argc, char** argv) {\n )"
    R"( std::printf(\"%d\\n\", argc);\n  return 0;\n}\n", "replace_all": false}})";

// All tokens of one call; items are tokens. Cold: a grammar whose masks nobody asked for yet.
void BM_MasksOfACall(benchmark::State& state) {
  const auto vocabulary = state.range(1) > 152 ? LargeVocabulary() : RealVocabulary();
  if (vocabulary == nullptr) return state.SkipWithError("no shared test data");
  const bool cold = state.range(0) != 0;
  const std::vector<int32_t> tokens = RealTokenizer()->Encode(kCall);
  const auto make = [&] {
    return std::make_shared<const Grammar>(std::move(CompileTools(30)).value(), vocabulary);
  };
  auto grammar = make();
  double worst = 0;
  for (auto _ : state) {
    state.PauseTiming();
    if (cold) grammar = make();
    Matcher matcher(grammar);
    state.ResumeTiming();
    for (const int32_t token : tokens) {
      const auto begin = std::chrono::steady_clock::now();
      benchmark::DoNotOptimize(matcher.Mask().data());
      const std::chrono::duration<double, std::micro> took =
          std::chrono::steady_clock::now() - begin;
      worst = std::max(worst, took.count());
      if (!matcher.AcceptToken(token)) return state.SkipWithError("the call does not match");
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(tokens.size()));
  state.counters["worst_us"] = worst;
  state.counters["us_per_token"] = benchmark::Counter(
      static_cast<double>(state.iterations()) * static_cast<double>(tokens.size()) / 1e6,
      benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(BM_MasksOfACall)
    ->ArgNames({"cold", "thousand_tokens"})
    ->ArgsProduct({{0, 1}, {152, 248}})
    ->Unit(benchmark::kMicrosecond);

void BM_CompileTools(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(CompileTools(static_cast<size_t>(state.range(0))));
  }
}
BENCHMARK(BM_CompileTools)->Arg(30)->Arg(128)->Unit(benchmark::kMillisecond);

void BM_ReadVocabulary(benchmark::State& state) {
  const auto vocabulary = RealVocabulary();
  if (vocabulary == nullptr) return state.SkipWithError("no shared test data");
  for (auto _ : state) benchmark::DoNotOptimize(Vocabulary(vocabulary->tokenizer()));
}
BENCHMARK(BM_ReadVocabulary)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace ac::grammar
