#include "speculation/ngram_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace ac::speculation {
namespace {

NgramIndex::Match FindIn(const std::vector<int32_t>& tokens) {
  NgramIndex index;
  index.Extend(tokens);
  return index.Find(tokens);
}

TEST(NgramIndex, FindsWhatFollowedTheSameTokensBefore) {
  const NgramIndex::Match match = FindIn({1, 2, 3, 4, 5, 9, 2, 3, 4});
  EXPECT_EQ(match.length, 3);
  EXPECT_EQ(match.next, 4);
}

TEST(NgramIndex, TextThatNeverRepeatsHasNoMatch) {
  EXPECT_EQ(FindIn({}).length, 0);
  EXPECT_EQ(FindIn({1, 2, 3}).length, 0);
  EXPECT_EQ(FindIn({1, 2, 3, 4, 5, 6}).length, 0);
  EXPECT_EQ(FindIn({7, 8, 1, 9, 7, 8}).length, 0);  // two tokens agree: too few
}

TEST(NgramIndex, TheLongestAgreementWinsAndThenTheLatest) {
  EXPECT_EQ(FindIn({5, 1, 2, 3, 60, 6, 1, 2, 3, 70, 5, 1, 2, 3}).next, 4);
  EXPECT_EQ(FindIn({7, 1, 2, 3, 60, 8, 1, 2, 3, 70, 5, 1, 2, 3}).next, 9);
}

TEST(NgramIndex, ARunOfOneTokenContinuesItself) {
  const NgramIndex::Match match = FindIn(std::vector<int32_t>(20, 7));
  EXPECT_EQ(match.next, 19);
  EXPECT_EQ(match.length, 19);
}

// Against a search through everything, while the sequence grows by random steps.
TEST(NgramIndex, EqualsTheExhaustiveSearchOnRandomText) {
  std::mt19937 random(5);
  for (int round = 0; round < 20; ++round) {
    std::vector<int32_t> tokens;
    NgramIndex index;
    while (tokens.size() < 1500) {
      for (auto n = 1 + random() % 40; n > 0; --n) {
        tokens.push_back(static_cast<int32_t>(random() % 12));
      }
      index.Extend(tokens);
      const NgramIndex::Match match = index.Find(tokens);
      int longest = 0;
      const auto count = static_cast<int64_t>(tokens.size());
      for (int64_t end = 1; end < count; ++end) {
        int length = 0;
        while (length < end && length < NgramIndex::kMaxLength &&
               tokens[static_cast<size_t>(end - 1 - length)] ==
                   tokens[static_cast<size_t>(count - 1 - length)]) {
          ++length;
        }
        longest = std::max(longest, length);
      }
      ASSERT_EQ(match.length, longest >= NgramIndex::kMinLength ? longest : 0);
      for (int i = 1; i <= match.length; ++i) {
        ASSERT_EQ(tokens[static_cast<size_t>(match.next - i)],
                  tokens[static_cast<size_t>(count - i)]);
      }
    }
  }
}

}  // namespace
}  // namespace ac::speculation
