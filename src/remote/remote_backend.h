// Answers conversations with a server over its OpenAI or Anthropic protocol.
//
// Each request is shaped for the kind of server (request_shape.h), sent, and its reply decoded into
// chat events; calls that the server left in the text are rescued. Before the server's first byte a
// request may be sent again (adapted to a refusal, after Retry-After, on a new connection); never
// afterwards. Destroying a Call closes the connection, which makes servers stop. Thread-safe;
// client and timer must outlive the backend and its calls.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/clock.h"
#include "chat/ids.h"
#include "http/client.h"
#include "obs/metrics.h"
#include "remote/circuit_breaker.h"
#include "remote/server_kind.h"
#include "remote/timer.h"

namespace ac::remote {

struct RemoteOptions {
  const ServerKind* kind = nullptr;
  std::string name;            // of this backend in logs and metrics; empty: the kind's mode
  std::string base_url;        // as NormalizeBaseUrl makes it
  std::string api_key;         // empty: none is sent
  std::string model;           // asked for instead of the client's; empty: see PickModel
  int64_t context_window = 0;  // 0: what the server says
  int max_concurrent = -1;     // -1: the kind's
  size_t max_waiting = 256;    // for a turn; then kOverloaded
  int max_retries = 2;
  std::chrono::milliseconds connect_time{std::chrono::seconds(10)};
  std::chrono::milliseconds first_byte_time{std::chrono::minutes(30)};
  std::chrono::milliseconds idle_time{std::chrono::minutes(10)};
  // A client that waits this long is told that its reply has begun, so that pings keep it.
  Nanos early_start = std::chrono::seconds(15);
  BreakerOptions breaker;
  chat::IdSource* ids = nullptr;    // null: random ones
  obs::Metrics* metrics = nullptr;  // null: nowhere
};

struct RemoteCore;

class RemoteBackend : public backend::Backend {
 public:
  RemoteBackend(RemoteOptions options, http::Client& client, Timer& timer,
                const Clock& clock = Clock::Real());
  ~RemoteBackend() override;

  std::unique_ptr<backend::Call> Start(chat::ChatRequest request,
                                       std::shared_ptr<chat::ChatSink> sink) override;
  // Exact where the server counts; else an estimate from what it has counted before, or
  // kUnsupported.
  void CountTokens(chat::ChatRequest request, std::function<void(Result<int64_t>)> done) override;
  // What the server had when it was last asked; asks again in the background when that is old.
  std::vector<api::ModelInfo> Models() const override;

  // Asks the server for its models now and waits for the answer.
  Status Refresh(std::chrono::milliseconds limit);
  // Like Refresh, without waiting; `done` may run on another thread.
  void RefreshLater(std::function<void(Status)> done);

  const RemoteOptions& options() const;
  CircuitBreaker::State breaker_state() const;

 private:
  const std::shared_ptr<RemoteCore> core_;
};

}  // namespace ac::remote
