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

// --- requests and replies --------------------------------------------------------------------

TEST(ServerTest, ARequestIsUnderstoodAndAnswered) {
  const auto server = Serve([](const Request& request, const ExchangePtr& exchange) {
    std::string text = request.method + " " + request.path;
    for (const auto& [key, value] : request.query)
      text.append(" ").append(key).append("=").append(value);
    EXPECT_THAT(request.remote_address, StartsWith("127.0.0.1:"));
    exchange->Respond(Response::Make(200, "text/plain", text + " " + request.body));
  });
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
  exchange->OnDrain([drained] { drained.Set(); });
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
  exchange->OnClientGone([gone] { gone.Set(); });
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
  writers.reserve(4);
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
  exchange->OnClientGone([gone] { gone.Set(); });
  EXPECT_FALSE(exchange->client_gone());
  client.Close();
  EXPECT_TRUE(gone.Within());
  EXPECT_TRUE(exchange->client_gone());
  Event late;
  exchange->OnClientGone([late] { late.Set(); });
  EXPECT_TRUE(late.Within()) << "registered after the fact: called at once";
}

TEST(ServerTest, AClientThatLeavesASilentStreamIsNoticed) {
  Holder holder;
  const auto server = Serve(std::ref(holder));
  RawSocket client = RawSocket::Tcp(server->port());
  client.Send(Get("/"));
  const ExchangePtr exchange = holder.Take();
  Event gone;
  exchange->OnClientGone([gone] { gone.Set(); });
  exchange->StartStream(200, {});
  client.ReadUntil("\r\n\r\n");
  client.Reset();
  EXPECT_TRUE(gone.Within());
  EXPECT_TRUE(Eventually([&] { return server->stats().open_connections == 0; }));
}

TEST(ServerTest, AClientThatLeavesWithUnreadPipelinedInputIsNoticed) {
  Holder holder;
  const auto server = Serve(std::ref(holder));
  RawSocket client = RawSocket::Tcp(server->port());
  client.Send(Get("/") + std::string(100'000, 'x'));
  const ExchangePtr exchange = holder.Take();
  Event gone;
  exchange->OnClientGone([gone] { gone.Set(); });
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
  exchange->OnClientGone([gone] { gone.Set(); });
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

}  // namespace
}  // namespace ac::http
