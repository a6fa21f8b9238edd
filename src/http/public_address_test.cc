#include "http/public_address.h"

#include <gtest/gtest.h>

#include "http/client.h"

namespace ac::http {
namespace {

TEST(PublicAddress, TheInternetIsPublic) {
  for (const char* address :
       {"1.1.1.1", "8.8.8.8", "93.184.216.34", "172.15.0.1", "172.32.0.1", "100.63.0.1",
        "100.128.0.1", "2606:4700:4700::1111", "2a00:1450:4001:80b::200e", "::ffff:1.1.1.1"}) {
    EXPECT_TRUE(IsPublicAddress(address)) << address;
  }
}

TEST(PublicAddress, OwnMachineAndOwnNetworkAreNot) {
  for (const char* address : {"127.0.0.1",
                              "127.255.255.254",
                              "0.0.0.0",
                              "10.1.2.3",
                              "172.16.0.1",
                              "172.31.255.255",
                              "192.168.1.1",
                              "169.254.169.254",
                              "100.64.0.1",
                              "100.127.255.255",
                              "192.0.2.1",
                              "198.18.0.1",
                              "198.19.255.255",
                              "203.0.113.9",
                              "224.0.0.1",
                              "255.255.255.255",
                              "240.0.0.1",
                              "::",
                              "::1",
                              "fe80::1",
                              "fc00::1",
                              "fd12:3456::1",
                              "ff02::1",
                              "::ffff:127.0.0.1",
                              "::ffff:10.0.0.1",
                              "::127.0.0.1",
                              "64:ff9b::7f00:1",
                              "2002:7f00:1::",
                              "2001::1",
                              "2001:db8::1",
                              "3fff::1",
                              "fec0::1",
                              "",
                              "localhost",
                              "1.1.1",
                              "0x7f.1"}) {
    EXPECT_FALSE(IsPublicAddress(address)) << address;
  }
}

TEST(PublicAddress, AClientThatIsHeldToItConnectsToNothingElse) {
  Client client({.proxy = ProxyConfig{.http = "http://127.0.0.1:9"}, .public_only = true});
  for (const char* url : {"http://127.0.0.1:9/", "http://localhost:9/", "http://[::1]:9/",
                          "http://[::ffff:127.0.0.1]:9/", "http://10.0.0.1/"}) {
    const auto reply = client.Fetch({.url = url});
    ASSERT_FALSE(reply.ok()) << url;
    EXPECT_EQ(reply.status().code(), Code::kPermissionDenied) << url << ": " << reply.status();
  }
}

}  // namespace
}  // namespace ac::http
