#include "speculation/draft_model.h"

#include <gtest/gtest.h>

#include "support/toy_model.h"

namespace ac::speculation {
namespace {

using ac::testing::ToyModel;

constexpr int kPageTokens = 4;

std::vector<int32_t> Tokens(int count, uint32_t seed) {
  std::vector<int32_t> tokens;
  for (int i = 0; i < count; ++i) {
    seed = seed * 1664525u + 1013904223u;
    tokens.push_back(static_cast<int32_t>(seed >> 26));
  }
  return tokens;
}

class DraftModelTest : public ::testing::Test {
 protected:
  explicit DraftModelTest(int sequences = 4)
      : draft_(model_,
               kv::PagePool::Create(ToyModel::Layout(kPageTokens),
                                    DraftModel::PagesFor(sequences, kPageTokens))
                   .value(),
               model_.vocab_size(), clock_) {}

  std::vector<int32_t> Guess(uint64_t id, const std::vector<int32_t>& tokens, int count) {
    DraftTask task{.id = id, .tokens = tokens, .count = count};
    EXPECT_TRUE(draft_.Guess({&task, 1}).ok());
    EXPECT_TRUE(draft_.CheckIntegrity().ok());
    return task.guesses;
  }

  // The toy model's next token depends on all that it reads, so a wrong page shows.
  ToyModel model_{64, 1 << 20};
  FakeClock clock_;
  DraftModel draft_;
};

TEST_F(DraftModelTest, GuessesWhatItsModelSays) {
  const auto tokens = Tokens(100, 1);
  EXPECT_EQ(Guess(1, tokens, 5), model_.Continue(tokens, 5));
}

TEST_F(DraftModelTest, WrongGuessesLeaveNoTrace) {
  auto tokens = Tokens(50, 2);
  for (int step = 0; step < 30; ++step) {
    const auto guesses = Guess(1, tokens, 4);
    ASSERT_EQ(guesses, model_.Continue(tokens, 4)) << step;
    // Some of them were right, then came something else.
    tokens.insert(tokens.end(), guesses.begin(), guesses.begin() + step % 4);
    tokens.push_back((guesses[static_cast<size_t>(step % 4)] + 1) % 64);
  }
  EXPECT_LT(model_.tokens_computed, 50 + 30 * 9);
}

TEST_F(DraftModelTest, SeveralSequencesAreComputedTogether) {
  std::vector<std::vector<int32_t>> all;
  for (uint32_t i = 0; i < 4; ++i) all.push_back(Tokens(20 + static_cast<int>(i), i));
  std::vector<DraftTask> tasks;
  for (size_t i = 0; i < all.size(); ++i) {
    tasks.push_back({.id = i + 1, .tokens = all[i], .count = static_cast<int>(i)});
  }
  ASSERT_TRUE(draft_.Guess(tasks).ok());
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(tasks[i].guesses, model_.Continue(all[i], static_cast<int>(i)));
  }
  EXPECT_EQ(model_.steps, 3);
}

TEST_F(DraftModelTest, ALongSequenceIsReadInPartsAndFromItsWindowOn) {
  const auto tokens = Tokens(5000, 3);
  int calls = 0;
  std::vector<int32_t> guesses;
  while (guesses.empty() && calls < 20) {
    guesses = Guess(1, tokens, 3);
    ++calls;
  }
  EXPECT_EQ(calls, DraftModel::kWindow / DraftModel::kReadAtOnce);
  const std::vector<int32_t> window(tokens.end() - DraftModel::kWindow, tokens.end());
  EXPECT_EQ(guesses, model_.Continue(window, 3));
}

TEST_F(DraftModelTest, ASequenceThatGrowsBeyondItsMemoryStartsAnew) {
  auto tokens = Tokens(500, 4);
  for (int step = 0; step < 40; ++step) {
    (void)Guess(1, tokens, 3);
    const auto more = Tokens(200, static_cast<uint32_t>(step));
    tokens.insert(tokens.end(), more.begin(), more.end());
  }
  std::vector<int32_t> guesses;
  for (int i = 0; i < 20 && guesses.empty(); ++i) guesses = Guess(1, tokens, 3);
  EXPECT_EQ(guesses.size(), 3u);
}

TEST_F(DraftModelTest, TheNextTurnOfAConversationGoesOnWhereTheLastOneEnded) {
  auto tokens = Tokens(300, 5);
  while (Guess(1, tokens, 2).empty()) {
  }
  draft_.End(1);
  const int64_t before = model_.tokens_computed;
  const auto more = Tokens(40, 6);
  tokens.insert(tokens.end(), more.begin(), more.end());
  EXPECT_EQ(Guess(2, tokens, 2), model_.Continue(tokens, 2));
  EXPECT_LT(model_.tokens_computed - before, 50);
}

class SmallDraftModelTest : public DraftModelTest {
 protected:
  SmallDraftModelTest() : DraftModelTest(1) {}
};

TEST_F(SmallDraftModelTest, WhoWasNotAskedForLongestGivesItsMemory) {
  const auto first = Tokens(200, 7);
  const auto second = Tokens(200, 8);
  EXPECT_EQ(Guess(1, first, 2), model_.Continue(first, 2));
  auto grown = second;
  for (int i = 0; i < 20; ++i) {
    (void)Guess(2, grown, 2);
    const auto more = Tokens(200, static_cast<uint32_t>(i));
    grown.insert(grown.end(), more.begin(), more.end());
  }
  EXPECT_EQ(Guess(1, first, 2), model_.Continue(first, 2)) << "read again";
}

TEST_F(SmallDraftModelTest, AFailedStepIsReportedAndTheNextOneIsRight) {
  const auto tokens = Tokens(100, 9);
  int steps = 0;
  model_.on_forward = [&](std::span<const model::Chunk>) {
    return ++steps == 2 ? Internal("injected") : OkStatus();
  };
  DraftTask task{.id = 1, .tokens = tokens, .count = 4};
  EXPECT_FALSE(draft_.Guess({&task, 1}).ok());
  EXPECT_EQ(Guess(1, tokens, 4), model_.Continue(tokens, 4));
}

}  // namespace
}  // namespace ac::speculation
