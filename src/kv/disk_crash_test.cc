// A writer that is killed at any instant leaves only whole pages behind.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <random>
#include <utility>

#include "kv/disk_folder.h"
#include "kv/disk_store.h"
#include "support/prefix_pages.h"
#include "support/temp_dir.h"

namespace ac::kv {
namespace {

using ac::testing::PrefixPages;
using ac::testing::TempDir;

constexpr int kKills = 250;
constexpr Hash128 kCrashModel{1, 2};
constexpr uint64_t kBudget = 8 << 20;

std::unique_ptr<DiskStore> Open(const std::string& root, const PageLayout& layout) {
  DiskStoreOptions options;
  options.folder = FingerprintFolder(root, kCrashModel);
  options.fingerprint = kCrashModel;
  options.max_bytes = kBudget;  // small: kills meet evictions too
  options.max_queued = 1000;
  Result<std::unique_ptr<DiskStore>> store = DiskStore::Open(options, layout);
  if (!store.ok()) return nullptr;
  (*store)->WaitUntilListed();
  return std::move(*store);
}

// Branching conversations, the same for equal seeds.
std::vector<TokenId> Conversation(std::mt19937& random) {
  std::vector<TokenId> tokens(8 + random() % 40);
  for (TokenId& token : tokens) token = static_cast<TokenId>(random() % 2);
  return tokens;
}

// Says through `written` when the first conversation is on the disk.
[[noreturn]] void WriteUntilKilled(const std::string& root, unsigned seed, int written) {
  PrefixPages pages(512, PrefixPages::Layout(1024));
  const auto store = Open(root, pages.pool().layout());
  std::mt19937 random(seed);
  while (store != nullptr) {
    pages.Write(*store, Conversation(random));
    if (written >= 0 && ::write(std::exchange(written, -1), "x", 1) != 1) break;
  }
  _exit(1);
}

TEST(DiskCrash, AKillAtAnyInstantLeavesOnlyWholePages) {
  const TempDir dir;
  const std::string root = dir / "kv";
  const PageLayout layout = PrefixPages::Layout(1024);
  std::mt19937 random(5);
  uint64_t most_files = 0;
  for (int i = 0; i < kKills; ++i) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) WriteUntilKilled(root, static_cast<unsigned>(i), ends[1]);
    ::close(ends[1]);
    // Most kills may meet the start; some meet a writer that has written, however busy the machine
    // is.
    char first = 0;
    if (i % 8 == 0) {
      ASSERT_EQ(::read(ends[0], &first, 1), 1) << "the writer ended by itself";
    }
    ::usleep(static_cast<useconds_t>(1000 + random() % 12000));
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ::close(ends[0]);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the writer ended by itself";
    // Every visible file is whole, and every other one is out of the way.
    const auto reports = CheckFolders(FileSystem::Real(), root, FolderCheck::kHeaders);
    ASSERT_TRUE(reports.ok()) << reports.status();
    for (const FolderReport& report : *reports) {
      ASSERT_EQ(report.damaged, 0u) << "kill " << i;
      most_files = std::max(most_files, report.files);
    }
  }
  EXPECT_GT(most_files, 50u) << "the writers got to write";
  // The payloads, read back against what they must hold.
  PrefixPages pages(512, layout);
  const auto store = Open(root, layout);
  ASSERT_NE(store, nullptr);
  int64_t tokens = 0;
  for (int i = 0; i < kKills; ++i) {
    std::mt19937 writer(static_cast<unsigned>(i));
    for (int n = 0; n < 5; ++n) tokens += pages.Read(*store, Conversation(writer));
  }
  EXPECT_GT(tokens, 1000);
  EXPECT_EQ(store->stats().bad_pages, 0u);
  EXPECT_LE(store->stats().bytes, 2 * kBudget);
  const auto reports = CheckFolders(FileSystem::Real(), root, FolderCheck::kRepair);
  ASSERT_TRUE(reports.ok());
  for (const FolderReport& report : *reports) EXPECT_EQ(report.damaged, 0u);
}

}  // namespace
}  // namespace ac::kv
