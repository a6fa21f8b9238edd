#include "gateway/access.h"

#include <gtest/gtest.h>

namespace ac::gateway {
namespace {

const AccessPolicy kOpen{"", "127.0.0.1"};
const AccessPolicy kKeyed{"secret-key", "127.0.0.1"};

TEST(Access, LoopbackWithoutKeyIsOpen) {
  EXPECT_TRUE(CheckAccess(kOpen, {.host = "127.0.0.1:4141"}).ok());
  EXPECT_TRUE(CheckAccess(kOpen, {.host = "LOCALHOST:4141"}).ok());
  EXPECT_TRUE(CheckAccess(kOpen, {.host = "[::1]:4141"}).ok());
  EXPECT_TRUE(CheckAccess(kOpen, {.x_api_key = "anything"}).ok());
}

TEST(Access, ReboundHostNamesAreRefused) {
  for (const char* host :
       {"evil.example:4141", "127.0.0.1.evil.example", "0.0.0.0:4141", "127.evil.a.b"}) {
    EXPECT_EQ(CheckAccess(kOpen, {.host = host}).code(), Code::kPermissionDenied) << host;
  }
}

TEST(Access, CrossSiteOriginsAreRefused) {
  EXPECT_TRUE(CheckAccess(kOpen, {.origin = "http://127.0.0.1:4141"}).ok());
  EXPECT_TRUE(CheckAccess(kOpen, {.origin = "http://localhost:3000"}).ok());
  EXPECT_EQ(CheckAccess(kOpen, {.origin = "https://evil.example"}).code(), Code::kPermissionDenied);
  EXPECT_EQ(CheckAccess(kOpen, {.origin = "null"}).code(), Code::kPermissionDenied);
}

TEST(Access, KeyIsTakenFromEitherHeader) {
  EXPECT_TRUE(CheckAccess(kKeyed, {.x_api_key = "secret-key"}).ok());
  EXPECT_TRUE(CheckAccess(kKeyed, {.authorization = "Bearer secret-key"}).ok());
  EXPECT_TRUE(CheckAccess(kKeyed, {.authorization = "bearer secret-key"}).ok());
  EXPECT_EQ(CheckAccess(kKeyed, {}).code(), Code::kUnauthenticated);
  EXPECT_EQ(CheckAccess(kKeyed, {.x_api_key = "secret-kez"}).code(), Code::kUnauthenticated);
  EXPECT_EQ(CheckAccess(kKeyed, {.x_api_key = "secret-key1"}).code(), Code::kUnauthenticated);
  EXPECT_EQ(CheckAccess(kKeyed, {.authorization = "Basic secret-key"}).code(),
            Code::kUnauthenticated);
}

TEST(Access, ErrorsNeverRepeatTheKey) {
  const std::string message = CheckAccess(kKeyed, {.x_api_key = "wrong-secret"}).message();
  EXPECT_EQ(message.find("secret-key"), std::string::npos);
  EXPECT_EQ(message.find("wrong-secret"), std::string::npos);
}

TEST(Access, OutsideAddressesNeedAKey) {
  EXPECT_FALSE(CheckListenAddress("0.0.0.0", "").ok());
  EXPECT_FALSE(CheckListenAddress("192.168.1.5", "").ok());
  EXPECT_TRUE(CheckListenAddress("0.0.0.0", "k").ok());
  EXPECT_TRUE(CheckListenAddress("127.0.0.1", "").ok());
  EXPECT_TRUE(CheckAccess({"k", "0.0.0.0"}, {.host = "box.lan:4141", .x_api_key = "k"}).ok());
}

TEST(Access, ConstantTimeComparisonIsExact) {
  EXPECT_TRUE(EqualInConstantTime("", ""));
  EXPECT_TRUE(EqualInConstantTime("abc", "abc"));
  EXPECT_FALSE(EqualInConstantTime("abc", ""));
  EXPECT_FALSE(EqualInConstantTime("", "abc"));
  EXPECT_FALSE(EqualInConstantTime("ab", "abab"));
  EXPECT_FALSE(EqualInConstantTime("abab", "ab"));
}

}  // namespace
}  // namespace ac::gateway
