// The prefix cache on traces of real coding-agent sessions, without a model: what it reuses against
// what a cache without limits would.
#include <gtest/gtest.h>

#include <algorithm>
#include <unordered_set>

#include "base/hash.h"
#include "kv/prefix_cache.h"
#include "support/shared_data.h"
#include "support/trace_file.h"

namespace ac::kv {
namespace {

using ac::testing::ReadTrace;
using ac::testing::TracePaths;
using ac::testing::TraceRequest;

constexpr int kBlock = 64;

// Each block becomes 64 tokens that no other block begins with; what follows the last whole block
// is this request's own.
std::vector<TokenId> TokensOf(const TraceRequest& request, size_t number) {
  std::vector<TokenId> tokens;
  tokens.reserve(static_cast<size_t>(request.tokens));
  for (const int64_t id : request.blocks) {
    for (int i = 0; i < kBlock; ++i) tokens.push_back(static_cast<TokenId>(id * 7 + i % 3));
  }
  while (static_cast<int64_t>(tokens.size()) < request.tokens) {
    tokens.push_back(-1 - static_cast<TokenId>(number));
  }
  return tokens;
}

struct Counts {
  int64_t prompt = 0;
  int64_t computed = 0;
  int64_t ideal = 0;         // computed by a cache that keeps everything
  int64_t worst_append = 0;  // tokens an append-only turn computed beyond its new ones
};

Counts Replay(const std::vector<TraceRequest>& requests, int64_t pages) {
  const PageLayout layout{.n_layers = 1, .n_kv_heads = 1, .head_dim = 1, .page_tokens = kBlock};
  PagePool pool = PagePool::Create(layout, pages).value();
  PrefixCache cache(pool);
  std::unordered_set<uint64_t> seen;  // chained hashes of block ids: an oracle of its own
  Counts counts;
  for (size_t n = 0; n < requests.size(); ++n) {
    const TraceRequest& request = requests[n];
    const std::vector<TokenId> tokens = TokensOf(request, n);
    if (tokens.empty()) continue;
    int64_t known = 0;
    uint64_t chain = 0;
    for (const int64_t id : request.blocks) {
      chain = Hash64(&id, sizeof(id), chain);
      if (seen.contains(chain)) known += kBlock;
      seen.insert(chain);
    }
    const auto size = static_cast<int64_t>(tokens.size());
    const int64_t ideal = size - std::min(known, size - 1);
    PrefixCache::Lease lease = cache.Match(std::span(tokens).first(tokens.size() - 1));
    const int64_t computed = size - lease.tokens();
    counts.prompt += size;
    counts.computed += computed;
    counts.ideal += ideal;
    counts.worst_append = std::max(counts.worst_append, computed - ideal);
    std::vector<PageId> held(lease.pages().begin(), lease.pages().end());
    for (const PageId page : held) pool.AddRef(page);
    while (held.size() * kBlock < tokens.size()) {
      if (pool.free_pages() == 0 && cache.Evict(1) == 0) break;
      if (pool.free_pages() > 0) held.push_back(pool.Allocate().value());
    }
    EXPECT_GE(held.size() * kBlock, tokens.size());
    cache.Publish(tokens, held);
    for (const PageId page : held) pool.Release(page);
  }
  const Status status = cache.CheckIntegrity();
  EXPECT_TRUE(status.ok()) << status;
  return counts;
}

double Share(int64_t part, int64_t whole) {
  return static_cast<double>(part) / static_cast<double>(whole);
}

TEST(TraceCache, ReusesAllThatAnyCacheCouldWhenMemoryHoldsTheSession) {
  AC_REQUIRE_SHARED_DATA();
  Counts total;
  for (const std::string& path : TracePaths()) {
    const std::vector<TraceRequest> requests = ReadTrace(path);
    ASSERT_FALSE(requests.empty()) << path;
    const Counts counts = Replay(requests, 400'000);
    EXPECT_LE(Share(counts.computed, counts.ideal), 1.03) << path;
    EXPECT_LE(counts.worst_append, 32) << path;
    total.prompt += counts.prompt;
    total.computed += counts.computed;
    total.ideal += counts.ideal;
  }
  const double reuse = 1 - Share(total.computed, total.prompt);
  const double ideal = 1 - Share(total.ideal, total.prompt);
  EXPECT_GE(reuse, ideal - 0.003);
  RecordProperty("reuse", std::to_string(reuse));
  std::printf("reuse %.4f, ideal %.4f, computed %.4f x ideal\n", reuse, ideal,
              Share(total.computed, total.ideal));
}

// Memory for the session's largest prompt and a half more: eviction decides. All traces after each
// other in one cache would only add cold starts, so each has its own.
TEST(TraceCache, WithMemoryForOneAndAHalfPromptsItLosesLittle) {
  AC_REQUIRE_SHARED_DATA();
  Counts total;
  for (const std::string& path : TracePaths()) {
    const std::vector<TraceRequest> requests = ReadTrace(path);
    int64_t largest = 0;
    for (const TraceRequest& request : requests) largest = std::max(largest, request.tokens);
    const Counts counts = Replay(requests, largest * 3 / 2 / kBlock + 2);
    total.prompt += counts.prompt;
    total.computed += counts.computed;
    total.ideal += counts.ideal;
  }
  std::printf("computed %.4f x ideal\n", Share(total.computed, total.ideal));
  EXPECT_LE(Share(total.computed, total.ideal), 1.03);
}

}  // namespace
}  // namespace ac::kv
