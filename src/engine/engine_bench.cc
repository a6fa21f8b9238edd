// The engine over a synthetic model of a real shape: many sequences, speculation, grammars, and
// streams beside long prompts.
//
// Weights are random, so a replay decides what the model says: every forward pass is computed in
// full, then the logits of the next scripted token win. Each benchmark measures both sides in one
// run, in turn, and reports the median of their ratios; it takes about a minute on two cores.
// AC_BENCH_SHAPE, AC_BENCH_LAYERS (only the first so many), AC_BENCH_QUANT and
// AC_BENCH_PROMPT_TOKENS choose other sizes.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdlib>
#include <functional>

#include "engine/engine.h"
#include "engine/load_draft.h"
#include "engine/loaded_model.h"
#include "grammar/json_schema.h"
#include "grammar/matcher.h"
#include "json/json.h"
#include "support/collecting_sink.h"
#include "weights/synth.h"

namespace ac::engine {
namespace {

using ac::testing::CollectingSink;

std::string Setting(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : value;
}

// `layers`: only the first so many; 0: all.
std::unique_ptr<LoadedModel> OpenShape(
    int layers = std::atoi(Setting("AC_BENCH_LAYERS", "0").c_str())) {
  const std::string shape = Setting("AC_BENCH_SHAPE", "qwen2.5-coder-0.5b");
  const std::string quant = Setting("AC_BENCH_QUANT", "q4_0");
  const std::string path = "/tmp/anyclaude-bench-" + shape + "-" + quant +
                           (layers > 0 ? "-" + std::to_string(layers) : "") + ".gguf";
  const auto recipe = weights::RecipeByName(quant);
  if (!recipe) return nullptr;
  if (!FileSystem::Real().Exists(path) &&
      !weights::Synthesize({shape, *recipe, 1, layers}, path, FileSystem::Real(), {}).ok()) {
    return nullptr;
  }
  auto loaded = LoadedModel::Load(path, {});
  return loaded.ok() ? std::move(loaded).value() : nullptr;
}

// A token that depends on its place and nothing else; three in a row hardly ever occur twice. Only
// bytes: the rest of a synthetic vocabulary stands for no text and is never generated.
TokenId Noise(int64_t place) {
  auto x = static_cast<uint64_t>(place) * 0x9e3779b97f4a7c15u;
  x ^= x >> 31;
  return static_cast<TokenId>((x * 0xbf58476d1ce4e5b9u >> 20) % 250);
}

// Computes what the model computes and says what the script says at that position.
class Replay : public model::ForwardModel {
 public:
  using Script = std::function<TokenId(int64_t position)>;
  Replay(model::ForwardModel& inner, Script script) : inner_(inner), script_(std::move(script)) {}
  int vocab_size() const override { return inner_.vocab_size(); }
  int64_t context_length() const override { return inner_.context_length(); }
  Status Forward(std::span<const model::Chunk> batch, kv::PagePool& pages, float* logits) override {
    AC_RETURN_IF_ERROR(inner_.Forward(batch, pages, logits));
    for (const model::Chunk& chunk : batch) {
      if (chunk.logits == model::LogitRows::kNone) continue;
      const auto count = static_cast<int64_t>(chunk.tokens.size());
      for (int64_t i = chunk.logits == model::LogitRows::kAll ? 0 : count - 1; i < count; ++i) {
        logits[script_(chunk.position + i + 1)] = 1e4f;
        logits += vocab_size();
      }
    }
    return OkStatus();
  }

 private:
  model::ForwardModel& inner_;
  const Script script_;
};

GenerateRequest Ask(std::vector<TokenId> prompt, int64_t tokens) {
  GenerateRequest request;
  request.prompt = std::move(prompt);
  request.max_tokens = tokens;
  request.ignore_end_tokens = true;
  request.sampling.temperature = 0;
  return request;
}

kv::PagePool Pages(const LoadedModel& model, int64_t tokens) {
  const kv::PageLayout layout = model.model().Layout(kv::KvType::kBF16);
  return kv::PagePool::Create(layout, tokens / layout.page_tokens + 16).value();
}

double DecodeSeconds(Engine& engine, const GenerateRequest& request) {
  auto sink = std::make_shared<CollectingSink>();
  if (!engine.Submit(request, sink).ok()) return 0;
  for (int i = 0; i < 200 && !sink->Wait(); ++i) {
  }
  return Seconds(sink->info.decode);
}

double MiddleOf(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

// Decodes one scripted answer with and without speculation.
void Compare(benchmark::State& state, const Replay::Script& script,
             const std::vector<TokenId>& prompt, int64_t answer, LoadedModel* draft) {
  const auto loaded = OpenShape();
  if (loaded == nullptr) return state.SkipWithError("no model");
  Replay model(*loaded, script);
  const auto tokens = static_cast<int64_t>(prompt.size()) + answer + 64;
  EngineOptions guessing;
  if (draft != nullptr) {
    auto made = MakeDraftModel(*draft);
    if (!made.ok()) return state.SkipWithError(made.status().message().c_str());
    guessing.draft = *made;
  }
  Engine plain(model, loaded->tokenizer(), Pages(*loaded, tokens),
               {.speculation = Speculation::kOff});
  Engine fast(model, loaded->tokenizer(), Pages(*loaded, tokens), guessing);
  const GenerateRequest request = Ask(prompt, answer);
  std::vector<double> slow_s, fast_s, ratios;
  for (auto _ : state) {
    // The engines share the model: one after the other.
    slow_s.push_back(DecodeSeconds(plain, request));
    fast_s.push_back(DecodeSeconds(fast, request));
    ratios.push_back(slow_s.back() / fast_s.back());
  }
  const EngineStats stats = fast.stats();
  state.counters["plain_tok/s"] = static_cast<double>(answer) / MiddleOf(slow_s);
  state.counters["guessing_tok/s"] = static_cast<double>(answer) / MiddleOf(fast_s);
  state.counters["times"] = MiddleOf(ratios);
  state.counters["guesses_right"] = static_cast<double>(stats.guessed_right) /
                                    std::max(1.0, static_cast<double>(stats.guessed_tokens));
}

constexpr int64_t kFile = 400;

// A file in context, an answer that is the file with an edit every 60 tokens.
void EditReplay(benchmark::State& state) {
  std::vector<TokenId> prompt;
  for (int64_t i = 0; i < kFile; ++i) prompt.push_back(Noise(i));
  for (int64_t i = 0; i < 40; ++i) prompt.push_back(Noise(900'000 + i));
  const auto start = static_cast<int64_t>(prompt.size());
  const auto script = [start](int64_t position) {
    const int64_t i = position - start;
    return i % 60 >= 55 ? Noise(1'000'000 + i) : Noise(i % kFile);
  };
  Compare(state, script, prompt, 240, nullptr);
}

void NothingRepeats(benchmark::State& state) {
  std::vector<TokenId> prompt;
  for (int64_t i = 0; i < kFile; ++i) prompt.push_back(Noise(i));
  Compare(
      state, [](int64_t position) { return Noise(position); }, prompt, 120, nullptr);
}

// A draft model that is never right: it must get out of the way.
void UselessDraft(benchmark::State& state) {
  const auto draft = OpenShape(/*layers=*/1);
  if (draft == nullptr) return state.SkipWithError("no draft model");
  std::vector<TokenId> prompt;
  for (int64_t i = 0; i < kFile; ++i) prompt.push_back(Noise(i));
  Compare(
      state, [](int64_t position) { return Noise(position); }, prompt, 240, draft.get());
}

// Holds a reply to a grammar, as the backend does, without forced text.
class Held : public TokenConstraint {
 public:
  explicit Held(std::shared_ptr<const grammar::Grammar> grammar) : matcher_(std::move(grammar)) {}
  std::unique_ptr<TokenConstraint> Fork() const override { return std::make_unique<Held>(*this); }
  std::span<const uint64_t> Allowed() override { return matcher_.Mask(); }
  bool Accept(TokenId token) override { return matcher_.AcceptToken(token); }
  void Rollback(int count) override { matcher_.Rollback(count); }
  std::vector<TokenId> Forced() override { return {}; }

 private:
  grammar::Matcher matcher_;
};

// Decode inside a call's arguments beside free text. The arguments never end.
void InsideACall(benchmark::State& state) {
  const auto loaded = OpenShape();
  if (loaded == nullptr) return state.SkipWithError("no model");
  const auto schema =
      json::Parse(R"({"type":"object","properties":{"text":{"type":"string","minLength":90000}},)"
                  R"("required":["text"],"additionalProperties":false})");
  grammar::ProgramBuilder builder;
  grammar::SchemaCompiler compiler(builder, *schema, nullptr);
  auto piece = compiler.CompileRoot();
  if (!piece.ok()) return state.SkipWithError("no grammar");
  auto program = builder.Build(*piece);
  if (!program.ok()) return state.SkipWithError("no program");
  const auto vocabulary = std::make_shared<const grammar::Vocabulary>(loaded->tokenizer());
  const auto held = std::make_shared<const Held>(
      std::make_shared<const grammar::Grammar>(std::move(*program), vocabulary));
  // What is said does not matter here, so that both sides compute the same.
  Engine engine(*loaded, loaded->tokenizer(), Pages(*loaded, 4000),
                {.speculation = Speculation::kOff});
  constexpr int64_t kTokens = 80;
  GenerateRequest free = Ask({1, 2, 3, 4, 5}, kTokens);
  GenerateRequest call = free;
  call.constraint = held;
  std::vector<double> free_s, call_s, ratios;
  (void)DecodeSeconds(engine, call);
  for (auto _ : state) {
    free_s.push_back(DecodeSeconds(engine, free));
    call_s.push_back(DecodeSeconds(engine, call));
    ratios.push_back(call_s.back() / free_s.back());
  }
  state.counters["free_ms_per_token"] = MiddleOf(free_s) / (kTokens - 1) * 1e3;
  state.counters["call_ms_per_token"] = MiddleOf(call_s) / (kTokens - 1) * 1e3;
  state.counters["call_over_free"] = MiddleOf(ratios);
}

// When each token came.
class Watch : public CollectingSink {
 public:
  void OnToken(const TokenEvent& event) override {
    times.push_back(Seconds(Clock::Real().Now()));
    CollectingSink::OnToken(event);
  }
  std::vector<double> times;
};

std::vector<TokenId> ColdPrompt(int64_t tokens, int64_t seed) {
  std::vector<TokenId> prompt;
  for (int64_t i = 0; i < tokens; ++i) prompt.push_back(Noise(seed * 10'000'000 + i));
  return prompt;
}

double PrefillSeconds(Engine& engine, std::vector<TokenId> prompt) {
  auto sink = std::make_shared<CollectingSink>();
  if (!engine.Submit(Ask(std::move(prompt), 1), sink).ok()) return 0;
  for (int i = 0; i < 1000 && !sink->Wait(); ++i) {
  }
  return Seconds(sink->info.prefill);
}

// The gaps of a stream while a cold prompt is read beside it, and what the stream costs the prompt.
void StreamBesideAPrompt(benchmark::State& state) {
  const auto loaded = OpenShape();
  if (loaded == nullptr) return state.SkipWithError("no model");
  const int64_t tokens = std::atoll(Setting("AC_BENCH_PROMPT_TOKENS", "4000").c_str());
  Replay model(*loaded, Noise);
  for (auto _ : state) {
    Engine engine(model, loaded->tokenizer(), Pages(*loaded, 2 * tokens + 40'000), {});
    const double alone = PrefillSeconds(engine, ColdPrompt(tokens, 1));
    auto stream = std::make_shared<Watch>();
    const auto id = engine.Submit(Ask(ColdPrompt(64, 2), 30'000), stream);
    if (!id.ok()) return state.SkipWithError("no stream");
    if (!stream->WaitForTokens(50)) return state.SkipWithError("no tokens");
    const double begin = Seconds(Clock::Real().Now());
    const double beside = PrefillSeconds(engine, ColdPrompt(tokens, 3));
    const double end = Seconds(Clock::Real().Now());
    engine.Cancel(*id);
    for (int i = 0; i < 100 && !stream->Wait(); ++i) {
    }
    std::vector<double> solo, gaps;
    for (size_t i = 1; i < stream->times.size(); ++i) {
      const double gap = stream->times[i] - stream->times[i - 1];
      if (stream->times[i] < begin) solo.push_back(gap);
      if (stream->times[i - 1] >= begin && stream->times[i] <= end) gaps.push_back(gap);
    }
    std::sort(gaps.begin(), gaps.end());
    if (gaps.empty()) return state.SkipWithError("the stream stood still");
    state.counters["solo_gap_ms"] = 1e3 * MiddleOf(solo);
    state.counters["gap_p50_ms"] = 1e3 * MiddleOf(gaps);
    state.counters["gap_p99_ms"] = 1e3 * gaps[gaps.size() * 99 / 100];
    state.counters["gap_max_ms"] = 1e3 * gaps.back();
    state.counters["stream_share"] =
        static_cast<double>(gaps.size()) / (end - begin) * MiddleOf(solo);
    state.counters["prompt_alone_s"] = alone;
    state.counters["prompt_beside_s"] = beside;
  }
}

// Short conversations that decode together against one alone.
void ManyShort(benchmark::State& state) {
  const auto loaded = OpenShape();
  if (loaded == nullptr) return state.SkipWithError("no model");
  const auto sequences = state.range(0);
  constexpr int64_t kTokens = 48;
  Engine engine(*loaded, loaded->tokenizer(), Pages(*loaded, sequences * 512),
                {.prefix_cache = false, .speculation = Speculation::kOff});
  const auto seconds = [&](int64_t count) {
    std::vector<std::shared_ptr<CollectingSink>> sinks;
    const double begin = Seconds(Clock::Real().Now());
    for (int64_t i = 0; i < count; ++i) {
      sinks.push_back(std::make_shared<CollectingSink>());
      if (!engine.Submit(Ask(ColdPrompt(8, i), kTokens), sinks.back()).ok()) return 0.0;
    }
    for (const auto& sink : sinks) {
      for (int i = 0; i < 10 && !sink->Wait(); ++i) {
      }
    }
    return Seconds(Clock::Real().Now()) - begin;
  };
  std::vector<double> one, many, ratios;
  (void)seconds(1);
  for (auto _ : state) {
    one.push_back(seconds(1));
    many.push_back(seconds(sequences));
    ratios.push_back(static_cast<double>(sequences) * one.back() / many.back());
  }
  state.counters["one_tok/s"] = static_cast<double>(kTokens) / MiddleOf(one);
  state.counters["all_tok/s"] = static_cast<double>(sequences * kTokens) / MiddleOf(many);
  state.counters["times"] = MiddleOf(ratios);
}

BENCHMARK(ManyShort)->Arg(8)->Iterations(7)->Unit(benchmark::kSecond)->UseRealTime();
BENCHMARK(EditReplay)->Iterations(3)->Unit(benchmark::kSecond)->UseRealTime();
BENCHMARK(NothingRepeats)->Iterations(7)->Unit(benchmark::kSecond)->UseRealTime();
BENCHMARK(UselessDraft)->Iterations(3)->Unit(benchmark::kSecond)->UseRealTime();
BENCHMARK(InsideACall)->Iterations(9)->Unit(benchmark::kSecond)->UseRealTime();
BENCHMARK(StreamBesideAPrompt)->Iterations(1)->Unit(benchmark::kSecond)->UseRealTime();

}  // namespace
}  // namespace ac::engine
