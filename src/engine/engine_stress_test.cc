// Many clients at once, all misbehaving: they branch off each other's conversations, cancel, use
// grammars and stop strings; steps fail, memory is short and the disk takes over, a draft model
// guesses, the engine is restarted under them. Every request is answered once, every text is the
// model's, and no page is lost.
//
// A few seconds; AC_STRESS_SECONDS=300 runs it for minutes.
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <random>
#include <shared_mutex>
#include <thread>

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
using ac::testing::ToyModel;

constexpr int kClients = 64;

// Even tokens only, and after a token divisible by 8 the same token twice more.
class Call : public TokenConstraint {
 public:
  std::unique_ptr<TokenConstraint> Fork() const override { return std::make_unique<Call>(*this); }
  std::span<const uint64_t> Allowed() override {
    mask_ = 0x5555555555555555u;
    return {&mask_, 1};
  }
  bool Accept(TokenId token) override {
    if (token % 2 != 0 || token >= 64) return false;
    accepted_.push_back(token);
    return true;
  }
  void Rollback(int count) override {
    accepted_.resize(accepted_.size() - static_cast<size_t>(count));
  }
  std::vector<TokenId> Forced() override {
    const size_t n = accepted_.size();
    if (n == 0 || accepted_.back() % 8 != 0) return {};
    if (n > 1 && accepted_[n - 2] == accepted_.back()) return {};
    return {accepted_.back(), accepted_.back()};
  }

 private:
  std::vector<TokenId> accepted_;
  uint64_t mask_ = 0;
};

class Stress {
 public:
  explicit Stress(std::chrono::seconds duration)
      : end_(std::chrono::steady_clock::now() + duration) {
    model_.on_forward = [this](std::span<const model::Chunk>) {
      return faults_() % 200 == 0 ? Internal("injected") : OkStatus();
    };
    draft_model_.on_forward = [this](std::span<const model::Chunk>) {
      return faults_() % 3000 == 0 ? Internal("injected") : OkStatus();
    };
    Restart();
  }

  void Run() {
    std::vector<std::thread> clients;
    for (int i = 0; i < kClients; ++i) clients.emplace_back([this, i] { Client(i); });
    while (std::chrono::steady_clock::now() < end_) {
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
      {
        std::shared_lock lock(engine_mutex_);
        const Status status = engine_->CheckIntegrity();
        EXPECT_TRUE(status.ok()) << status;
      }
      Restart();
    }
    for (std::thread& client : clients) client.join();
    const Status status = engine_->CheckIntegrity();
    EXPECT_TRUE(status.ok()) << status;
    engine_.reset();
    EXPECT_EQ(answered_, asked_);
    EXPECT_GT(finished_, 0);
    EXPECT_EQ(wrong_, 0);
  }

  std::atomic<int64_t> asked_{0}, answered_{0}, finished_{0}, wrong_{0};

 private:
  void Restart() {
    Result<kv::PagePool> pool = kv::PagePool::Create(ToyModel::Layout(), 300);
    Result<kv::PagePool> draft_pool = kv::PagePool::Create(ToyModel::Layout(), 500);
    ASSERT_TRUE(pool.ok() && draft_pool.ok());
    std::unique_lock lock(engine_mutex_);
    engine_.reset();  // answers everybody; the model serves one engine at a time
    disk_.reset();
    EngineOptions options{.max_running = 12, .max_queued = 50};
    options.draft =
        std::make_shared<speculation::DraftModel>(draft_model_, std::move(draft_pool).value(), 64);
    options.disk = disk_ = OpenDisk();
    engine_ = std::make_unique<Engine>(model_, *tokenizer_, std::move(pool).value(), options);
  }

  std::shared_ptr<kv::DiskStore> OpenDisk() {
    constexpr Hash128 kModel{3, 3};
    kv::DiskStoreOptions options;
    options.folder = kv::FingerprintFolder(folder_ / "kv", kModel);
    options.fingerprint = kModel;
    options.max_queued = 100;
    auto opened = kv::DiskStore::Open(options, ToyModel::Layout());
    EXPECT_TRUE(opened.ok()) << opened.status();
    return opened.ok() ? std::shared_ptr<kv::DiskStore>(std::move(*opened)) : nullptr;
  }

  void Client(int index) {
    std::mt19937 random(static_cast<unsigned>(index));
    // Clients of one family branch from one conversation.
    std::vector<TokenId> history(20, index % 8);
    while (std::chrono::steady_clock::now() < end_) {
      GenerateRequest request;
      request.prompt = history;
      request.prompt.resize(1 + random() % history.size());
      for (auto n = random() % 8; n > 0; --n) {
        request.prompt.push_back(static_cast<TokenId>(random() % 4));
      }
      request.max_tokens = static_cast<int64_t>(1 + random() % 40);
      request.sampling.temperature = random() % 2 == 0 ? 0.0 : 1.0;
      request.sampling.seed = random();
      request.client = std::to_string(index % 8);
      request.priority = random() % 4 == 0 ? Priority::kBackground : Priority::kInteractive;
      if (random() % 4 == 0) request.constraint = std::make_shared<Call>();
      if (random() % 4 == 0) request.stop_strings = {"\x05", "\x06\x07"};
      const std::vector<TokenId> prompt = request.prompt;
      const bool checked = request.sampling.temperature == 0 && request.constraint == nullptr;
      auto sink = std::make_shared<CollectingSink>();
      Result<RequestId> id = Unavailable("");
      {
        std::shared_lock lock(engine_mutex_);
        id = engine_->Submit(std::move(request), sink);
        if (id.ok()) {
          ++asked_;
          if (random() % 4 == 0) engine_->Cancel(*id);
        }
      }
      if (!id.ok()) {
        if (id.status().code() != Code::kOverloaded) ++wrong_;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        continue;
      }
      if (sink->Wait()) ++answered_;
      if (checked &&
          sink->tokens != model_.Continue(prompt, static_cast<int>(sink->tokens.size()))) {
        ++wrong_;
      }
      if (sink->info.output_tokens != static_cast<int64_t>(sink->tokens.size())) ++wrong_;
      if (sink->info.reason <= FinishReason::kMaxTokens) ++finished_;
      history = prompt;
      history.insert(history.end(), sink->tokens.begin(), sink->tokens.end());
      if (history.size() > 200) history.resize(20);
    }
  }

  const std::chrono::steady_clock::time_point end_;
  ac::testing::TempDir folder_;
  ToyModel model_;
  ToyModel draft_model_;
  const std::unique_ptr<tokenizer::Tokenizer> tokenizer_ = MakeToyTokenizer();
  std::mt19937 faults_{1};  // the engine thread's own
  std::shared_mutex engine_mutex_;
  std::shared_ptr<kv::DiskStore> disk_;
  std::unique_ptr<Engine> engine_;
};

TEST(EngineStressTest, EveryRequestOfManyWildClientsIsAnsweredRightly) {
  const char* seconds = std::getenv("AC_STRESS_SECONDS");
  Stress stress(std::chrono::seconds(seconds == nullptr ? 3 : std::atoi(seconds)));
  stress.Run();
  std::printf("requests: %lld asked, %lld answered, %lld finished by themselves\n",
              static_cast<long long>(stress.asked_), static_cast<long long>(stress.answered_),
              static_cast<long long>(stress.finished_));
}

}  // namespace
}  // namespace ac::engine
