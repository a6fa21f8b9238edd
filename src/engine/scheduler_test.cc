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
  EXPECT_EQ(PlanStep(first, {.max_tokens = 512}), (Plan{{1, 0, 512, false}}));
  const SequenceState second[] = {Prompt(1, 1000, 512)};
  EXPECT_EQ(PlanStep(second, {.max_tokens = 512}), (Plan{{1, 512, 488, true}}));
}

TEST(Scheduler, EveryDecodingSequenceGetsItsTokenFirst) {
  const SequenceState state[] = {Prompt(1, 1000), Decoding(2, 10), Decoding(3, 20)};
  EXPECT_EQ(PlanStep(state, {.max_tokens = 512, .mixed_prefill_tokens = 64}),
            (Plan{{2, 10, 1, true}, {3, 20, 1, true}, {1, 0, 64, false}}));
}

TEST(Scheduler, DecodingGoesOnEvenWhenTheBudgetIsUsedUp) {
  const SequenceState state[] = {Decoding(1, 10), Decoding(2, 20), Decoding(3, 30)};
  EXPECT_EQ(PlanStep(state, {.max_tokens = 2}).size(), 3u);
}

TEST(Scheduler, ShortPromptsShareAStep) {
  const SequenceState state[] = {Prompt(1, 100), Prompt(2, 100), Prompt(3, 400)};
  EXPECT_EQ(PlanStep(state, {.max_tokens = 512}),
            (Plan{{1, 0, 100, true}, {2, 0, 100, true}, {3, 0, 312, false}}));
}

TEST(Scheduler, InteractiveComesBeforeBackground) {
  SequenceState background = Prompt(1, 100);
  background.priority = Priority::kBackground;
  const SequenceState state[] = {background, Prompt(2, 600)};
  EXPECT_EQ(PlanStep(state, {.max_tokens = 512}), (Plan{{2, 0, 512, false}}));
}

TEST(Scheduler, TheClientServedLeastComesFirst) {
  SequenceState greedy = Prompt(1, 600);
  greedy.client_tokens = 5000;
  SequenceState modest = Prompt(2, 600);
  modest.client_tokens = 10;
  const SequenceState state[] = {greedy, modest};
  EXPECT_EQ(PlanStep(state, {.max_tokens = 512}), (Plan{{2, 0, 512, false}}));
}

TEST(StepPacer, SizesStepsToTheTargetTime) {
  StepPacer pacer(512, 0.2);
  EXPECT_EQ(pacer.Limits().max_tokens, 64);
  for (int i = 0; i < 20; ++i) pacer.Observe(64, 0.064);  // 1 ms a token
  EXPECT_NEAR(pacer.Limits().max_tokens, 200, 1);
  EXPECT_NEAR(pacer.Limits().mixed_prefill_tokens, 50, 1);
  for (int i = 0; i < 20; ++i) pacer.Observe(64, 0.0001);
  EXPECT_EQ(pacer.Limits().max_tokens, 512);
  for (int i = 0; i < 20; ++i) pacer.Observe(64, 64.0);
  EXPECT_EQ(pacer.Limits().max_tokens, 16);
}

TEST(StepPacer, IgnoresStepsThatOnlyDecode) {
  StepPacer pacer(512, 0.2);
  for (int i = 0; i < 20; ++i) pacer.Observe(64, 0.064);
  pacer.Observe(1, 10.0);
  EXPECT_NEAR(pacer.Limits().max_tokens, 200, 1);
}

}  // namespace
}  // namespace ac::engine
