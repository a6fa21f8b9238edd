#include "routing/prefix_router.h"

#include <gtest/gtest.h>

#include <map>

namespace ac::routing {
namespace {

std::vector<uint64_t> Chunks(std::initializer_list<uint64_t> values) { return values; }

class PrefixRouterTest : public ::testing::Test {
 protected:
  size_t First(const std::vector<uint64_t>& chunks, const std::string& session) {
    return router_.Order(chunks, session, loads_).front();
  }
  PrefixRouter router_{{"a", "b", "c"}};
  std::vector<ReplicaLoad> loads_{3};
};

TEST_F(PrefixRouterTest, TheLongestKnownBeginningWins) {
  router_.Remember(Chunks({1, 2}), "s1", 0);
  router_.Remember(Chunks({1, 2, 3, 4}), "s2", 2);
  EXPECT_EQ(First(Chunks({1, 2, 3, 9}), "new"), 2u);
  EXPECT_EQ(router_.Match(Chunks({1, 2, 3, 9}), 2), 3u);
  EXPECT_EQ(router_.Match(Chunks({1, 2, 3, 9}), 0), 2u);
  EXPECT_EQ(router_.Match(Chunks({7, 2}), 0), 0u) << "a later chunk alone is no beginning";
}

TEST_F(PrefixRouterTest, TheSessionStaysWhereItWasWhenSeveralKnowAsMuch) {
  for (size_t i = 0; i < 3; ++i) router_.Remember(Chunks({1, 2}), "other" + std::to_string(i), i);
  for (size_t home = 0; home < 3; ++home) {
    router_.Remember(Chunks({1}), "mine", home);
    EXPECT_EQ(First(Chunks({1, 2, 50}), "mine"), home);
  }
}

TEST_F(PrefixRouterTest, AReplicaBeyondItsShareIsPassedOver) {
  router_.Remember(Chunks({1, 2, 3}), "s", 1);
  loads_[1].running = 3;
  EXPECT_EQ(First(Chunks({1, 2, 3}), "s"), 1u) << "a few at once are free";
  loads_[1].running = 20;
  EXPECT_NE(First(Chunks({1, 2, 3}), "s"), 1u);
  loads_[0].running = loads_[2].running = 20;
  EXPECT_EQ(First(Chunks({1, 2, 3}), "s"), 1u) << "all are as busy: the prefix decides again";
}

TEST_F(PrefixRouterTest, WhatIsDownGetsNothingAndWhatWasRestartedIsForgotten) {
  router_.Remember(Chunks({1, 2}), "s", 0);
  loads_[0].usable = false;
  const auto order = router_.Order(Chunks({1, 2}), "s", loads_);
  EXPECT_EQ(order.size(), 2u);
  EXPECT_EQ(std::count(order.begin(), order.end(), 0u), 0);
  router_.Forget(0);
  EXPECT_EQ(router_.Match(Chunks({1, 2}), 0), 0u);
}

TEST(PrefixRouterRingTest, NewPromptsSpreadEvenlyAndMoveLittleWhenAReplicaGoes) {
  PrefixRouter router({"n0", "n1", "n2", "n3"});
  std::vector<ReplicaLoad> loads(4);
  std::map<size_t, int> share;
  int moved = 0;
  constexpr int kPrompts = 4000;
  for (uint64_t i = 0; i < kPrompts; ++i) {
    const std::vector<uint64_t> chunks = {i * 0x9E3779B97F4A7C15ull};
    loads[3].usable = true;
    const size_t before = router.Order(chunks, "", loads).front();
    ++share[before];
    loads[3].usable = false;
    const size_t after = router.Order(chunks, "", loads).front();
    if (before != 3 && before != after) ++moved;
  }
  for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(share[i], kPrompts / 4, kPrompts / 8) << i;
  EXPECT_EQ(moved, 0) << "only the lost replica's prompts find another home";
}

TEST(PrefixRouterMemoryTest, IsBounded) {
  PrefixRouter router({"a", "b"}, {.max_chunks = 1000, .max_sessions = 100});
  for (uint64_t i = 0; i < 100'000; ++i) router.Remember({i}, std::to_string(i), i % 2);
  EXPECT_EQ(router.Match({99'999}, 1), 1u);
  EXPECT_EQ(router.Match({5}, 1), 0u);
}

}  // namespace
}  // namespace ac::routing
