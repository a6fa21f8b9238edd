#include "loadtest/paced_upstream.h"

#include <fmt/format.h>

#include <algorithm>
#include <queue>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "http/server.h"
#include "http/sse.h"

namespace ac::loadtest {
namespace {

using ExchangePtr = std::shared_ptr<http::Exchange>;

// The events of a stream, made once: a server that takes time to write them would hide what the
// gateway takes.
struct Wire {
  std::string begin;
  std::string token;
  std::string end;
};

std::string OpenAiChunk(std::string_view delta, std::string_view finish, std::string_view usage) {
  return http::FormatSse(
      "", fmt::format(R"({{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,)"
                      R"("model":"paced","choices":[{{"index":0,"delta":{},)"
                      R"("finish_reason":{}}}]{}}})",
                      delta, finish, usage));
}

Wire OpenAiWire() {
  return {
      .begin = OpenAiChunk(R"({"role":"assistant","content":""})", "null", ""),
      .token = OpenAiChunk(fmt::format(R"({{"content":"{}"}})", PacedUpstream::kToken), "null", ""),
      .end = OpenAiChunk("{}", R"("stop")",
                         R"(,"usage":{"prompt_tokens":100,"completion_tokens":64,)"
                         R"("total_tokens":164})") +
             http::FormatSse("", "[DONE]")};
}

Wire AnthropicWire() {
  const auto event = [](std::string_view name, std::string_view rest) {
    return http::FormatSse(name, fmt::format(R"({{"type":"{}",{}}})", name, rest));
  };
  return {
      .begin =
          event("message_start",
                R"("message":{"id":"msg_1","type":"message","role":"assistant",)"
                R"("model":"paced","content":[],"stop_reason":null,"stop_sequence":null,)"
                R"("usage":{"input_tokens":100,"output_tokens":1}})") +
          event("content_block_start", R"("index":0,"content_block":{"type":"text","text":""})"),
      .token = event("content_block_delta",
                     fmt::format(R"("index":0,"delta":{{"type":"text_delta","text":"{}"}})",
                                 PacedUpstream::kToken)),
      .end = event("content_block_stop", R"("index":0)") +
             event("message_delta", R"("delta":{"stop_reason":"end_turn","stop_sequence":null},)"
                                    R"("usage":{"output_tokens":64})") +
             http::FormatSse("message_stop", R"({"type":"message_stop"})")};
}

struct Stream {
  ExchangePtr exchange;
  const Wire* wire = nullptr;
  Nanos due{0};
  Nanos interval{0};
  int left = 0;
};

struct Later {
  bool operator()(const Stream& a, const Stream& b) const { return a.due > b.due; }
};

}  // namespace

struct PacedUpstream::Impl {
  ~Impl() {
    {
      MutexLock lock(mutex);
      over = true;
    }
    changed.NotifyAll();
    if (ticker.joinable()) ticker.join();
    server->Shutdown(std::chrono::milliseconds(0));
  }

  void Handle(const http::Request& request, const ExchangePtr& exchange) {
    if (request.path.ends_with("/models")) {
      exchange->Respond(
          http::Response::Make(200, "application/json",
                               R"({"object":"list","data":[{"id":"paced","object":"model"}]})"));
    } else if (request.path.ends_with("/chat/completions")) {
      Begin(openai, exchange);
    } else if (request.path.ends_with("/messages")) {
      Begin(anthropic, exchange);
    } else {
      exchange->Respond(http::Response::Make(404, "text/plain", "only streams of text here"));
    }
  }

  void Begin(const Wire& wire, const ExchangePtr& exchange) {
    exchange->StartStream(200, {{"Content-Type", "text/event-stream"}});
    exchange->Write(wire.begin + wire.token);
    {
      MutexLock lock(mutex);
      streams.push({exchange, &wire, Clock::Real().Now() + pace.interval, pace.interval,
                    std::max(pace.tokens - 1, 0)});
    }
    changed.NotifyOne();
  }

  void Tick() {
    for (std::vector<Stream> due = WaitForDue(); !due.empty(); due = WaitForDue()) {
      for (Stream& stream : due) Advance(&stream);
      MutexLock lock(mutex);
      for (Stream& stream : due) {
        if (stream.exchange != nullptr) streams.push(std::move(stream));
      }
    }
  }

  // Empty when it is over.
  std::vector<Stream> WaitForDue() {
    std::vector<Stream> due;
    MutexLock lock(mutex);
    while (!over && due.empty()) {
      const Nanos now = Clock::Real().Now();
      for (; !streams.empty() && streams.top().due <= now; streams.pop()) {
        due.push_back(streams.top());
      }
      if (!due.empty()) break;
      if (streams.empty()) {
        changed.Wait(mutex);
      } else {
        changed.WaitFor(mutex, streams.top().due - now);
      }
    }
    if (over) due.clear();
    return due;
  }

  // One token; the stream has no exchange any more when that ended it.
  static void Advance(Stream* stream) {
    if (stream->exchange->client_gone()) {
      stream->exchange = nullptr;
    } else if (stream->left == 0) {
      stream->exchange->Write(stream->wire->end);
      stream->exchange->Finish();
      stream->exchange = nullptr;
    } else {
      stream->exchange->Write(stream->wire->token);
      --stream->left;
      stream->due += stream->interval;
    }
  }

  const Wire openai = OpenAiWire();
  const Wire anthropic = AnthropicWire();
  std::unique_ptr<http::Server> server;
  Mutex mutex;
  CondVar changed;
  Pace pace AC_GUARDED_BY(mutex);
  bool over AC_GUARDED_BY(mutex) = false;
  std::priority_queue<Stream, std::vector<Stream>, Later> streams AC_GUARDED_BY(mutex);
  std::thread ticker;
};

PacedUpstream::PacedUpstream(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PacedUpstream::~PacedUpstream() = default;

Result<std::unique_ptr<PacedUpstream>> PacedUpstream::Create(uint16_t port) {
  auto impl = std::make_unique<Impl>();
  AC_ASSIGN_OR_RETURN(
      impl->server,
      http::Server::Create({.port = port}, [state = impl.get()](const http::Request& request,
                                                                const ExchangePtr& exchange) {
        state->Handle(request, exchange);
      }));
  impl->ticker = std::thread([state = impl.get()] { state->Tick(); });
  return std::unique_ptr<PacedUpstream>(new PacedUpstream(std::move(impl)));
}

std::string PacedUpstream::url() const { return impl_->server->url(); }
uint16_t PacedUpstream::port() const { return impl_->server->port(); }

void PacedUpstream::SetPace(const Pace& pace) {
  MutexLock lock(impl_->mutex);
  impl_->pace = pace;
}

}  // namespace ac::loadtest
