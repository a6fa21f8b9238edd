// What happens to one request must not happen to another, and never to the engine: failures
// injected into the forward pass, the page memory and the grammar; steps that nobody wants any
// more.
#include <gtest/gtest.h>

#include <functional>

#include "engine/engine.h"
#include "support/collecting_sink.h"
#include "support/toy_model.h"
#include "support/toy_tokenizer.h"

namespace ac::engine {
namespace {

using ac::testing::CollectingSink;
using ac::testing::MakeToyTokenizer;
using ac::testing::ToyModel;

// Does what a test tells it to.
struct Wild : TokenConstraint {
  std::unique_ptr<TokenConstraint> Fork() const override { return std::make_unique<Wild>(*this); }
  std::span<const uint64_t> Allowed() override { return mask; }
  bool Accept(TokenId token) override { return accepts && token != refused; }
  void Rollback(int) override {}
  std::vector<TokenId> Forced() override { return forced; }

  std::vector<uint64_t> mask;
  std::vector<TokenId> forced;
  TokenId refused = -1;
  bool accepts = true;
};

class EngineFaultTest : public ::testing::Test {
 protected:
  void Start(int64_t pages = 512, EngineOptions options = {}) {
    Result<kv::PagePool> pool = kv::PagePool::Create(ToyModel::Layout(), pages);
    ASSERT_TRUE(pool.ok()) << pool.status();
    engine_ = std::make_unique<Engine>(model_, *tokenizer_, std::move(pool).value(), options);
  }
  static GenerateRequest Greedy(std::vector<TokenId> prompt, int64_t max_tokens) {
    GenerateRequest request;
    request.prompt = std::move(prompt);
    request.max_tokens = max_tokens;
    request.sampling.temperature = 0;
    return request;
  }
  std::shared_ptr<CollectingSink> Submit(GenerateRequest request, RequestId* id = nullptr) {
    auto sink = std::make_shared<CollectingSink>();
    const Result<RequestId> submitted = engine_->Submit(std::move(request), sink);
    EXPECT_TRUE(submitted.ok()) << submitted.status();
    if (id != nullptr && submitted.ok()) *id = *submitted;
    return sink;
  }
  // Two healthy requests beside the sick one: they get their texts, and nothing is lost.
  void ExpectOnlyThisOneFails(GenerateRequest sick, Code code) {
    const auto before = Submit(Greedy({1, 2, 3}, 12));
    const auto failed = Submit(std::move(sick));
    const auto after = Submit(Greedy({4, 5, 6}, 12));
    ASSERT_TRUE(before->Wait() && failed->Wait() && after->Wait());
    EXPECT_EQ(failed->info.reason, FinishReason::kFailed);
    EXPECT_EQ(failed->info.status.code(), code) << failed->info.status;
    EXPECT_EQ(before->tokens, model_.Continue({1, 2, 3}, 12));
    EXPECT_EQ(after->tokens, model_.Continue({4, 5, 6}, 12));
    EXPECT_TRUE(engine_->CheckIntegrity().ok()) << engine_->CheckIntegrity();
  }
  // A step that goes on until it is interrupted, or for seconds.
  Status WaitForInterrupt() {
    in_step_ = true;
    for (int i = 0; i < 5000; ++i) {
      const std::atomic<bool>* flag = model_.interrupt;
      if (flag != nullptr && *flag) {
        ++interrupted_;
        return Status(Code::kCancelled, "interrupted");
      }
      if (released_) return OkStatus();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return OkStatus();
  }
  void AwaitStep() {
    for (int i = 0; i < 5000 && !in_step_; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

  ToyModel model_;
  std::unique_ptr<tokenizer::Tokenizer> tokenizer_ = MakeToyTokenizer();
  std::unique_ptr<Engine> engine_;
  std::atomic<bool> in_step_{false};
  std::atomic<bool> released_{false};
  std::atomic<int> interrupted_{0};
};

TEST_F(EngineFaultTest, CancellingStopsAStepInItsMiddle) {
  model_.on_forward = [this](std::span<const model::Chunk>) { return WaitForInterrupt(); };
  Start();
  RequestId id = 0;
  const auto sink = Submit(Greedy(std::vector<TokenId>(300, 1), 10), &id);
  AwaitStep();
  engine_->Cancel(id);
  ASSERT_TRUE(sink->Wait());
  EXPECT_EQ(sink->info.reason, FinishReason::kCancelled);
  EXPECT_EQ(interrupted_, 1);
  released_ = true;
  const auto next = Submit(Greedy({7, 8}, 5));
  ASSERT_TRUE(next->Wait());
  EXPECT_EQ(next->tokens, model_.Continue({7, 8}, 5));
  EXPECT_TRUE(engine_->CheckIntegrity().ok());
}

TEST_F(EngineFaultTest, AStepThatOthersShareIsNotThrownAway) {
  std::atomic<bool> both{false};
  model_.on_forward = [&](std::span<const model::Chunk> batch) {
    if (batch.size() < 2 || both) return OkStatus();
    both = true;
    return WaitForInterrupt();
  };
  Start();
  RequestId id = 0;
  const auto kept = Submit(Greedy({1, 2, 3}, 2000));
  ASSERT_TRUE(kept->WaitForTokens(1));
  const auto gone = Submit(Greedy({4, 5, 6}, 2000), &id);
  AwaitStep();
  engine_->Cancel(id);
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  released_ = true;
  ASSERT_TRUE(gone->Wait());
  EXPECT_EQ(gone->info.reason, FinishReason::kCancelled);
  ASSERT_TRUE(kept->Wait());
  EXPECT_EQ(interrupted_, 0);
  EXPECT_EQ(kept->tokens, model_.Continue({1, 2, 3}, 2000));
}

TEST_F(EngineFaultTest, ShuttingDownDoesNotWaitForALongStep) {
  model_.on_forward = [this](std::span<const model::Chunk>) { return WaitForInterrupt(); };
  Start();
  const auto sink = Submit(Greedy(std::vector<TokenId>(300, 1), 10));
  AwaitStep();
  engine_.reset();
  ASSERT_TRUE(sink->Wait());
  EXPECT_EQ(sink->info.reason, FinishReason::kCancelled);
  EXPECT_EQ(interrupted_, 1);
}

TEST_F(EngineFaultTest, WhicheverStepFailsEverybodyIsAnsweredAndTheRestIsRight) {
  for (int failing = 1; failing <= 30; ++failing) {
    int step = 0;
    // The whole batch, and then alone the one whose prompt begins with 9.
    model_.on_forward = [&](std::span<const model::Chunk> batch) {
      ++step;
      const bool sick = batch.size() == 1 && batch[0].position == 0 && batch[0].tokens[0] == 9;
      return step == failing || sick ? Internal("injected") : OkStatus();
    };
    Start();
    std::vector<std::shared_ptr<CollectingSink>> sinks;
    for (TokenId i = 7; i < 12; ++i) sinks.push_back(Submit(Greedy({i, 1, 2, 3, 4}, 6)));
    for (size_t i = 0; i < sinks.size(); ++i) {
      ASSERT_TRUE(sinks[i]->Wait()) << failing;
      const auto first = static_cast<TokenId>(7 + i);
      const auto expected = model_.Continue({first, 1, 2, 3, 4}, 6);
      if (sinks[i]->info.reason == FinishReason::kFailed) continue;
      EXPECT_EQ(sinks[i]->tokens, expected) << failing;
    }
    EXPECT_TRUE(engine_->CheckIntegrity().ok()) << failing;
  }
}

TEST_F(EngineFaultTest, ARequestThatOutgrowsTheMemoryEndsThereAndTheNextOneIsFine) {
  Start(20);  // 80 tokens
  const auto sink = Submit(Greedy({1, 2, 3}, 500));
  ASSERT_TRUE(sink->Wait());
  EXPECT_EQ(sink->info.reason, FinishReason::kContextFull);
  EXPECT_EQ(sink->tokens, model_.Continue({1, 2, 3}, static_cast<int>(sink->tokens.size())));
  EXPECT_GT(sink->tokens.size(), 70u);
  const auto next = Submit(Greedy({4, 5}, 20));
  ASSERT_TRUE(next->Wait());
  EXPECT_EQ(next->tokens, model_.Continue({4, 5}, 20));
  EXPECT_TRUE(engine_->CheckIntegrity().ok());
}

TEST_F(EngineFaultTest, AGrammarThatAllowsNothingFailsItsRequestOnly) {
  Start();
  auto nothing = std::make_shared<Wild>();
  nothing->mask = {0};
  GenerateRequest request = Greedy({9, 9}, 10);
  request.constraint = nothing;
  ExpectOnlyThisOneFails(request, Code::kFailedPrecondition);
}

TEST_F(EngineFaultTest, AGrammarThatRefusesWhatItAllowedFailsItsRequestOnly) {
  Start();
  auto liar = std::make_shared<Wild>();
  liar->accepts = false;
  GenerateRequest request = Greedy({9, 9}, 10);
  request.constraint = liar;
  ExpectOnlyThisOneFails(request, Code::kInternal);
}

TEST_F(EngineFaultTest, AGrammarThatForcesWhatItRefusesFailsItsRequestOnly) {
  Start();
  auto liar = std::make_shared<Wild>();
  liar->forced = {5};
  liar->refused = 5;
  liar->mask = {~(uint64_t{1} << 5)};
  GenerateRequest request = Greedy({9, 9}, 10);
  request.constraint = liar;
  ExpectOnlyThisOneFails(request, Code::kInternal);
}

TEST_F(EngineFaultTest, AGrammarThatForcesNoTokenOfTheVocabularyFailsItsRequestOnly) {
  Start();
  for (const TokenId token : {-1, 64, 1 << 30}) {
    auto wild = std::make_shared<Wild>();
    wild->forced = {token};
    GenerateRequest request = Greedy({9, 9}, 10);
    request.constraint = wild;
    ExpectOnlyThisOneFails(request, Code::kInternal);
  }
}

}  // namespace
}  // namespace ac::engine
