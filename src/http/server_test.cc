#include "http/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <future>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "http/internal/platform.h"
#include "http/sse.h"
#include "support/raw_socket.h"

namespace ac::http {
namespace {

using ::ac::testing::RawSocket;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

using ExchangePtr = std::shared_ptr<Exchange>;

// Answers with what it understood: "METHOD path [query] body".
void Echo(const Request& request, const ExchangePtr& exchange) {
  std::string text = request.method + " " + request.path;
  for (const auto& [key, value] : request.query) text += " " + key + "=" + value;
  exchange->Respond(Response::Make(200, "text/plain", text + " " + request.body));
}

std::unique_ptr<Server> Serve(Handler handler, ServerOptions options = {}) {
  Result<std::unique_ptr<Server>> server = Server::Create(std::move(options), std::move(handler));
  EXPECT_TRUE(server.ok()) << server.status();
  return server.ok() ? std::move(*server) : nullptr;
}

std::string Get(const std::string& path, const std::string& extra = "") {
  return "GET " + path + " HTTP/1.1\r\nHost: h\r\n" + extra + "\r\n";
}

std::string Post(const std::string& path, const std::string& body, const std::string& extra = "") {
  return "POST " + path + " HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n" + extra + "\r\n" + body;
}

const std::string kClose = "Connection: close\r\n";

std::string Talk(const Server& server, const std::string& bytes) {
  const RawSocket client = RawSocket::Tcp(server.port());
  client.Send(bytes);
  return client.ReadAll();
}

// Hands the exchange of the next request to the test.
class Holder {
 public:
  void operator()(const Request&, const ExchangePtr& exchange) { promise_.set_value(exchange); }
  ExchangePtr Take() {
    std::future<ExchangePtr> future = promise_.get_future();
    if (future.wait_for(seconds(10)) != std::future_status::ready) return nullptr;
    ExchangePtr out = future.get();
    promise_ = {};
    return out;
  }

 private:
  std::promise<ExchangePtr> promise_;
};

// A flag that a callback sets and a test waits for.
class Event {
 public:
  void Set() { promise_.set_value(); }
  bool Within(milliseconds time = seconds(10)) {
    return future_.wait_for(time) == std::future_status::ready;
  }

 private:
  std::promise<void> promise_;
  std::future<void> future_ = promise_.get_future();
};

template <typename Condition>
bool Eventually(Condition condition) {
  for (int i = 0; i < 1000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(milliseconds(10));
  }
  return false;
}

// --- requests and replies --------------------------------------------------------------------

TEST(ServerTest, ARequestIsUnderstoodAndAnswered) {
  const auto server = Serve(Echo);
  const std::string reply = Talk(*server, Post("/v1/a%20b?beta=true&x", "hello", kClose));
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(reply, HasSubstr("\r\nDate: "));
  EXPECT_THAT(reply, HasSubstr("\r\nContent-Length: 31\r\n"));
  EXPECT_THAT(reply, HasSubstr("\r\nConnection: close\r\n"));
  EXPECT_THAT(reply, EndsWith("\r\n\r\nPOST /v1/a b beta=true x= hello"));
}

TEST(ServerTest, ARequestSplitAtAnyByteIsTheSameRequest) {
  const auto server = Serve(Echo);
  const std::string request =
      "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n2;ext=1\r\nde\r\n0\r\nTrailer: t\r\n\r\n";
  const RawSocket client = RawSocket::Tcp(server->port());
  for (size_t cut = 1; cut < request.size(); ++cut) {
    client.Send(request.substr(0, cut));
    std::this_thread::yield();
    client.Send(request.substr(cut));
    EXPECT_THAT(client.ReadUntil("POST /x abcde"), HasSubstr("POST /x abcde")) << cut;
  }
}

TEST(ServerTest, AConnectionServesManyRequests) {
  const auto server = Serve(Echo);
  const RawSocket client = RawSocket::Tcp(server->port());
  for (int i = 0; i < 20; ++i) {
    client.Send(Get("/" + std::to_string(i)));
    EXPECT_THAT(client.ReadUntil("GET /" + std::to_string(i) + " "), StartsWith("HTTP/1.1 200"));
  }
  EXPECT_EQ(server->stats().requests, 20u);
  EXPECT_EQ(server->stats().open_connections, 1u);
}

TEST(ServerTest, PipelinedRequestsAreAnsweredInOrder) {
  const auto server = Serve(Echo);
  std::string requests;
  for (int i = 0; i < 50; ++i) requests += Post("/" + std::to_string(i), "body");
  const std::string reply = Talk(*server, "\r\n" + requests + Get("/end", kClose));
  size_t at = 0;
  for (int i = 0; i < 50; ++i) {
    at = reply.find("POST /" + std::to_string(i) + " body", at);
    ASSERT_NE(at, std::string::npos) << i;
  }
  EXPECT_THAT(reply, EndsWith("GET /end "));
}

TEST(ServerTest, APipelinedRequestWaitsForTheRunningReply) {
  std::vector<ExchangePtr> held;
  std::atomic<int> calls{0};
  const auto server = Serve([&](const Request&, const ExchangePtr& exchange) {
    held.push_back(exchange);
    ++calls;
  });
  const RawSocket client = RawSocket::Tcp(server->port());
  client.Send(Get("/1") + Get("/2"));
  ASSERT_TRUE(Eventually([&] { return calls == 1; }));
  held[0]->Respond(Response::Make(200, "text/plain", "first"));
  ASSERT_TRUE(Eventually([&] { return calls == 2; }));
  held[1]->Respond(Response::Make(200, "text/plain", "second"));
  EXPECT_THAT(client.ReadUntil("second"), HasSubstr("first"));
}

TEST(ServerTest, HeadGetsTheHeadersOnly) {
  const auto server = Serve(Echo);
  const std::string reply = Talk(*server, "HEAD /x HTTP/1.1\r\nHost: h\r\n" + kClose + "\r\n");
  EXPECT_THAT(reply, HasSubstr("Content-Length: 8\r\n"));
  EXPECT_THAT(reply, EndsWith("\r\n\r\n"));
}

TEST(ServerTest, StatusesWithoutBodySendNone) {
  const auto server = Serve([](const Request&, const ExchangePtr& exchange) {
    exchange->Respond(Response{.status = 204, .headers = {}, .body = "nothing"});
  });
  const std::string reply = Talk(*server, Get("/", kClose));
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 204 No Content\r\n"));
  EXPECT_THAT(reply, Not(HasSubstr("Content-Length")));
  EXPECT_THAT(reply, EndsWith("\r\n\r\n"));
}

TEST(ServerTest, ExpectContinueIsAnsweredBeforeTheBody) {
  const auto server = Serve(Echo);
  const RawSocket client = RawSocket::Tcp(server->port());
  client.Send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.ReadUntil("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.Send("body");
  EXPECT_THAT(client.ReadUntil("POST / body"), StartsWith("HTTP/1.1 200"));
}

TEST(ServerTest, Http10IsAnsweredAndClosed) {
  const auto server = Serve(Echo);
  EXPECT_THAT(Talk(*server, "GET /x HTTP/1.0\r\n\r\n"), HasSubstr("Connection: close"));
  const RawSocket client = RawSocket::Tcp(server->port());
  client.Send("GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_THAT(client.ReadUntil("GET /x "), HasSubstr("Connection: keep-alive"));
}

TEST(ServerTest, AForgedHeaderValueCannotAddHeaders) {
  const auto server = Serve([](const Request&, const ExchangePtr& exchange) {
    Response response = Response::Make(200, "text/plain", "x");
    response.headers.Add("X-Echo", "a\r\nSet-Cookie: b");
    exchange->Respond(response);
  });
  EXPECT_THAT(Talk(*server, Get("/", kClose)), HasSubstr("X-Echo: a  Set-Cookie: b\r\n"));
}

TEST(ServerTest, AHandlerThatDropsTheExchangeGivesA500) {
  const auto server = Serve([](const Request&, const ExchangePtr&) {});
  EXPECT_THAT(Talk(*server, Get("/")), StartsWith("HTTP/1.1 500 "));
}

TEST(ServerTest, AHandlerThatThrowsGivesA500) {
  const auto server = Serve([](const Request&, const ExchangePtr&) { throw 1; });
  EXPECT_THAT(Talk(*server, Get("/")), StartsWith("HTTP/1.1 500 "));
}

TEST(ServerTest, AReplyMayComeFromAnyThreadAtAnyTime) {
  Holder holder;
  const auto server = Serve(std::ref(holder));
  const RawSocket client = RawSocket::Tcp(server->port());
  client.Send(Get("/"));
  const ExchangePtr exchange = holder.Take();
  ASSERT_NE(exchange, nullptr);
  std::thread([&] { exchange->Respond(Response::Make(201, "text/plain", "later")); }).join();
  EXPECT_THAT(client.ReadUntil("later"), StartsWith("HTTP/1.1 201 Created"));
}

// --- streams ---------------------------------------------------------------------------------

TEST(ServerTest, AStreamArrivesPieceByPiece) {
  Holder holder;
  const auto server = Serve(std::ref(holder));
  const RawSocket client = RawSocket::Tcp(server->port());
  client.Send(Get("/"));
  const ExchangePtr exchange = holder.Take();
  exchange->StartStream(200, {{"Content-Type", "text/event-stream"}});
  EXPECT_THAT(client.ReadUntil("\r\n\r\n"), HasSubstr("Transfer-Encoding: chunked\r\n"));
  exchange->Write(FormatSse("ping", "1"));
  EXPECT_EQ(client.ReadUntil("\n\n\r\n"), "15\r\nevent: ping\ndata: 1\n\n\r\n");
  exchange->Write("");  // an empty chunk would end the stream
  exchange->Write("x");
  exchange->Finish();
  EXPECT_EQ(client.ReadUntil("0\r\n\r\n"), "1\r\nx\r\n0\r\n\r\n");
  client.Send(Get("/again"));
  EXPECT_NE(holder.Take(), nullptr);
}

TEST(ServerTest, AStreamToHttp10EndsWithTheConnection) {
  const auto server = Serve([](const Request&, const ExchangePtr& exchange) {
    exchange->StartStream(200, {});
    exchange->Write("a");
    exchange->Write("b");
    exchange->Finish();
  });
  EXPECT_THAT(Talk(*server, "GET / HTTP/1.0\r\n\r\n"), EndsWith("\r\n\r\nab"));
}

TEST(ServerTest, AnUnfinishedStreamIsSeenToBeIncomplete) {
  const auto server = Serve([](const Request&, const ExchangePtr& exchange) {
    exchange->StartStream(200, {});
    exchange->Write("a");
  });
  EXPECT_THAT(Talk(*server, Get("/")), Not(HasSubstr("0\r\n\r\n")));
}

TEST(ServerTest, CallsAfterTheEndAreHarmless) {
  Holder holder;
  const auto server = Serve(std::ref(holder));
  const RawSocket client = RawSocket::Tcp(server->port());
  client.Send(Get("/"));
  const ExchangePtr exchange = holder.Take();
  exchange->Write("before the start");
  exchange->Finish();
  exchange->Respond(Response::Make(200, "text/plain", "once"));
  exchange->Respond(Response::Make(200, "text/plain", "twice"));
  exchange->StartStream(200, {});
  exchange->Write("late");
  exchange->Finish();
  exchange->Abort();
  EXPECT_THAT(client.ReadUntil("once"), EndsWith("once"));
  client.Send(Get("/again", kClose));
  holder.Take()->Respond({});
  EXPECT_THAT(client.ReadAll(), StartsWith("HTTP/1.1 200 OK"));
}

TEST(ServerTest, AWriterSeesAndWaitsOutAReaderThatStops) {
  Holder holder;
  const auto server = Serve(std::ref(holder));
  const RawSocket client = RawSocket::Tcp(server->port(), /*receive_buffer=*/4096);
  client.Send(Get("/"));
  const ExchangePtr exchange = holder.Take();
  exchange->StartStream(200, {});
  const std::string chunk(size_t{1} << 20, 'x');
  int chunks = 0;
  while (exchange->Write(chunk) < size_t{3} << 20 && chunks < 100) ++chunks;
  ASSERT_LT(chunks, 100) << "no back-pressure seen";
  Event drained;
  exchange->OnDrain([&] { drained.Set(); });
  EXPECT_FALSE(drained.Within(milliseconds(50)));
  std::thread reader([&] { client.ReadUntil("0\r\n\r\n"); });
  EXPECT_TRUE(drained.Within());
  EXPECT_LE(exchange->pending_bytes(), Limits().drain_bytes);
  exchange->Finish();
  reader.join();
}

TEST(ServerTest, AReaderThatStopsForTooLongIsCut) {
  Holder holder;
  ServerOptions options;
  options.limits.write_time = milliseconds(200);
  const auto server = Serve(std::ref(holder), options);
  const RawSocket client = RawSocket::Tcp(server->port(), /*receive_buffer=*/4096);
  client.Send(Get("/"));
  const ExchangePtr exchange = holder.Take();
  Event gone;
  exchange->OnClientGone([&] { gone.Set(); });
  exchange->StartStream(200, {});
  exchange->Write(std::string(size_t{16} << 20, 'x'));
  EXPECT_TRUE(gone.Within());
  EXPECT_TRUE(Eventually([&] { return server->stats().open_connections == 0; }));
  EXPECT_EQ(exchange->pending_bytes(), 0u);
}

TEST(ServerTest, AReaderThatKeepsTooMuchWaitingIsCutEvenWhenItReadsALittle) {
  Holder holder;
  ServerOptions options;
  options.limits.write_time = milliseconds(300);
  options.limits.max_pending_bytes = 1 << 20;
  const auto server = Serve(std::ref(holder), options);
  const RawSocket client = RawSocket::Tcp(server->port(), /*receive_buffer=*/4096);
  client.Send(Get("/"));
  const ExchangePtr exchange = holder.Take();
  std::atomic<bool> gone{false};
  exchange->OnClientGone([&] { gone = true; });
  exchange->StartStream(200, {});
  exchange->Write(std::string(size_t{64} << 20, 'x'));
  EXPECT_TRUE(Eventually([&] {
    client.Read(20000, 20);
    return gone.load();
  }));
}

TEST(ServerTest, TwoHundredStreamsRunAtOnce) {
  Mutex mutex;
  std::vector<ExchangePtr> streams;
  ServerOptions options;
  options.threads = 2;
  const auto server = Serve(
      [&](const Request&, const ExchangePtr& exchange) {
        exchange->StartStream(200, {{"Content-Type", "text/event-stream"}});
        ac::MutexLock lock(mutex);
        streams.push_back(exchange);
      },
      options);
  std::vector<RawSocket> clients;
  for (int i = 0; i < 200; ++i) {
    clients.push_back(RawSocket::Tcp(server->port()));
    clients.back().Send(Get("/" + std::to_string(i)));
  }
  ASSERT_TRUE(Eventually([&] { return server->stats().running_exchanges == 200; }));
  std::vector<std::thread> writers;
  for (size_t w = 0; w < 4; ++w) {
    writers.emplace_back([&, w] {
      ac::MutexLock lock(mutex);
      for (int event = 0; event < 20; ++event) {
        for (size_t i = w; i < streams.size(); i += 4) {
          streams[i]->Write(FormatSse("tick", std::to_string(event)));
        }
      }
      for (size_t i = w; i < streams.size(); i += 4) streams[i]->Finish();
    });
  }
  for (std::thread& writer : writers) writer.join();
  for (const RawSocket& client : clients) {
    const std::string reply = client.ReadUntil("\r\n0\r\n\r\n");
    EXPECT_THAT(reply, HasSubstr("data: 0\n\n"));
    EXPECT_THAT(reply, HasSubstr("data: 19\n\n"));
  }
}

// --- clients that leave ----------------------------------------------------------------------

TEST(ServerTest, AClientThatLeavesBeforeTheReplyIsNoticed) {
  Holder holder;
  const auto server = Serve(std::ref(holder));
  RawSocket client = RawSocket::Tcp(server->port());
  client.Send(Get("/"));
  const ExchangePtr exchange = holder.Take();
  Event gone;
  exchange->OnClientGone([&] { gone.Set(); });
  EXPECT_FALSE(exchange->client_gone());
  client.Close();
  EXPECT_TRUE(gone.Within(seconds(1)));
  EXPECT_TRUE(exchange->client_gone());
  Event late;
  exchange->OnClientGone([&] { late.Set(); });
  EXPECT_TRUE(late.Within()) << "registered after the fact: called at once";
}

TEST(ServerTest, AClientThatLeavesASilentStreamIsNoticed) {
  Holder holder;
  const auto server = Serve(std::ref(holder));
  RawSocket client = RawSocket::Tcp(server->port());
  client.Send(Get("/"));
  const ExchangePtr exchange = holder.Take();
  Event gone;
  exchange->OnClientGone([&] { gone.Set(); });
  exchange->StartStream(200, {});
  client.ReadUntil("\r\n\r\n");
  client.Reset();
  EXPECT_TRUE(gone.Within(seconds(1)));
  EXPECT_TRUE(Eventually([&] { return server->stats().open_connections == 0; }));
}

TEST(ServerTest, AClientThatLeavesWithUnreadPipelinedInputIsNoticed) {
  Holder holder;
  const auto server = Serve(std::ref(holder));
  RawSocket client = RawSocket::Tcp(server->port());
  client.Send(Get("/") + std::string(100'000, 'x'));
  const ExchangePtr exchange = holder.Take();
  Event gone;
  exchange->OnClientGone([&] { gone.Set(); });
  client.Close();
  EXPECT_TRUE(gone.Within());
}

TEST(ServerTest, AHalfClosedClientIsCalledGoneButStillGetsAReplyThatComes) {
  Holder holder;
  const auto server = Serve(std::ref(holder));
  const RawSocket client = RawSocket::Tcp(server->port());
  client.Send(Get("/"));
  client.CloseForWriting();
  const ExchangePtr exchange = holder.Take();
  Event gone;
  exchange->OnClientGone([&] { gone.Set(); });
  EXPECT_TRUE(gone.Within());
  exchange->Respond(Response::Make(200, "text/plain", "still there"));
  EXPECT_THAT(client.ReadAll(), EndsWith("still there"));
}

TEST(ServerTest, AGoneCallbackThatOwnsItsExchangeIsReleased) {
  std::weak_ptr<Exchange> watch;
  const auto server = Serve([&](const Request&, const ExchangePtr& exchange) {
    watch = exchange;
    exchange->OnClientGone([exchange] { exchange->Abort(); });
    exchange->Respond(Response::Make(200, "text/plain", "done"));
  });
  EXPECT_THAT(Talk(*server, Get("/", kClose)), EndsWith("done"));
  EXPECT_TRUE(Eventually([&] { return watch.expired(); }));
}

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

TEST(ServerLimitsTest, AHugeBodyIsAnsweredWith413) {
  const auto server = Serve(Echo, Tight());
  EXPECT_THAT(Talk(*server, Post("/", std::string(100'000, 'x'))), StartsWith("HTTP/1.1 413 "));
  const std::string chunk = "200\r\n" + std::string(512, 'x') + "\r\n";
  EXPECT_THAT(Talk(*server, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" +
                                chunk + chunk),
              StartsWith("HTTP/1.1 413 "));
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
