#include "launch/client_settings.h"

#include <gtest/gtest.h>

#include "support/temp_dir.h"

namespace ac::launch {
namespace {

using Words = std::vector<std::string>;

TEST(ClientSettings, FetchesAskNobodyForLeaveUnlessTheUserDecides) {
  const Words ours{"--settings", R"({"skipWebFetchPreflight":true})"};
  EXPECT_EQ(SettingsWords({}, {"-p", "hi"}, {}), ours);
  EXPECT_EQ(SettingsWords({}, {"mcp", "list"}, {R"({"model":"x"})"}), ours);
  EXPECT_EQ(SettingsWords({}, {"-p", "--settings", "{}"}, {}), Words{});
  EXPECT_EQ(SettingsWords({}, {"--settings=mine.json"}, {}), Words{});
  EXPECT_EQ(SettingsWords({}, {}, {"{}", R"({"skipWebFetchPreflight":false})"}), Words{});
  EXPECT_EQ(SettingsWords({.pass_through = true}, {}, {}), Words{}) << "its own cloud answers";
}

TEST(ClientSettings, TheClientsFilesAreFoundWhereItLooks) {
  const testing::TempDir dir;
  FileSystem& files = FileSystem::Real();
  EXPECT_EQ(ReadSettingsFiles(files, dir.path() + "/none", dir.path()), Words{});
  ASSERT_TRUE(files.CreateDirectories(dir.path() + "/home").ok());
  ASSERT_TRUE(files.CreateDirectories(dir.path() + "/repo/.claude").ok());
  const std::pair<const char*, const char*> texts[] = {
      {"/home/settings.json", "user"},
      {"/repo/.claude/settings.json", "project"},
      {"/repo/.claude/settings.local.json", "own"}};
  for (const auto& [path, text] : texts) {
    ASSERT_TRUE(WriteFileAtomic(files, dir.path() + path, text).ok());
  }
  EXPECT_EQ(ReadSettingsFiles(files, dir.path() + "/home", dir.path() + "/repo"),
            (Words{"user", "project", "own"}));
}

}  // namespace
}  // namespace ac::launch
