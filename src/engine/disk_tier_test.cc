// The engine with its disk tier: restarts, warm starts, damage, twins. The toy model's text depends
// on every token it finds in its pages, so a wrong page changes it.
#include "engine/disk_tier.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "engine/engine.h"
#include "kv/disk_folder.h"
#include "support/collecting_sink.h"
#include "support/slow_file_system.h"
#include "support/temp_dir.h"
#include "support/toy_model.h"
#include "support/toy_tokenizer.h"

namespace ac::engine {
namespace {

using ac::testing::CollectingSink;
using ac::testing::MakeToyTokenizer;
using ac::testing::TempDir;
using ac::testing::ToyModel;

constexpr Hash128 kModel{7, 7};

class EngineDiskTest : public ::testing::Test {
 protected:
  // A new engine over the same folder: what a restarted server is.
  void Start(int64_t pages = 1024, EngineOptions options = {}, bool disk = true) {
    engine_.reset();
    if (disk) {
      kv::DiskStoreOptions store;
      store.folder = kv::FingerprintFolder(dir_ / "kv", kModel);
      store.fingerprint = kModel;
      store.max_queued = max_queued_ > 0 ? max_queued_ : static_cast<size_t>(pages / 2);
      store.warn = [this](const std::string& line) { warnings_.push_back(line); };
      Result<std::unique_ptr<kv::DiskStore>> opened =
          kv::DiskStore::Open(store, ToyModel::Layout(), *fs_, *store_clock_);
      ASSERT_TRUE(opened.ok()) << opened.status();
      store_ = std::move(*opened);
      store_->WaitUntilListed();
      options.disk = store_;
    }
    Result<kv::PagePool> pool = kv::PagePool::Create(ToyModel::Layout(), pages);
    ASSERT_TRUE(pool.ok()) << pool.status();
    engine_ =
        std::make_unique<Engine>(model_, *tokenizer_, std::move(pool).value(), options, *clock_);
  }
  static GenerateRequest Greedy(std::vector<TokenId> prompt, int64_t max_tokens) {
    GenerateRequest request;
    request.prompt = std::move(prompt);
    request.max_tokens = max_tokens;
    request.sampling.temperature = 0;
    return request;
  }
  std::shared_ptr<CollectingSink> Submit(GenerateRequest request) {
    auto sink = std::make_shared<CollectingSink>();
    const Result<RequestId> id = engine_->Submit(std::move(request), sink);
    EXPECT_TRUE(id.ok()) << id.status();
    return sink;
  }
  std::shared_ptr<CollectingSink> Run(GenerateRequest request) {
    auto sink = Submit(std::move(request));
    EXPECT_TRUE(sink->Wait());
    return sink;
  }
  static std::vector<TokenId> Prompt(int count, TokenId seed = 0) {
    std::vector<TokenId> tokens(static_cast<size_t>(count));
    for (int i = 0; i < count; ++i) tokens[static_cast<size_t>(i)] = (seed + i * 7 + i / 11) % 60;
    return tokens;
  }

  TempDir dir_;
  ToyModel model_{64, 16384};
  std::unique_ptr<tokenizer::Tokenizer> tokenizer_ = MakeToyTokenizer();
  FileSystem* fs_ = &FileSystem::Real();
  Clock* clock_ = &Clock::Real();
  size_t max_queued_ = 0;  // 0: half of the pages
  Clock* store_clock_ = &Clock::Real();
  std::vector<std::string> warnings_;
  std::shared_ptr<kv::DiskStore> store_;
  std::unique_ptr<Engine> engine_;
};

TEST_F(EngineDiskTest, AfterARestartTheFirstRequestOfAKnownPromptIsAHit) {
  std::vector<TokenId> history = Prompt(200);
  Start();
  const auto first = Run(Greedy(history, 9));
  EXPECT_EQ(first->info.cache.computed(), 200);
  Start();
  history.insert(history.end(), first->tokens.begin(), first->tokens.end());
  history.push_back(3);
  const auto second = Run(Greedy(history, 5));
  EXPECT_EQ(second->tokens, model_.Continue(history, 5));
  const CacheReport& report = second->info.cache;
  EXPECT_EQ(report.from_memory + report.from_disk, 208) << "all full pages of what was computed";
  EXPECT_EQ(report.prompt_tokens, 210);
  EXPECT_TRUE(warnings_.empty());
}

// With room for less than the prompt, a warm start leaves some of it on the disk.
TEST_F(EngineDiskTest, ARequestAloneComputesBesideItsRestore) {
  const std::vector<TokenId> prompt = Prompt(200);
  Start(1024);
  Run(Greedy(prompt, 1));
  Start(64);
  std::vector<TokenId> longer = prompt;
  longer.insert(longer.end(), {1, 2, 3});
  const auto sink = Run(Greedy(longer, 6));
  EXPECT_EQ(sink->tokens, model_.Continue(longer, 6));
  const CacheReport& report = sink->info.cache;
  EXPECT_TRUE(report.overlapped);
  EXPECT_GT(report.from_disk, 0);
  EXPECT_EQ(report.computed(), 3);
  EXPECT_GT(report.restore, Nanos(0));
  EXPECT_EQ(sink->cached_tokens, 200) << "OnStart had the true numbers";
  EXPECT_TRUE(engine_->CheckIntegrity().ok()) << engine_->CheckIntegrity();
  EXPECT_TRUE(warnings_.empty());
}

TEST_F(EngineDiskTest, AnOverlappedRestoreThatFailsIsComputedAgain) {
  const std::vector<TokenId> prompt = Prompt(200);
  for (const int damaged_page : {0, 40, 49}) {
    Start(1024);
    Run(Greedy(prompt, 1));
    engine_.reset();
    kv::PageKey key = kv::kRootKey;
    for (int page = 0; page <= damaged_page; ++page) {
      key = kv::ChildKey(key, std::span(prompt).subspan(static_cast<size_t>(page) * 4, 4));
    }
    const std::string path = JoinPath(store_->folder(), kv::PageFileName(key));
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-1, std::ios::end);
    file.put('\x55');
    file.close();
    warnings_.clear();
    Start(64);
    std::vector<TokenId> longer = prompt;
    longer.insert(longer.end(), {1, 2, 3});
    const auto sink = Run(Greedy(longer, 6));
    EXPECT_EQ(sink->tokens, model_.Continue(longer, 6)) << damaged_page;
    EXPECT_GE(sink->info.cache.computed(), 3 + 200 - damaged_page * 4);
    EXPECT_GE(warnings_.size(), 1u);
    EXPECT_TRUE(engine_->CheckIntegrity().ok()) << engine_->CheckIntegrity();
  }
}

TEST_F(EngineDiskTest, WhatIsSlowerToReadThanToComputeIsComputedAndCounted) {
  const std::vector<TokenId> prompt = Prompt(200);
  Start(1024);
  Run(Greedy(prompt, 1));
  engine_.reset();
  store_.reset();
  ac::testing::SlowFileSystem slow(std::chrono::milliseconds(10));
  fs_ = &slow;
  obs::Metrics metrics;
  Start(64, {.metrics = &metrics});
  Run(Greedy(Prompt(40, 50), 1));  // prices a token
  for (int i = 0; i < 2; ++i) {
    std::vector<TokenId> longer = prompt;
    longer.insert(longer.end(), {1, static_cast<TokenId>(i)});
    EXPECT_EQ(Run(Greedy(longer, 6))->tokens, model_.Continue(longer, 6));
  }
  const std::string text = metrics.RenderPrometheus();
  const bool cut_off = text.find("anyclaude_kv_failed_restores_total 0\n") == std::string::npos;
  const bool skipped = text.find("anyclaude_kv_skipped_restores_total 0\n") == std::string::npos;
  EXPECT_TRUE(cut_off || skipped) << text;
  EXPECT_TRUE(warnings_.empty()) << "slow is no damage: " << warnings_[0];
  engine_.reset();
  store_.reset();
}

TEST_F(EngineDiskTest, RestoredPagesAreSharedAndOnlyReadOnce) {
  const std::vector<TokenId> prompt = Prompt(120);
  Start();
  Run(Greedy(prompt, 1));
  Start();
  while (store_->stats().restored_pages < 30) Run(Greedy({1, 2}, 1));  // the warm start
  const auto a = Run(Greedy(prompt, 3));
  const auto b = Run(Greedy(prompt, 3));
  EXPECT_EQ(a->tokens, b->tokens);
  EXPECT_GE(a->info.cache.from_memory, 116);
  EXPECT_GE(b->info.cache.from_memory, 116);
  EXPECT_EQ(store_->stats().restored_pages, 30u);
}

TEST_F(EngineDiskTest, TheWholePromptOnDiskStillComputesItsLastTokenAndBranchesInsideAPage) {
  const std::vector<TokenId> prompt = Prompt(64);
  Start(1024);
  Run(Greedy(prompt, 1));
  for (const size_t length : {64u, 63u, 62u, 61u, 5u, 2u, 1u}) {
    Start(1024);
    std::vector<TokenId> shorter(prompt.begin(), prompt.begin() + static_cast<long>(length));
    const auto sink = Run(Greedy(shorter, 6));
    EXPECT_EQ(sink->tokens, model_.Continue(shorter, 6)) << length;
    std::vector<TokenId> branch = shorter;
    branch.back() = 61;
    EXPECT_EQ(Run(Greedy(branch, 6))->tokens, model_.Continue(branch, 6)) << length;
  }
}

TEST_F(EngineDiskTest, DamagedPagesAreComputedAgainWithOneLineInTheLog) {
  const std::vector<TokenId> prompt = Prompt(80);
  Start();
  Run(Greedy(prompt, 1));
  engine_.reset();
  int damaged = 0;
  for (const auto& entry : std::filesystem::directory_iterator(store_->folder())) {
    if (entry.path().extension() != ".page") continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-1, std::ios::end);
    file.put('\x55');
    ++damaged;
  }
  EXPECT_EQ(damaged, 20);
  Start();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Run(Greedy(prompt, 4))->tokens, model_.Continue(prompt, 4));
  }
  EXPECT_GE(warnings_.size(), 1u);
  EXPECT_LE(warnings_.size(), 2u) << "the warm start and the request, at most";
}

TEST_F(EngineDiskTest, TwinsWaitForTheOneThatComputesTheirPrefix) {
  Start(4096, {}, /*disk=*/false);
  const std::vector<TokenId> trunk = Prompt(8000);
  // Holds the first step until all four are there.
  Mutex mutex;
  CondVar open;
  bool is_open = false;
  model_.on_forward = [&](std::span<const model::Chunk>) {
    MutexLock lock(mutex);
    while (!is_open) open.Wait(mutex);
    return OkStatus();
  };
  std::vector<std::vector<TokenId>> prompts;
  std::vector<std::shared_ptr<CollectingSink>> sinks;
  for (int i = 0; i < 4; ++i) {
    prompts.push_back(trunk);
    for (int j = 0; j < 10; ++j) prompts.back().push_back(i * 10 + j);
    sinks.push_back(Submit(Greedy(prompts.back(), 5)));
  }
  {
    MutexLock lock(mutex);
    is_open = true;
    open.NotifyAll();
  }
  int64_t computed = 0;
  for (size_t i = 0; i < 4; ++i) {
    ASSERT_TRUE(sinks[i]->Wait());
    EXPECT_EQ(sinks[i]->tokens, model_.Continue(prompts[i], 5));
    computed += sinks[i]->info.cache.computed();
  }
  EXPECT_EQ(computed, 8000 + 4 * 10) << "the trunk once, each tail once";
}

TEST_F(EngineDiskTest, ATwinGoesOnByItselfWhenItsLeaderIsCancelled) {
  Start(4096, {.max_step_tokens = 16}, /*disk=*/false);
  const std::vector<TokenId> prompt = Prompt(3000);
  auto leader = std::make_shared<CollectingSink>();
  const Result<RequestId> id = engine_->Submit(Greedy(prompt, 5), leader);
  ASSERT_TRUE(id.ok());
  const auto twin = Submit(Greedy(prompt, 5));
  engine_->Cancel(*id);
  ASSERT_TRUE(twin->Wait());
  EXPECT_EQ(twin->tokens, model_.Continue(prompt, 5));
}

TEST_F(EngineDiskTest, ShortMemoryWithADiskNeverDeadlocksAndEveryTextIsRight) {
  Start(24);  // 96 tokens for requests that want 4 x 40; the writer holds some of them
  for (int round = 0; round < 5; ++round) {
    std::vector<std::shared_ptr<CollectingSink>> sinks;
    std::vector<std::vector<TokenId>> prompts;
    for (int i = 0; i < 4; ++i) {
      prompts.push_back(std::vector<TokenId>(10, i + 1 + round));
      sinks.push_back(Submit(Greedy(prompts.back(), 30)));
    }
    for (size_t i = 0; i < sinks.size(); ++i) {
      ASSERT_TRUE(sinks[i]->Wait());
      EXPECT_EQ(sinks[i]->tokens, model_.Continue(prompts[i], 30)) << i;
    }
  }
}

TEST_F(EngineDiskTest, APreemptedSequenceComesBackFromTheDisk) {
  FakeClock clock;  // however busy the machine is, the disk is quick
  clock_ = &clock;
  max_queued_ = 1000;
  // 256 tokens: two sequences of 190 do not fit together.
  Start(64, {.speculation = Speculation::kOff});
  std::atomic<bool> both{false};
  model_.on_forward = [&](std::span<const model::Chunk>) {
    while (!both) std::this_thread::yield();
    return OkStatus();
  };
  const std::vector<TokenId> first = Prompt(120, 1), second = Prompt(120, 30);
  const auto a = Submit(Greedy(first, 70));
  const auto b = Submit(Greedy(second, 70));
  both = true;
  ASSERT_TRUE(a->Wait() && b->Wait());
  EXPECT_EQ(a->tokens, model_.Continue(first, 70));
  EXPECT_EQ(b->tokens, model_.Continue(second, 70));
  EXPECT_EQ(engine_->stats().preemptions, 1u) << "it waits until it fits";
  EXPECT_GT(store_->stats().restored_pages, 0u);
  // The last token of a reply is never computed; of the preempted one, a part of a page twice.
  EXPECT_LE(model_.tokens_computed, 2 * (120 + 69) + 5);
  EXPECT_TRUE(engine_->CheckIntegrity().ok());
  engine_.reset();
}

// The property behind everything: random branching conversations, cancellations and restarts in the
// middle, with little memory; each text is what the model alone would say, that is, what it is with
// the cache off.
TEST_F(EngineDiskTest, RandomWorkloadsWithRestartsEqualTheModelAlone) {
  std::mt19937 random(17);
  std::vector<std::vector<TokenId>> histories = {{1}};
  int64_t from_disk = 0;
  for (int round = 0; round < 60; ++round) {
    if (round % 6 == 0) Start(64, {.max_running = 5});
    std::vector<std::pair<std::vector<TokenId>, std::shared_ptr<CollectingSink>>> calls;
    for (int i = 0; i < 5; ++i) {
      std::vector<TokenId> prompt = histories[random() % histories.size()];
      prompt.resize(1 + random() % prompt.size());
      for (auto n = random() % 9; n > 0; --n) prompt.push_back(static_cast<TokenId>(random() % 4));
      auto sink = std::make_shared<CollectingSink>();
      const Result<RequestId> id =
          engine_->Submit(Greedy(prompt, static_cast<int64_t>(1 + random() % 12)), sink);
      ASSERT_TRUE(id.ok()) << id.status();
      if (random() % 6 == 0) engine_->Cancel(*id);
      calls.emplace_back(std::move(prompt), sink);
    }
    for (const auto& [prompt, sink] : calls) {
      ASSERT_TRUE(sink->Wait());
      ASSERT_EQ(sink->tokens, model_.Continue(prompt, static_cast<int>(sink->tokens.size())));
      from_disk += sink->info.cache.from_disk;
      std::vector<TokenId> history = prompt;
      history.insert(history.end(), sink->tokens.begin(), sink->tokens.end());
      if (history.size() < 90) histories.push_back(std::move(history));
    }
  }
  EXPECT_GT(from_disk, 0);
  EXPECT_TRUE(warnings_.empty()) << warnings_[0];
}

TEST_F(EngineDiskTest, APromptIsWrittenWhileItIsRead) {
  uint64_t early = 0;
  model_.on_forward = [&](std::span<const model::Chunk> batch) {
    if (batch[0].position >= 1024 && early == 0) {
      store_->Flush();
      early = store_->stats().written_pages;
    }
    return OkStatus();
  };
  Start(2048);
  const std::vector<TokenId> prompt = Prompt(2500);
  EXPECT_EQ(Run(Greedy(prompt, 3))->tokens, model_.Continue(prompt, 3));
  EXPECT_GE(early, 1024u / 4) << "pages of four tokens";
  const Status status = engine_->CheckIntegrity();
  EXPECT_TRUE(status.ok()) << status;
}

// The store's clock stands still, so a writer that rests beside a decoding engine rests for ever.
TEST_F(EngineDiskTest, TheWriterGoesOnWhenTheReplyHasEnded) {
  FakeClock clock;
  store_clock_ = &clock;
  Start();
  Run(Greedy(Prompt(200), 30));
  for (int i = 0; i < 60'000 && store_->stats().written_pages < 57; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(store_->stats().written_pages, 57u) << "of 229 computed tokens";
  engine_.reset();
  store_.reset();
}

TEST_F(EngineDiskTest, ADiskThatRefusesEverythingCostsOneWarning) {
  Start();
  std::filesystem::remove_all(dir_ / "kv");
  const std::vector<TokenId> prompt = Prompt(50);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Run(Greedy(prompt, 4))->tokens, model_.Continue(prompt, 4));
  }
  engine_.reset();
  EXPECT_EQ(warnings_.size(), 1u);
}

}  // namespace
}  // namespace ac::engine
