#include "http/offline_lock.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "http/client.h"
#include "support/http_server.h"

namespace ac::http {
namespace {

Url Parsed(const std::string& text) { return Url::Parse(text).value(); }

TEST(OfflineLockTest, OnlyThisMachineMayBeReached) {
  for (const char* here :
       {"http://localhost:1", "http://127.0.0.1/v1", "http://[::1]:80/", "http://app.localhost"}) {
    EXPECT_TRUE(CheckOffline(Parsed(here), nullptr).ok()) << here;
  }
  for (const char* away :
       {"https://api.anthropic.com", "http://10.0.0.1", "http://192.168.1.4:1234",
        "http://localhost.example.com", "http://0.0.0.0:80"}) {
    const Status status = CheckOffline(Parsed(away), nullptr);
    EXPECT_EQ(status.code(), Code::kPermissionDenied) << away;
    EXPECT_NE(status.message().find(Parsed(away).host), std::string::npos) << status;
  }
}

TEST(OfflineLockTest, AProxyIsNoWayOut) {
  const Url near = Parsed("http://127.0.0.1:3128");
  const Url far = Parsed("http://proxy.example:3128");
  EXPECT_FALSE(CheckOffline(Parsed("https://api.anthropic.com"), &near).ok());
  EXPECT_FALSE(CheckOffline(Parsed("http://localhost:1"), &far).ok());
  EXPECT_TRUE(CheckOffline(Parsed("http://localhost:1"), &near).ok());
}

// The lock cannot be opened again, so it is closed in a process of its own.
TEST(OfflineLockTest, EveryClientOfALockedProcessIsHeld) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_EXIT(
      {
        const auto server = testing::Serve(&testing::Echo);
        EngageOfflineLock();
        Client client({.proxy = ProxyConfig{}});
        const Result<Response> near = client.Fetch({.url = server->url()});
        const Result<Response> far = client.Fetch({.url = "http://192.0.2.1:9/"});
        const Result<Response> named = client.Fetch({.url = "https://api.anthropic.com/"});
        const bool held = near.ok() && far.status().code() == Code::kPermissionDenied &&
                          named.status().code() == Code::kPermissionDenied;
        std::_Exit(held ? 42 : 1);
      },
      ::testing::ExitedWithCode(42), "");
}

}  // namespace
}  // namespace ac::http
