#include "model/shared_prefix.h"

#include <gtest/gtest.h>

namespace ac::model {
namespace {

unsigned char memory[64];

std::vector<unsigned char*> Pages(std::initializer_list<int> names) {
  std::vector<unsigned char*> pages;
  for (const int name : names) pages.push_back(memory + name);
  return pages;
}

TEST(SharedPrefix, SequencesThatBeginWithTheSamePagesAreFound) {
  const auto a = Pages({1, 2, 3, 4});
  const auto b = Pages({1, 2, 3, 5});
  const auto c = Pages({7, 2, 3, 6});
  const Segment segments[] = {{0, 1, 200, a.data()}, {1, 1, 130, c.data()}, {2, 1, 230, b.data()}};
  const auto found = FindSharedPrefixes(segments, 64, 16);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].members, (std::vector<size_t>{0, 2}));
  EXPECT_EQ(found[0].positions, 192);
}

TEST(SharedPrefix, APageBeingWrittenIsNotShared) {
  const auto a = Pages({1, 2});
  const Segment segments[] = {{0, 1, 127, a.data()}, {1, 1, 127, a.data()}};
  const auto found = FindSharedPrefixes(segments, 64, 16);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].positions, 64);
}

TEST(SharedPrefix, PromptsAndShortSequencesAreLeftOut) {
  const auto a = Pages({1, 2, 3, 4});
  const Segment segments[] = {
      {0, 64, 128, a.data()}, {64, 1, 200, a.data()}, {65, 1, 10, a.data()}};
  EXPECT_TRUE(FindSharedPrefixes(segments, 64, 16).empty());
}

TEST(SharedPrefix, ABranchThatSharesLittleDoesNotSpoilTheOthers) {
  const auto a = Pages({1, 2, 3, 4, 5, 10});
  const auto b = Pages({1, 2, 3, 4, 5, 11});
  const auto c = Pages({1, 12, 13, 14, 15, 16});
  const auto d = Pages({1, 12, 13, 14, 15, 17});
  const Segment segments[] = {
      {0, 1, 350, a.data()}, {1, 1, 350, c.data()}, {2, 1, 350, b.data()}, {3, 1, 350, d.data()}};
  const auto found = FindSharedPrefixes(segments, 64, 16);
  ASSERT_EQ(found.size(), 2u);
  for (const auto& prefix : found) {
    EXPECT_EQ(prefix.members.size(), 2u);
    EXPECT_EQ(prefix.positions, 320);
    EXPECT_EQ((prefix.members[0] + prefix.members[1]) % 2, 0u);
  }
}

}  // namespace
}  // namespace ac::model
