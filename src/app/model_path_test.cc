#include "app/model_path.h"

#include <gtest/gtest.h>

#include "support/temp_dir.h"

namespace ac::app {
namespace {

TEST(ModelPath, TheStarterIsFoundFromASourceTreeAndFromAnInstallation) {
  FileSystem& fs = FileSystem::Real();
  const testing::TempDir folder;
  for (const std::string place : {"tree", "installed/share/anyclaude"}) {
    const std::string models = folder / (place + "/models/starter");
    ASSERT_TRUE(fs.CreateDirectories(models).ok());
    ASSERT_TRUE(WriteFileAtomic(fs, models + "/starter.gguf", "x").ok());
  }
  for (const std::string program : {"tree/build/release/bin", "tree/build/bin", "installed/bin"}) {
    const std::string programs = folder / program;
    ASSERT_TRUE(fs.CreateDirectories(programs).ok());
    EXPECT_NE(FindStarterModel(programs, fs), "") << program;
  }
  ASSERT_TRUE(fs.CreateDirectories(folder / "elsewhere/a/b/bin").ok());
  EXPECT_EQ(FindStarterModel(folder / "elsewhere/a/b/bin", fs), "");
  EXPECT_EQ(FindStarterModel("", fs), "");
}

TEST(ModelPath, TheBuiltInModelCanBeNamedAndIsMadeOnFirstUse) {
  FileSystem& fs = FileSystem::Real();
  const testing::TempDir folder;
  const auto config = Config::Load(
      [&](const std::string& name) -> std::optional<std::string> {
        if (name == "ANYCLAUDE_HOME") return folder.path();
        return std::nullopt;
      },
      fs, folder.path());
  ASSERT_TRUE(config.ok());
  const auto model = ResolveModel(*config, "built-in", fs);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_TRUE(model->built_in);
  EXPECT_TRUE(fs.Exists(model->path));
  EXPECT_FALSE(ResolveModel(*config, "no-such-model", fs).ok());
}

}  // namespace
}  // namespace ac::app
