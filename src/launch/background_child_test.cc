#include "launch/background_child.h"

#include <gtest/gtest.h>
#include <signal.h>

namespace ac::launch {
namespace {

constexpr std::chrono::seconds kStartPatience{30};

Result<std::unique_ptr<BackgroundChild>> Background(const std::string& script) {
  return BackgroundChild::Start({"/bin/sh", "-c", script}, {"PATH=/usr/bin:/bin"});
}

TEST(BackgroundChild, WhatFollowsTheMarkIsReturnedWhileItGoesOn) {
  const auto child = Background("echo hello; echo 'Serving at http://x:1 now'; exec sleep 600");
  ASSERT_TRUE(child.ok()) << child.status();
  EXPECT_EQ(*(*child)->WaitFor("Serving at ", kStartPatience), "http://x:1");
  EXPECT_EQ(kill((*child)->pid(), 0), 0);
}

TEST(BackgroundChild, ItIsGoneWithItsObject) {
  auto child = Background("echo 'at 1'; exec sleep 600");
  ASSERT_TRUE(child.ok()) << child.status();
  ASSERT_TRUE((*child)->WaitFor("at ", kStartPatience).ok());
  const pid_t pid = (*child)->pid();
  child->reset();
  EXPECT_EQ(kill(pid, 0), -1);
}

TEST(BackgroundChild, OneThatEndsBeforeItServesIsAnErrorWithItsWords) {
  const auto child = Background("echo 'the port is taken'; exit 1");
  ASSERT_TRUE(child.ok()) << child.status();
  const Result<std::string> url = (*child)->WaitFor("Serving at ", kStartPatience);
  ASSERT_FALSE(url.ok());
  EXPECT_NE(url.status().message().find("the port is taken"), std::string::npos);
}

TEST(BackgroundChild, WaitingEndsAtItsLimit) {
  const auto child = Background("exec sleep 600");
  ASSERT_TRUE(child.ok()) << child.status();
  const Result<std::string> url = (*child)->WaitFor("x", std::chrono::milliseconds(20));
  EXPECT_EQ(url.status().code(), Code::kDeadlineExceeded);
}

TEST(BackgroundChild, AMissingProgramIsAnError) {
  EXPECT_FALSE(BackgroundChild::Start({"/no/such/program"}, {}).ok());
}

}  // namespace
}  // namespace ac::launch
