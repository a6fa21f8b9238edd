// The prefix cache under a real (tiny) model: with it every reply is, token for token, what it is
// without, whatever shares a step and wherever a restart falls; and on traces of real sessions it
// computes what an endless cache would.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <random>
#include <unordered_set>

#include "base/hash.h"
#include "engine/engine.h"
#include "engine/kv_fingerprint.h"
#include "engine/loaded_model.h"
#include "support/collecting_sink.h"
#include "support/shared_data.h"
#include "support/temp_dir.h"
#include "support/trace_file.h"
#include "weights/synth.h"

namespace ac::engine {
namespace {

using ac::testing::CollectingSink;
using ac::testing::ReadTrace;
using ac::testing::TempDir;
using ac::testing::TraceRequest;

class LiveCache {
 public:
  LiveCache(const std::string& shape, kv::KvType type, uint64_t memory_bytes)
      : type_(type), memory_bytes_(memory_bytes) {
    const std::string path = dir_ / "model.gguf";
    EXPECT_TRUE(
        weights::Synthesize({shape, weights::Recipe::kQ4_0, 1}, path, FileSystem::Real(), {}).ok());
    auto loaded = LoadedModel::Load(path, {.threads = 2});
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    model_ = std::move(loaded).value();
  }

  // A server that was started again: the same disk, nothing in memory.
  void Restart() {
    engine_.reset();
    engine_ = MakeEngine(/*cached=*/true);
  }
  std::unique_ptr<Engine> MakeEngine(bool cached) {
    auto pages = model_->MakePages({.type = type_, .bytes = static_cast<int64_t>(memory_bytes_)});
    EXPECT_TRUE(pages.ok()) << pages.status();
    EngineOptions options{.prefix_cache = cached};
    if (cached) {
      auto disk = OpenDiskStore(*model_, *pages, dir_ / "kv", uint64_t{1} << 30);
      EXPECT_TRUE(disk.ok()) << disk.status();
      options.disk = *disk;
      options.disk->WaitUntilListed();
    }
    return std::make_unique<Engine>(*model_, model_->tokenizer(), std::move(pages).value(),
                                    options);
  }
  Engine& engine() { return *engine_; }
  int vocab_size() const { return model_->vocab_size(); }

 private:
  const kv::KvType type_;
  const uint64_t memory_bytes_;
  TempDir dir_;
  std::unique_ptr<LoadedModel> model_;
  std::unique_ptr<Engine> engine_;
};

GenerateRequest Request(std::vector<TokenId> prompt, int64_t max_tokens, float temperature) {
  GenerateRequest request;
  request.prompt = std::move(prompt);
  request.max_tokens = max_tokens;
  request.ignore_end_tokens = true;
  request.sampling.temperature = temperature;
  request.sampling.seed = 99;
  return request;
}

std::shared_ptr<CollectingSink> Submit(Engine& engine, GenerateRequest request) {
  auto sink = std::make_shared<CollectingSink>();
  const Result<RequestId> id = engine.Submit(std::move(request), sink);
  EXPECT_TRUE(id.ok()) << id.status();
  return sink;
}

class LiveCacheTest : public ::testing::TestWithParam<kv::KvType> {};

// Branching conversations, one to seven requests at once, a restart between any two rounds.
TEST_P(LiveCacheTest, EveryReplyIsWhatItIsWithoutACacheAtEveryBatchComposition) {
  LiveCache cached("tiny-qwen2", GetParam(), 7 << 20);
  LiveCache plain("tiny-qwen2", GetParam(), 7 << 20);
  const std::unique_ptr<Engine> uncached = plain.MakeEngine(/*cached=*/false);
  std::mt19937 random(31);
  std::vector<std::vector<TokenId>> histories;
  for (int i = 0; i < 3; ++i) {
    std::vector<TokenId>& trunk = histories.emplace_back(150);
    for (TokenId& token : trunk) token = static_cast<TokenId>(random() % 500);
  }
  int64_t from_memory = 0;
  int64_t from_disk = 0;
  cached.Restart();
  for (int round = 0; round < 14; ++round) {
    if (round % 4 == 3) cached.Restart();
    std::vector<std::pair<GenerateRequest, std::shared_ptr<CollectingSink>>> calls;
    for (int i = 0; i <= round % 7; ++i) {
      std::vector<TokenId> prompt = histories[random() % histories.size()];
      prompt.resize(prompt.size() - random() % (prompt.size() / 2));
      for (auto n = random() % 20; n > 0; --n)
        prompt.push_back(static_cast<TokenId>(random() % 500));
      GenerateRequest request =
          Request(prompt, static_cast<int64_t>(1 + random() % 12), random() % 2 == 0 ? 0.0f : 0.9f);
      calls.emplace_back(request, Submit(cached.engine(), request));
    }
    for (const auto& [request, sink] : calls) {
      ASSERT_TRUE(sink->Wait());
      const auto expected = Submit(*uncached, request);
      ASSERT_TRUE(expected->Wait());
      EXPECT_EQ(expected->info.cache.computed(), static_cast<int64_t>(request.prompt.size()));
      ASSERT_EQ(sink->tokens, expected->tokens) << "round " << round;
      from_memory += sink->info.cache.from_memory;
      from_disk += sink->info.cache.from_disk;
      std::vector<TokenId> history = request.prompt;
      history.insert(history.end(), sink->tokens.begin(), sink->tokens.end());
      if (history.size() < 400) histories.push_back(std::move(history));
    }
    const Status status = cached.engine().CheckIntegrity();
    ASSERT_TRUE(status.ok()) << status;
  }
  EXPECT_GT(from_memory, 0);
}
INSTANTIATE_TEST_SUITE_P(Types, LiveCacheTest,
                         ::testing::Values(kv::KvType::kBF16, kv::KvType::kQ8),
                         [](const auto& type) {
                           return type.param == kv::KvType::kQ8 ? "Q8" : "BF16";
                         });

// In memory for 1.3 times the system prompt and the conversations' own tokens.
TEST(LiveConversations, TenOverOneSystemPromptNeverComputeItAgain) {
  constexpr int kConversations = 10;
  constexpr int kTurns = 3;
  constexpr int64_t kSystem = 3000;
  constexpr int64_t kQuestion = 100;
  constexpr int64_t kReply = 8;
  constexpr int64_t kUnique = kSystem + kConversations * kTurns * (kQuestion + kReply);
  constexpr uint64_t kTokenBytes = 512;  // two layers, two heads of 32, keys and values in bf16
  LiveCache live("built-in", kv::KvType::kBF16, kUnique * kTokenBytes * 13 / 10);
  live.Restart();
  EXPECT_LE(live.engine().memory_tokens(), kUnique * 13 / 10);
  std::mt19937 random(7);
  const auto append = [&](int64_t count, std::vector<TokenId>* tokens) {
    for (int64_t i = 0; i < count; ++i) tokens->push_back(static_cast<TokenId>(random() % 500));
  };
  std::vector<TokenId> system;
  append(kSystem, &system);
  std::vector<std::vector<TokenId>> conversations(kConversations, system);
  for (int turn = 0; turn < kTurns; ++turn) {
    for (int i = 0; i < kConversations; ++i) {
      std::vector<TokenId>& tokens = conversations[static_cast<size_t>(i)];
      append(kQuestion, &tokens);
      const auto sink = Submit(live.engine(), Request(tokens, kReply, 0));
      ASSERT_TRUE(sink->Wait());
      const bool first = turn + i == 0;
      EXPECT_LE(sink->info.cache.computed(), kQuestion + 32 + (first ? kSystem : 0))
          << "turn " << turn << " of conversation " << i;
      EXPECT_EQ(sink->info.cache.from_disk, 0) << "memory is enough";
      tokens.insert(tokens.end(), sink->tokens.begin(), sink->tokens.end());
    }
  }
}

// A sixteenth of each trace's lengths, so that a tiny model is quick enough: a block of 64 tokens
// becomes 4.
constexpr int kBlock = 64;
constexpr int kScale = 16;

std::vector<TokenId> TokensOf(const TraceRequest& request, size_t number) {
  std::vector<TokenId> tokens;
  for (const int64_t id : request.blocks) {
    for (int64_t i = 0, left = id; i < kBlock / kScale; ++i, left /= 200) {
      tokens.push_back(static_cast<TokenId>(left % 200));
    }
  }
  // What follows the last whole block is this request's own.
  while (static_cast<int64_t>(tokens.size()) < request.tokens / kScale) {
    tokens.push_back(static_cast<TokenId>(200 + number % 250));
  }
  return tokens;
}

TEST(LiveTraces, ComputesWhatAnEndlessCacheWould) {
  AC_REQUIRE_SHARED_DATA();
  std::vector<std::string> paths = ac::testing::TracePaths();
  std::sort(paths.begin(), paths.end(), [](const std::string& a, const std::string& b) {
    return std::filesystem::file_size(a) < std::filesystem::file_size(b);
  });
  paths.resize(4);  // the smallest: the others are for the simulator
  int64_t prompt_tokens = 0;
  int64_t computed = 0;
  int64_t ideal = 0;
  for (const std::string& path : paths) {
    LiveCache live("built-in", kv::KvType::kBF16, 128 << 20);
    live.Restart();
    std::unordered_set<uint64_t> seen;
    const std::vector<TraceRequest> requests = ReadTrace(path);
    for (size_t n = 0; n < requests.size(); ++n) {
      const std::vector<TokenId> tokens = TokensOf(requests[n], n);
      if (tokens.empty()) continue;
      int64_t known = 0;
      uint64_t chain = 0;
      for (const int64_t id : requests[n].blocks) {
        chain = Hash64(&id, sizeof(id), chain);
        if (!seen.insert(chain).second) known += kBlock / kScale;
      }
      const auto size = static_cast<int64_t>(tokens.size());
      const auto sink = Submit(live.engine(), Request(tokens, 1, 0));
      ASSERT_TRUE(sink->Wait()) << path;
      prompt_tokens += size;
      ideal += size - std::min(known, size - 1);
      computed += sink->info.cache.computed();
    }
  }
  const auto share = [](int64_t part, int64_t whole) {
    return static_cast<double>(part) / static_cast<double>(whole);
  };
  std::printf("%lld tokens: reuse %.4f, ideal %.4f, computed %.4f x ideal\n",
              static_cast<long long>(prompt_tokens), 1 - share(computed, prompt_tokens),
              1 - share(ideal, prompt_tokens), share(computed, ideal));
  EXPECT_GE(1 - share(computed, prompt_tokens), 1 - share(ideal, prompt_tokens) - 0.003);
  EXPECT_LE(share(computed, ideal), 1.03);
}

}  // namespace
}  // namespace ac::engine
