#include "app/launcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ac::app {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const std::vector<std::string> kCommands = {"serve", "config", "doctor"};

// Nothing when the line is a command of ours.
std::optional<LaunchRequest> Read(const std::vector<std::string>& args) {
  const auto read = ReadLaunchRequest(args, kCommands);
  EXPECT_TRUE(read.ok()) << read.status();
  return *read;
}

TEST(LaunchRequest, CommandsAndOurOwnHelpAreNotForTheClient) {
  for (const char* word : {"serve", "config", "--help", "-h", "--version"}) {
    EXPECT_FALSE(Read({word}).has_value()) << word;
  }
  EXPECT_FALSE(Read({"--mode", "local", "serve"}).has_value());
}

TEST(LaunchRequest, EverythingElseGoesToTheClientUnchanged) {
  EXPECT_THAT(Read({})->client_args, IsEmpty());
  EXPECT_THAT(Read({"-p", "hi", "--model", "x"})->client_args,
              ElementsAre("-p", "hi", "--model", "x"));
  EXPECT_THAT(Read({"mcp", "list"})->client_args, ElementsAre("mcp", "list"));
  EXPECT_THAT(Read({"fix the bug in config"})->client_args, ElementsAre("fix the bug in config"));
  EXPECT_THAT(Read({"-p", "serve"})->client_args, ElementsAre("-p", "serve"));
}

TEST(LaunchRequest, TheModeIsTakenInBothSpellings) {
  EXPECT_EQ(Read({"--mode", "claude", "-c"})->mode, "claude");
  EXPECT_THAT(Read({"--mode=claude", "-c"})->client_args, ElementsAre("-c"));
  EXPECT_EQ(Read({"--mode=claude"})->mode, "claude");
  EXPECT_EQ(Read({"-c"})->mode, "");
}

TEST(LaunchRequest, AfterTheFirstClientWordNothingIsOurs) {
  EXPECT_THAT(Read({"-p", "--mode", "x"})->client_args, ElementsAre("-p", "--mode", "x"));
  EXPECT_EQ(Read({"-p", "--mode", "x"})->mode, "");
}

TEST(LaunchRequest, ADoubleDashGivesTheClientWordsThatWouldBeOurs) {
  EXPECT_THAT(Read({"--", "doctor"})->client_args, ElementsAre("doctor"));
  EXPECT_THAT(Read({"--mode", "local", "--", "--help"})->client_args, ElementsAre("--help"));
}

TEST(LaunchRequest, AModeWithoutANameListsTheModes) {
  const auto read = ReadLaunchRequest({"--mode"}, kCommands);
  ASSERT_FALSE(read.ok());
  EXPECT_NE(read.status().message().find("local"), std::string::npos);
}

}  // namespace
}  // namespace ac::app
