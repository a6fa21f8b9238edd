#include "kv/checkpoints.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <random>

#include "support/temp_dir.h"

namespace ac::kv {
namespace {

using ac::testing::TempDir;

constexpr Hash128 kModel{5, 6};

// A synthetic recurrent model: its state after each token depends on all before, and only a state
// lets it go on.
struct Recurrent {
  uint64_t state[4] = {1, 2, 3, 4};
  int64_t computed = 0;

  void Read(std::span<const TokenId> tokens) {
    for (const TokenId token : tokens) {
      for (uint64_t& word : state) {
        word = (word ^ static_cast<uint64_t>(token)) * 0x9E3779B97F4A7C15u + state[0];
      }
      ++computed;
    }
  }
  std::vector<std::byte> Save() const {
    std::vector<std::byte> out(sizeof(state));
    std::memcpy(out.data(), state, sizeof(state));
    return out;
  }
  void Load(std::span<const std::byte> in) { std::memcpy(state, in.data(), sizeof(state)); }
  bool SameAs(const Recurrent& other) const {
    return std::memcmp(state, other.state, sizeof(state)) == 0;
  }
};

// Computes `tokens` from the longest checkpoint and leaves checkpoints; returns what was computed.
int64_t ComputeFrom(CheckpointStore& store, std::span<const TokenId> tokens, int64_t trunk_end) {
  Recurrent model;
  const CheckpointStore::Found found = store.Find(tokens);
  if (found.tokens > 0) model.Load(*found.state);
  int64_t at = found.tokens;
  const std::vector<int64_t> turn_ends = {static_cast<int64_t>(tokens.size())};
  for (const CheckpointPlace& place :
       CheckpointPlaces(at, static_cast<int64_t>(tokens.size()), trunk_end, turn_ends)) {
    model.Read(tokens.subspan(static_cast<size_t>(at), static_cast<size_t>(place.tokens - at)));
    at = place.tokens;
    store.Put(tokens.first(static_cast<size_t>(at)), model.Save(), place.kind);
  }
  Recurrent whole;
  whole.Read(tokens);
  EXPECT_TRUE(model.SameAs(whole)) << "resumed from token " << found.tokens;
  return model.computed;
}

std::vector<TokenId> Tokens(int64_t count, TokenId salt = 0) {
  std::vector<TokenId> tokens(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    tokens[static_cast<size_t>(i)] = static_cast<TokenId>(i * 31 % 977) + salt;
  }
  return tokens;
}

TEST(CheckpointPlaces, LieAtTheTrunkTheTurnsEndAndOnTheGrid) {
  using enum CheckpointKind;
  const std::vector<int64_t> turns = {5000, 4096};
  EXPECT_EQ(CheckpointPlaces(0, 5000, 3000, turns),
            (std::vector<CheckpointPlace>{
                {2048, kGrid}, {3000, kTrunk}, {4096, kTurnEnd}, {5000, kTurnEnd}}));
  EXPECT_EQ(CheckpointPlaces(4500, 5000, 3000, turns),
            (std::vector<CheckpointPlace>{{5000, kTurnEnd}}));
  EXPECT_TRUE(CheckpointPlaces(10, 20, 0, {}).empty());
}

TEST(CheckpointStore, AnAppendedTurnComputesOnlyWhatIsNew) {
  CheckpointStore store(1 << 20);
  std::vector<TokenId> prompt = Tokens(10000);
  EXPECT_EQ(ComputeFrom(store, prompt, 6000), 10000);
  for (int turn = 0; turn < 5; ++turn) {
    for (int i = 0; i < 100; ++i) prompt.push_back(i + turn);
    EXPECT_EQ(ComputeFrom(store, prompt, 6000), 100);
  }
  // A new conversation over the same tools and system prompt goes on at their end.
  std::vector<TokenId> fresh(prompt.begin(), prompt.begin() + 6000);
  for (int i = 0; i < 50; ++i) fresh.push_back(-1 - i);
  EXPECT_EQ(ComputeFrom(store, fresh, 6000), 50);
  // An edit in the middle goes on at the last grid point before it.
  std::vector<TokenId> edited = prompt;
  edited[9000] = -7;
  EXPECT_EQ(ComputeFrom(store, edited, 6000), static_cast<int64_t>(edited.size()) - 4 * 2048);
}

TEST(CheckpointStore, EvictsGridBeforeTurnsBeforeTrunksAndStaysWithinItsMemory) {
  CheckpointStore store(8 * 32);  // eight states
  for (TokenId salt = 0; salt < 50; ++salt) {
    std::vector<TokenId> prompt = Tokens(3000);
    for (int i = 0; i < 3000; ++i) prompt.push_back(-salt - 1);
    ComputeFrom(store, prompt, 3000);
    EXPECT_LE(store.bytes_in_memory(), 8u * 32);
  }
  EXPECT_EQ(store.Find(Tokens(3500)).tokens, 3000) << "the trunk is still there";
}

TEST(CheckpointStore, ARestartFindsItsFilesAndDamageIsComputedAgain) {
  const TempDir dir;
  const std::string folder = dir / "kv";
  const std::vector<TokenId> prompt = Tokens(5000);
  {
    CheckpointStore store(1 << 20, folder, kModel);
    ComputeFrom(store, prompt, 3000);
    ASSERT_TRUE(store.WritePending().ok());
  }
  {
    CheckpointStore store(1 << 20, folder, kModel);
    EXPECT_EQ(ComputeFrom(store, prompt, 3000), 0);
    CheckpointStore other(1 << 20, folder, Hash128{9, 9});
    EXPECT_EQ(ComputeFrom(other, prompt, 3000), 5000) << "another model's states are not taken";
  }
  CheckpointStore store(1 << 20, folder, kModel);
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::filesystem::resize_file(entry.path(), std::filesystem::file_size(entry.path()) - 1);
  }
  EXPECT_EQ(ComputeFrom(store, prompt, 3000), 5000);
  EXPECT_TRUE(std::filesystem::is_empty(folder)) << "damaged files are gone";
}

TEST(CheckpointStore, RandomBranchesAlwaysGiveTheLongestKeptPrefix) {
  CheckpointStore store(1 << 20);
  std::mt19937 random(3);
  std::vector<std::vector<TokenId>> kept;
  for (int step = 0; step < 3000; ++step) {
    std::vector<TokenId> tokens(1 + random() % 12);
    for (TokenId& token : tokens) token = static_cast<TokenId>(random() % 2);
    size_t best = 0;
    for (const auto& other : kept) {
      if (other.size() <= tokens.size() && std::equal(other.begin(), other.end(), tokens.begin())) {
        best = std::max(best, other.size());
      }
    }
    ASSERT_EQ(store.Find(tokens).tokens, static_cast<int64_t>(best));
    if (random() % 4 == 0) {
      store.Put(tokens, std::vector<std::byte>(1), CheckpointKind::kGrid);
      kept.push_back(tokens);
    }
  }
}

}  // namespace
}  // namespace ac::kv
