#include "remote/internal/core.h"

#include <utility>

#include "http/url.h"
#include "obs/log.h"
#include "remote/discovery.h"

namespace ac::remote {
namespace {

constexpr Nanos kModelsAreOldAfter = std::chrono::seconds(60);
constexpr std::chrono::milliseconds kInfoTime = std::chrono::seconds(5);
constexpr size_t kMaxInfoBytes = size_t{32} << 20;
constexpr double kNewMeasurementWeight = 0.2;

std::string ShownUrl(const std::string& url) {
  const Result<http::Url> parsed = http::Url::Parse(url);
  return parsed.ok() ? parsed->Redacted() : "a malformed URL";
}

}  // namespace

RemoteCore::RemoteCore(RemoteOptions given, http::Client& the_client, Timer& the_timer,
                       const Clock& the_clock)
    : options(std::move(given)),
      shown_url(ShownUrl(options.base_url)),
      client(the_client),
      timer(the_timer),
      clock(the_clock),
      ids(options.ids != nullptr ? *options.ids : chat::IdSource::Random()),
      breaker(options.breaker, the_clock),
      admission(options.max_concurrent >= 0 ? options.max_concurrent : options.kind->max_concurrent,
                options.max_waiting) {
  if (options.metrics == nullptr) return;
  const std::string name = options.name.empty() ? std::string(options.kind->mode) : options.name;
  const obs::Labels labels = {{"backend", name}};
  obs::Metrics& m = *options.metrics;
  const auto tokens = [&](const char* kind) {
    return m.GetCounter("anyclaude_backend_tokens_total", "Tokens as the server counted them",
                        {{"backend", name}, {"kind", kind}});
  };
  metrics.requests = m.GetCounter("anyclaude_backend_requests_total", "Requests sent", labels);
  metrics.failures = m.GetCounter("anyclaude_backend_failures_total",
                                  "Requests without an answer, or with a broken one", labels);
  metrics.retries = m.GetCounter("anyclaude_backend_retries_total",
                                 "Requests sent again before a first byte", labels);
  metrics.rescued_calls = m.GetCounter("anyclaude_backend_rescued_tool_calls_total",
                                       "Tool calls found in the text of a reply", labels);
  metrics.estimated_usage = m.GetCounter(
      "anyclaude_backend_estimated_usage_total",
      "Replies whose token numbers are estimates, because the server gave none", labels);
  metrics.input_tokens = tokens("input");
  metrics.cached_tokens = tokens("cached");
  metrics.output_tokens = tokens("output");
  metrics.circuit = m.GetGauge("anyclaude_backend_circuit_open",
                               "1 while the circuit breaker keeps requests away", labels);
  metrics.first_event =
      m.GetHistogram("anyclaude_backend_first_event_seconds",
                     "From the request to the reply's first event", obs::LatencyBounds(), labels);
}

http::Headers RemoteCore::RequestHeaders(bool google_key) const {
  http::Headers headers{{"content-type", "application/json"}};
  if (options.kind->endpoint == api::Endpoint::kMessages) {
    headers.Add("anthropic-version", "2023-06-01");
    if (!options.api_key.empty()) headers.Add("x-api-key", options.api_key);
  }
  // The Claude API takes a bearer for a login of another kind.
  const bool bearer = !options.kind->cloud || options.kind->endpoint != api::Endpoint::kMessages;
  if (options.api_key.empty() || !bearer) return headers;
  if (google_key) {
    headers.Add("x-goog-api-key", options.api_key);
  } else {
    headers.Add("authorization", "Bearer " + options.api_key);
  }
  return headers;
}

http::ClientTimeouts RemoteCore::Timeouts() const {
  return {.connect = options.connect_time,
          .first_byte = options.first_byte_time,
          .idle = options.idle_time};
}

api::Endpoint RemoteCore::endpoint() const {
  MutexLock lock(mutex_);
  return learned_.no_native_endpoint ? api::Endpoint::kChatCompletions : options.kind->endpoint;
}

std::string RemoteCore::EndpointUrl(api::Endpoint endpoint) const {
  switch (endpoint) {
    case api::Endpoint::kMessages:
      return options.base_url + "/messages";
    case api::Endpoint::kCountTokens:
      return options.base_url + "/messages/count_tokens";
    default:
      return options.base_url + "/chat/completions";
  }
}

std::vector<api::ModelInfo> RemoteCore::Models() const {
  MutexLock lock(mutex_);
  return models_;
}

int64_t RemoteCore::WindowOf(const std::string& model) const {
  if (options.context_window > 0) return options.context_window;
  MutexLock lock(mutex_);
  for (const api::ModelInfo& known : models_) {
    if (known.id == model) return known.context_window;
  }
  return 0;
}

Learned RemoteCore::learned() const {
  MutexLock lock(mutex_);
  return learned_;
}

// What other requests learned meanwhile stays learned.
void RemoteCore::Learn(const Learned& learned) {
  MutexLock lock(mutex_);
  learned_.dropped_fields.insert(learned.dropped_fields.begin(), learned.dropped_fields.end());
  learned_.untyped_tools.insert(learned.untyped_tools.begin(), learned.untyped_tools.end());
  learned_.subset_schemas |= learned.subset_schemas;
  learned_.all_untyped |= learned.all_untyped;
  learned_.no_images |= learned.no_images;
  learned_.system_first |= learned.system_first;
  learned_.completion_tokens |= learned.completion_tokens;
  learned_.no_native_endpoint |= learned.no_native_endpoint;
  if (learned.max_output > 0) learned_.max_output = learned.max_output;
}

bool RemoteCore::EstimateTokens(size_t bytes, int64_t* tokens) const {
  MutexLock lock(mutex_);
  if (bytes_per_token_ <= 0) return false;
  *tokens = static_cast<int64_t>(static_cast<double>(bytes) / bytes_per_token_);
  return true;
}

void RemoteCore::Measured(size_t bytes, int64_t tokens) {
  if (tokens < 16) return;  // templates' own words would decide
  const double ratio = static_cast<double>(bytes) / static_cast<double>(tokens);
  MutexLock lock(mutex_);
  bytes_per_token_ = bytes_per_token_ <= 0 ? ratio
                                           : bytes_per_token_ * (1 - kNewMeasurementWeight) +
                                                 ratio * kNewMeasurementWeight;
}

// --- Asking the server about itself --------------------------------------------------------------

void RemoteCore::Fetch(http::ClientRequest request,
                       std::function<void(const Status&, const http::Response&)> done) {
  request.max_body_bytes = kMaxInfoBytes;
  const auto reply = std::make_shared<http::Response>();
  MutexLock lock(mutex_);
  const uint64_t id = ++last_fetch_;
  // Weak: the map below owns the call, and the call its callbacks.
  const std::weak_ptr<RemoteCore> weak = weak_from_this();
  fetches_[id] = client.Start(std::move(request),
                              {.on_headers = [reply](const http::Response& head) { *reply = head; },
                               .on_data = [reply](std::string_view bytes) { reply->body += bytes; },
                               .on_done =
                                   [weak, id, reply, done = std::move(done)](const Status& status) {
                                     const auto self = weak.lock();
                                     if (self == nullptr) return;
                                     done(status, *reply);
                                     http::Call over;
                                     MutexLock inner(self->mutex_);
                                     over = std::move(self->fetches_[id]);
                                     self->fetches_.erase(id);
                                   }});
}

void RemoteCore::Refresh(std::function<void(Status)> done) {
  {
    MutexLock lock(mutex_);
    if (done) refresh_waiters_.push_back(std::move(done));
    if (std::exchange(refreshing_, true)) return;
  }
  const InfoRequest info = ModelListRequest(*options.kind, options.base_url);
  http::ClientTimeouts limits = Timeouts();
  limits.total = kInfoTime;
  Fetch({.url = info.url, .headers = RequestHeaders(info.google_key), .timeouts = limits},
        [this](const Status& status, const http::Response& reply) {
          if (!status.ok()) return FinishRefresh(ConnectionFailure(peer(), status));
          if (reply.status != 200 || IsHtml(reply, reply.body)) {
            return FinishRefresh(ReplyFailure(peer(), reply, reply.body));
          }
          Result<std::vector<api::ModelInfo>> models = ReadModelList(reply.body);
          if (!models.ok()) return FinishRefresh(models.status());
          AskForContext(std::move(models).value());
        });
}

void RemoteCore::AskForContext(std::vector<api::ModelInfo> models) {
  const auto store = [this](std::vector<api::ModelInfo> found) {
    {
      MutexLock lock(mutex_);
      models_ = std::move(found);
    }
    FinishRefresh(OkStatus());
  };
  const std::optional<InfoRequest> info = ContextRequest(*options.kind, options.base_url);
  if (!info.has_value()) return store(std::move(models));
  http::ClientTimeouts limits = Timeouts();
  limits.total = kInfoTime;
  Fetch({.url = info->url, .headers = RequestHeaders(info->google_key), .timeouts = limits},
        [this, store, models = std::move(models)](const Status& status,
                                                  const http::Response& reply) mutable {
          if (status.ok() && reply.status == 200) {
            ReadContext(options.kind->context, reply.body, &models);
          }
          store(std::move(models));
        });
}

void RemoteCore::FinishRefresh(const Status& status) {
  std::vector<std::function<void(Status)>> waiters;
  {
    MutexLock lock(mutex_);
    refreshing_ = false;
    refreshed_at_ = clock.Now();
    waiters.swap(refresh_waiters_);
  }
  for (const auto& waiter : waiters) waiter(status);
}

void RemoteCore::RefreshWhenOld() {
  {
    MutexLock lock(mutex_);
    if (refreshing_ || clock.Now() - refreshed_at_ < kModelsAreOldAfter) return;
  }
  Refresh(nullptr);
}

}  // namespace ac::remote
