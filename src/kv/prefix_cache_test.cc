#include "kv/prefix_cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace ac::kv {
namespace {

constexpr int kTestPageTokens = 4;

PagePool MakePool(int64_t pages) {
  const PageLayout layout{
      .n_layers = 1, .n_kv_heads = 1, .head_dim = 1, .page_tokens = kTestPageTokens};
  Result<PagePool> pool = PagePool::Create(layout, pages);
  EXPECT_TRUE(pool.ok()) << pool.status();
  return std::move(pool).value();
}

std::vector<TokenId> Tokens(std::initializer_list<int> ids) { return {ids.begin(), ids.end()}; }

class PrefixCacheTest : public ::testing::Test {
 protected:
  // Allocates pages for the tokens behind `reused`, publishes and gives the own references back.
  void Remember(const std::vector<TokenId>& tokens) {
    PrefixCache::Lease lease = cache_.Match(tokens);
    std::vector<PageId> pages(lease.pages().begin(), lease.pages().end());
    std::vector<PageId> own;
    while (pages.size() * kTestPageTokens < tokens.size()) {
      const Result<PageId> page = pool_.Allocate();
      ASSERT_TRUE(page.ok()) << page.status();
      own.push_back(*page);
      pages.push_back(*page);
    }
    cache_.Publish(tokens, pages);
    for (const PageId page : own) pool_.Release(page);
    lease.Release();
    const Status status = cache_.CheckIntegrity();
    ASSERT_TRUE(status.ok()) << status;
  }

  PagePool pool_ = MakePool(64);
  PrefixCache cache_{pool_};
};

TEST_F(PrefixCacheTest, EmptyCacheMatchesNothing) {
  EXPECT_EQ(cache_.Match(Tokens({1, 2, 3})).tokens(), 0);
  EXPECT_EQ(cache_.Match({}).tokens(), 0);
}

TEST_F(PrefixCacheTest, MatchesAtTokenGranularity) {
  Remember(Tokens({1, 2, 3, 4, 5, 6, 7, 8, 9}));
  const auto same = cache_.Match(Tokens({1, 2, 3, 4, 5, 6, 7, 8, 9}));
  EXPECT_EQ(same.tokens(), 9);
  EXPECT_EQ(same.pages().size(), 2u);
  EXPECT_EQ(same.partial_tokens(), 1);
  const auto diverges = cache_.Match(Tokens({1, 2, 3, 4, 5, 6, 99}));
  EXPECT_EQ(diverges.tokens(), 6);
  EXPECT_EQ(diverges.pages().size(), 1u);
  EXPECT_EQ(diverges.partial_tokens(), 2);
  EXPECT_EQ(cache_.Match(Tokens({1, 2})).tokens(), 2);
  EXPECT_EQ(cache_.Match(Tokens({2, 1})).tokens(), 0);
}

TEST_F(PrefixCacheTest, ConversationsShareTheirCommonPagesOnce) {
  Remember(Tokens({1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3}));
  Remember(Tokens({1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4}));
  Remember(Tokens({1, 1, 1, 1, 2, 2, 2, 2, 5}));
  EXPECT_EQ(cache_.page_count(), 5);
  EXPECT_EQ(cache_.Match(Tokens({1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4})).tokens(), 12);
}

TEST_F(PrefixCacheTest, AFullerPageReplacesItsBeginning) {
  Remember(Tokens({1, 2, 3, 4, 5}));
  EXPECT_EQ(cache_.page_count(), 2);
  Remember(Tokens({1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(cache_.page_count(), 2);
  EXPECT_EQ(cache_.Match(Tokens({1, 2, 3, 4, 5, 6, 7})).tokens(), 7);
}

TEST_F(PrefixCacheTest, PinnedPagesAreNeverEvicted) {
  Remember(Tokens({1, 2, 3, 4, 5, 6, 7, 8}));
  Remember(Tokens({9, 9, 9, 9}));
  {
    const auto lease = cache_.Match(Tokens({1, 2, 3, 4, 5, 6, 7, 8}));
    EXPECT_EQ(cache_.Evict(100), 1);
    EXPECT_EQ(cache_.Match(Tokens({1, 2, 3, 4, 5, 6, 7, 8})).tokens(), 8);
  }
  EXPECT_EQ(cache_.Evict(100), 2);
  EXPECT_EQ(cache_.page_count(), 0);
  EXPECT_EQ(pool_.free_pages(), 64);
}

TEST_F(PrefixCacheTest, EvictsWhatWasUsedLongestAgoFirst) {
  Remember(Tokens({1, 1, 1, 1}));
  Remember(Tokens({2, 2, 2, 2}));
  Remember(Tokens({3, 3, 3, 3}));
  (void)cache_.Match(Tokens({1, 1, 1, 1}));  // used again
  EXPECT_EQ(cache_.Evict(1), 1);
  EXPECT_EQ(cache_.Match(Tokens({2, 2, 2, 2})).tokens(), 0);
  EXPECT_EQ(cache_.Match(Tokens({1, 1, 1, 1})).tokens(), 4);
  EXPECT_EQ(cache_.Match(Tokens({3, 3, 3, 3})).tokens(), 4);
}

TEST_F(PrefixCacheTest, AMarkedPlaceOutlivesWhatWasUsedLaterUntilItsTimeIsOver) {
  const std::vector<TokenId> marked = Tokens({1, 1, 1, 1, 2, 2, 2, 2});
  const std::vector<TokenId> newer = Tokens({3, 3, 3, 3, 4, 4, 4, 4});
  for (const int64_t now : {299, 300}) {
    Remember(marked);
    cache_.Keep(marked, 300);
    Remember(newer);
    EXPECT_EQ(cache_.Evict(1, now), 1);
    EXPECT_EQ(cache_.Match(marked).tokens(), now < 300 ? 8 : 4);
    EXPECT_EQ(cache_.Match(newer).tokens(), now < 300 ? 4 : 8);
    EXPECT_TRUE(cache_.CheckIntegrity().ok()) << cache_.CheckIntegrity();
    EXPECT_EQ(cache_.Evict(10, 0), 3);
  }
}

TEST_F(PrefixCacheTest, AMarkInTheMiddleOfAPageOrOnUnknownTokensIsHarmless) {
  Remember(Tokens({1, 1, 1, 1, 2, 2, 2, 2}));
  cache_.Keep(Tokens({1, 1, 1, 1, 2, 2}), 300);
  cache_.Keep(Tokens({1, 1, 1, 1, 9, 9}), 300);
  cache_.Keep({}, 300);
  Remember(Tokens({3, 3, 3, 3}));
  EXPECT_EQ(cache_.Evict(1, 10), 1);
  EXPECT_EQ(cache_.Match(Tokens({1, 1, 1, 1, 2, 2, 2, 2})).tokens(), 8);
  EXPECT_TRUE(cache_.CheckIntegrity().ok()) << cache_.CheckIntegrity();
}

// What the cache must be able to say without evictions: the longest common prefix with anything
// ever published.
TEST(PrefixCacheRandom, MatchesANaiveModelWithoutEvictions) {
  PagePool pool = MakePool(100000);
  PrefixCache cache(pool);
  std::mt19937 random(7);
  std::vector<std::vector<TokenId>> published;
  for (int step = 0; step < 3000; ++step) {
    std::vector<TokenId> tokens(random() % 20);
    for (TokenId& token : tokens) token = static_cast<TokenId>(random() % 3);
    int64_t best = 0;
    for (const auto& other : published) {
      const auto end = std::min(tokens.size(), other.size());
      size_t i = 0;
      while (i < end && tokens[i] == other[i]) ++i;
      best = std::max(best, static_cast<int64_t>(i));
    }
    PrefixCache::Lease lease = cache.Match(tokens);
    ASSERT_EQ(lease.tokens(), best) << "step " << step;
    std::vector<PageId> pages(lease.pages().begin(), lease.pages().end());
    std::vector<PageId> own;
    while (pages.size() * kTestPageTokens < tokens.size()) {
      own.push_back(*pool.Allocate());
      pages.push_back(own.back());
    }
    cache.Publish(tokens, pages);
    for (const PageId page : own) pool.Release(page);
    published.push_back(tokens);
  }
  EXPECT_TRUE(cache.CheckIntegrity().ok()) << cache.CheckIntegrity();
}

// A million random matches, publishes, evictions and lease releases: what a page holds must always
// be what the tree says, nothing pinned may go, and every invariant holds after every step.
TEST(PrefixCacheRandom, StaysSoundUnderAMillionOperations) {
  constexpr int64_t kPages = 24;
  PagePool pool = MakePool(kPages);
  std::vector<std::vector<TokenId>> content(kPages);  // by page: the tokens written into it
  std::mt19937 random(11);
  struct Held {
    PrefixCache::Lease lease;
    std::vector<TokenId> tokens;
  };
  {
    PrefixCache cache(pool);
    std::vector<Held> held;
    const auto verify = [&](const Held& h) {
      std::vector<TokenId> seen;
      for (const PageId page : h.lease.pages()) {
        seen.insert(seen.end(), content[static_cast<size_t>(page)].begin(),
                    content[static_cast<size_t>(page)].end());
      }
      if (h.lease.partial_page() != kNoPage) {
        const auto& partial = content[static_cast<size_t>(h.lease.partial_page())];
        seen.insert(seen.end(), partial.begin(), partial.begin() + h.lease.partial_tokens());
      }
      return seen.size() == static_cast<size_t>(h.lease.tokens()) &&
             std::equal(seen.begin(), seen.end(), h.tokens.begin());
    };
    for (int step = 0; step < 1'000'000; ++step) {
      const unsigned kind = random() % 8;
      if (kind == 0 && !held.empty()) {
        held.erase(held.begin() + static_cast<long>(random() % held.size()));
      } else if (kind == 1) {
        cache.Evict(static_cast<int>(random() % 3), step);
      } else if (kind == 2 && !held.empty()) {
        const Held& h = held[random() % held.size()];
        cache.Keep(std::span(h.tokens).first(random() % (h.tokens.size() + 1)),
                   step + static_cast<int>(random() % 20));
      } else if (kind == 3 && !held.empty()) {
        const Held& h = held[random() % held.size()];
        ASSERT_GE(cache.Match(h.tokens).tokens(), h.lease.tokens())
            << "step " << step << ": what is pinned stays";
      } else if (held.size() < 3) {
        Held h;
        h.tokens.resize(random() % 14);
        for (TokenId& token : h.tokens) token = static_cast<TokenId>(random() % 2);
        h.lease = cache.Match(h.tokens);
        ASSERT_TRUE(verify(h)) << "step " << step;
        if (kind >= 4) {
          std::vector<PageId> pages(h.lease.pages().begin(), h.lease.pages().end());
          std::vector<PageId> own;
          bool enough = true;
          while (enough && pages.size() * kTestPageTokens < h.tokens.size()) {
            if (pool.free_pages() == 0) cache.Evict(1);
            const Result<PageId> page = pool.Allocate();
            enough = page.ok();
            if (!enough) break;
            const size_t start = pages.size() * kTestPageTokens;
            const size_t end = std::min(h.tokens.size(), start + kTestPageTokens);
            content[static_cast<size_t>(*page)].assign(h.tokens.begin() + static_cast<long>(start),
                                                       h.tokens.begin() + static_cast<long>(end));
            own.push_back(*page);
            pages.push_back(*page);
          }
          if (enough) {
            cache.Publish(h.tokens, pages);
            ASSERT_EQ(cache.Match(h.tokens).tokens(), static_cast<int64_t>(h.tokens.size()))
                << "step " << step << ": what was published last is there, whole";
          }
          for (const PageId page : own) pool.Release(page);
        }
        held.push_back(std::move(h));
      }
      for (const Held& h : held) ASSERT_TRUE(verify(h)) << "step " << step;
      const Status status = cache.CheckIntegrity();
      ASSERT_TRUE(status.ok()) << "step " << step << ": " << status;
    }
  }
  EXPECT_EQ(pool.free_pages(), kPages) << "every page came back";
}

}  // namespace
}  // namespace ac::kv
