#include "base/mapped_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstring>
#include <string>

#include "base/file_system.h"
#include "support/temp_dir.h"

namespace ac {
namespace {

std::string TextOf(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.data()), file.size()};
}

TEST(MappedFile, ShowsTheFile) {
  testing::TempDir dir;
  ASSERT_TRUE(WriteFileAtomic(FileSystem::Real(), dir / "a", "hello").ok());
  Result<MappedFile> file = MappedFile::Open(dir / "a");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(TextOf(*file), "hello");
  EXPECT_EQ(file->path(), dir / "a");
}

TEST(MappedFile, AnEmptyFileIsAnEmptySpan) {
  testing::TempDir dir;
  ASSERT_TRUE(WriteFileAtomic(FileSystem::Real(), dir / "a", "").ok());
  Result<MappedFile> file = MappedFile::Open(dir / "a");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_TRUE(file->bytes().empty());
  file->WillNeed(0, 100);
}

TEST(MappedFile, WhatIsNoRegularFileIsRefused) {
  testing::TempDir dir;
  EXPECT_EQ(MappedFile::Open(dir / "missing").status().code(), Code::kNotFound);
  EXPECT_EQ(MappedFile::Open(dir.path()).status().code(), Code::kInvalidArgument);
  EXPECT_NE(MappedFile::Open(dir / "missing").status().message().find(dir / "missing"),
            std::string::npos);
}

TEST(MappedFile, MovesKeepTheMapping) {
  testing::TempDir dir;
  ASSERT_TRUE(WriteFileAtomic(FileSystem::Real(), dir / "a", "one").ok());
  ASSERT_TRUE(WriteFileAtomic(FileSystem::Real(), dir / "b", "two").ok());
  MappedFile a = *MappedFile::Open(dir / "a");
  MappedFile b = *MappedFile::Open(dir / "b");
  const std::byte* data = a.data();
  b = std::move(a);
  EXPECT_EQ(b.data(), data);
  EXPECT_EQ(TextOf(b), "one");
  const MappedFile c(std::move(b));
  EXPECT_EQ(TextOf(c), "one");
  EXPECT_EQ(c.path(), dir / "a");
}

TEST(MappedFile, OutlivesTheNameOfTheFile) {
  testing::TempDir dir;
  ASSERT_TRUE(WriteFileAtomic(FileSystem::Real(), dir / "a", "still here").ok());
  const MappedFile file = *MappedFile::Open(dir / "a");
  ASSERT_TRUE(FileSystem::Real().Remove(dir / "a").ok());
  EXPECT_EQ(TextOf(file), "still here");
}

TEST(MappedFile, ReadAheadTakesAnyRange) {
  testing::TempDir dir;
  ASSERT_TRUE(WriteFileAtomic(FileSystem::Real(), dir / "a", std::string(20000, 'x')).ok());
  const MappedFile file = *MappedFile::Open(dir / "a");
  file.WillNeed(0, 20000);
  file.WillNeed(5000, SIZE_MAX);
  file.WillNeed(19999, 1);
  file.WillNeed(20000, 1);
  file.WillNeed(SIZE_MAX, SIZE_MAX);
  EXPECT_EQ(file.size(), 20000u);
}

}  // namespace
}  // namespace ac
