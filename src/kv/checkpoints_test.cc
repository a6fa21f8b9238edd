#include "kv/checkpoints.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <random>

#include "kv/disk_folder.h"
#include "support/temp_dir.h"

namespace ac::kv {
namespace {

using ac::testing::TempDir;

constexpr Hash128 kCheckpointModel{5, 6};

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

CheckpointOptions OnDisk(const std::string& folder, const Hash128& model = kCheckpointModel) {
  return {.max_bytes = 1 << 20, .max_disk_bytes = 1 << 20, .folder = folder, .fingerprint = model};
}

// Computes `tokens` from the longest checkpoint and leaves checkpoints; returns what was computed.
int64_t ComputeFrom(CheckpointStore& store, std::span<const TokenId> tokens, int64_t trunk_end) {
  Recurrent model;
  const CheckpointStore::Found found = store.Find(tokens);
  if (found.tokens > 0) model.Load(*found.state);
  int64_t at = found.tokens;
  const std::vector<Place> places = {{trunk_end, PlaceKind::kTrunk},
                                     {static_cast<int64_t>(tokens.size()), PlaceKind::kTurnEnd}};
  for (const Place& place : CheckpointPlaces(at, static_cast<int64_t>(tokens.size()), places)) {
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
  using enum PlaceKind;
  const std::vector<Place> places = {{3000, kTrunk}, {4096, kTurnEnd}, {5000, kTurnEnd}};
  EXPECT_EQ(
      CheckpointPlaces(0, 5000, places),
      (std::vector<Place>{{2048, kGrid}, {3000, kTrunk}, {4096, kTurnEnd}, {5000, kTurnEnd}}));
  EXPECT_EQ(CheckpointPlaces(4500, 5000, places), (std::vector<Place>{{5000, kTurnEnd}}));
  EXPECT_TRUE(CheckpointPlaces(10, 20, {}).empty());
}

TEST(CheckpointStore, AnAppendedTurnComputesOnlyWhatIsNew) {
  CheckpointStore store({.max_bytes = 1 << 20});
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
  CheckpointStore store({.max_bytes = 8 * 32});  // eight states
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
    CheckpointStore store(OnDisk(folder));
    ComputeFrom(store, prompt, 3000);
    ASSERT_TRUE(store.WritePending().ok());
  }
  {
    CheckpointStore store(OnDisk(folder));
    EXPECT_EQ(ComputeFrom(store, prompt, 3000), 0);
    CheckpointStore other(OnDisk(folder, Hash128{9, 9}));
    EXPECT_EQ(ComputeFrom(other, prompt, 3000), 5000) << "another model's states are not taken";
  }
  CheckpointStore store(OnDisk(folder));
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::filesystem::resize_file(entry.path(), std::filesystem::file_size(entry.path()) - 1);
  }
  EXPECT_EQ(ComputeFrom(store, prompt, 3000), 5000);
  EXPECT_TRUE(std::filesystem::is_empty(folder)) << "damaged files are gone";
}

TEST(CheckpointStore, FilesStayWithinTheirBudgetAndTheTrunkStaysLongest) {
  const TempDir dir;
  CheckpointOptions options = OnDisk(dir / "kv");
  options.max_bytes = 4 * 32;
  options.max_disk_bytes = 3 * 20'000;  // three or four states with their tokens
  {
    CheckpointStore store(options);
    for (TokenId salt = 0; salt < 10; ++salt) {
      std::vector<TokenId> prompt = Tokens(3000);
      for (int i = 0; i < 1000; ++i) prompt.push_back(-salt - 1);
      ComputeFrom(store, prompt, 3000);
      ASSERT_TRUE(store.WritePending().ok());
      EXPECT_LE(store.bytes_on_disk(), options.max_disk_bytes);
    }
  }
  uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(options.folder)) {
    bytes += std::filesystem::file_size(entry.path());
  }
  EXPECT_LE(bytes, options.max_disk_bytes);
  CheckpointStore store(options);
  EXPECT_EQ(store.bytes_on_disk(), bytes);
  EXPECT_EQ(store.LongestKept(Tokens(3500)), 3000) << "the trunk";
}

TEST(CheckpointStore, VerifyCountsStatesAndRemovesDamagedOnesAndClearRemovesAll) {
  const TempDir dir;
  const std::string root = dir / "kv";
  const std::string folder = FingerprintFolder(root, kCheckpointModel);
  CheckpointStore store(OnDisk(folder));
  ComputeFrom(store, Tokens(5000), 3000);
  ASSERT_TRUE(store.WritePending().ok());
  ASSERT_TRUE(WriteAbout(FileSystem::Real(), folder, "model: test\n").ok());
  const auto check = [&](FolderCheck what) {
    const auto reports = CheckFolders(FileSystem::Real(), root, what);
    EXPECT_TRUE(reports.ok()) << reports.status();
    return reports->front();
  };
  EXPECT_EQ(check(FolderCheck::kHeaders).states, 4u);
  EXPECT_GT(check(FolderCheck::kHeaders).bytes, 4u * 2048 * 4);
  const std::string damaged = JoinPath(folder, StateFileName(ChildKey(kRootKey, Tokens(3000))));
  const Result<std::string> content = ReadFile(FileSystem::Real(), damaged);
  ASSERT_TRUE(content.ok()) << content.status();
  std::string changed = *content;
  changed.back() = static_cast<char>(changed.back() ^ 1);
  ASSERT_TRUE(WriteFileAtomic(FileSystem::Real(), damaged, changed).ok());
  EXPECT_EQ(check(FolderCheck::kRepair).damaged, 1u);
  EXPECT_EQ(check(FolderCheck::kRepair).states, 3u);
  ASSERT_TRUE(ClearFolders(FileSystem::Real(), root).ok());
  EXPECT_FALSE(std::filesystem::exists(folder));
}

TEST(CheckpointStore, RandomBranchesAlwaysGiveTheLongestKeptPrefix) {
  CheckpointStore store({.max_bytes = 1 << 20});
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
      store.Put(tokens, std::vector<std::byte>(1), PlaceKind::kGrid);
      kept.push_back(tokens);
    }
  }
}

}  // namespace
}  // namespace ac::kv
