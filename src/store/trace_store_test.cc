#include "store/trace_store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "base/clock.h"
#include "json/json.h"
#include "store/trace_file.h"
#include "support/fault_file_system.h"
#include "support/temp_dir.h"

namespace ac::store {
namespace {

constexpr const char* kTrace = R"({"format":"anyclaude-trace","version":1,"id":"x"})";
constexpr int64_t kDayMs = 24LL * 3600 * 1000;

int64_t NowMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::Real().WallNow()).count();
}

unsigned ModeOf(const std::string& path) {
  struct stat info {};
  EXPECT_EQ(stat(path.c_str(), &info), 0) << path;
  return info.st_mode & 0777;
}

TEST(TraceFile, WhatIsCompressedIsReadBack) {
  const auto file = CompressTrace(kTrace);
  ASSERT_TRUE(file.ok());
  const auto trace = ParseTrace(*file);
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_EQ(json::GetString(*trace, "id"), "x");
}

TEST(TraceFile, EveryCutAndEveryFlippedByteIsRefused) {
  const std::string file = *CompressTrace(kTrace);
  for (size_t size = 0; size < file.size(); ++size) {
    EXPECT_FALSE(ParseTrace(std::string_view(file).substr(0, size)).ok()) << size;
  }
  for (size_t i = 0; i < file.size(); ++i) {
    std::string damaged = file;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    const auto text = DecompressTrace(damaged);
    // A header bit may be without meaning; what is read must then be right.
    if (text.ok()) {
      EXPECT_EQ(*text, kTrace) << i;
    }
  }
  EXPECT_FALSE(ParseTrace(file + "more").ok());
}

TEST(TraceFile, OtherFormatsAndVersionsAreNamed) {
  const auto refusal = [](const char* json) { return ParseTrace(*CompressTrace(json)).status(); };
  EXPECT_EQ(refusal(R"({"format":"anyclaude-trace","version":2})").code(), Code::kUnsupported);
  EXPECT_EQ(refusal(R"({"hello":1})").code(), Code::kInvalidArgument);
  EXPECT_EQ(refusal("not json").code(), Code::kDataLoss);
}

TEST(TraceStore, FilesAndFoldersAreTheUsersAlone) {
  const testing::TempDir home;
  TraceStore store(FileSystem::Real(), home / "h", {});
  const auto stored = store.Write("local", "20260131-000000-1", kTrace, NowMs());
  ASSERT_TRUE(stored.ok()) << stored.status();
  EXPECT_EQ(stored->path, "traces/local/20260131-000000-1.json.zst");
  EXPECT_EQ(ModeOf(home / "h/traces"), 0700u);
  EXPECT_EQ(ModeOf(home / "h/traces/local"), 0700u);
  EXPECT_EQ(ModeOf(home / ("h/" + stored->path)), 0600u);
  EXPECT_TRUE(store.Read(stored->path).ok());
}

TEST(TraceStore, ANameCannotLeaveTheFolder) {
  const testing::TempDir home;
  TraceStore store(FileSystem::Real(), home.path(), {});
  const auto stored = store.Write("../../etc", "../x", kTrace, NowMs());
  ASSERT_TRUE(stored.ok());
  EXPECT_EQ(stored->path, "traces/______etc/___x.json.zst");
}

TEST(TraceStore, TheOldestGoWhenTheSizeIsReached) {
  const testing::TempDir home;
  const uint64_t one = CompressTrace(kTrace)->size();
  TraceStore store(FileSystem::Real(), home.path(), {.max_bytes = one * 3 + 1});
  std::vector<std::string> paths;
  for (int i = 0; i < 6; ++i) {
    const auto stored = store.Write("local", "id" + std::to_string(i), kTrace, NowMs());
    ASSERT_TRUE(stored.ok());
    paths.push_back(stored->path);
    // Distinct times, whatever the resolution of the file system.
    std::filesystem::last_write_time(
        home / stored->path,
        std::filesystem::file_time_type::clock::now() - std::chrono::minutes(10 - i));
  }
  ASSERT_TRUE(store.Prune(NowMs()).ok());
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(FileSystem::Real().Exists(home / paths[static_cast<size_t>(i)]), i >= 3) << i;
  }
}

TEST(TraceStore, OldOnesGoWhateverTheSize) {
  const testing::TempDir home;
  TraceStore store(FileSystem::Real(), home.path(), {.max_age_days = 2});
  const auto stored = store.Write("local", "a", kTrace, NowMs());
  ASSERT_TRUE(store.Prune(NowMs() + kDayMs).ok());
  EXPECT_TRUE(store.Read(stored->path).ok());
  ASSERT_TRUE(store.Prune(NowMs() + 3 * kDayMs).ok());
  EXPECT_EQ(store.Read(stored->path).status().code(), Code::kNotFound);
}

TEST(TraceStore, PruningLeavesWhatIsNotATrace) {
  const testing::TempDir home;
  TraceStore store(FileSystem::Real(), home.path(), {.max_age_days = 0});
  ASSERT_TRUE(store.Write("local", "a", kTrace, NowMs()).ok());
  ASSERT_TRUE(WriteFileAtomic(FileSystem::Real(), home / "traces/local/notes.txt", "mine").ok());
  ASSERT_TRUE(WriteFileAtomic(FileSystem::Real(), home / "traces/stray", "mine").ok());
  ASSERT_TRUE(store.Prune(NowMs() + kDayMs).ok());
  EXPECT_TRUE(FileSystem::Real().Exists(home / "traces/local/notes.txt"));
  EXPECT_TRUE(FileSystem::Real().Exists(home / "traces/stray"));
}

TEST(TraceId, SortsByTimeAndTellsProcessesApart) {
  EXPECT_EQ(MakeTraceId(0, 0xabc), "19700101-000000-00000abc");
  EXPECT_LT(MakeTraceId(1'700'000'000'000, 0xffffffff), MakeTraceId(1'700'000'001'000, 0));
}

}  // namespace
}  // namespace ac::store
