// What all calls of one RemoteBackend share; kept alive by each of them.
//
// Thread-safe.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "remote/admission.h"
#include "remote/circuit_breaker.h"
#include "remote/failure.h"
#include "remote/remote_backend.h"
#include "remote/request_shape.h"

namespace ac::remote {

struct RemoteCore : std::enable_shared_from_this<RemoteCore> {
  RemoteCore(RemoteOptions options, http::Client& client, Timer& timer, const Clock& clock);

  // Headers every request to this server carries.
  http::Headers RequestHeaders(bool google_key = false) const;
  http::ClientTimeouts Timeouts() const;
  Peer peer() const { return {options.kind, shown_url}; }
  api::Endpoint endpoint() const;
  std::string EndpointUrl(api::Endpoint endpoint) const;

  std::vector<api::ModelInfo> Models() const;
  // 0: unknown.
  int64_t WindowOf(const std::string& model) const;
  // Starts asking for the models unless that runs already; all `done`s hear the outcome.
  void Refresh(std::function<void(Status)> done);
  void RefreshWhenOld();

  Learned learned() const;
  void Learn(const Learned& learned);

  // From measured requests; false while there are none.
  bool EstimateTokens(size_t bytes, int64_t* tokens) const;
  void Measured(size_t bytes, int64_t tokens);

  // Keeps a short request (counting, models) until it is over.
  void Fetch(http::ClientRequest request,
             std::function<void(const Status&, const http::Response&)> done);

  const RemoteOptions options;
  const std::string shown_url;
  http::Client& client;
  Timer& timer;
  const Clock& clock;
  chat::IdSource& ids;
  CircuitBreaker breaker;
  Admission admission;

  struct {
    obs::Counter requests, failures, retries, rescued_calls, estimated_usage;
    obs::Counter input_tokens, cached_tokens, output_tokens;
    obs::Gauge circuit;
    obs::Histogram first_event;
  } metrics;

 private:
  void FinishRefresh(const Status& status);
  void AskForContext(std::vector<api::ModelInfo> models);

  mutable Mutex mutex_;
  std::vector<api::ModelInfo> models_ AC_GUARDED_BY(mutex_);
  Nanos refreshed_at_ AC_GUARDED_BY(mutex_){0};
  bool refreshing_ AC_GUARDED_BY(mutex_) = false;
  std::vector<std::function<void(Status)>> refresh_waiters_ AC_GUARDED_BY(mutex_);
  Learned learned_ AC_GUARDED_BY(mutex_);
  double bytes_per_token_ AC_GUARDED_BY(mutex_) = 0;
  std::map<uint64_t, http::Call> fetches_ AC_GUARDED_BY(mutex_);
  uint64_t last_fetch_ AC_GUARDED_BY(mutex_) = 0;
};

}  // namespace ac::remote
