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

TEST(DraftCosts, ASlowFirstStepOfASizeIsMeasuredAgainAndASlowSizeIsNot) {
  DraftCosts costs;
  costs.Observe(1, 1.0);
  costs.Observe(1, 1.0);
  costs.Observe(16, 50.0);  // perhaps it grew a buffer
  EXPECT_LT(costs.Seconds(16), 4.0);
  DraftCosts slow = costs;
  costs.Observe(16, 2.0);
  EXPECT_DOUBLE_EQ(costs.Seconds(16), 2.0);
  slow.Observe(16, 50.0);
  EXPECT_DOUBLE_EQ(slow.Seconds(16), 50.0);
  // The first one of all has no neighbours.
  DraftCosts first;
  first.Observe(1, 3.0);
  EXPECT_DOUBLE_EQ(first.Seconds(1), 3.0);
}

TEST(DraftCosts, OldMeasurementsAreForgotten) {
  DraftCosts costs;
  costs.Observe(1, 1.0);
  costs.Observe(8, 50.0);
  for (int i = 0; i < 2000; ++i) costs.Observe(1, 1.0);
  EXPECT_LT(costs.Seconds(8), 3.0);
}

TEST(ChooseDraftLengthTest, AModelIsAskedOnlyWhereItsGuessesAreWorthTheirTime) {
  const DraftCosts costs = MemoryBound();
  EXPECT_GE(ChooseDraftLength(0.9, 1, 1, 0.05, costs, 8), 4);
  EXPECT_EQ(ChooseDraftLength(0.1, 1, 1, 0.2, costs, 8), 0);
  // As slow as the model itself.
  EXPECT_EQ(ChooseDraftLength(0.9, 1, 1, 1.0, costs, 8), 0);
  EXPECT_EQ(ChooseDraftLength(0.9, 1, 1, 0.05, ComputeBound(), 8), 0);
  // The better the guesses the more of them; more sequences share the time of a guess.
  EXPECT_GT(ChooseDraftLength(0.95, 1, 1, 0.2, costs, 8),
            ChooseDraftLength(0.6, 1, 1, 0.2, costs, 8));
  EXPECT_GE(ChooseDraftLength(0.7, 8, 8, 0.3, costs, 8),
            ChooseDraftLength(0.7, 1, 1, 0.3, costs, 8));
}

TEST(ChooseDraftLengthTest, NothingIsAskedForBeforeTimesAreKnown) {
  EXPECT_EQ(ChooseDraftLength(0.9, 1, 1, 0.05, DraftCosts(), 8), 0);
  EXPECT_EQ(ChooseDraftLength(0.9, 1, 1, 0, MemoryBound(), 8), 0);
  EXPECT_EQ(ChooseDraftLength(0.9, 0, 1, 0.05, MemoryBound(), 8), 0);
}

TEST(DraftYieldTest, WhatFailsIsTriedLessAndLessOften) {
  DraftYield yield;
  std::vector<int> tries;
  for (int step = 0; step < 3000; ++step) {
    if (!yield.TimeToTry()) continue;
    tries.push_back(step);
    yield.Observe(false);
    yield.Asked(/*paid=*/false);
  }
  ASSERT_GE(tries.size(), 5u);
  EXPECT_EQ(tries[0], 0);
  EXPECT_LE(tries.size(), 10u);
  for (size_t i = 2; i < tries.size(); ++i) {
    EXPECT_GE(tries[i] - tries[i - 1], tries[i - 1] - tries[i - 2]);
  }
  EXPECT_LT(yield.Probability(), 0.2);
  for (int i = 0; i < 60; ++i) yield.Observe(true);
  EXPECT_GT(yield.Probability(), 0.9);
}

}  // namespace
}  // namespace ac::speculation
