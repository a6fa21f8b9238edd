// What the disk side of the cache costs and saves a running engine, as ratios in one run: decoding
// while pages are being written, and what overlapping a restore with computing can win.
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
  void OnToken(const TokenEvent&) override {}
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

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool done_ = false;
  FinishInfo info_;
};

// A model of a real shape in a folder of its own. CACHE_BENCH_DIR: where; CACHE_BENCH_SHAPE: which.
class BenchModel {
 public:
  BenchModel() {
    const char* where = std::getenv("CACHE_BENCH_DIR");
    folder_ = std::string(where != nullptr ? where : "/tmp") + "/cache_bench.XXXXXX";
    if (::mkdtemp(folder_.data()) == nullptr) return;
    const char* shape = std::getenv("CACHE_BENCH_SHAPE");
    const std::string path = folder_ + "/model.gguf";
    const weights::SynthSpec spec{shape != nullptr ? shape : "qwen2.5-coder-0.5b",
                                  weights::Recipe::kQ4_0, 1};
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

double DecodeSeconds(Engine& engine, int64_t tokens) {
  GenerateRequest request;
  request.prompt.assign(64, 7);
  request.max_tokens = tokens;
  request.ignore_end_tokens = true;
  const auto sink = std::make_shared<DoneSink>();
  if (!engine.Submit(std::move(request), sink).ok()) return 0;
  return Seconds(sink->Wait().decode);
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

// Pairs of equal generations: one alone, one while a prompt of 18,490 tokens is written behind it
// (as happens when its first reply is decoded). The median of the pairs' ratios counts.
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
  std::vector<double> ratios;
  double busy = 0;
  double decode = 0;
  (void)DecodeSeconds(engine, kTokens);
  for (auto _ : state) {
    std::iota(tokens.begin(), tokens.end(), static_cast<TokenId>(ratios.size() * 100'000));
    const double alone = DecodeSeconds(engine, kTokens);
    const auto begin = std::chrono::steady_clock::now();
    (void)store->Offer(tokens, prompt_pages, source);
    const double beside = DecodeSeconds(engine, kTokens);
    store->Flush();
    (void)store->TakeWritten();
    busy += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    decode += beside;
    ratios.push_back(beside / alone);
  }
  state.counters["decode_slowed_by"] = Median(ratios) - 1;
  state.counters["pages_per_round"] =
      static_cast<double>(store->stats().written_pages) / static_cast<double>(ratios.size());
  state.counters["writing_over_decoding"] = busy / decode;
}
BENCHMARK(BM_DecodeBesideTheWriter)->Iterations(9)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace ac::engine
