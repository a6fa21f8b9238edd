#include "app/config.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

namespace ac::app {
namespace {

class ConfigTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/ac_config_XXXXXX";
    root_ = ::mkdtemp(name);
    ASSERT_TRUE(fs_.CreateDirectories(root_ + "/home/.anyclaude").ok());
    ASSERT_TRUE(fs_.CreateDirectories(root_ + "/repo").ok());
    variables_["HOME"] = root_ + "/home";
  }
  void TearDown() override { std::system(("rm -rf " + root_).c_str()); }

  void UserFile(std::string_view text) {
    ASSERT_TRUE(WriteFileAtomic(fs_, root_ + "/home/.anyclaude/config.json", text).ok());
  }
  void ProjectFile(std::string_view text) {
    ASSERT_TRUE(WriteFileAtomic(fs_, root_ + "/repo/.anyclauderc.json", text).ok());
  }
  Result<Config> Load() {
    return Config::Load(
        [this](const std::string& name) -> std::optional<std::string> {
          const auto it = variables_.find(name);
          if (it == variables_.end()) return std::nullopt;
          return it->second;
        },
        fs_, root_ + "/repo");
  }

  FileSystem& fs_ = FileSystem::Real();
  std::string root_;
  std::map<std::string, std::string> variables_;
};

TEST_F(ConfigTest, DefaultsWhenNothingIsSet) {
  const Result<Config> config = Load();
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->Integer("port"), 4141);
  EXPECT_EQ(config->Text("host"), "127.0.0.1");
  EXPECT_EQ(config->Get("port").source, Source::kDefault);
  EXPECT_EQ(config->home(), root_ + "/home/.anyclaude");
}

TEST_F(ConfigTest, FlagBeatsEnvironmentBeatsProjectBeatsUser) {
  UserFile(R"({"mode": "user", "port": 1, "log": {"format": "json"}})");
  ProjectFile(R"({"mode": "project", "port": 2})");
  variables_["ANYCLAUDE_MODE"] = "environment";
  Result<Config> config = Load();
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->Text("mode"), "environment");
  EXPECT_EQ(config->Integer("port"), 2);
  EXPECT_EQ(config->Text("log.format"), "json");
  ASSERT_TRUE(config->SetFlag("mode", "flag").ok());
  EXPECT_EQ(config->Text("mode"), "flag");
  EXPECT_EQ(config->Get("mode").source, Source::kFlag);
  EXPECT_EQ(config->Get("port").origin, root_ + "/repo/.anyclauderc.json");
}

TEST_F(ConfigTest, TheStorysSwitchForcesItsServer) {
  UserFile(R"({"mode": "user"})");
  variables_["FORCE_LMSTUDIO"] = "true";
  EXPECT_EQ(Load()->Text("mode"), "lmstudio");
  EXPECT_EQ(Load()->Get("mode").origin, "FORCE_LMSTUDIO");
  variables_["ANYCLAUDE_MODE"] = "claude";
  EXPECT_EQ(Load()->Text("mode"), "claude") << "our own variable is the clearer word";
  variables_.erase("ANYCLAUDE_MODE");
  variables_["FORCE_LMSTUDIO"] = "false";
  EXPECT_EQ(Load()->Text("mode"), "user");
}

TEST_F(ConfigTest, SyntaxErrorNamesFileLineAndColumn) {
  UserFile("{\n  \"port\": 1,\n  oops\n}");
  const Status status = Load().status();
  EXPECT_NE(status.message().find("config.json"), std::string::npos) << status;
  EXPECT_NE(status.message().find("line 3, column 3"), std::string::npos) << status;
}

TEST_F(ConfigTest, WrongKindNamesTheKey) {
  UserFile(R"({"port": "many"})");
  EXPECT_NE(Load().status().message().find("port takes a whole number"), std::string::npos);
}

TEST_F(ConfigTest, UnknownKeySuggestsTheNearest) {
  UserFile(R"({"prot": 1})");
  const Result<Config> config = Load();
  ASSERT_TRUE(config.ok());
  ASSERT_EQ(config->warnings().size(), 1u);
  EXPECT_NE(config->warnings()[0].find("did you mean \"port\""), std::string::npos);
}

TEST_F(ConfigTest, RepositoryCannotChangeHostOrKey) {
  ProjectFile(R"({"host": "0.0.0.0", "api_key": "x", "port": 5})");
  const Result<Config> config = Load();
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->Text("host"), "127.0.0.1");
  EXPECT_EQ(config->Text("api_key"), "");
  EXPECT_EQ(config->Integer("port"), 5);
  EXPECT_EQ(config->warnings().size(), 2u);
}

TEST_F(ConfigTest, TheDocumentationListsEveryKey) {
  const Result<std::string> page = ReadFile(fs_, AC_SOURCE_DIR "/docs/formats/config.md");
  ASSERT_TRUE(page.ok()) << page.status();
  for (const SettingSpec& spec : Config::Specs()) {
    EXPECT_NE(page->find("| `" + std::string(spec.key) + "` |"), std::string::npos) << spec.key;
  }
}

TEST_F(ConfigTest, TheEarlierGatewaysNamesAreUnderstood) {
  const std::string_view old = R"({
    "backend": "lmstudio", "port": 4200,
    "debug": {"level": 2, "enableTraces": false, "enableStreamLogging": true},
    "backends": {
      "lmstudio": {"enabled": true, "baseUrl": "http://localhost:1235/v1", "model": "qwen",
                   "toolAllowlist": ["Read", "Edit"], "filterTier": "auto"},
      "claude": {"apiKey": "of another backend"}},
    "circuitBreaker": {"failureThreshold": 3}})";
  UserFile(old);
  const Result<Config> config = Load();
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->Text("mode"), "lmstudio");
  EXPECT_EQ(config->Integer("port"), 4200);
  EXPECT_EQ(config->Integer("debug"), 2);
  EXPECT_FALSE(config->Boolean("trace.enabled"));
  EXPECT_EQ(config->Text("upstream.url"), "http://localhost:1235/v1");
  EXPECT_EQ(config->Text("upstream.model"), "qwen");
  EXPECT_EQ(config->Text("upstream.api_key"), "");
  EXPECT_EQ(config->Text("slim.tools"), "Read,Edit");
  ASSERT_EQ(config->warnings().size(), 1u);
  EXPECT_NE(config->warnings()[0].find("without effect here: debug.enableStreamLogging "
                                       "circuitBreaker backends.lmstudio.filterTier"),
            std::string::npos)
      << config->warnings()[0];
  UserFile("{}");
  ProjectFile(old);
  const Result<Config> cloned = Load();
  ASSERT_TRUE(cloned.ok()) << cloned.status();
  EXPECT_EQ(cloned->Text("mode"), "lmstudio");
  EXPECT_EQ(cloned->Text("upstream.url"), "") << "a repository must not choose where we connect";
}

TEST_F(ConfigTest, NamedFileMustExist) {
  variables_["ANYCLAUDE_CONFIG"] = root_ + "/nowhere.json";
  EXPECT_EQ(Load().status().code(), Code::kNotFound);
}

}  // namespace
}  // namespace ac::app
