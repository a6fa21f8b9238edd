#include "store/database.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdio>

#include "store/schema.h"
#include "support/temp_dir.h"

namespace ac::store {
namespace {

TEST(Database, ValuesComeBackAsTheyWent) {
  const testing::TempDir folder;
  auto database = Database::Open(folder / "x.db");
  ASSERT_TRUE(database.ok()) << database.status();
  ASSERT_TRUE((*database)->Run("CREATE TABLE t (a INTEGER, b REAL, c TEXT, d BLOB, e REAL)").ok());
  {
    auto insert = (*database)->Prepare("INSERT INTO t VALUES (?,?,?,?,?)");
    ASSERT_TRUE(insert.ok());
    insert->Bind(1, int64_t{1} << 60);
    insert->Bind(2, 0.25);
    insert->Bind(3, "quote ' and \xC3\xA9");
    insert->BindBlob(4, std::string_view("\0\xff", 2));
    insert->Bind(5, std::optional<double>());
    ASSERT_TRUE(insert->Run().ok());
  }
  auto select = (*database)->Prepare("SELECT * FROM t");
  ASSERT_TRUE(select.ok());
  ASSERT_TRUE(*select->Step());
  EXPECT_EQ(select->Int(0), int64_t{1} << 60);
  EXPECT_EQ(select->Real(1), 0.25);
  EXPECT_EQ(select->Text(2), "quote ' and \xC3\xA9");
  EXPECT_EQ(select->Text(3), std::string("\0\xff", 2));
  EXPECT_TRUE(select->IsNull(4));
  EXPECT_FALSE(*select->Step());
}

TEST(Database, MistakesNameTheStatement) {
  const testing::TempDir folder;
  auto database = Database::Open(folder / "x.db");
  const auto statement = (*database)->Prepare("SELECT nothing FROM nowhere");
  ASSERT_FALSE(statement.ok());
  EXPECT_NE(statement.status().message().find("nowhere"), std::string::npos);
}

TEST(State, IsCreatedForTheUserAlone) {
  const testing::TempDir folder;
  const auto state = OpenState(FileSystem::Real(), folder / "home");
  ASSERT_TRUE(state.ok()) << state.status();
  struct stat info {};
  ASSERT_EQ(stat((folder / "home/state.db").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST(State, TwoConnectionsSeeTheSameRows) {
  const testing::TempDir folder;
  auto first = OpenState(FileSystem::Real(), folder.path());
  auto second = OpenState(FileSystem::Real(), folder.path());
  ASSERT_TRUE(first.ok() && second.ok());
  ASSERT_TRUE((*first)->Run("INSERT INTO replies VALUES ('k', 1, 1, 1, 'v')").ok());
  auto select = (*second)->Prepare("SELECT body FROM replies");
  ASSERT_TRUE(*select->Step());
  EXPECT_EQ(select->Text(0), "v");
}

// The rows that another program sees; -1 when it could not ask. It opens the file and ends.
int RowsForAnotherProgram(const std::string& path) {
  const std::string command =
      "python3 -c \"import sqlite3, sys; print(sqlite3.connect(sys.argv[1])"
      ".execute('SELECT count(*) FROM replies').fetchone()[0])\" '" +
      path + "'";
  std::FILE* const pipe = popen(command.c_str(), "r");
  int rows = -1;
  if (pipe == nullptr || std::fscanf(pipe, "%d", &rows) != 1) rows = -1;
  if (pipe != nullptr) pclose(pipe);
  return rows;
}

TEST(State, AnotherProgramThatEndsTakesNoRowsAway) {
  const testing::TempDir folder;
  auto first = OpenState(FileSystem::Real(), folder.path());
  ASSERT_TRUE(first.ok());
  ASSERT_TRUE((*first)->Run("INSERT INTO replies VALUES ('a', 1, 1, 1, 'v')").ok());
  // A second user of the file in this process, as the reply cache beside the recorder.
  auto second = OpenState(FileSystem::Real(), folder.path());
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(RowsForAnotherProgram(folder / "state.db"), 1);
  ASSERT_TRUE((*first)->Run("INSERT INTO replies VALUES ('b', 1, 1, 1, 'v')").ok());
  EXPECT_EQ(RowsForAnotherProgram(folder / "state.db"), 2);
}

TEST(State, ADamagedFileIsPutAsideAndBegunAnew) {
  const testing::TempDir folder;
  FileSystem& fs = FileSystem::Real();
  ASSERT_TRUE(WriteFileAtomic(fs, folder / "state.db", std::string(5000, 'x')).ok());
  const auto state = OpenState(fs, folder.path());
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_EQ(ReadFile(fs, folder / "state.db.damaged")->size(), 5000u);
}

TEST(State, DamageInsideAFileIsFoundToo) {
  const testing::TempDir folder;
  FileSystem& fs = FileSystem::Real();
  {
    auto state = OpenState(fs, folder.path());
    for (int i = 0; i < 200; ++i) {
      const std::string insert = "INSERT INTO replies VALUES ('" + std::to_string(i) +
                                 "', 1, 1, 1, '" + std::string(500, 'b') + "')";
      ASSERT_TRUE((*state)->Run(insert.c_str()).ok());
    }
    ASSERT_TRUE((*state)->Run("PRAGMA wal_checkpoint(TRUNCATE)").ok());
  }
  std::string bytes = *ReadFile(fs, folder / "state.db");
  ASSERT_GT(bytes.size(), 60'000u);
  std::fill(bytes.begin() + 40'000, bytes.begin() + 56'000, '\xEE');
  ASSERT_TRUE(WriteFileAtomic(fs, folder / "state.db", bytes).ok());
  const auto state = OpenState(fs, folder.path());
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_TRUE(fs.Exists(folder / "state.db.damaged"));
}

TEST(State, AFileOfANewerProgramIsRefusedAndLeftAlone) {
  const testing::TempDir folder;
  FileSystem& fs = FileSystem::Real();
  {
    auto state = OpenState(fs, folder.path());
    ASSERT_TRUE((*state)->Run("PRAGMA user_version = 99").ok());
  }
  const auto state = OpenState(fs, folder.path());
  ASSERT_FALSE(state.ok());
  EXPECT_NE(state.status().message().find("version 99"), std::string::npos);
  EXPECT_FALSE(fs.Exists(folder / "state.db.damaged"));
}

}  // namespace
}  // namespace ac::store
