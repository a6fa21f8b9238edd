#include "engine/engine.h"

#include <gtest/gtest.h>

#include <future>
#include <limits>
#include <random>

#include "support/collecting_sink.h"
#include "support/toy_model.h"
#include "support/toy_tokenizer.h"

namespace ac::engine {
namespace {

using ac::testing::CollectingSink;
using ac::testing::MakeToyTokenizer;
using ac::testing::ToyModel;

class EngineTest : public ::testing::Test {
 protected:
  void Start(int64_t pages = 256, EngineOptions options = {}) {
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
  std::shared_ptr<CollectingSink> Run(GenerateRequest request) {
    auto sink = std::make_shared<CollectingSink>();
    const Result<RequestId> id = engine_->Submit(std::move(request), sink);
    EXPECT_TRUE(id.ok()) << id.status();
    EXPECT_TRUE(sink->Wait());
    return sink;
  }

  ToyModel model_;
  std::unique_ptr<tokenizer::Tokenizer> tokenizer_ = MakeToyTokenizer();
  std::unique_ptr<Engine> engine_;
};

TEST_F(EngineTest, GeneratesWhatTheModelSaysAndCountsExactly) {
  Start();
  const std::vector<TokenId> prompt = {1, 2, 3, 4, 5};
  const auto sink = Run(Greedy(prompt, 7));
  EXPECT_EQ(sink->tokens, model_.Continue(prompt, 7));
  EXPECT_EQ(sink->info.reason, FinishReason::kMaxTokens);
  EXPECT_EQ(sink->info.prompt_tokens, 5);
  EXPECT_EQ(sink->info.output_tokens, 7);
  EXPECT_EQ(sink->info.cached_tokens, 0);
}

TEST_F(EngineTest, TokensWithoutTextAreNeverGenerated) {
  // Prefers the highest id, which stands for no token.
  class Stubborn : public ToyModel {
   public:
    Status Forward(std::span<const model::Chunk> batch, kv::PagePool&, float* logits) override {
      for (int64_t i = 0; i < model::CountLogitRows(batch) * vocab_size(); ++i) {
        logits[i] = static_cast<float>(i % vocab_size());
      }
      return OkStatus();
    }
    Stubborn() : ToyModel(300) {}
  } stubborn;
  Result<kv::PagePool> pool = kv::PagePool::Create(ToyModel::Layout(), 64);
  ASSERT_TRUE(pool.ok());
  Engine engine(stubborn, *tokenizer_, std::move(pool).value(), {});
  auto sink = std::make_shared<CollectingSink>();
  GenerateRequest request = Greedy({1, 2}, 3);
  request.ignore_end_tokens = true;
  ASSERT_TRUE(engine.Submit(std::move(request), sink).ok());
  ASSERT_TRUE(sink->Wait());
  // 257 tokens exist; the rows behind them are larger and forbidden.
  EXPECT_EQ(sink->tokens, (std::vector<TokenId>{256, 256, 256}));
}

TEST_F(EngineTest, AnEmbeddingIsTheMeanOverAllTokensHoweverThePromptIsCut) {
  Start(512, {.max_step_tokens = 32});
  std::vector<TokenId> prompt(200);
  for (size_t i = 0; i < prompt.size(); ++i) prompt[i] = static_cast<TokenId>(i % 50);
  Run(Greedy(prompt, 3));  // in the cache now, which must not shorten the mean
  GenerateRequest request = Greedy(prompt, 0);
  request.embed = true;
  const auto sink = Run(std::move(request));
  EXPECT_TRUE(sink->tokens.empty());
  EXPECT_EQ(sink->info.cached_tokens, 0);
  EXPECT_EQ(sink->info.prompt_tokens, 200);
  ASSERT_EQ(sink->info.embedding.size(), 2u);
  EXPECT_FLOAT_EQ(sink->info.embedding[0], 24.5f);
  EXPECT_FLOAT_EQ(sink->info.embedding[1], 808.5f);
  EXPECT_TRUE(engine_->CheckIntegrity().ok());
}

TEST_F(EngineTest, ALongPromptIsComputedInChunksWithProgress) {
  Start(512, {.max_step_tokens = 32});
  std::vector<TokenId> prompt(200);
  for (size_t i = 0; i < prompt.size(); ++i) prompt[i] = static_cast<TokenId>(i % 60);
  const auto sink = Run(Greedy(prompt, 3));
  EXPECT_EQ(sink->tokens, model_.Continue(prompt, 3));
  ASSERT_GE(sink->progress.size(), 6u);
  EXPECT_TRUE(std::is_sorted(sink->progress.begin(), sink->progress.end()));
  EXPECT_EQ(sink->progress.back(), 200);
}

TEST_F(EngineTest, AFollowUpComputesOnlyWhatIsNew) {
  Start();
  std::vector<TokenId> history = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  const auto first = Run(Greedy(history, 6));
  history.insert(history.end(), first->tokens.begin(), first->tokens.end());
  history.insert(history.end(), {21, 22, 23});
  const int64_t before = model_.tokens_computed;
  const auto second = Run(Greedy(history, 4));
  EXPECT_EQ(second->tokens, model_.Continue(history, 4));
  // Everything but the last generated token of the first reply, which was never fed back.
  EXPECT_EQ(second->cached_tokens, 11 + 5);
  EXPECT_EQ(model_.tokens_computed - before, 1 + 3 + 3);
}

TEST_F(EngineTest, BranchesShareTheTrunkInTheMiddleOfAPage) {
  Start();
  const std::vector<TokenId> trunk = {1, 2, 3, 4, 5, 6};
  std::vector<TokenId> a = trunk;
  a.insert(a.end(), {10, 11, 12});
  std::vector<TokenId> b = trunk;
  b.insert(b.end(), {20, 21, 22});
  EXPECT_EQ(Run(Greedy(a, 5))->tokens, model_.Continue(a, 5));
  const auto second = Run(Greedy(b, 5));
  EXPECT_EQ(second->tokens, model_.Continue(b, 5));
  EXPECT_EQ(second->cached_tokens, 6);
  // The branch did not damage the first conversation's pages.
  const auto again = Run(Greedy(a, 5));
  EXPECT_EQ(again->tokens, model_.Continue(a, 5));
  EXPECT_EQ(again->cached_tokens, 8);
}

TEST_F(EngineTest, AnEditedPromptIsToldWhereItLeftTheCachedOneAndAnAppendedOneIsNot) {
  Start();
  std::vector<TokenId> history(40);
  for (size_t i = 0; i < history.size(); ++i) history[i] = static_cast<TokenId>('a' + i % 20) - 64;
  const auto first = Run(Greedy(history, 1));
  EXPECT_FALSE(first->info.cache.divergence) << "nothing was cached";
  EXPECT_EQ(first->info.cache.computed(), 40);
  std::vector<TokenId> appended = history;
  appended.push_back(5);
  const auto second = Run(Greedy(appended, 1));
  EXPECT_FALSE(second->info.cache.divergence);
  EXPECT_EQ(second->info.cache.from_memory, 40);
  std::vector<TokenId> edited = history;
  edited[30] = 1;
  const auto third = Run(Greedy(edited, 1));
  ASSERT_TRUE(third->info.cache.divergence);
  const Divergence& divergence = *third->info.cache.divergence;
  EXPECT_EQ(divergence.at, 30);
  EXPECT_EQ(divergence.lost, 10);
  EXPECT_EQ(divergence.cached, 41 - 30);
  const std::span<const TokenId> tokens(history);
  EXPECT_EQ(divergence.before, tokenizer_->Decode(tokens.subspan(18, 12)));
  EXPECT_EQ(divergence.was.substr(0, 3), tokenizer_->Decode(tokens.subspan(30, 3)));
  EXPECT_EQ(divergence.now, tokenizer_->Decode(std::span<const TokenId>(edited).subspan(30)));
  EXPECT_GT(divergence.lost_seconds, 0);
}

TEST_F(EngineTest, CacheOffGivesTheSameText) {
  Start(256, {.prefix_cache = false});
  const std::vector<TokenId> prompt = {1, 2, 3, 4, 5, 6, 7, 8};
  EXPECT_EQ(Run(Greedy(prompt, 5))->tokens, model_.Continue(prompt, 5));
  const auto again = Run(Greedy(prompt, 5));
  EXPECT_EQ(again->tokens, model_.Continue(prompt, 5));
  EXPECT_EQ(again->cached_tokens, 0);
}

TEST_F(EngineTest, ManyRequestsShareStepsAndEachGetsItsOwnText) {
  Start(4096);
  // Holds the first step until all are submitted, so that they must meet in one batch.
  Mutex mutex;
  CondVar open;
  bool is_open = false;
  model_.on_forward = [&](std::span<const model::Chunk>) {
    MutexLock lock(mutex);
    while (!is_open) open.Wait(mutex);
    return OkStatus();
  };
  std::vector<std::shared_ptr<CollectingSink>> sinks;
  std::vector<std::vector<TokenId>> prompts;
  for (int i = 0; i < 20; ++i) {
    prompts.push_back({i, i + 1, 2 * i, 7, i});
    sinks.push_back(std::make_shared<CollectingSink>());
    ASSERT_TRUE(engine_->Submit(Greedy(prompts.back(), 30), sinks.back()).ok());
  }
  {
    MutexLock lock(mutex);
    is_open = true;
    open.NotifyAll();
  }
  for (size_t i = 0; i < sinks.size(); ++i) {
    ASSERT_TRUE(sinks[i]->Wait());
    EXPECT_EQ(sinks[i]->tokens, model_.Continue(prompts[i], 30)) << i;
  }
  EXPECT_GE(model_.largest_batch, 15);
}

TEST_F(EngineTest, StopStringsEndTheTextBeforeThem) {
  Start();
  const std::vector<TokenId> prompt = {1, 2, 3};
  const std::vector<TokenId> expected = model_.Continue(prompt, 10);
  GenerateRequest request = Greedy(prompt, 10);
  request.stop_strings = {
      std::string{static_cast<char>(expected[4]), static_cast<char>(expected[5])}};
  const auto sink = Run(request);
  EXPECT_EQ(sink->info.reason, FinishReason::kStopString);
  EXPECT_EQ(sink->info.stop_string, request.stop_strings[0]);
  EXPECT_EQ(sink->text, tokenizer_->Decode(std::span(expected).first(4)));
}

TEST_F(EngineTest, AnEndTokenEndsAndLeavesNoText) {
  Start();
  const std::vector<TokenId> prompt = {1, 2, 3};
  const std::vector<TokenId> expected = model_.Continue(prompt, 10);
  GenerateRequest request = Greedy(prompt, 10);
  request.stop_tokens = {expected[3]};
  const auto sink = Run(request);
  EXPECT_EQ(sink->info.reason, FinishReason::kEndToken);
  EXPECT_EQ(sink->text, tokenizer_->Decode(std::span(expected).first(3)));
  request.ignore_end_tokens = true;
  EXPECT_EQ(Run(request)->info.reason, FinishReason::kMaxTokens);
}

TEST_F(EngineTest, CancelStopsAndKeepsTheFinishedPrefix) {
  Start(1024);
  auto sink = std::make_shared<CollectingSink>();
  const std::vector<TokenId> prompt = {1, 2, 3, 4, 5, 6, 7, 8, 9};
  const Result<RequestId> id = engine_->Submit(Greedy(prompt, 3000), sink);
  ASSERT_TRUE(id.ok());
  ASSERT_TRUE(sink->WaitForTokens(3));
  engine_->Cancel(*id);
  ASSERT_TRUE(sink->Wait());
  EXPECT_EQ(sink->info.reason, FinishReason::kCancelled);
  EXPECT_EQ(Run(Greedy(prompt, 2))->cached_tokens, 8);
}

TEST_F(EngineTest, OverlongAndEmptyPromptsAreRefusedAtOnce) {
  Start(64);
  auto sink = std::make_shared<CollectingSink>();
  EXPECT_EQ(engine_->Submit(Greedy({}, 1), sink).status().code(), Code::kInvalidArgument);
  EXPECT_EQ(engine_->Submit(Greedy(std::vector<TokenId>(5000, 1), 1), sink).status().code(),
            Code::kTooLarge);
  EXPECT_EQ(engine_->Submit(Greedy(std::vector<TokenId>(300, 1), 1), sink).status().code(),
            Code::kResourceExhausted);
  EXPECT_EQ(engine_->Submit(Greedy({1, 64}, 1), sink).status().code(), Code::kInvalidArgument);
  EXPECT_EQ(sink->finishes, 0);
}

TEST_F(EngineTest, APromptThatTheMemoryCannotHoldIsRefusedWithTheNumbers) {
  Start(64);  // 256 tokens
  auto sink = std::make_shared<CollectingSink>();
  const Status status = engine_->Submit(Greedy(std::vector<TokenId>(300, 1), 1), sink).status();
  EXPECT_NE(status.message().find("300 tokens"), std::string::npos) << status;
  EXPECT_NE(status.message().find("256 tokens"), std::string::npos) << status;
  EXPECT_NE(status.message().find("kv.memory_mb"), std::string::npos) << status;
}

TEST_F(EngineTest, AMarkedPrefixOutlivesNewerOnesAndReuseDoesNotDependOnMarks) {
  Start(32);  // 128 tokens
  const auto prompt = [](TokenId seed) { return std::vector<TokenId>(24, seed); };
  GenerateRequest marked = Greedy(prompt(1), 1);
  marked.places = {{.tokens = 24, .kind = kv::PlaceKind::kTurnEnd, .keep_s = 300}};
  Run(marked);
  Run(Greedy(prompt(2), 1));
  for (TokenId seed = 3; seed < 10; ++seed) Run(Greedy(prompt(seed), 1));
  EXPECT_EQ(Run(Greedy(prompt(9), 1))->info.cache.from_memory, 23) << "without a mark";
  EXPECT_EQ(Run(Greedy(prompt(2), 1))->info.cache.from_memory, 0) << "gone";
  EXPECT_EQ(Run(Greedy(prompt(1), 1))->info.cache.from_memory, 23) << "marked";
}

TEST_F(EngineTest, AFullQueueIsATypedError) {
  Start(256, {.max_running = 1, .max_queued = 2});
  Mutex mutex;
  CondVar open;
  bool is_open = false;
  model_.on_forward = [&](std::span<const model::Chunk>) {
    MutexLock lock(mutex);
    while (!is_open) open.Wait(mutex);
    return OkStatus();
  };
  std::vector<std::shared_ptr<CollectingSink>> sinks;
  Status refused;
  for (int i = 0; i < 10 && refused.ok(); ++i) {
    auto sink = std::make_shared<CollectingSink>();
    const Result<RequestId> id = engine_->Submit(Greedy({i, 2}, 2), sink);
    if (id.ok()) {
      sinks.push_back(sink);
    } else {
      refused = id.status();
    }
  }
  EXPECT_EQ(refused.code(), Code::kOverloaded);
  {
    MutexLock lock(mutex);
    is_open = true;
    open.NotifyAll();
  }
  for (const auto& sink : sinks) EXPECT_TRUE(sink->Wait());
}

TEST_F(EngineTest, AFailedStepFailsItsRequestsAndTheEngineGoesOn) {
  Start();
  std::atomic<bool> fail{true};
  model_.on_forward = [&](std::span<const model::Chunk>) {
    return fail ? Internal("injected") : OkStatus();
  };
  const auto sink = Run(Greedy({1, 2, 3}, 5));
  EXPECT_EQ(sink->info.reason, FinishReason::kFailed);
  EXPECT_EQ(sink->info.status.message(), "injected");
  fail = false;
  EXPECT_EQ(Run(Greedy({1, 2, 3}, 5))->tokens, model_.Continue({1, 2, 3}, 5));
}

TEST_F(EngineTest, ShortMemoryPreemptsAndEveryTextIsStillRight) {
  Start(24);  // 96 tokens for requests that want 4 x 40
  std::vector<std::shared_ptr<CollectingSink>> sinks;
  std::vector<std::vector<TokenId>> prompts;
  for (int i = 0; i < 4; ++i) {
    prompts.push_back(std::vector<TokenId>(10, i + 1));
    sinks.push_back(std::make_shared<CollectingSink>());
    ASSERT_TRUE(engine_->Submit(Greedy(prompts.back(), 30), sinks.back()).ok());
  }
  for (size_t i = 0; i < sinks.size(); ++i) {
    ASSERT_TRUE(sinks[i]->Wait());
    EXPECT_EQ(sinks[i]->tokens, model_.Continue(prompts[i], 30)) << i;
  }
}

TEST_F(EngineTest, DestructionAnswersEverybody) {
  Start(4096);
  std::vector<std::shared_ptr<CollectingSink>> sinks;
  for (int i = 0; i < 50; ++i) {
    sinks.push_back(std::make_shared<CollectingSink>());
    ASSERT_TRUE(engine_->Submit(Greedy({i, 1, 2}, 2000), sinks.back()).ok());
  }
  engine_.reset();
  for (const auto& sink : sinks) EXPECT_EQ(sink->finishes, 1);
}

TEST_F(EngineTest, AFailedStepFailsOnlyTheRequestThatCausedIt) {
  Start(4096);
  model_.on_forward = [&](std::span<const model::Chunk> batch) {
    for (const model::Chunk& chunk : batch) {
      for (const TokenId token : chunk.tokens) {
        if (token == 63) return Internal("injected");
      }
    }
    return OkStatus();
  };
  std::vector<std::shared_ptr<CollectingSink>> sinks;
  std::vector<std::vector<TokenId>> prompts;
  for (int i = 0; i < 12; ++i) {
    prompts.push_back({i, 1, i == 5 ? 63 : 2});
    GenerateRequest request = Greedy(prompts.back(), 20);
    request.sampling.logit_bias = {{63, -std::numeric_limits<float>::infinity()}};
    sinks.push_back(std::make_shared<CollectingSink>());
    ASSERT_TRUE(engine_->Submit(request, sinks.back()).ok());
  }
  for (size_t i = 0; i < sinks.size(); ++i) {
    ASSERT_TRUE(sinks[i]->Wait());
    EXPECT_EQ(sinks[i]->info.reason, i == 5 ? FinishReason::kFailed : FinishReason::kMaxTokens);
    EXPECT_EQ(sinks[i]->info.output_tokens, i == 5 ? 0 : 20);
  }
}

TEST_F(EngineTest, ALogitThatIsNoNumberFailsItsRequestOnly) {
  class Damaged : public ToyModel {
   public:
    void WriteLogits(std::span<const int32_t> seen, float* logits) const override {
      ToyModel::WriteLogits(seen, logits);
      if (seen.front() == 9) logits[3] = std::numeric_limits<float>::quiet_NaN();
    }
  } damaged;
  Result<kv::PagePool> pool = kv::PagePool::Create(ToyModel::Layout(), 64);
  ASSERT_TRUE(pool.ok());
  Engine engine(damaged, *tokenizer_, std::move(pool).value(), {});
  auto bad = std::make_shared<CollectingSink>();
  auto good = std::make_shared<CollectingSink>();
  ASSERT_TRUE(engine.Submit(Greedy({9, 2}, 5), bad).ok());
  ASSERT_TRUE(engine.Submit(Greedy({8, 2}, 5), good).ok());
  ASSERT_TRUE(bad->Wait() && good->Wait());
  EXPECT_EQ(bad->info.status.code(), Code::kDataLoss);
  EXPECT_EQ(good->tokens, damaged.Continue({8, 2}, 5));
}

TEST_F(EngineTest, ARequestEndsWithItsTimeAndKeepsWhatItComputed) {
  FakeClock clock;
  Result<kv::PagePool> pool = kv::PagePool::Create(ToyModel::Layout(), 512);
  ASSERT_TRUE(pool.ok());
  Engine engine(model_, *tokenizer_, std::move(pool).value(), {.request_timeout_seconds = 10},
                clock);
  model_.on_forward = [&](std::span<const model::Chunk>) {
    clock.Advance(std::chrono::seconds(1));
    return OkStatus();
  };
  auto sink = std::make_shared<CollectingSink>();
  ASSERT_TRUE(engine.Submit(Greedy({1, 2, 3, 4, 5, 6, 7, 8, 9}, 1000), sink).ok());
  ASSERT_TRUE(sink->Wait());
  EXPECT_EQ(sink->info.status.code(), Code::kDeadlineExceeded);
  EXPECT_GE(sink->info.output_tokens, 5);
  auto retry = std::make_shared<CollectingSink>();
  ASSERT_TRUE(engine.Submit(Greedy({1, 2, 3, 4, 5, 6, 7, 8, 9}, 2), retry).ok());
  ASSERT_TRUE(retry->Wait());
  EXPECT_EQ(retry->cached_tokens, 8);
}

TEST_F(EngineTest, ARequestThatFindsNoPlaceInTimeIsToldToRetry) {
  FakeClock clock;
  Result<kv::PagePool> pool = kv::PagePool::Create(ToyModel::Layout(), 512);
  ASSERT_TRUE(pool.ok());
  Engine engine(model_, *tokenizer_, std::move(pool).value(),
                {.max_running = 1, .queue_timeout_seconds = 10}, clock);
  // The first must not be done before the second has come.
  std::promise<void> both;
  const std::shared_future<void> submitted = both.get_future().share();
  model_.on_forward = [&clock, submitted](std::span<const model::Chunk>) {
    submitted.wait();
    clock.Advance(std::chrono::seconds(1));
    return OkStatus();
  };
  auto first = std::make_shared<CollectingSink>();
  auto second = std::make_shared<CollectingSink>();
  ASSERT_TRUE(engine.Submit(Greedy({1, 2}, 100), first).ok());
  EXPECT_TRUE(engine.Submit(Greedy({3, 4}, 100), second).ok());
  both.set_value();
  ASSERT_TRUE(second->Wait());
  EXPECT_EQ(second->info.status.code(), Code::kOverloaded);
  ASSERT_TRUE(first->Wait());
  EXPECT_EQ(first->info.output_tokens, 100);
  EXPECT_GE(engine.stats().retry_after_s, 1);
}

TEST_F(EngineTest, MetricsTellTheSameAsTheReplies) {
  obs::Metrics metrics;
  Result<kv::PagePool> pool = kv::PagePool::Create(ToyModel::Layout(), 512);
  ASSERT_TRUE(pool.ok());
  auto sink = std::make_shared<CollectingSink>();
  {
    Engine engine(model_, *tokenizer_, std::move(pool).value(), {.metrics = &metrics});
    ASSERT_TRUE(engine.Submit(Greedy({1, 2, 3}, 7), sink).ok());
    ASSERT_TRUE(sink->Wait());
  }
  const std::string text = metrics.RenderPrometheus();
  EXPECT_NE(text.find("anyclaude_engine_prompt_tokens_total 3\n"), std::string::npos) << text;
  EXPECT_NE(text.find("anyclaude_engine_output_tokens_total 7\n"), std::string::npos);
  EXPECT_NE(text.find("anyclaude_engine_requests_total{reason=\"max_tokens\"} 1\n"),
            std::string::npos);
  EXPECT_NE(text.find("anyclaude_engine_kv_total_pages 512\n"), std::string::npos);
}

// Random conversations that branch, get cancelled and compete for little memory: every text must be
// what the model alone would say.
TEST_F(EngineTest, RandomBranchingWorkloadEqualsTheModelAlone) {
  Start(40, {.max_running = 6});
  std::mt19937 random(3);
  std::vector<std::vector<TokenId>> histories = {{1}};
  for (int round = 0; round < 60; ++round) {
    std::vector<std::pair<std::vector<TokenId>, std::shared_ptr<CollectingSink>>> calls;
    for (int i = 0; i < 5; ++i) {
      std::vector<TokenId> prompt = histories[random() % histories.size()];
      prompt.resize(1 + random() % prompt.size());
      for (auto n = random() % 6; n > 0; --n) prompt.push_back(static_cast<TokenId>(random() % 4));
      auto sink = std::make_shared<CollectingSink>();
      const Result<RequestId> id =
          engine_->Submit(Greedy(prompt, static_cast<int64_t>(1 + random() % 12)), sink);
      ASSERT_TRUE(id.ok()) << id.status();
      if (random() % 5 == 0) engine_->Cancel(*id);
      calls.emplace_back(std::move(prompt), sink);
    }
    for (const auto& [prompt, sink] : calls) {
      ASSERT_TRUE(sink->Wait());
      ASSERT_EQ(sink->tokens, model_.Continue(prompt, static_cast<int>(sink->tokens.size())));
      std::vector<TokenId> history = prompt;
      history.insert(history.end(), sink->tokens.begin(), sink->tokens.end());
      if (history.size() < 60) histories.push_back(std::move(history));
    }
  }
}

}  // namespace
}  // namespace ac::engine
