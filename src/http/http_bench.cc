// What the server costs: small requests per second, idle streams in memory, events per second.
//
// Server and load share this process and this machine: numbers are for comparison with themselves.
#include <benchmark/benchmark.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "http/client.h"
#include "http/server.h"
#include "http/sse.h"
#include "support/raw_socket.h"

namespace ac::http {
namespace {

using ::ac::testing::RawSocket;

constexpr char kRequest[] = "GET /health HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n";

std::unique_ptr<Server> Serve(Handler handler, int threads, size_t max_connections = 16384) {
  ServerOptions options;
  options.threads = threads;
  options.limits.max_connections = max_connections;
  Result<std::unique_ptr<Server>> server = Server::Create(std::move(options), std::move(handler));
  if (!server.ok()) {
    std::fprintf(stderr, "%s\n", server.status().ToString().c_str());
    std::abort();
  }
  return std::move(*server);
}

void Hello(const Request&, const std::shared_ptr<Exchange>& exchange) {
  exchange->Respond(Response::Make(200, "application/json", "{\"status\":\"ok\"}"));
}

// Kilobytes of memory that this process really uses.
double ResidentMegabytes() {
  std::ifstream in("/proc/self/statm");
  double pages = 0, resident = 0;
  in >> pages >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE)) / 1e6;
}

// One request on each of 32 kept connections, then one reply from each.
void BM_SmallRequests(benchmark::State& state) {
  const auto server = Serve(Hello, static_cast<int>(state.range(0)));
  std::vector<RawSocket> clients;
  clients.reserve(32);
  for (int i = 0; i < 32; ++i) clients.push_back(RawSocket::Tcp(server->port()));
  for (auto _ : state) {
    for (const RawSocket& client : clients) client.Send(kRequest);
    for (const RawSocket& client : clients) {
      if (client.Read(4096).empty()) state.SkipWithError("the server gave no reply");
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(clients.size()));
}
BENCHMARK(BM_SmallRequests)->Arg(1)->Arg(2)->UseRealTime()->Unit(benchmark::kMicrosecond);

// The same measured from outside with wrk (1 thread, 64 connections), where it is installed. What a
// busy machine does not change is the processor time of this process, which is the server's.
void BM_SmallRequestsWrk(benchmark::State& state) {
  const auto server = Serve(Hello, static_cast<int>(state.range(0)));
  double total = 0;
  const std::clock_t begin = std::clock();
  for (auto _ : state) {
    const std::string command =
        "wrk -t1 -c64 -d3s " + server->url() + "/health 2>/dev/null | grep Requests/sec";
    const std::unique_ptr<FILE, int (*)(FILE*)> wrk(popen(command.c_str(), "r"), pclose);
    std::array<char, 128> line{};
    double rate = 0;
    if (wrk == nullptr || std::fgets(line.data(), line.size(), wrk.get()) == nullptr ||
        std::sscanf(line.data(), "Requests/sec: %lf", &rate) != 1) {
      state.SkipWithError("wrk is not installed");
      return;
    }
    total += rate;
  }
  const double cpu_us = 1e6 * static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  state.counters["requests_per_s"] = total / static_cast<double>(state.iterations());
  state.counters["server_cpu_us"] = cpu_us / static_cast<double>(server->stats().requests);
}
BENCHMARK(BM_SmallRequestsWrk)->Arg(1)->Arg(2)->Iterations(1)->Unit(benchmark::kSecond);

// Opens event streams that say one ping and then nothing, and weighs the process.
void BM_IdleStreams(benchmark::State& state) {
  const auto count = static_cast<size_t>(state.range(0));
  for (auto _ : state) {
    Mutex mutex;
    std::vector<std::shared_ptr<Exchange>> streams;
    const auto server = Serve(
        [&](const Request&, const std::shared_ptr<Exchange>& exchange) {
          exchange->StartStream(200, {{"Content-Type", "text/event-stream"}});
          exchange->Write(FormatSse("ping", "{}"));
          MutexLock lock(mutex);
          streams.push_back(exchange);
        },
        1);
    const double before = ResidentMegabytes();
    std::vector<RawSocket> clients;
    for (size_t i = 0; i < count; ++i) {
      clients.push_back(RawSocket::Tcp(server->port()));
      clients.back().Send(kRequest);
      if (clients.back().ReadUntil("data: {}\n\n").empty()) {
        state.SkipWithError("a stream did not open; is the limit of open files too low?");
        return;
      }
    }
    const double after = ResidentMegabytes();
    state.counters["rss_mb"] = after;
    state.counters["bytes_per_stream"] = (after - before) * 1e6 / static_cast<double>(count);
  }
}
BENCHMARK(BM_IdleStreams)->Arg(5000)->Iterations(1)->Unit(benchmark::kSecond);

// Events of the size of a token's, from a writer on another thread to a client that reads.
void BM_StreamedEvents(benchmark::State& state) {
  constexpr int kEvents = 20000;
  const std::string event = FormatSse("content_block_delta", std::string(100, 'x'));
  std::vector<std::thread> writers;
  const auto server = Serve(
      [&](const Request&, const std::shared_ptr<Exchange>& exchange) {
        writers.emplace_back([exchange, &event] {
          exchange->StartStream(200, {});
          for (int i = 0; i < kEvents; ++i) exchange->Write(event);
          exchange->Finish();
        });
      },
      1);
  for (auto _ : state) {
    const RawSocket client = RawSocket::Tcp(server->port());
    client.Send(kRequest);
    client.ReadUntil("\r\n0\r\n\r\n");
  }
  for (std::thread& writer : writers) writer.join();
  state.SetItemsProcessed(state.iterations() * kEvents);
}
BENCHMARK(BM_StreamedEvents)->UseRealTime()->Unit(benchmark::kMillisecond);

void BM_ClientFetch(benchmark::State& state) {
  const auto server = Serve(Hello, 1);
  ClientOptions options;
  options.proxy = ProxyConfig();
  Client client(options);
  for (auto _ : state) {
    if (!client.Fetch({.url = server->url()}).ok()) state.SkipWithError("no reply");
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_ClientFetch)->UseRealTime()->Unit(benchmark::kMicrosecond);

void BM_SseParse(benchmark::State& state) {
  std::string stream;
  for (int i = 0; i < 1000; ++i) stream += FormatSse("delta", std::string(100, 'x'));
  size_t events = 0;
  for (auto _ : state) {
    SseParser parser([&](const SseEvent&) { ++events; });
    if (!parser.Feed(stream).ok()) state.SkipWithError("refused");
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(stream.size()));
  benchmark::DoNotOptimize(events);
}
BENCHMARK(BM_SseParse)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace ac::http
