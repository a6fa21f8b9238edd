// The engine with a model that has a state: what it reuses, and that every text is right. The model
// chooses its next token from the state alone, so a wrong state changes the text.
#include "engine/state_keeper.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <random>

#include "engine/engine.h"
#include "kv/disk_folder.h"
#include "support/collecting_sink.h"
#include "support/temp_dir.h"
#include "support/toy_model.h"
#include "support/toy_tokenizer.h"

namespace ac::engine {
namespace {

using ac::testing::CollectingSink;
using ac::testing::MakeToyTokenizer;
using ac::testing::TempDir;
using ac::testing::ToyModel;

constexpr Hash128 kModel{8, 8};

// The hash that ToyModel computes from its pages, carried along as a state instead. The pages are
// written too: it stands for a model with layers of both kinds.
class RecurrentToyModel : public ToyModel {
 public:
  size_t state_bytes() const override { return sizeof(uint32_t) + 1; }

  Status Forward(std::span<const model::Chunk> batch, kv::PagePool& pages, float* logits) override {
    AC_RETURN_IF_ERROR(ToyModel::Forward(batch, pages, logits));
    for (const model::Chunk& chunk : batch) {
      uint32_t hash = 0;
      std::memcpy(&hash, chunk.state.data(), sizeof(hash));
      // All zero is the beginning.
      if (chunk.state.back() == std::byte{0}) hash = 2166136261u;
      for (const int32_t token : chunk.tokens) {
        hash = (hash ^ static_cast<uint32_t>(token)) * 16777619u;
      }
      std::memcpy(chunk.state.data(), &hash, sizeof(hash));
      chunk.state.back() = std::byte{1};
      if (chunk.logits == model::LogitRows::kNone) continue;
      std::fill_n(logits, vocab_size(), 0.0f);
      logits[(hash >> 8) % static_cast<uint32_t>(vocab_size())] = 20.0f;
      logits += vocab_size();
    }
    return OkStatus();
  }
};

class EngineStateTest : public ::testing::Test {
 protected:
  void Start(int64_t pages = 4096, EngineOptions options = {}) {
    engine_.reset();
    kv::DiskStoreOptions store;
    store.folder = kv::FingerprintFolder(dir_ / "kv", kModel);
    store.fingerprint = kModel;
    store.max_queued = static_cast<size_t>(pages / 2);
    Result<std::unique_ptr<kv::DiskStore>> opened = kv::DiskStore::Open(store, ToyModel::Layout());
    ASSERT_TRUE(opened.ok()) << opened.status();
    options.disk = std::move(*opened);
    options.disk->WaitUntilListed();
    Result<kv::PagePool> pool = kv::PagePool::Create(ToyModel::Layout(), pages);
    ASSERT_TRUE(pool.ok()) << pool.status();
    engine_ = std::make_unique<Engine>(model_, *tokenizer_, std::move(pool).value(), options);
  }
  std::shared_ptr<CollectingSink> Submit(std::vector<TokenId> prompt, int64_t trunk,
                                         int64_t max_tokens) {
    GenerateRequest request;
    request.prompt = std::move(prompt);
    request.max_tokens = max_tokens;
    request.sampling.temperature = 0;
    if (trunk > 0) request.places = {{trunk, kv::PlaceKind::kTrunk, kv::kTrunkKeepSeconds}};
    auto sink = std::make_shared<CollectingSink>();
    const Result<RequestId> id = engine_->Submit(std::move(request), sink);
    EXPECT_TRUE(id.ok()) << id.status();
    return sink;
  }
  std::shared_ptr<CollectingSink> Run(const std::vector<TokenId>& prompt, int64_t trunk = 0,
                                      int64_t max_tokens = 5) {
    auto sink = Submit(prompt, trunk, max_tokens);
    EXPECT_TRUE(sink->Wait());
    EXPECT_EQ(sink->tokens, model_.Continue(prompt, static_cast<int>(max_tokens)));
    const Status status = engine_->CheckIntegrity();
    EXPECT_TRUE(status.ok()) << status;
    return sink;
  }
  static std::vector<TokenId> Prompt(int count, TokenId seed = 0) {
    std::vector<TokenId> tokens(static_cast<size_t>(count));
    for (int i = 0; i < count; ++i) tokens[static_cast<size_t>(i)] = (seed + i * 7 + i / 11) % 60;
    return tokens;
  }

  TempDir dir_;
  RecurrentToyModel model_;
  std::unique_ptr<tokenizer::Tokenizer> tokenizer_ = MakeToyTokenizer();
  std::unique_ptr<Engine> engine_;
};

TEST_F(EngineStateTest, AnAppendedTurnComputesOnlyWhatIsNew) {
  Start();
  std::vector<TokenId> history = Prompt(333);
  EXPECT_EQ(Run(history)->info.cache.computed(), 333);
  for (int turn = 0; turn < 4; ++turn) {
    const std::vector<TokenId> reply = model_.Continue(history, 5);
    history.insert(history.end(), reply.begin(), reply.end());
    history.insert(history.end(), {1, 2, 3});
    EXPECT_EQ(Run(history)->info.cache.computed(), 4) << "the reply's last token and three new";
  }
}

TEST_F(EngineStateTest, ANewConversationGoesOnAtTheEndOfToolsAndSystemAlsoAfterARestart) {
  constexpr int64_t kTrunk = 150;  // in the middle of a page
  std::vector<TokenId> first = Prompt(200);
  std::vector<TokenId> second = first;
  for (size_t i = kTrunk; i < second.size(); ++i) second[i] = 61;
  Start();
  Run(first, kTrunk);
  EXPECT_EQ(Run(second, kTrunk)->info.cache.computed(), 50);
  std::vector<TokenId> third = first;
  for (size_t i = kTrunk; i < third.size(); ++i) third[i] = 62;
  Start();
  const auto sink = Run(third, kTrunk);
  EXPECT_EQ(sink->info.cache.computed(), 50);
  EXPECT_GT(sink->info.cache.from_memory + sink->info.cache.from_disk, 0);
}

TEST_F(EngineStateTest, AnEditInTheMiddleGoesOnAtTheGrid) {
  Start(4096);
  std::vector<TokenId> prompt = Prompt(3000);
  Run(prompt, 100);
  prompt[2500] = 61;
  EXPECT_EQ(Run(prompt, 100)->info.cache.computed(), 3000 - 2048);
  prompt[1500] = 61;
  EXPECT_EQ(Run(prompt, 100)->info.cache.computed(), 3000 - 100);
}

TEST_F(EngineStateTest, DamagedStatesAreComputedAgain) {
  const std::vector<TokenId> prompt = Prompt(200);
  Start();
  Run(prompt, 150);
  engine_.reset();
  int damaged = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(kv::FingerprintFolder(dir_ / "kv", kModel))) {
    if (entry.path().extension() != ".state") continue;
    std::filesystem::resize_file(entry.path(), std::filesystem::file_size(entry.path()) - 1);
    ++damaged;
  }
  EXPECT_EQ(damaged, 2) << "the trunk and the turn's end";
  Start();
  EXPECT_EQ(Run(prompt, 150)->info.cache.computed(), 200);
}

TEST_F(EngineStateTest, WithTheCacheOffEveryTextIsTheSame) {
  Start(1024, {.prefix_cache = false});
  const std::vector<TokenId> prompt = Prompt(100);
  EXPECT_EQ(Run(prompt, 50)->info.cache.computed(), 100);
  EXPECT_EQ(Run(prompt, 50)->info.cache.computed(), 100);
}

// Branching conversations, little memory, preemptions and restarts: each text is what the model
// alone would say.
TEST_F(EngineStateTest, RandomWorkloadsWithRestartsEqualTheModelAlone) {
  std::mt19937 random(23);
  std::vector<std::vector<TokenId>> histories = {{1}};
  int64_t reused = 0;
  for (int round = 0; round < 60; ++round) {
    if (round % 6 == 0) {
      Start(64, {.max_running = 5, .max_step_tokens = 16, .state_memory_bytes = 60});
    }
    std::vector<std::pair<std::vector<TokenId>, std::shared_ptr<CollectingSink>>> calls;
    for (int i = 0; i < 5; ++i) {
      std::vector<TokenId> prompt = histories[random() % histories.size()];
      prompt.resize(1 + random() % prompt.size());
      for (auto n = random() % 9; n > 0; --n) prompt.push_back(static_cast<TokenId>(random() % 4));
      const auto trunk = static_cast<int64_t>(random() % prompt.size());
      auto sink = Submit(prompt, trunk, static_cast<int64_t>(1 + random() % 12));
      calls.emplace_back(std::move(prompt), sink);
    }
    for (const auto& [prompt, sink] : calls) {
      ASSERT_TRUE(sink->Wait());
      ASSERT_EQ(sink->tokens, model_.Continue(prompt, static_cast<int>(sink->tokens.size())));
      reused += sink->info.cached_tokens;
      std::vector<TokenId> history = prompt;
      history.insert(history.end(), sink->tokens.begin(), sink->tokens.end());
      if (history.size() < 90) histories.push_back(std::move(history));
    }
    const Status status = engine_->CheckIntegrity();
    ASSERT_TRUE(status.ok()) << status;
  }
  EXPECT_GT(reused, 100);
}

}  // namespace
}  // namespace ac::engine
