#include "engine/step_pacer.h"

#include <gtest/gtest.h>

namespace ac::engine {
namespace {

// A machine with a simple law: what a step with this plan takes.
struct Machine {
  double weights = 0.02;         // reading them
  double token = 0.001;          // computing one token
  double token_at_depth = 1e-7;  // its attention, for each token before it

  double Seconds(const std::vector<PlannedChunk>& plan) const {
    double seconds = 0;
    for (const PlannedChunk& chunk : plan) {
      const double depth = static_cast<double>(chunk.begin) + chunk.count / 2.0;
      seconds += chunk.count * (token + token_at_depth * depth);
    }
    return std::max(weights, seconds);
  }
};

TEST(PromptPrices, StartSmallAndThenFollowTheMeasuredTime) {
  PromptPrices prices;
  EXPECT_TRUE(prices.empty());
  EXPECT_EQ(prices.Fitting(0, 0.2), 64);
  for (int i = 0; i < 10; ++i) prices.Observe({{{0, 64}}}, 0.064);
  EXPECT_NEAR(static_cast<double>(prices.Fitting(0, 0.2)), 200, 1);
}

TEST(PromptPrices, AnUnknownDepthIsExpectedToCostMore) {
  PromptPrices prices;
  prices.Observe({{{0, 64}}}, 0.064);
  EXPECT_LT(prices.Fitting(60000, 0.2), prices.Fitting(0, 0.2) / 50);
  for (int i = 0; i < 10; ++i) prices.Observe({{{60000, 8}}}, 0.040);
  EXPECT_NEAR(prices.At(60000), 0.005, 0.0001);
  EXPECT_NEAR(prices.At(0), 0.001, 0.0001);
}

TEST(StepPacer, APromptAloneIsCutIntoStepsOfTheTargetTimeAtEveryDepth) {
  StepPacer pacer(512, 0.2);
  const Machine machine;
  SequenceState prompt{.id = 1, .known_tokens = 64000};
  double longest = 0;
  int steps = 0;
  double total = 0;
  while (prompt.computed_tokens < prompt.known_tokens) {
    const auto plan = PlanStep({&prompt, 1}, pacer.Limits());
    ASSERT_EQ(plan.size(), 1u);
    const double seconds = machine.Seconds(plan);
    longest = std::max(longest, seconds);
    total += seconds;
    ++steps;
    pacer.Observe(plan, seconds);
    prompt.computed_tokens += plan[0].count;
  }
  EXPECT_LT(longest, 0.3);
  EXPECT_GT(total / steps, 0.15);
}

TEST(StepPacer, AStreamKeepsHalfOfItsSpeedBesideALongPrompt) {
  StepPacer pacer(512, 0.2);
  const Machine machine{.weights = 0.09, .token = 0.001, .token_at_depth = 2e-8};
  SequenceState stream{.id = 1, .known_tokens = 101, .computed_tokens = 100, .prompt_done = true};
  SequenceState prompt{.id = 2, .known_tokens = 64000};
  std::vector<double> gaps;
  double total = 0;
  while (prompt.computed_tokens < prompt.known_tokens) {
    const SequenceState both[] = {stream, prompt};
    const auto plan = PlanStep(both, pacer.Limits());
    const double seconds = machine.Seconds(plan);
    pacer.Observe(plan, seconds);
    gaps.push_back(seconds);
    total += seconds;
    ++stream.known_tokens;
    ++stream.computed_tokens;
    if (plan.size() == 2) prompt.computed_tokens += plan[1].count;
  }
  std::sort(gaps.begin(), gaps.end());
  EXPECT_LT(total / static_cast<double>(gaps.size()), 2 * 0.09);
  EXPECT_LT(gaps[gaps.size() * 99 / 100], 0.25);
  EXPECT_LT(gaps.back(), 0.5);
}

TEST(StepPacer, AStreamIsMeasuredAloneBeforePromptsJoinIt) {
  StepPacer pacer(512, 0.2);
  EXPECT_EQ(pacer.Limits().mixed.seconds, 0);
  const PlannedChunk decode[] = {{.id = 1, .begin = 10, .count = 1, .samples = true}};
  pacer.Observe(decode, 0.05);
  EXPECT_NEAR(pacer.Limits().mixed.seconds, 0.05 * 1.85, 1e-9);
}

}  // namespace
}  // namespace ac::engine
