#include "engine/scheduler.h"

#include <gtest/gtest.h>

namespace ac::engine {
namespace {

SequenceState Prompt(uint64_t id, int64_t tokens, int64_t computed = 0) {
  return {.id = id, .known_tokens = tokens, .computed_tokens = computed};
}
SequenceState Decoding(uint64_t id, int64_t position) {
  return {.id = id, .known_tokens = position + 1, .computed_tokens = position, .prompt_done = true};
}
using Plan = std::vector<PlannedChunk>;

TEST(Scheduler, NothingToDoGivesAnEmptyPlan) {
  EXPECT_TRUE(PlanStep({}, {}).empty());
  const SequenceState idle[] = {Prompt(1, 5, 5)};
  EXPECT_TRUE(PlanStep(idle, {}).empty());
}

TEST(Scheduler, ALongPromptIsCutIntoChunksAndOnlyTheLastSamples) {
  const SequenceState first[] = {Prompt(1, 1000)};
  EXPECT_EQ(PlanStep(first, {.max_tokens = 512}), (Plan{{1, 0, 512, false, true}}));
  const SequenceState second[] = {Prompt(1, 1000, 512)};
  EXPECT_EQ(PlanStep(second, {.max_tokens = 512}), (Plan{{1, 512, 488, true, true}}));
}

TEST(Scheduler, EveryDecodingSequenceGetsItsTokenFirst) {
  const SequenceState state[] = {Prompt(1, 1000), Decoding(2, 10), Decoding(3, 20)};
  EXPECT_EQ(PlanStep(state, {.max_tokens = 64}),
            (Plan{{2, 10, 1, true}, {3, 20, 1, true}, {1, 0, 62, false, true}}));
}

TEST(Scheduler, DecodingGoesOnEvenWhenTheBudgetIsUsedUp) {
  const SequenceState state[] = {Decoding(1, 10), Decoding(2, 20), Decoding(3, 30)};
  EXPECT_EQ(PlanStep(state, {.max_tokens = 2}).size(), 3u);
}

TEST(Scheduler, ShortPromptsShareAStep) {
  const SequenceState state[] = {Prompt(1, 100), Prompt(2, 100), Prompt(3, 400)};
  EXPECT_EQ(PlanStep(state, {.max_tokens = 512}),
            (Plan{{1, 0, 100, true, true}, {2, 0, 100, true, true}, {3, 0, 312, false, true}}));
}

TEST(Scheduler, InteractiveComesBeforeBackground) {
  SequenceState background = Prompt(1, 100);
  background.priority = Priority::kBackground;
  const SequenceState state[] = {background, Prompt(2, 600)};
  EXPECT_EQ(PlanStep(state, {.max_tokens = 512}), (Plan{{2, 0, 512, false, true}}));
}

TEST(Scheduler, TheClientServedLeastComesFirst) {
  SequenceState greedy = Prompt(1, 600);
  greedy.client_tokens = 5000;
  SequenceState modest = Prompt(2, 600);
  modest.client_tokens = 10;
  const SequenceState state[] = {greedy, modest};
  EXPECT_EQ(PlanStep(state, {.max_tokens = 512}), (Plan{{2, 0, 512, false, true}}));
}

TEST(Scheduler, DraftedTokensRunBehindTheKnownOne) {
  SequenceState drafting = Decoding(1, 10);
  drafting.drafted_tokens = 4;
  EXPECT_EQ(PlanStep({&drafting, 1}, {}), (Plan{{1, 10, 5, true, false, 4}}));
}

TEST(Scheduler, WhatAPreemptionLostIsComputedLikeAPrompt) {
  SequenceState back = Decoding(1, 5000);
  back.computed_tokens = 100;
  back.drafted_tokens = 3;
  EXPECT_EQ(PlanStep({&back, 1}, {.max_tokens = 512}), (Plan{{1, 100, 512, false, true}}));
}

TEST(Scheduler, WhatAGrammarAppendedRunsWithTheStreams) {
  SequenceState forced = Decoding(1, 10);
  forced.known_tokens += 5;
  EXPECT_EQ(PlanStep({&forced, 1}, {}), (Plan{{1, 10, 6, true}}));
}

TEST(Scheduler, PromptsWaitWhileTheirShareOfTimeIsNothing) {
  const SequenceState state[] = {Prompt(1, 1000), Decoding(2, 10)};
  StepLimits limits;
  limits.mixed.seconds = 0;
  EXPECT_EQ(PlanStep(state, limits), (Plan{{2, 10, 1, true}}));
}

TEST(Scheduler, AShareOfTimeBuysWhatItsPricesSay) {
  PromptPrices prices;
  for (int i = 0; i < 20; ++i) prices.Observe({{{0, 100}}}, 0.1);  // 1 ms a token
  StepLimits limits;
  limits.alone = {.seconds = 0.2, .prices = &prices};
  const SequenceState state[] = {Prompt(1, 150), Prompt(2, 1000)};
  const Plan plan = PlanStep(state, limits);
  ASSERT_EQ(plan.size(), 2u);
  EXPECT_EQ(plan[0].count, 150);
  EXPECT_NEAR(plan[1].count, 50, 1);
}

TEST(Scheduler, TheClientWithFewestRunningRequestsIsAdmittedFirst) {
  const WaitingState busy{.id = 1, .client_running = 5};
  const WaitingState idle{.id = 2, .client_running = 0};
  WaitingState background{.id = 0, .priority = Priority::kBackground};
  EXPECT_TRUE(AdmittedBefore(idle, busy));
  EXPECT_FALSE(AdmittedBefore(busy, idle));
  EXPECT_TRUE(AdmittedBefore(busy, background));
  EXPECT_TRUE(AdmittedBefore({.id = 1}, {.id = 2}));
}

}  // namespace
}  // namespace ac::engine
