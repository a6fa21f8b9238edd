// What the cache costs and saves a running engine, as ratios in one run: decoding while pages are
// being written, the first token of a prompt that is all cached, ten conversations over one system
// prompt.
#include <benchmark/benchmark.h>
#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <numeric>

#include "engine/engine.h"
#include "engine/kv_fingerprint.h"
#include "engine/loaded_model.h"
#include "weights/synth.h"

namespace ac::engine {
namespace {

class DoneSink : public TokenSink {
 public:
  void OnStart(const CacheReport&) override {}
  void OnProgress(int64_t, int64_t) override {}
  void OnToken(const TokenEvent& event) override { reply.push_back(event.id); }
  void OnFinish(const FinishInfo& finish) override {
    const std::lock_guard lock(mutex_);
    info_ = finish;
    done_ = true;
    changed_.notify_all();
  }
  FinishInfo Wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return done_; });
    return info_;
  }
  std::vector<TokenId> reply;  // valid after Wait()

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool done_ = false;
  FinishInfo info_;
};

// A model of a real shape in a folder of its own. CACHE_BENCH_DIR: where; CACHE_BENCH_SHAPE: which.
class BenchModel {
 public:
  // `layers`: only the first ones; 0: all.
  explicit BenchModel(int layers = 0) {
    const char* where = std::getenv("CACHE_BENCH_DIR");
    folder_ = std::string(where != nullptr ? where : "/tmp") + "/cache_bench.XXXXXX";
    if (::mkdtemp(folder_.data()) == nullptr) return;
    const char* shape = std::getenv("CACHE_BENCH_SHAPE");
    const std::string path = folder_ + "/model.gguf";
    const weights::SynthSpec spec{shape != nullptr ? shape : "qwen2.5-coder-0.5b",
                                  weights::Recipe::kQ4_0, 1, layers};
    if (!weights::Synthesize(spec, path, FileSystem::Real(), {}).ok()) return;
    auto loaded = LoadedModel::Load(path, {});
    if (loaded.ok()) model_ = std::move(loaded).value();
  }
  ~BenchModel() {
    model_.reset();
    std::filesystem::remove_all(folder_);
  }
  LoadedModel* get() { return model_.get(); }
  std::string kv_folder() const { return folder_ + "/kv"; }

 private:
  std::string folder_;
  std::unique_ptr<LoadedModel> model_;
};

FinishInfo Run(Engine& engine, std::vector<TokenId> prompt, int64_t tokens,
               std::vector<TokenId>* reply = nullptr) {
  GenerateRequest request;
  request.prompt = std::move(prompt);
  request.max_tokens = tokens;
  request.ignore_end_tokens = true;
  const auto sink = std::make_shared<DoneSink>();
  if (!engine.Submit(std::move(request), sink).ok()) return {};
  FinishInfo info = sink->Wait();
  if (reply != nullptr) *reply = sink->reply;
  return info;
}

double DecodeSeconds(Engine& engine, int64_t tokens) {
  return Seconds(Run(engine, std::vector<TokenId>(64, 7), tokens).decode);
}

// The same tokens for the same seed.
std::vector<TokenId> Text(int64_t count, uint32_t seed) {
  std::vector<TokenId> tokens(static_cast<size_t>(count));
  for (TokenId& token : tokens) {
    seed = seed * 1664525u + 1013904223u;
    token = static_cast<TokenId>((seed >> 8) % 30'000);
  }
  return tokens;
}

void Append(const std::vector<TokenId>& more, std::vector<TokenId>* tokens) {
  tokens->insert(tokens->end(), more.begin(), more.end());
}

double MedianOf(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

// Equal generations: one alone, one while a prompt of 18,490 tokens is written behind it at the
// pace that the engine asks for while it decodes, one while it is written at full speed. The median
// of the rounds' ratios counts.
void BM_DecodeBesideTheWriter(benchmark::State& state) {
  BenchModel model;
  if (model.get() == nullptr) return state.SkipWithError("no model");
  constexpr int64_t kPrompt = 18'490;
  constexpr int64_t kTokens = 96;
  kv::PagePool pages = model.get()->MakePages({.bytes = int64_t{700} << 20}).value();
  const kv::PageLayout layout = pages.layout();
  kv::PagePool source = kv::PagePool::Create(layout, kPrompt / layout.page_tokens + 1).value();
  std::vector<kv::PageId> prompt_pages;
  for (int64_t i = 0; i < source.total_pages(); ++i) {
    prompt_pages.push_back(source.Allocate().value());
    std::fill_n(source.data(prompt_pages.back()), layout.page_bytes(), std::byte{0x3C});
  }
  const auto store =
      OpenDiskStore(*model.get(), pages, model.kv_folder(), uint64_t{64} << 30).value();
  store->WaitUntilListed();
  Engine engine(*model.get(), model.get()->tokenizer(), std::move(pages),
                {.speculation = Speculation::kOff});
  std::vector<TokenId> tokens(static_cast<size_t>(kPrompt));
  std::vector<double> paced;
  std::vector<double> unpaced;
  double written = 0;
  double decode = 0;
  int round = 0;
  const auto beside = [&](bool decoding) {
    std::iota(tokens.begin(), tokens.end(), static_cast<TokenId>(100'000 * round++));
    const uint64_t before = store->stats().written_bytes;
    store->SetDecoding(decoding);
    (void)store->Offer(tokens, prompt_pages, source);
    const double seconds = DecodeSeconds(engine, kTokens);
    if (decoding) {
      written += static_cast<double>(store->stats().written_bytes - before);
      decode += seconds;
    }
    store->SetDecoding(false);
    store->Flush();
    (void)store->TakeWritten();
    return seconds;
  };
  (void)DecodeSeconds(engine, kTokens);
  for (auto _ : state) {
    const double alone = DecodeSeconds(engine, kTokens);
    paced.push_back(beside(true) / alone);
    unpaced.push_back(beside(false) / alone);
  }
  state.counters["decode_slowed_by"] = MedianOf(paced) - 1;
  state.counters["at_full_speed_by"] = MedianOf(unpaced) - 1;
  state.counters["MB_per_s_written"] = written / decode / 1e6;
  state.counters["s_alone_per_token"] =
      decode / (MedianOf(paced) * kTokens * static_cast<double>(paced.size()));
}
BENCHMARK(BM_DecodeBesideTheWriter)->Iterations(9)->Unit(benchmark::kMillisecond);

// A prompt of 20,000 tokens that is all cached: its first token against a token in the middle of
// its reply, which is the model's own step at that depth. Two layers: what is beyond the step does
// not depend on the model, and the cold prompt takes seconds instead of minutes.
void BM_FullyWarmPrompt(benchmark::State& state) {
  BenchModel model(2);
  if (model.get() == nullptr) return state.SkipWithError("no model");
  constexpr int64_t kReply = 24;
  Engine engine(*model.get(), model.get()->tokenizer(),
                model.get()->MakePages({.bytes = int64_t{400} << 20}).value(),
                {.speculation = Speculation::kOff});
  const std::vector<TokenId> prompt = Text(20'000, 1);
  const double cold = Seconds(Run(engine, prompt, kReply).prefill);
  std::vector<double> first;
  std::vector<double> beyond;
  for (auto _ : state) {
    const auto begin = std::chrono::steady_clock::now();
    const FinishInfo info = Run(engine, prompt, kReply);
    const std::chrono::duration<double> all = std::chrono::steady_clock::now() - begin;
    if (info.cache.computed() != 1) state.SkipWithError("not all of it was cached");
    const double step = Seconds(info.decode) / (kReply - 1);
    first.push_back(all.count() - Seconds(info.decode));
    beyond.push_back(first.back() - step);
  }
  state.counters["cold_s"] = cold;
  state.counters["first_token_ms"] = MedianOf(first) * 1e3;
  state.counters["beyond_the_step_ms"] = MedianOf(beyond) * 1e3;
}
BENCHMARK(BM_FullyWarmPrompt)->Iterations(9)->Unit(benchmark::kMillisecond);

// Ten conversations take turns over one system prompt of 18,490 tokens, in memory for 1.3 times the
// system prompt and the tails: what is computed beyond each turn's new tokens, and what the disk
// tier writes beyond the unique ones. Two layers, as above.
void BM_TenConversations(benchmark::State& state) {
  BenchModel model(2);
  if (model.get() == nullptr) return state.SkipWithError("no model");
  constexpr int kConversations = 10;
  constexpr int kTurns = 4;
  constexpr int64_t kQuestion = 100;
  constexpr int64_t kReply = 16;
  const std::vector<TokenId> system = Text(18'490, 2);
  const int64_t unique = 18'490 + kConversations * kTurns * (kQuestion + kReply);
  for (auto _ : state) {
    const int64_t token_bytes = static_cast<int64_t>(
        model.get()->MakePages({.bytes = int64_t{1} << 24}).value().layout().token_bytes());
    kv::PagePool pages = model.get()->MakePages({.bytes = unique * 13 / 10 * token_bytes}).value();
    const double memory =
        static_cast<double>(pages.total_pages() * kv::kPageTokens) / static_cast<double>(unique);
    const auto store =
        OpenDiskStore(*model.get(), pages, model.kv_folder(), uint64_t{64} << 30).value();
    store->WaitUntilListed();
    int64_t computed = 0;
    int64_t fresh = 0;
    int64_t from_disk = 0;
    {
      Engine engine(*model.get(), model.get()->tokenizer(), std::move(pages),
                    {.speculation = Speculation::kOff, .disk = store});
      std::vector<std::vector<TokenId>> conversations(kConversations, system);
      for (int turn = 0; turn < kTurns; ++turn) {
        for (int i = 0; i < kConversations; ++i) {
          std::vector<TokenId>& tokens = conversations[static_cast<size_t>(i)];
          Append(Text(kQuestion, static_cast<uint32_t>(100 + turn * 100 + i)), &tokens);
          std::vector<TokenId> reply;
          const FinishInfo info = Run(engine, tokens, kReply, &reply);
          fresh += kQuestion + (turn + i == 0 ? 18'490 : 0);
          computed += info.cache.computed();
          from_disk += info.cache.from_disk;
          Append(reply, &tokens);
        }
      }
    }
    state.counters["computed_over_new"] =
        static_cast<double>(computed) / static_cast<double>(fresh);
    state.counters["from_disk"] = static_cast<double>(from_disk);
    state.counters["memory_over_unique"] = memory;
    state.counters["written_over_unique"] = static_cast<double>(store->stats().written_bytes) /
                                            static_cast<double>(unique * token_bytes);
  }
}
BENCHMARK(BM_TenConversations)->Iterations(1)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace ac::engine
