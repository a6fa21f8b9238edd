#include "base/file_system.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <vector>

#include "support/fault_file_system.h"
#include "support/temp_dir.h"

namespace ac {
namespace {

using testing::FaultFileSystem;
using testing::TempDir;

FileSystem& Real() { return FileSystem::Real(); }

std::span<const std::byte> Bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

TEST(File, ReadsAndWritesAtOffsets) {
  TempDir dir;
  std::unique_ptr<File> file = *Real().Open(dir / "a", OpenMode::kCreate);
  ASSERT_TRUE(file->WriteAt(3, Bytes("def")).ok());
  ASSERT_TRUE(file->WriteAt(0, Bytes("abc")).ok());
  ASSERT_TRUE(file->Sync().ok());
  EXPECT_EQ(*file->Size(), 6u);
  std::string middle(3, '\0');
  ASSERT_TRUE(file->ReadAt(2, std::as_writable_bytes(std::span(middle))).ok());
  EXPECT_EQ(middle, "cde");
  EXPECT_EQ(file->ReadAt(4, std::as_writable_bytes(std::span(middle))).code(), Code::kDataLoss);
}

TEST(FileSystem, OpenModesDifferInWhatTheyKeep) {
  TempDir dir;
  EXPECT_EQ(Real().Open(dir / "a", OpenMode::kRead).status().code(), Code::kNotFound);
  ASSERT_TRUE((*Real().Open(dir / "a", OpenMode::kReadWrite))->WriteAt(0, Bytes("abc")).ok());
  EXPECT_EQ(*(*Real().Open(dir / "a", OpenMode::kReadWrite))->Size(), 3u);
  EXPECT_EQ(*(*Real().Open(dir / "a", OpenMode::kCreate))->Size(), 0u);
  EXPECT_FALSE((*Real().Open(dir / "a", OpenMode::kRead))->WriteAt(0, Bytes("x")).ok());
}

TEST(FileSystem, NewFilesAndFoldersArePrivate) {
  TempDir dir;
  ASSERT_TRUE(Real().CreateDirectories(dir / "x/y/z/").ok());
  ASSERT_TRUE(Real().CreateDirectories(dir / "x/y/z").ok()) << "being there already is fine";
  ASSERT_TRUE(WriteFileAtomic(Real(), dir / "x/y/z/secret", "s").ok());
  struct stat st = {};
  ASSERT_EQ(::stat((dir / "x/y").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0700u);
  ASSERT_EQ(::stat((dir / "x/y/z/secret").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0600u);
}

TEST(FileSystem, AFileWhereAFolderShouldBeIsSaid) {
  TempDir dir;
  ASSERT_TRUE(WriteFileAtomic(Real(), dir / "f", "").ok());
  EXPECT_EQ(Real().CreateDirectories(dir / "f").code(), Code::kAlreadyExists);
  EXPECT_FALSE(Real().CreateDirectories(dir / "f/g").ok());
}

TEST(FileSystem, StatTellsKindsApart) {
  TempDir dir;
  ASSERT_TRUE(WriteFileAtomic(Real(), dir / "f", "12345").ok());
  ASSERT_EQ(::mkfifo((dir / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(Real().Stat(dir / "f")->size, 5u);
  EXPECT_GT(Real().Stat(dir / "f")->modified_ns, int64_t{1'600'000'000} * 1'000'000'000);
  EXPECT_FALSE(Real().Stat(dir / "f")->is_directory);
  EXPECT_TRUE(Real().Stat(dir.path())->is_directory);
  EXPECT_TRUE(Real().Stat(dir / "pipe")->is_special);
  EXPECT_EQ(Real().Stat(dir / "nothing").status().code(), Code::kNotFound);
  EXPECT_FALSE(Real().Exists(dir / "nothing"));
}

TEST(FileSystem, ListsNamesSorted) {
  TempDir dir;
  for (const char* name : {"b", "a", ".hidden", "c"}) {
    ASSERT_TRUE(WriteFileAtomic(Real(), dir / name, "").ok());
  }
  EXPECT_EQ(*Real().List(dir.path()), (std::vector<std::string>{".hidden", "a", "b", "c"}));
  EXPECT_EQ(Real().List(dir / "nothing").status().code(), Code::kNotFound);
}

TEST(FileSystem, RemovesFilesAndEmptyFoldersOnly) {
  TempDir dir;
  ASSERT_TRUE(Real().CreateDirectories(dir / "d").ok());
  ASSERT_TRUE(WriteFileAtomic(Real(), dir / "d/f", "").ok());
  EXPECT_EQ(Real().Remove(dir / "d").code(), Code::kFailedPrecondition);
  EXPECT_TRUE(Real().Remove(dir / "d/f").ok());
  EXPECT_TRUE(Real().Remove(dir / "d").ok());
  EXPECT_EQ(Real().Remove(dir / "d").code(), Code::kNotFound);
}

TEST(ReadFile, RefusesWhatIsNoFile) {
  TempDir dir;
  ASSERT_EQ(::mkfifo((dir / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(ReadFile(Real(), dir.path()).status().code(), Code::kInvalidArgument);
  EXPECT_EQ(ReadFile(Real(), dir / "pipe").status().code(), Code::kInvalidArgument);
  EXPECT_EQ(ReadFile(Real(), dir / "nothing").status().code(), Code::kNotFound);
  EXPECT_EQ(ReadFile(Real(), "/dev/null").status().code(), Code::kInvalidArgument);
}

TEST(ReadFile, KeepsEveryByte) {
  TempDir dir;
  std::string content;
  for (int i = 0; i < 100000; ++i) content += static_cast<char>(i * 7);
  ASSERT_TRUE(WriteFileAtomic(Real(), dir / "a", content).ok());
  EXPECT_EQ(*ReadFile(Real(), dir / "a"), content);
}

TEST(WriteFileAtomic, ReplacesTheContent) {
  TempDir dir;
  ASSERT_TRUE(WriteFileAtomic(Real(), dir / "a", "first, longer").ok());
  ASSERT_TRUE(WriteFileAtomic(Real(), dir / "a", "second").ok());
  EXPECT_EQ(*ReadFile(Real(), dir / "a"), "second");
  EXPECT_EQ(Real().List(dir.path())->size(), 1u);
}

// A failure at any operation leaves the old file, or, once the rename went through, the new one.
TEST(WriteFileAtomic, AFailureAnywhereNeverLeavesAPart) {
  for (const auto mode : {FaultFileSystem::Mode::kOnce, FaultFileSystem::Mode::kForever}) {
    TempDir dir;
    const std::string path = dir / "a";
    const std::string before = "old content";
    const std::string after(10000, 'n');
    Status status;
    const uint64_t operations = testing::FailAtEveryOperation(
        Real(), mode,
        [&](FileSystem& fs) {
          ASSERT_TRUE(WriteFileAtomic(Real(), path, before).ok());
          status = WriteFileAtomic(fs, path, after);
        },
        [&](uint64_t operation) {
          // A failed clean-up of the temporary file is no failure of the write.
          const std::string content = *ReadFile(Real(), path);
          EXPECT_TRUE(content == before || content == after) << "operation " << operation;
          EXPECT_FALSE(status.ok()) << "operation " << operation << " failed silently";
          if (mode == FaultFileSystem::Mode::kOnce) {
            EXPECT_EQ(Real().List(dir.path())->size(), 1u) << "left-overs after " << operation;
          }
        });
    EXPECT_EQ(operations, 5u) << "open, write, sync, rename, sync of the directory";
  }
}

TEST(WriteFileAtomic, ManyWritersLeaveOneWholeFile) {
  TempDir dir;
  {
    std::vector<std::jthread> writers;
    for (char c = 'a'; c < 'a' + 4; ++c) {
      writers.emplace_back([&dir, c] {
        for (int i = 0; i < 20; ++i) {
          EXPECT_TRUE(WriteFileAtomic(Real(), dir / "f", std::string(5000, c)).ok());
        }
      });
    }
  }
  const std::string content = *ReadFile(Real(), dir / "f");
  EXPECT_EQ(content, std::string(5000, content[0]));
  EXPECT_EQ(Real().List(dir.path())->size(), 1u);
}

TEST(Paths, AreJoinedAndTakenApart) {
  EXPECT_EQ(JoinPath("a", "b"), "a/b");
  EXPECT_EQ(JoinPath("a/", "b"), "a/b");
  EXPECT_EQ(JoinPath("", "b"), "b");
  EXPECT_EQ(JoinPath("/", "b"), "/b");
  EXPECT_EQ(BaseName("/a/b.c"), "b.c");
  EXPECT_EQ(BaseName("b.c"), "b.c");
  EXPECT_EQ(DirName("/a/b.c"), "/a");
  EXPECT_EQ(DirName("b.c"), ".");
  EXPECT_EQ(DirName("/b.c"), "/");
}

}  // namespace
}  // namespace ac
