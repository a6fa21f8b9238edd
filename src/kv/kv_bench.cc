// What the cache itself costs: matching and publishing long prompts, writing behind, restoring.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <numeric>
#include <span>

#include "kv/disk_folder.h"
#include "kv/disk_store.h"
#include "kv/prefix_cache.h"

namespace ac::kv {
namespace {

std::vector<TokenId> Prompt(int64_t tokens) {
  std::vector<TokenId> prompt(static_cast<size_t>(tokens));
  std::iota(prompt.begin(), prompt.end(), 1);
  return prompt;
}

std::vector<PageId> AllocatePages(PagePool& pool, int64_t tokens) {
  std::vector<PageId> pages;
  while (static_cast<int64_t>(pages.size()) * kPageTokens < tokens) {
    pages.push_back(pool.Allocate().value());
  }
  return pages;
}

// A tree of `conversations` that share the first nine tenths of the prompt.
void BM_Match(benchmark::State& state) {
  const int64_t tokens = state.range(0);
  const PageLayout layout{.n_layers = 1, .n_kv_heads = 1, .head_dim = 1};
  PagePool pool = PagePool::Create(layout, 20'000).value();
  PrefixCache cache(pool);
  for (int i = 0; i < 10; ++i) {
    std::vector<TokenId> prompt = Prompt(tokens);
    for (auto t = static_cast<size_t>(tokens * 9 / 10); t < prompt.size(); ++t) prompt[t] += i;
    const std::vector<PageId> pages = AllocatePages(pool, tokens);
    cache.Publish(prompt, pages);
    for (const PageId page : pages) pool.Release(page);
  }
  const std::vector<TokenId> prompt = Prompt(tokens);
  for (auto _ : state) {
    const PrefixCache::Lease lease = cache.Match(prompt);
    if (lease.tokens() != tokens) state.SkipWithError("no full match");
  }
}
BENCHMARK(BM_Match)->Arg(18'490)->Arg(100'000)->Unit(benchmark::kMicrosecond);

void BM_DiskMatchAndOffer(benchmark::State& state) {
  const int64_t tokens = state.range(0);
  std::string folder = "/tmp/kv_bench.XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) return;
  {
    const PageLayout layout{.n_layers = 1, .n_kv_heads = 1, .head_dim = 1};
    PagePool pool = PagePool::Create(layout, 4000).value();
    DiskStoreOptions options;
    options.folder = folder;
    options.max_queued = 4000;
    const auto store = DiskStore::Open(options, layout).value();
    store->WaitUntilListed();
    const std::vector<TokenId> prompt = Prompt(tokens);
    const std::vector<PageId> pages = AllocatePages(pool, tokens);
    (void)store->Offer(prompt, pages, pool);
    store->Flush();
    for (auto _ : state) {
      benchmark::DoNotOptimize(store->Match(prompt, 0));
      benchmark::DoNotOptimize(store->Offer(prompt, pages, pool));
    }
  }
  std::filesystem::remove_all(folder);
}
BENCHMARK(BM_DiskMatchAndOffer)->Arg(18'490)->Arg(100'000)->Unit(benchmark::kMicrosecond);

double SecondsSince(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

void DropFromPageCache(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY);
  (void)::fdatasync(fd);
  (void)::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  ::close(fd);
}

// 18,490 tokens of an 8B-like shape (32 KB a token) from a cold page cache, against reading one
// file of the same size from front to back with the same buffer size. 0: page after page; 1: layer
// after layer, as beside a forward pass. KV_BENCH_DIR: where.
void BM_RestoreAgainstSequentialRead(benchmark::State& state) {
  const char* where = std::getenv("KV_BENCH_DIR");
  std::string folder = std::string(where != nullptr ? where : "/tmp") + "/kv_bench.XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) return state.SkipWithError("no folder");
  const int64_t tokens = 18'490;
  const PageLayout layout{.n_layers = 32, .n_kv_heads = 8, .head_dim = 32};
  PagePool pool = PagePool::Create(layout, 600).value();
  const std::vector<TokenId> prompt = Prompt(tokens);
  std::vector<PageId> pages = AllocatePages(pool, tokens);
  for (const PageId page : pages) {
    auto* words = reinterpret_cast<uint64_t*>(pool.data(page));
    for (size_t i = 0; i < layout.page_bytes() / 8; ++i) {
      words[i] = (i + static_cast<uint64_t>(page)) * 0x9E3779B97F4A7C15u;
    }
  }
  double restore_seconds = 0;
  double plain_seconds = 0;
  double offer_seconds = 0;
  double written = 0;
  {
    DiskStoreOptions options;
    options.folder = folder;
    options.max_queued = 600;
    const auto store = DiskStore::Open(options, layout).value();
    store->WaitUntilListed();
    // As the engine offers a prompt that is being read: again after every 1,024 tokens.
    const auto begin = std::chrono::steady_clock::now();
    for (int64_t read = 1024;; read += 1024) {
      const auto known = std::span(prompt).first(static_cast<size_t>(std::min(read, tokens)));
      (void)store->Offer(known, pages, pool);
      if (read >= tokens) break;
    }
    offer_seconds = SecondsSince(begin);
    store->Flush();
    written = static_cast<double>(store->stats().written_bytes);
    const std::string plain = folder + "/plain";
    std::unique_ptr<File> file = FileSystem::Real().Open(plain, OpenMode::kCreate).value();
    uint64_t size = 0;
    for (const PageId page : pages) {
      (void)file->WriteAt(size, {pool.data(page), layout.page_bytes()});
      size += layout.page_bytes();
    }
    std::vector<std::byte*> destinations;
    for (const PageId page : pages) destinations.push_back(pool.data(page));
    std::vector<std::byte> buffer(layout.page_bytes());
    for (auto _ : state) {
      for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        DropFromPageCache(entry.path());
      }
      const auto plain_begin = std::chrono::steady_clock::now();
      for (uint64_t at = 0; at + buffer.size() <= size; at += buffer.size()) {
        (void)file->ReadAt(at, buffer);
      }
      plain_seconds += SecondsSince(plain_begin);
      const DiskMatch match = store->Match(prompt, 0);
      destinations.resize(match.pages.size());
      const auto restore_begin = std::chrono::steady_clock::now();
      const auto restore = store->StartRestore(
          match, destinations, state.range(0) == 0 ? RestoreOrder::kPages : RestoreOrder::kLayers);
      restore->Wait();
      restore_seconds += SecondsSince(restore_begin);
      if (restore->pages() != match.pages.size()) state.SkipWithError("not restored");
    }
  }
  const double unique = static_cast<double>(tokens) * static_cast<double>(layout.token_bytes());
  state.counters["restore_GB_per_s"] =
      unique * static_cast<double>(state.iterations()) / restore_seconds / 1e9;
  state.counters["restore_over_sequential"] = plain_seconds / restore_seconds;
  state.counters["offer_ms"] = offer_seconds * 1e3;
  state.counters["written_over_unique"] = written / unique;
  std::filesystem::remove_all(folder);
}
BENCHMARK(BM_RestoreAgainstSequentialRead)
    ->Arg(0)
    ->Arg(1)
    ->Iterations(5)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace ac::kv
