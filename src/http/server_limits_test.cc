#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <future>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "http/internal/platform.h"
#include "http/server.h"
#include "http/sse.h"
#include "obs/metrics.h"
#include "support/http_server.h"
#include "support/raw_socket.h"

namespace ac::http {
namespace {

using ::ac::testing::Echo;
using ::ac::testing::Event;
using ::ac::testing::Eventually;
using ::ac::testing::ExchangePtr;
using ::ac::testing::Get;
using ::ac::testing::Holder;
using ::ac::testing::kClose;
using ::ac::testing::Post;
using ::ac::testing::RawSocket;
using ::ac::testing::Serve;
using ::ac::testing::Talk;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// --- limits ----------------------------------------------------------------------------------

ServerOptions Tight() {
  ServerOptions options;
  options.limits.max_header_bytes = 1000;
  options.limits.max_body_bytes = 1000;
  options.limits.header_time = milliseconds(150);
  options.limits.body_time = milliseconds(150);
  options.limits.idle_time = milliseconds(150);
  return options;
}

TEST(ServerLimitsTest, AHugeHeaderIsAnsweredWith431) {
  const auto server = Serve(Echo, Tight());
  const std::string field = "X: " + std::string(2000, 'y') + "\r\n";
  EXPECT_THAT(Talk(*server, Get("/", field)), StartsWith("HTTP/1.1 431 "));
  EXPECT_THAT(Talk(*server, "GET /" + std::string(2000, 'y')), StartsWith("HTTP/1.1 431 "));
  EXPECT_EQ(server->stats().rejected, 2u);
}

TEST(ServerLimitsTest, AHeaderOfAnyAllowedSizeIsRead) {
  ServerOptions options;
  options.limits.max_header_bytes = size_t{1} << 20;
  const auto server = Serve(Echo, options);
  const std::string field = "X: " + std::string(500'000, 'y') + "\r\n";
  EXPECT_THAT(Talk(*server, Get("/", field + kClose)), StartsWith("HTTP/1.1 200 "));
}

TEST(ServerLimitsTest, AHugeBodyIsAnsweredWith413) {
  const auto server = Serve(Echo, Tight());
  EXPECT_THAT(Talk(*server, Post("/", std::string(100'000, 'x'))), StartsWith("HTTP/1.1 413 "));
  const std::string chunk = "200\r\n" + std::string(512, 'x') + "\r\n";
  EXPECT_THAT(Talk(*server, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" +
                                chunk + chunk),
              StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(Talk(*server, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1;" +
                                std::string(5000, 'x')),
              StartsWith("HTTP/1.1 400 "))
      << "an endless chunk extension";
  // Refused by its announcement: neither asked for nor waited for.
  EXPECT_THAT(Talk(*server,
                   "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                   "Content-Length: 99999999999\r\n\r\n"),
              StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(Talk(*server, Post("/", std::string(1000, 'x'), kClose)), StartsWith("HTTP/1.1 200"));
}

TEST(ServerLimitsTest, ASlowHeaderIsAnsweredWith408) {
  const auto server = Serve(Echo, Tight());
  EXPECT_THAT(Talk(*server, "GET / HTTP/1.1\r\nHost"), StartsWith("HTTP/1.1 408 "));
}

TEST(ServerLimitsTest, ASlowBodyIsAnsweredWith408) {
  const auto server = Serve(Echo, Tight());
  EXPECT_THAT(Talk(*server, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n123"),
              StartsWith("HTTP/1.1 408 "));
}

TEST(ServerLimitsTest, AnIdleConnectionIsClosedWithoutAWord) {
  const auto server = Serve(Echo, Tight());
  EXPECT_EQ(Talk(*server, ""), "");
  const RawSocket client = RawSocket::Tcp(server->port());
  client.Send(Get("/x"));
  EXPECT_THAT(client.ReadAll(), EndsWith("GET /x "));
}

TEST(ServerLimitsTest, TooManyConnectionsAreAnsweredWith503) {
  ServerOptions options;
  options.limits.max_connections = 2;
  const auto server = Serve(Echo, options);
  RawSocket first = RawSocket::Tcp(server->port());
  const RawSocket second = RawSocket::Tcp(server->port());
  ASSERT_TRUE(Eventually([&] { return server->stats().open_connections == 2; }));
  EXPECT_THAT(Talk(*server, Get("/")), StartsWith("HTTP/1.1 503 "));
  first.Close();
  ASSERT_TRUE(Eventually([&] { return server->stats().open_connections == 1; }));
  EXPECT_THAT(Talk(*server, Get("/", kClose)), StartsWith("HTTP/1.1 200 "));
}

TEST(ServerLimitsTest, MalformedRequestsAreAnswered) {
  const auto server = Serve(Echo);
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"hello\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\n\r\n", "400"},  // no Host
      {"GET / HTTP/1.1\r\nHost: h\r\nbad header\r\n\r\n", "400"},
      {"GET nopath HTTP/1.1\r\nHost: h\r\n\r\n", "400"},
      {"GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n", "400"},
      {"GET / HTTP/2.0\r\nHost: h\r\n\r\n", "505"},
      {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
       "400"},
      {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", "501"},
      {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: h\r\nExpect: miracles\r\nContent-Length: 1\r\n\r\n", "417"},
      {std::string("GET / HTTP/1.1\r\nHost: h\r\nX: a") + '\0' + "b\r\n\r\n", "400"},
  };
  for (const auto& [request, status] : cases) {
    EXPECT_THAT(Talk(*server, request), StartsWith("HTTP/1.1 " + status + " ")) << request;
  }
}

TEST(ServerLimitsTest, ConnectionsRequestsAndRefusalsAreCounted) {
  obs::Metrics metrics;
  ServerOptions options = Tight();
  options.metrics = &metrics;
  const auto server = Serve(Echo, options);
  Talk(*server, Get("/", kClose));
  Talk(*server, Post("/", std::string(2000, 'x')));
  ASSERT_TRUE(Eventually([&] { return server->stats().open_connections == 0; }));
  const std::string text = metrics.RenderPrometheus();
  EXPECT_THAT(text, HasSubstr("anyclaude_http_requests_total 1\n"));
  EXPECT_THAT(text, HasSubstr("anyclaude_http_refused_total{status=\"413\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("anyclaude_http_connections 0\n"));
}

TEST(ServerLimitsTest, ErrorsAreWordedByTheOwner) {
  ServerOptions options = Tight();
  options.error_body = [](int status, std::string_view message, std::string_view path) {
    return ErrorBody{"application/json", "{\"" + std::to_string(status) + "\":\"" +
                                             std::string(message.substr(0, 3)) + std::string(path) +
                                             "\"}"};
  };
  const auto server = Serve([](const Request&, const ExchangePtr&) {}, options);
  const std::string reply = Talk(*server, Post("/v1/x", std::string(2000, 'x')));
  EXPECT_THAT(reply, HasSubstr("Content-Type: application/json\r\n"));
  EXPECT_THAT(reply, EndsWith("{\"413\":\"the/v1/x\"}"));
  EXPECT_THAT(Talk(*server, Get("/dropped")), EndsWith("{\"500\":\"the/dropped\"}"));
}

// --- listening -------------------------------------------------------------------------------

TEST(ServerListenTest, ABusyPortNamesItsOwner) {
  const auto server = Serve(Echo);
  ServerOptions options;
  options.port = server->port();
  const Result<std::unique_ptr<Server>> second = Server::Create(options, Echo);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), Code::kUnavailable);
  EXPECT_THAT(second.status().message(), HasSubstr("port " + std::to_string(server->port())));
  if (!internal::DescribePortOwner(server->port()).empty()) {
    EXPECT_THAT(second.status().message(), HasSubstr("(pid " + std::to_string(getpid()) + ")"));
  }
}

TEST(ServerListenTest, BadAddressesAreRefusedWithTheFix) {
  ServerOptions options;
  options.host = "256.1.2.3.example.invalid";
  EXPECT_EQ(Server::Create(options, Echo).status().code(), Code::kInvalidArgument);
  options.host = "";
  EXPECT_EQ(Server::Create(options, Echo).status().code(), Code::kInvalidArgument);
  options.unix_path = std::string(300, 'x');
  EXPECT_EQ(Server::Create(options, Echo).status().code(), Code::kInvalidArgument);
}

TEST(ServerListenTest, AUnixSocketServesAndIsPrivate) {
  ServerOptions options;
  options.host = "";
  options.unix_path = ::testing::TempDir() + "/http_server_test_" + std::to_string(getpid());
  {
    const auto server = Serve(Echo, options);
    struct stat info {};
    ASSERT_EQ(stat(options.unix_path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600u);
    const RawSocket client = RawSocket::Unix(options.unix_path);
    client.Send(Get("/x", kClose));
    EXPECT_THAT(client.ReadAll(), EndsWith("GET /x "));
    EXPECT_EQ(Server::Create(options, Echo).status().code(), Code::kUnavailable);
  }
  EXPECT_NE(access(options.unix_path.c_str(), F_OK), 0) << "the socket file is removed at the end";
}

TEST(ServerListenTest, AStaleUnixSocketIsReplacedAndAnotherFileIsNot) {
  ServerOptions options;
  options.host = "";
  options.unix_path = ::testing::TempDir() + "/http_server_stale_" + std::to_string(getpid());
  const int stale = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  options.unix_path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(bind(stale, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  close(stale);
  EXPECT_NE(Serve(Echo, options), nullptr);

  FILE* file = fopen(options.unix_path.c_str(), "w");
  fclose(file);
  EXPECT_EQ(Server::Create(options, Echo).status().code(), Code::kAlreadyExists);
  EXPECT_EQ(remove(options.unix_path.c_str()), 0);
}

// --- shutdown --------------------------------------------------------------------------------

TEST(ServerShutdownTest, IdleConnectionsAreClosedAtOnce) {
  const auto server = Serve(Echo);
  const RawSocket client = RawSocket::Tcp(server->port());
  client.Send(Get("/x"));
  client.ReadUntil("GET /x ");
  server->Shutdown(seconds(60));
  EXPECT_TRUE(client.AtEnd());
  EXPECT_FALSE(RawSocket::Tcp(server->port()).connected());
}

TEST(ServerShutdownTest, ARunningStreamMayFinish) {
  Holder holder;
  const auto server = Serve(std::ref(holder));
  const RawSocket client = RawSocket::Tcp(server->port());
  client.Send(Get("/"));
  const ExchangePtr exchange = holder.Take();
  exchange->StartStream(200, {});
  std::thread stopper([&] { server->Shutdown(seconds(60)); });
  EXPECT_TRUE(Eventually([&] { return !RawSocket::Tcp(server->port()).connected(); }));
  exchange->Write("the end");
  exchange->Finish();
  EXPECT_THAT(client.ReadAll(), EndsWith("the end\r\n0\r\n\r\n"));
  stopper.join();
}

TEST(ServerShutdownTest, AtTheDeadlineAStreamCanSayWhyItEnds) {
  Holder holder;
  const auto server = Serve(std::ref(holder));
  const RawSocket client = RawSocket::Tcp(server->port());
  client.Send(Get("/"));
  const ExchangePtr exchange = holder.Take();
  exchange->StartStream(200, {});
  exchange->OnCut([&] {
    exchange->Write(FormatSse("error", "shutting down"));
    exchange->Finish();
  });
  server->Shutdown(milliseconds(50));
  EXPECT_THAT(client.ReadAll(), HasSubstr("event: error\ndata: shutting down\n\n\r\n0\r\n\r\n"));
}

TEST(ServerShutdownTest, AtTheDeadlineTheRestIsCutAndToldSo) {
  Mutex mutex;
  std::vector<ExchangePtr> held;
  std::atomic<int> calls{0}, gone{0};
  const auto server = Serve([&](const Request& request, const ExchangePtr& exchange) {
    if (request.path == "/stream") exchange->StartStream(200, {});
    if (request.path == "/deaf") exchange->OnCut([] {});
    exchange->OnClientGone([&] { ++gone; });
    ac::MutexLock lock(mutex);
    held.push_back(exchange);
    ++calls;
  });
  const RawSocket waiting = RawSocket::Tcp(server->port());
  const RawSocket streaming = RawSocket::Tcp(server->port());
  const RawSocket deaf = RawSocket::Tcp(server->port());
  const RawSocket sending = RawSocket::Tcp(server->port());
  waiting.Send(Get("/"));
  streaming.Send(Get("/stream"));
  deaf.Send(Get("/deaf"));
  sending.Send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n1");
  ASSERT_TRUE(Eventually([&] { return calls == 3 && server->stats().open_connections == 4; }));
  server->Shutdown(milliseconds(50));
  EXPECT_THAT(waiting.ReadAll(), StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(streaming.ReadAll(), Not(HasSubstr("0\r\n\r\n")));
  EXPECT_TRUE(deaf.AtEnd());
  EXPECT_TRUE(sending.AtEnd());
  EXPECT_EQ(gone, 3);
  EXPECT_EQ(server->stats().open_connections, 0u);
}

TEST(ServerShutdownTest, AnExchangeMayOutliveItsServer) {
  Holder holder;
  auto server = Serve(std::ref(holder));
  const RawSocket client = RawSocket::Tcp(server->port());
  client.Send(Get("/"));
  const ExchangePtr exchange = holder.Take();
  server.reset();
  exchange->StartStream(200, {});
  exchange->Write("nobody");
  exchange->Finish();
  EXPECT_TRUE(exchange->client_gone());
}

}  // namespace
}  // namespace ac::http
