#include "launch/child.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>

namespace ac::launch {
namespace {

const std::vector<std::string> kEnvironment = {"PATH=/usr/bin:/bin", "GREETING=7"};

Result<int> Shell(const std::string& script) {
  return RunChild({"/bin/sh", "-c", script}, kEnvironment);
}

TEST(Child, TheExitCodeOfTheChildIsReturned) {
  EXPECT_EQ(*Shell("exit 0"), 0);
  EXPECT_EQ(*Shell("exit 41"), 41);
}

TEST(Child, TheChildSeesTheGivenEnvironmentAlone) {
  EXPECT_EQ(*Shell("exit $GREETING"), 7);
  setenv("ONLY_OURS", "3", 1);
  EXPECT_EQ(*Shell("exit ${ONLY_OURS:-0}"), 0);
}

TEST(Child, ASignalThatEndsTheChildGivesTheCodeOfTheShell) {
  EXPECT_EQ(*Shell("kill -KILL $$"), 128 + SIGKILL);
}

TEST(Child, AMissingProgramIsNotFound) {
  const Result<int> code = RunChild({"/no/such/program"}, kEnvironment);
  ASSERT_FALSE(code.ok());
  EXPECT_EQ(code.status().code(), Code::kNotFound);
}

TEST(Child, ProgramsAreFoundInPathOnlyWhenTheyCanRun) {
  EXPECT_TRUE(FindProgram("sh").ok());
  EXPECT_TRUE(FindProgram("/bin/sh").ok());
  EXPECT_EQ(FindProgram("no-such-program-anywhere").status().code(), Code::kNotFound);
  EXPECT_FALSE(FindProgram("/etc/hostname-that-is-not-there").ok());
}

TEST(Child, SignalsSentToUsReachTheChild) {
  // The child itself tells its parent (us) when it is ready, by the signal that it wants back.
  const Result<int> code =
      Shell("trap 'exit 9' TERM; kill -TERM $PPID; while :; do sleep 0.05; done");
  EXPECT_EQ(*code, 9);
}

TEST(Child, TheSignalMaskIsRestored) {
  sigset_t before;
  sigset_t after;
  pthread_sigmask(SIG_BLOCK, nullptr, &before);
  EXPECT_TRUE(Shell("exit 0").ok());
  EXPECT_FALSE(RunChild({"/no/such/program"}, kEnvironment).ok());
  pthread_sigmask(SIG_BLOCK, nullptr, &after);
  EXPECT_EQ(sigismember(&before, SIGTERM), sigismember(&after, SIGTERM));
}

}  // namespace
}  // namespace ac::launch
