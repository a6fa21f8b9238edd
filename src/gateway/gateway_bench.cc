// What the server itself costs, with a backend that costs nothing: a request, and a token of 64
// streams at once.
//
// Clients share this process: the numbers include their side of the sockets.
#include <benchmark/benchmark.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gateway/gateway.h"
#include "support/raw_socket.h"

namespace ac::gateway {
namespace {

using testing::RawSocket;

constexpr int kStreams = 64;

// Answers whole requests at once and keeps the sinks of streams.
class HeldBackend : public backend::Backend {
 public:
  std::unique_ptr<backend::Call> Start(chat::ChatRequest request,
                                       std::shared_ptr<chat::ChatSink> sink) override {
    sink->OnEvent({chat::MessageStart{.id = "msg_1", .model = request.model}});
    sink->OnEvent({chat::BlockStart{0, {chat::Text{}, ""}}});
    if (request.stream) {
      MutexLock lock(mutex_);
      sinks_.push_back(std::move(sink));
    } else {
      sink->OnEvent({chat::TextDelta{0, "Hello", {}}});
      End(*sink);
    }
    return std::make_unique<backend::Call>();
  }
  void CountTokens(chat::ChatRequest, std::function<void(Result<int64_t>)> done) override {
    done(1);
  }
  std::vector<api::ModelInfo> Models() const override { return {}; }

  static void End(chat::ChatSink& sink) {
    sink.OnEvent({chat::BlockStop{0}});
    sink.OnEvent({chat::MessageDelta{}});
    sink.OnEvent({chat::MessageStop{}});
  }
  std::vector<std::shared_ptr<chat::ChatSink>> sinks() {
    MutexLock lock(mutex_);
    return sinks_;
  }

 private:
  Mutex mutex_;
  std::vector<std::shared_ptr<chat::ChatSink>> sinks_ AC_GUARDED_BY(mutex_);
};

struct Serving {
  HeldBackend backend;
  Gateway gateway{{.access = {"", "127.0.0.1"}}, backend};
  std::unique_ptr<http::Server> server =
      std::move(http::Server::Create({}, [this](http::Request request,
                                                std::shared_ptr<http::Exchange> exchange) {
        gateway.Handle(std::move(request), std::move(exchange));
      })).value();
};

std::string Post(bool stream) {
  const std::string body = std::string(R"({"model":"m","max_tokens":5,"stream":)") +
                           (stream ? "true" : "false") +
                           R"(,"messages":[{"role":"user","content":"hi"}]})";
  return "POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
         "Content-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

void BM_WholeRequest(benchmark::State& state) {
  Serving serving;
  const RawSocket client = RawSocket::Tcp(serving.server->port());
  const std::string request = Post(false);
  for (auto _ : state) {
    client.Send(request);
    benchmark::DoNotOptimize(client.ReadUntil("output_tokens"));
  }
}
BENCHMARK(BM_WholeRequest)->UseRealTime()->MeasureProcessCPUTime()->Unit(benchmark::kMicrosecond);

// Throws away what 64 clients get.
void Drain(const std::vector<RawSocket>& clients, const std::atomic<bool>& over) {
  std::vector<pollfd> ready;
  for (const RawSocket& client : clients) ready.push_back({client.fd(), POLLIN, 0});
  std::string buffer(65536, '\0');
  while (!over) {
    if (poll(ready.data(), ready.size(), 100) <= 0) continue;
    for (const pollfd& one : ready) {
      if ((one.revents & POLLIN) != 0) recv(one.fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
    }
  }
}

// One iteration is one token for each stream, as an engine's step gives it.
void BM_TokenOf64Streams(benchmark::State& state) {
  Serving serving;
  std::vector<RawSocket> clients;
  for (int i = 0; i < kStreams; ++i) {
    clients.push_back(RawSocket::Tcp(serving.server->port()));
    clients.back().Send(Post(true));
  }
  while (serving.backend.sinks().size() < kStreams) std::this_thread::yield();
  std::atomic<bool> over{false};
  std::thread drain([&] { Drain(clients, over); });
  const auto sinks = serving.backend.sinks();
  for (auto _ : state) {
    for (const auto& sink : sinks) sink->OnEvent({chat::TextDelta{0, " token", {}}});
  }
  state.SetItemsProcessed(state.iterations() * kStreams);
  for (const auto& sink : sinks) HeldBackend::End(*sink);
  over = true;
  drain.join();
}
BENCHMARK(BM_TokenOf64Streams)
    ->UseRealTime()
    ->MeasureProcessCPUTime()
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace ac::gateway
