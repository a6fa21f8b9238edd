#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>
#include <thread>

#include "http/client.h"
#include "support/direct_client.h"
#include "support/http_server.h"
#include "support/raw_socket.h"
#include "support/tls_server.h"

namespace ac::http {
namespace {

using ac::testing::Direct;
using ::ac::testing::Echo;
using ::ac::testing::Identity;
using ac::testing::kOk;
using ::ac::testing::MakeIdentity;
using ::ac::testing::RawListener;
using ::ac::testing::RawSocket;
using ::ac::testing::Serve;
using ::ac::testing::TlsServer;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// --- TLS -------------------------------------------------------------------------------------

class ClientTlsTest : public ::testing::Test {
 protected:
  void SetUp() override { ac::testing::WritePem(authority_, ca_file_); }
  void TearDown() override { std::remove(ca_file_.c_str()); }
  ClientOptions Trusting() const {
    ClientOptions options = Direct();
    options.ca_file = ca_file_;
    return options;
  }
  static std::string Https(const std::string& host, uint16_t port) {
    return "https://" + host + ":" + std::to_string(port) + "/x";
  }

  const std::string ca_file_ = ::testing::TempDir() + "/http_ca_" + std::to_string(getpid());
  const Identity authority_ = MakeIdentity("Test authority", "", nullptr);
  const Identity leaf_ = MakeIdentity("leaf", "DNS:localhost,IP:127.0.0.1", &authority_);
};

TEST_F(ClientTlsTest, ACertificateOfATrustedAuthorityIsAccepted) {
  const TlsServer server(leaf_);
  {
    Client client(Trusting());
    for (int i = 0; i < 3; ++i) {
      const Result<Response> reply = client.Fetch({.url = Https("127.0.0.1", server.port())});
      ASSERT_TRUE(reply.ok()) << reply.status();
      EXPECT_EQ(reply->body, "secret");
    }
    EXPECT_EQ(server.connections(), 1) << "the connection should have been kept";
  }
  Client client(Trusting());
  const Result<Response> by_name = client.Fetch({.url = Https("localhost", server.port())});
  EXPECT_TRUE(by_name.ok()) << by_name.status();
}

TEST_F(ClientTlsTest, AnUnknownAuthorityIsRefused) {
  const TlsServer server(leaf_);
  Client client(Direct());  // the system's store does not know the test's authority
  const Status status = client.Fetch({.url = Https("127.0.0.1", server.port())}).status();
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("certificate is not accepted"));
  EXPECT_EQ(server.last_request(), "") << "nothing may be sent to an unverified server";
}

TEST_F(ClientTlsTest, ACertificateForAnotherHostIsRefused) {
  const Identity other = MakeIdentity("other", "DNS:example.org", &authority_);
  const TlsServer server(other);
  Client client(Trusting());
  EXPECT_THAT(client.Fetch({.url = Https("127.0.0.1", server.port())}).status().message(),
              HasSubstr("certificate is not accepted"));
}

TEST_F(ClientTlsTest, AnExpiredCertificateIsRefused) {
  const Identity old = MakeIdentity("old", "IP:127.0.0.1", &authority_, /*valid_seconds=*/-60);
  const TlsServer server(old);
  Client client(Trusting());
  EXPECT_THAT(client.Fetch({.url = Https("127.0.0.1", server.port())}).status().message(),
              HasSubstr("expired"));
}

TEST_F(ClientTlsTest, VerificationCanBeSwitchedOffExplicitly) {
  const TlsServer server(leaf_);
  ClientOptions options = Direct();
  options.insecure = true;
  Client client(options);
  EXPECT_EQ(client.Fetch({.url = Https("127.0.0.1", server.port())})->body, "secret");
}

TEST_F(ClientTlsTest, AMissingCaFileIsNamed) {
  ClientOptions options = Direct();
  options.ca_file = "/no/such/file.pem";
  RawListener listener;
  Client client(options);
  const Status status = client.Fetch({.url = Https("127.0.0.1", listener.port())}).status();
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("/no/such/file.pem"));
}

TEST_F(ClientTlsTest, PlainHttpBehindAnHttpsUrlIsExplained) {
  const auto server = Serve(Echo);
  Client client(Trusting());
  EXPECT_THAT(client.Fetch({.url = Https("127.0.0.1", server->port())}).status().message(),
              HasSubstr("TLS handshake failed"));
}

// --- proxies ---------------------------------------------------------------------------------

// A proxy that tunnels CONNECT (whatever the target) to one port and answers other requests itself.
class TestProxy {
 public:
  explicit TestProxy(uint16_t target, std::string refusal = "")
      : target_(target), refusal_(std::move(refusal)), thread_([this] { Run(); }) {}
  ~TestProxy() { thread_.join(); }
  uint16_t port() const { return listener_.port(); }
  std::string head() const { return head_.get(); }

 private:
  void Run() {
    const RawSocket client = listener_.Accept();
    const std::string head = client.ReadUntil("\r\n\r\n");
    promise_.set_value(head);
    if (!head.starts_with("CONNECT ")) {
      client.Send(kOk);
      client.AtEnd();
      return;
    }
    if (!refusal_.empty()) {
      client.Send(refusal_);
      return;
    }
    const RawSocket server = RawSocket::Tcp(target_);
    client.Send("HTTP/1.1 200 Connection established\r\n\r\n");
    std::thread back([&] {
      for (std::string part = server.Read(); !part.empty(); part = server.Read()) client.Send(part);
      client.CloseForWriting();
    });
    for (std::string part = client.Read(); !part.empty(); part = client.Read()) server.Send(part);
    server.CloseForWriting();
    back.join();
  }

  RawListener listener_;
  const uint16_t target_;
  const std::string refusal_;
  std::promise<std::string> promise_;
  std::shared_future<std::string> head_ = promise_.get_future().share();
  std::thread thread_;
};

ClientOptions Through(const TestProxy& proxy, ClientOptions options = Direct()) {
  const std::string url = "http://user:pa%3Ass@127.0.0.1:" + std::to_string(proxy.port());
  options.proxy = ProxyConfig{.http = url, .https = url};
  return options;
}

TEST_F(ClientTlsTest, HttpsGoesThroughAProxyTunnel) {
  const Identity leaf = MakeIdentity("leaf", "DNS:far.example", &authority_);
  const TlsServer server(leaf);
  TestProxy proxy(server.port());
  {
    Client client(Through(proxy, Trusting()));
    const Result<Response> reply = client.Fetch(
        {.url = "https://far.example:444/x", .headers = {{"Authorization", "Bearer key"}}});
    ASSERT_TRUE(reply.ok()) << reply.status();
    EXPECT_EQ(reply->body, "secret");
  }
  EXPECT_THAT(proxy.head(), StartsWith("CONNECT far.example:444 HTTP/1.1\r\n"));
  EXPECT_THAT(proxy.head(), HasSubstr("Proxy-Authorization: Basic dXNlcjpwYTpzcw==\r\n"));
  EXPECT_THAT(proxy.head(), Not(HasSubstr("key"))) << "the proxy must not see the server's key";
  EXPECT_THAT(server.last_request(), Not(HasSubstr("Proxy-Authorization")));
}

TEST_F(ClientTlsTest, AProxyThatRefusesIsNamed) {
  TestProxy proxy(0, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
  Client client(Through(proxy, Trusting()));
  const Status status = client.Fetch({.url = "https://far.example/"}).status();
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("proxy 127.0.0.1:" + std::to_string(proxy.port())));
  EXPECT_THAT(status.message(), HasSubstr("407"));
}

TEST(ClientProxyTest, PlainHttpIsSentToTheProxyWithItsWholeUrl) {
  TestProxy proxy(0);
  {
    Client client(Through(proxy));
    EXPECT_EQ(client.Fetch({.url = "http://far.example/x?y=z"})->body, "ok");
  }
  EXPECT_THAT(proxy.head(), StartsWith("GET http://far.example/x?y=z HTTP/1.1\r\n"
                                       "Host: far.example\r\n"));
}

std::string ProxyOf(const ProxyConfig& config, const std::string& url) {
  const Result<std::optional<http::Url>> proxy = config.ProxyFor(*http::Url::Parse(url));
  if (!proxy.ok()) return "error";
  return *proxy ? (*proxy)->Origin() : "direct";
}

TEST(ProxyConfigTest, TheSchemeChoosesTheVariable) {
  const ProxyConfig config{.http = "p1:1", .https = "http://p2:2/", .all = "p3:3"};
  EXPECT_EQ(ProxyOf(config, "http://h/"), "http://p1:1");
  EXPECT_EQ(ProxyOf(config, "https://h/"), "http://p2:2");
  EXPECT_EQ(ProxyOf({.all = "p3:3"}, "https://h/"), "http://p3:3");
  EXPECT_EQ(ProxyOf({}, "https://h/"), "direct");
  EXPECT_EQ(ProxyOf({.all = "socks5://p:1"}, "https://h/"), "error");
}

TEST(ProxyConfigTest, ThisMachineIsReachedDirectly) {
  ProxyConfig config{.all = "p:1"};
  for (const char* url : {"http://localhost:1/", "http://127.0.0.1/", "https://[::1]/"}) {
    EXPECT_EQ(ProxyOf(config, url), "direct") << url;
  }
  config.for_loopback = true;
  EXPECT_EQ(ProxyOf(config, "http://localhost:1/"), "http://p:1");
}

TEST(ProxyConfigTest, NoProxyListsHostsDomainsPortsAndNetworks) {
  const ProxyConfig config{.all = "p:1",
                           .no_proxy = "Example.com, .corp  *.lab,10.0.0.0/8,host:81,fd00::/8"};
  for (const char* url :
       {"http://example.com/", "http://a.example.com/", "http://x.corp/", "http://y.lab/",
        "http://10.200.1.1/", "http://host:81/", "http://[fd12::1]/"}) {
    EXPECT_EQ(ProxyOf(config, url), "direct") << url;
  }
  for (const char* url : {"http://notexample.com/", "http://host:82/", "http://11.0.0.1/",
                          "http://example.com.evil/", "http://[fe80::1]/"}) {
    EXPECT_EQ(ProxyOf(config, url), "http://p:1") << url;
  }
  EXPECT_EQ(ProxyOf({.all = "p:1", .no_proxy = "*"}, "http://h/"), "direct");
}

TEST(ProxyConfigTest, LowerCaseVariablesWin) {
  const auto config = ProxyConfig::From([](const char* name) -> const char* {
    const std::string wanted = name;
    if (wanted == "http_proxy") return "lower:1";
    if (wanted == "HTTP_PROXY") return "upper:1";
    if (wanted == "https_proxy") return "";
    if (wanted == "HTTPS_PROXY") return "upper:2";
    if (wanted == "NO_PROXY") return "h";
    return nullptr;
  });
  EXPECT_EQ(config.http, "lower:1");
  EXPECT_EQ(config.https, "upper:2");
  EXPECT_EQ(config.all, "");
  EXPECT_EQ(config.no_proxy, "h");
}

}  // namespace
}  // namespace ac::http
