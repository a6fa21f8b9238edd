#include "speculation/draft_control.h"

#include <gtest/gtest.h>

namespace ac::speculation {
namespace {

// Steps that take as long as reading the weights once, up to a number of tokens.
DraftCosts MemoryBound() {
  DraftCosts costs;
  for (int tokens = 1; tokens <= 64; ++tokens) costs.Observe(tokens, 1.0 + 0.01 * tokens);
  return costs;
}

// Every token costs the same.
DraftCosts ComputeBound() {
  DraftCosts costs;
  for (int tokens = 1; tokens <= 64; ++tokens) costs.Observe(tokens, tokens);
  return costs;
}

TEST(Acceptance, LearnsFromWhatItSees) {
  Acceptance acceptance;
  for (int i = 0; i < 50; ++i) acceptance.Observe(10, true);
  for (int i = 0; i < 50; ++i) acceptance.Observe(3, false);
  EXPECT_GT(acceptance.Probability(10), 0.9);
  EXPECT_LT(acceptance.Probability(3), 0.1);
  EXPECT_EQ(acceptance.Probability(60), 0.5);
  for (int i = 0; i < 50; ++i) acceptance.Observe(3, true);
  EXPECT_GT(acceptance.Probability(3), 0.9);
}

TEST(ChooseDraftLengths, LikelyGuessesAreComputedWhereTheyCostLittle) {
  const GuessProbabilities sure[] = {GuessProbabilities(16, 0.98)};
  EXPECT_EQ(ChooseDraftLengths(sure, MemoryBound(), 64), (std::vector<int>{16}));
}

TEST(ChooseDraftLengths, NothingIsGuessedWhereEveryTokenCostsTheSame) {
  const GuessProbabilities sure[] = {GuessProbabilities(16, 0.98)};
  EXPECT_EQ(ChooseDraftLengths(sure, ComputeBound(), 64), (std::vector<int>{0}));
}

TEST(ChooseDraftLengths, UnlikelyGuessesAreLeftOut) {
  const GuessProbabilities unlikely[] = {GuessProbabilities(16, 0.02)};
  EXPECT_EQ(ChooseDraftLengths(unlikely, MemoryBound(), 64), (std::vector<int>{0}));
}

TEST(ChooseDraftLengths, NothingIsGuessedBeforeAStepWithoutWasMeasured) {
  const GuessProbabilities sure[] = {GuessProbabilities(16, 0.98)};
  EXPECT_EQ(ChooseDraftLengths(sure, DraftCosts(), 64), (std::vector<int>{0}));
}

TEST(ChooseDraftLengths, TheLikelierSequenceGetsTheRoom) {
  const GuessProbabilities two[] = {GuessProbabilities(16, 0.6), GuessProbabilities(16, 0.99)};
  const std::vector<int> lengths = ChooseDraftLengths(two, MemoryBound(), 12);
  EXPECT_EQ(lengths[0] + lengths[1], 10);
  EXPECT_GT(lengths[1], lengths[0]);
}

TEST(DraftCosts, UnmeasuredNumbersAreEstimatedFromTheirNeighbours) {
  DraftCosts costs;
  EXPECT_EQ(costs.Seconds(4), 0);
  costs.Observe(1, 1.0);
  EXPECT_GT(costs.Seconds(4), 1.0);
  EXPECT_LT(costs.Seconds(4), 2.0);
  costs.Observe(8, 3.0);
  EXPECT_GT(costs.Seconds(4), 1.0);
  EXPECT_LT(costs.Seconds(4), 3.0);
  EXPECT_GE(costs.Seconds(16), 3.0);
}

TEST(DraftCosts, OldMeasurementsAreForgotten) {
  DraftCosts costs;
  costs.Observe(1, 1.0);
  costs.Observe(8, 50.0);
  for (int i = 0; i < 2000; ++i) costs.Observe(1, 1.0);
  EXPECT_LT(costs.Seconds(8), 3.0);
}

}  // namespace
}  // namespace ac::speculation
