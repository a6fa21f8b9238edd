#include "http/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "base/mutex.h"
#include "http/server.h"
#include "http/sse.h"
#include "support/direct_client.h"
#include "support/http_server.h"
#include "support/raw_socket.h"

namespace ac::http {
namespace {

using ac::testing::Direct;
using ::ac::testing::Echo;
using ::ac::testing::Eventually;
using ::ac::testing::ExchangePtr;
using ac::testing::kOk;
using ::ac::testing::RawListener;
using ::ac::testing::RawSocket;
using ::ac::testing::Serve;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

std::string UrlAt(uint16_t port, const std::string& path = "/") {
  return "http://127.0.0.1:" + std::to_string(port) + path;
}

// What one call reports, in order, and a way to wait for its end.
class Recorder {
 public:
  CallEvents events() {
    CallEvents out;
    out.on_headers = [this](const Response& head) {
      Note("headers " + std::to_string(head.status));
    };
    out.on_data = [this](std::string_view bytes) {
      MutexLock lock(mutex_);
      data_ += bytes;
    };
    out.on_done = [this](const Status& status) { promise_.set_value(status); };
    return out;
  }
  Status Done() {
    if (future_.wait_for(seconds(20)) != std::future_status::ready) {
      return Internal("the call never ended");
    }
    return future_.get();
  }
  std::string data() {
    MutexLock lock(mutex_);
    return data_;
  }
  std::string notes() {
    MutexLock lock(mutex_);
    return notes_;
  }

 private:
  void Note(const std::string& text) {
    MutexLock lock(mutex_);
    notes_ += text + ";";
  }
  Mutex mutex_;
  std::string data_, notes_;
  std::promise<Status> promise_;
  std::future<Status> future_ = promise_.get_future();
};

// --- replies ---------------------------------------------------------------------------------

TEST(ClientTest, ARequestGetsItsReply) {
  const auto server = Serve(Echo);
  Client client(Direct());
  const Result<Response> get = client.Fetch({.url = server->url() + "/a?b=c"});
  ASSERT_TRUE(get.ok()) << get.status();
  EXPECT_EQ(get->status, 200);
  EXPECT_EQ(get->headers.Get("content-type"), "text/plain");
  EXPECT_EQ(get->body, "GET /a?b=c ");
  const Result<Response> post =
      client.Fetch({.method = "POST", .url = server->url() + "/p", .body = "hello"});
  EXPECT_EQ(post->body, "POST /p hello");
}

TEST(ClientTest, ABigBodyTravelsBothWays) {
  const auto server = Serve(Echo);
  Client client(Direct());
  const std::string body(size_t{5} << 20, 'x');
  const Result<Response> reply =
      client.Fetch({.method = "POST", .url = server->url() + "/p", .body = body});
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->body, "POST /p " + body);
}

TEST(ClientTest, AnErrorStatusIsAReply) {
  const auto server = Serve([](const Request&, const ExchangePtr& exchange) {
    exchange->Respond(Response::Make(529, "text/plain", "busy"));
  });
  Client client(Direct());
  EXPECT_EQ(client.Fetch({.url = server->url()})->status, 529);
}

TEST(ClientTest, HeadAndEmptyRepliesHaveNoBody) {
  const auto server = Serve([](const Request& request, const ExchangePtr& exchange) {
    Response response = Response::Make(request.path == "/204" ? 204 : 200, "text/plain", "body");
    exchange->Respond(response);
  });
  Client client(Direct());
  EXPECT_EQ(client.Fetch({.method = "HEAD", .url = server->url()})->body, "");
  EXPECT_EQ(client.Fetch({.url = server->url() + "/204"})->body, "");
  EXPECT_EQ(client.Fetch({.url = server->url()})->body, "body");
}

TEST(ClientTest, AReplySplitAtAnyByteIsTheSameReply) {
  RawListener listener;
  const std::string reply =
      "HTTP/1.1 100 Continue\r\n\r\n"
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n"
      "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
  std::thread server([&] {
    const RawSocket peer = listener.Accept();
    for (size_t cut = 1; cut < reply.size(); ++cut) {
      if (peer.ReadUntil("\r\n\r\n").empty()) return;
      peer.Send(reply.substr(0, cut));
      std::this_thread::sleep_for(milliseconds(1));
      peer.Send(reply.substr(cut));
    }
  });
  Client client(Direct());
  for (size_t cut = 1; cut < reply.size(); ++cut) {
    const Result<Response> got = client.Fetch({.url = UrlAt(listener.port())});
    ASSERT_TRUE(got.ok()) << cut << " " << got.status();
    EXPECT_EQ(got->status, 200);
    EXPECT_EQ(got->headers.Get("X"), "y");
    EXPECT_EQ(got->body, "abcde") << cut;
  }
  server.join();
}

TEST(ClientTest, AReplyThatEndsWithTheConnectionIsComplete) {
  RawListener listener;
  std::thread server([&] {
    const RawSocket peer = listener.Accept();
    peer.ReadUntil("\r\n\r\n");
    peer.Send("HTTP/1.1 200 OK\r\n\r\nuntil the end");
  });
  Client client(Direct());
  EXPECT_EQ(client.Fetch({.url = UrlAt(listener.port())})->body, "until the end");
  server.join();
}

TEST(ClientTest, ARequestRefusedHalfwayStillShowsTheReply) {
  ServerOptions options;
  options.limits.max_body_bytes = 1000;
  const auto server = Serve(Echo, options);
  Client client(Direct());
  const Result<Response> reply = client.Fetch(
      {.method = "POST", .url = server->url(), .body = std::string(size_t{8} << 20, 'x')});
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->status, 413);
}

TEST(ClientTest, AStreamArrivesWhileItRuns) {
  std::promise<ExchangePtr> started;
  const auto server = Serve([&](const Request&, const ExchangePtr& exchange) {
    exchange->StartStream(200, {{"Content-Type", "text/event-stream"}});
    exchange->Write(FormatSse("one", "1"));
    started.set_value(exchange);
  });
  Client client(Direct());
  Recorder recorder;
  const Call call = client.Start({.url = server->url()}, recorder.events());
  const ExchangePtr exchange = started.get_future().get();
  ASSERT_TRUE(Eventually([&] { return recorder.data() == "event: one\ndata: 1\n\n"; }));
  EXPECT_EQ(recorder.notes(), "headers 200;");
  exchange->Write("rest");
  exchange->Finish();
  EXPECT_TRUE(recorder.Done().ok());
  EXPECT_THAT(recorder.data(), HasSubstr("rest"));
}

TEST(ClientTest, APausedCallStopsTheServer) {
  std::promise<ExchangePtr> started;
  const auto server = Serve([&](const Request&, const ExchangePtr& exchange) {
    exchange->StartStream(200, {});
    started.set_value(exchange);
  });
  Client client(Direct());
  Recorder recorder;
  Call call = client.Start({.url = server->url()}, recorder.events());
  const ExchangePtr exchange = started.get_future().get();
  call.Pause();
  const std::string chunk(size_t{1} << 20, 'x');
  size_t written = 0;
  while (exchange->Write(chunk) < size_t{2} << 20 && written < 100) ++written;
  ASSERT_LT(written, 100u) << "the pause did not reach the server";
  call.Resume();
  exchange->Finish();
  EXPECT_TRUE(recorder.Done().ok());
  EXPECT_EQ(recorder.data().size(), (written + 1) << 20);
}

TEST(ClientTest, AUnixSocketIsATarget) {
  ServerOptions options;
  options.host = "";
  options.unix_path = ::testing::TempDir() + "/http_client_" + std::to_string(getpid());
  const auto server = Serve(Echo, options);
  Client client(Direct());
  const Result<Response> reply =
      client.Fetch({.url = "http://localhost/x", .unix_path = options.unix_path});
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->body, "GET /x ");
}

// --- kept connections ------------------------------------------------------------------------

TEST(ClientPoolTest, RequestsReuseTheConnection) {
  const auto server = Serve(Echo);
  Client client(Direct());
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(client.Fetch({.url = server->url()}).ok());
  EXPECT_EQ(server->stats().open_connections, 1u);
  EXPECT_EQ(server->stats().requests, 10u);
}

TEST(ClientPoolTest, AConnectionIsNotReusedWhenTheServerSaysSo) {
  RawListener listener;
  std::thread server([&] {
    for (const char* reply : {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
                              "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\njunk", kOk}) {
      const RawSocket peer = listener.Accept();
      peer.ReadUntil("\r\n\r\n");
      peer.Send(reply);
      EXPECT_TRUE(peer.AtEnd());
    }
  });
  {
    Client client(Direct());
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(client.Fetch({.url = UrlAt(listener.port())}).ok());
  }
  server.join();
}

// Answers once per connection, then closes it when the next request has come: the race a kept
// connection can always lose.
void CloseOnSecondRequest(const RawListener& listener, int connections) {
  for (int i = 0; i < connections; ++i) {
    const RawSocket peer = listener.Accept();
    peer.ReadUntil("\r\n\r\n");
    peer.Send(kOk);
    peer.ReadUntil("\r\n\r\n");
  }
}

TEST(ClientPoolTest, AGetOnADeadConnectionIsSentAgain) {
  RawListener listener;
  std::thread server([&] { CloseOnSecondRequest(listener, 2); });
  {
    Client client(Direct());
    EXPECT_TRUE(client.Fetch({.url = UrlAt(listener.port())}).ok());
    const Result<Response> second = client.Fetch({.url = UrlAt(listener.port())});
    EXPECT_TRUE(second.ok()) << second.status();
  }
  server.join();
}

TEST(ClientPoolTest, APostIsSentAgainOnlyWhenItsOwnerAllows) {
  for (const bool repeatable : {false, true}) {
    RawListener listener;
    std::thread server([&] { CloseOnSecondRequest(listener, repeatable ? 2 : 1); });
    {
      Client client(Direct());
      EXPECT_TRUE(client.Fetch({.url = UrlAt(listener.port())}).ok());
      const Result<Response> second =
          client.Fetch({.method = "POST", .url = UrlAt(listener.port()), .repeatable = repeatable});
      EXPECT_EQ(second.ok(), repeatable) << second.status();
    }
    server.join();
  }
}

TEST(ClientPoolTest, AConnectionTheServerHasClosedIsNotTaken) {
  RawListener listener;
  std::thread server([&] {
    for (int i = 0; i < 2; ++i) {
      const RawSocket peer = listener.Accept();
      peer.ReadUntil("\r\n\r\n");
      peer.Send(kOk);
    }
  });
  Client client(Direct());
  EXPECT_TRUE(client.Fetch({.url = UrlAt(listener.port())}).ok());
  std::this_thread::sleep_for(milliseconds(50));  // lets the close arrive
  const Result<Response> post = client.Fetch({.method = "POST", .url = UrlAt(listener.port())});
  EXPECT_TRUE(post.ok()) << post.status();
  server.join();
}

TEST(ClientPoolTest, IdleConnectionsAreClosedAfterAWhile) {
  const auto server = Serve(Echo);
  ClientOptions options = Direct();
  options.keep_idle = milliseconds(50);
  Client client(options);
  EXPECT_TRUE(client.Fetch({.url = server->url()}).ok());
  EXPECT_TRUE(Eventually([&] { return server->stats().open_connections == 0; }));
}

// --- failures and limits ---------------------------------------------------------------------

TEST(ClientErrorTest, ARefusedConnectionNamesTheUrlWithoutItsSecrets) {
  uint16_t port = 0;
  { port = RawListener().port(); }
  Client client(Direct());
  const Status status =
      client.Fetch({.url = "http://me:hush@127.0.0.1:" + std::to_string(port) + "/p?key=secret"})
          .status();
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_THAT(status.message(), StartsWith("[http] GET http://127.0.0.1:" + std::to_string(port) +
                                           "/p: connection refused"));
  EXPECT_THAT(status.message(), Not(HasSubstr("hush")));
  EXPECT_THAT(status.message(), Not(HasSubstr("secret")));
}

TEST(ClientErrorTest, BadRequestsAreRefusedBeforeAnythingIsSent) {
  Client client(Direct());
  EXPECT_EQ(client.Fetch({.url = "nonsense"}).status().code(), Code::kInvalidArgument);
  EXPECT_EQ(client.Fetch({.method = "G T", .url = "http://h/"}).status().code(),
            Code::kInvalidArgument);
  const Status forged =
      client.Fetch({.url = "http://h/", .headers = {{"X-Api-Key", "se\r\ncret"}}}).status();
  EXPECT_EQ(forged.code(), Code::kInvalidArgument);
  EXPECT_THAT(forged.message(), HasSubstr("X-Api-Key"));
  EXPECT_THAT(forged.message(), Not(HasSubstr("cret")));
}

TEST(ClientErrorTest, AnUnknownHostIsUnavailable) {
  Client client(Direct());
  const Status status = client.Fetch({.url = "http://no-such-host.invalid/"}).status();
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("no-such-host.invalid"));
}

TEST(ClientErrorTest, BrokenRepliesAreDataLoss) {
  for (const char* reply :
       {"nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\nContent-Le"}) {
    RawListener listener;
    std::thread server([&] {
      const RawSocket peer = listener.Accept();
      peer.ReadUntil("\r\n\r\n");
      peer.Send(reply);
    });
    Client client(Direct());
    EXPECT_EQ(client.Fetch({.url = UrlAt(listener.port())}).status().code(), Code::kDataLoss)
        << reply;
    server.join();
  }
}

TEST(ClientErrorTest, AnEndlessHeaderOrChunkLineIsRefused) {
  for (const std::string start :
       {"HTTP/1.1 200 OK\r\nX: ", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;"}) {
    RawListener listener;
    std::thread server([&] {
      const RawSocket peer = listener.Accept();
      peer.ReadUntil("\r\n\r\n");
      peer.Send(start);
      while (peer.Send(std::string(10'000, 'x'))) {
      }
    });
    Client client(Direct());
    EXPECT_EQ(client.Fetch({.url = UrlAt(listener.port())}).status().code(), Code::kDataLoss);
    server.join();
  }
}

TEST(ClientErrorTest, AReplyOverTheLimitIsRefused) {
  const auto server = Serve([](const Request&, const ExchangePtr& exchange) {
    exchange->Respond(Response::Make(200, "text/plain", std::string(5000, 'x')));
  });
  Client client(Direct());
  EXPECT_EQ(client.Fetch({.url = server->url(), .max_body_bytes = 4999}).status().code(),
            Code::kTooLarge);
  EXPECT_TRUE(client.Fetch({.url = server->url(), .max_body_bytes = 5000}).ok());
}

// Accepts, optionally says something, and then keeps silent.
Status SilentServer(const std::string& words, ClientTimeouts timeouts) {
  RawListener listener;
  std::thread server([&] {
    const RawSocket peer = listener.Accept();
    peer.ReadUntil("\r\n\r\n");
    peer.Send(words);
    peer.AtEnd();
  });
  Client client(Direct());
  const Status status =
      client.Fetch({.url = UrlAt(listener.port()), .timeouts = timeouts}).status();
  server.join();
  return status;
}

TEST(ClientTimeoutTest, NoReplyInTime) {
  const Status status = SilentServer("", {.first_byte = milliseconds(100)});
  EXPECT_EQ(status.code(), Code::kDeadlineExceeded);
  EXPECT_THAT(status.message(), HasSubstr("no reply within 100 ms"));
}

TEST(ClientTimeoutTest, AReplyThatStops) {
  const Status status =
      SilentServer("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", {.idle = milliseconds(100)});
  EXPECT_EQ(status.code(), Code::kDeadlineExceeded);
  EXPECT_THAT(status.message(), HasSubstr("nothing came within 100 ms"));
}

TEST(ClientTimeoutTest, AReplyThatNeverEnds) {
  const auto server = Serve([](const Request&, const ExchangePtr& exchange) {
    exchange->StartStream(200, {});
    std::thread([exchange] {
      while (!exchange->client_gone()) {
        exchange->Write("x");
        std::this_thread::sleep_for(milliseconds(10));
      }
    }).detach();
  });
  Client client(Direct());
  const Status status =
      client.Fetch({.url = server->url(), .timeouts = ClientTimeouts{.total = milliseconds(150)}})
          .status();
  EXPECT_EQ(status.code(), Code::kDeadlineExceeded);
  EXPECT_THAT(status.message(), HasSubstr("not finished within 150 ms"));
}

TEST(ClientTimeoutTest, NoConnectionInTime) {
  // A TLS greeting that nobody answers belongs to connecting.
  RawListener listener;
  Client client(Direct());
  const Status status = client
                            .Fetch({.url = "https://127.0.0.1:" + std::to_string(listener.port()),
                                    .timeouts = ClientTimeouts{.connect = milliseconds(100)}})
                            .status();
  EXPECT_EQ(status.code(), Code::kDeadlineExceeded);
  EXPECT_THAT(status.message(), HasSubstr("no connection within 100 ms"));
}

// --- cancelling ------------------------------------------------------------------------------

TEST(ClientCancelTest, ACancelledCallEndsAndTheServerSeesIt) {
  std::promise<void> gone;
  std::promise<ExchangePtr> started;
  const auto server = Serve([&](const Request&, const ExchangePtr& exchange) {
    exchange->OnClientGone([&] { gone.set_value(); });
    started.set_value(exchange);
  });
  Client client(Direct());
  Recorder recorder;
  Call call = client.Start({.url = server->url()}, recorder.events());
  const ExchangePtr exchange = started.get_future().get();
  call.Cancel();
  EXPECT_EQ(recorder.Done().code(), Code::kCancelled);
  EXPECT_EQ(gone.get_future().wait_for(seconds(10)), std::future_status::ready);
}

TEST(ClientCancelTest, ADestroyedCallSaysNothingMore) {
  const auto server = Serve([](const Request&, const ExchangePtr& exchange) {
    exchange->StartStream(200, {});
    std::thread([exchange] {
      while (!exchange->client_gone()) exchange->Write("x");
    }).detach();
  });
  Client client(Direct());
  for (int i = 0; i < 20; ++i) {
    auto alive = std::make_unique<std::atomic<int>>(0);
    std::promise<void> first;
    {
      CallEvents events;
      events.on_data = [&, touched = alive.get()](std::string_view) {
        if ((*touched)++ == 0) first.set_value();
      };
      events.on_done = [touched = alive.get()](const Status&) { ++*touched; };
      const Call call = client.Start({.url = server->url()}, std::move(events));
      first.get_future().wait();
    }
    alive.reset();  // a callback now would touch freed memory
  }
}

TEST(ClientCancelTest, ACallMayBeDestroyedInItsOwnCallback) {
  const auto server = Serve(Echo);
  Client client(Direct());
  std::promise<void> done;
  Call call;
  CallEvents events;
  Mutex mutex;
  events.on_headers = [&](const Response&) {
    MutexLock lock(mutex);
    call = Call();
    done.set_value();
  };
  {
    MutexLock lock(mutex);
    call = client.Start({.url = server->url()}, std::move(events));
  }
  EXPECT_EQ(done.get_future().wait_for(seconds(10)), std::future_status::ready);
}

TEST(ClientCancelTest, AClosingClientEndsItsCalls) {
  const auto server = Serve([](const Request&, const ExchangePtr& exchange) {
    exchange->OnClientGone([exchange] {});  // never answers
  });
  Recorder recorder;
  Call call;
  {
    Client client(Direct());
    call = client.Start({.url = server->url()}, recorder.events());
  }
  EXPECT_EQ(recorder.Done().code(), Code::kCancelled);
  call.Cancel();  // harmless, though the client is gone
}

TEST(ClientCancelTest, FetchInsideACallbackIsRefused) {
  const auto server = Serve(Echo);
  Client client(Direct());
  std::promise<Code> code;
  CallEvents events;
  events.on_headers = [&](const Response&) {
    code.set_value(client.Fetch({.url = server->url()}).status().code());
  };
  const Call call = client.Start({.url = server->url()}, std::move(events));
  EXPECT_EQ(code.get_future().get(), Code::kFailedPrecondition);
}

// --- redirects -------------------------------------------------------------------------------

void Redirecting(const Request& request, const ExchangePtr& exchange) {
  Response response =
      Response::Make(200, "text/plain", request.method + " " + request.path + " " + request.body);
  response.body += " key=" + std::string(request.headers.Get("X-Api-Key"));
  if (request.path == "/loop") response = {.status = 302, .headers = {{"Location", "/loop"}}};
  if (request.path == "/303") response = {.status = 303, .headers = {{"Location", "/end"}}};
  if (request.path == "/307") response = {.status = 307, .headers = {{"Location", "/end"}}};
  if (const auto to = request.QueryParam("to")) {
    response = {.status = 302, .headers = {{"Location", std::string(*to)}}};
  }
  exchange->Respond(response);
}

TEST(ClientRedirectTest, RedirectsAreFollowedOnlyWhenAsked) {
  const auto server = Serve(Redirecting);
  Client client(Direct());
  EXPECT_EQ(client.Fetch({.url = server->url() + "/?to=/end"})->status, 302);
  EXPECT_EQ(client.Fetch({.url = server->url() + "/?to=/end", .max_redirects = 5})->body,
            "GET /end  key=");
  EXPECT_EQ(client.Fetch({.url = server->url() + "/loop", .max_redirects = 5})->status, 302);
}

TEST(ClientRedirectTest, TheMethodIsKeptOrChangedAsTheStatusSays) {
  const auto server = Serve(Redirecting);
  Client client(Direct());
  const auto post = [&](const char* path) {
    return client
        .Fetch({.method = "POST", .url = server->url() + path, .body = "b", .max_redirects = 5})
        ->body;
  };
  EXPECT_EQ(post("/303"), "GET /end  key=");
  EXPECT_EQ(post("/307"), "POST /end b key=");
}

TEST(ClientRedirectTest, KeysAreNotCarriedToAnotherServer) {
  const auto server = Serve(Redirecting);
  const auto other = Serve(Redirecting);
  Client client(Direct());
  const Headers key{{"X-Api-Key", "k"}};
  EXPECT_EQ(client
                .Fetch({.url = server->url() + "/?to=" + other->url() + "/end",
                        .headers = key,
                        .max_redirects = 5})
                ->body,
            "GET /end  key=");
  EXPECT_EQ(
      client.Fetch({.url = server->url() + "/?to=/end", .headers = key, .max_redirects = 5})->body,
      "GET /end  key=k");
}

}  // namespace
}  // namespace ac::http
