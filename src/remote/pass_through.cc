#include "remote/pass_through.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <utility>
#include <vector>

#include "api/codec.h"
#include "api/errors.h"
#include "base/mutex.h"
#include "http/url.h"

namespace ac::remote {
namespace {

using ExchangePtr = std::shared_ptr<http::Exchange>;

// The reply is read no faster than the client takes it.
constexpr size_t kMaxPendingBytes = size_t{1} << 20;

constexpr std::array<std::string_view, 11> kHopByHop = {"connection",
                                                        "keep-alive",
                                                        "proxy-authenticate",
                                                        "proxy-authorization",
                                                        "proxy-connection",
                                                        "te",
                                                        "trailer",
                                                        "transfer-encoding",
                                                        "upgrade",
                                                        "expect",
                                                        "content-length"};

// Of an error's body, for who listens.
constexpr size_t kMaxErrorBytes = size_t{64} << 10;

bool IsMessage(const http::Request& request) {
  return request.method == "POST" && request.path == "/v1/messages";
}

}  // namespace

bool PassesThrough(std::string_view path) {
  return path != "/v1/chat/completions" && path != "/v1/completions" && path != "/v1/responses";
}

http::Headers EndToEndHeaders(const http::Headers& headers) {
  http::Headers out;
  for (const auto& [name, value] : headers) {
    bool dropped = headers.HasToken("connection", name);
    for (const std::string_view hop : kHopByHop) dropped |= http::EqualsIgnoreCase(name, hop);
    if (!dropped) out.Add(name, value);
  }
  return out;
}

struct PassThrough::Shared {
  PassThroughOptions options;
  http::Client& client;
  std::string shown_url;
  Listen listen;
  struct {
    obs::Counter requests, failures, input, cached, created, output;
  } metrics;

  void Count(const chat::Usage& usage) const {
    metrics.input.Add(static_cast<double>(usage.input_tokens));
    metrics.cached.Add(static_cast<double>(usage.cache_read));
    metrics.created.Add(static_cast<double>(usage.cache_creation));
    metrics.output.Add(static_cast<double>(usage.output_tokens));
  }
};

namespace {

// One request on its way. Kept alive by the callbacks of its HTTP call, which end with on_done.
template <typename Shared>
class Forward : public std::enable_shared_from_this<Forward<Shared>> {
 public:
  Forward(std::shared_ptr<Shared> shared, http::Request request, ExchangePtr exchange)
      : shared_(std::move(shared)), request_(std::move(request)), exchange_(std::move(exchange)) {}

  void Start(http::ClientRequest request) {
    const auto self = this->shared_from_this();
    {
      MutexLock lock(mutex_);
      call_ = shared_->client.Start(
          std::move(request),
          {.on_headers = [self](const http::Response& head) { self->OnHead(head); },
           .on_data = [self](std::string_view bytes) { self->OnData(bytes); },
           .on_done = [self](const Status& status) { self->OnDone(status); }});
    }
    // Outside the lock: it may be called at once.
    exchange_->OnClientGone([weak = this->weak_from_this()] {
      const auto forward = weak.lock();
      if (forward == nullptr) return;
      MutexLock lock(forward->mutex_);
      forward->call_.Cancel();  // on_done(kCancelled) follows and frees this object
    });
  }

 private:
  void OnHead(const http::Response& head) {
    http_status_ = head.status;
    exchange_->StartStream(head.status, EndToEndHeaders(head.headers));
    BeginToListen();
    if (IsMessage(request_) && head.status == 200) {
      decoder_ = api::MakeEventDecoder(api::Endpoint::kMessages, {});
    }
  }

  void OnData(std::string_view bytes) {
    if (exchange_->Write(bytes) > kMaxPendingBytes) {
      {
        MutexLock lock(mutex_);
        call_.Pause();
      }
      exchange_->OnDrain([weak = this->weak_from_this()] {
        const auto self = weak.lock();
        if (self == nullptr) return;
        MutexLock lock(self->mutex_);
        self->call_.Resume();
      });
    }
    // After the client has its bytes: reading along costs it no time.
    if (decoder_ != nullptr) {
      Observe([&](auto* events) { decoder_->Feed(bytes, events); });
    } else if (listener_ != nullptr) {
      error_body_ += bytes.substr(0, kMaxErrorBytes - std::min(kMaxErrorBytes, error_body_.size()));
    }
  }

  void OnDone(const Status& status) {
    if (status.ok()) {
      exchange_->Finish();
    } else if (http_status_ != 0) {
      exchange_->Abort();  // a reply that broke off must not look whole
    } else if (status.code() != Code::kCancelled) {
      RespondFailure(status);
    }
    if (!status.ok()) shared_->metrics.failures.Add();
    TellEnd(status);
    if (usage_.PromptTokens() > 0) shared_->Count(usage_);
  }

  void BeginToListen() {
    if (shared_->listen && IsMessage(request_)) listener_ = shared_->listen(request_, started_);
  }

  void TellEnd(const Status& status) {
    if (http_status_ == 0) BeginToListen();
    if (status.code() == Code::kCancelled) {
      if (listener_ != nullptr && !over_) listener_->OnClientGone();
    } else if (decoder_ != nullptr) {
      Observe([&](auto* events) { decoder_->Finish(events); });
    } else {
      Tell({.value = chat::Error{
                .status = status.ok() ? api::StatusFromReply(http_status_, error_body_) : status}});
    }
  }

  void Tell(const chat::ChatEvent& event) {
    if (listener_ == nullptr || over_) return;
    over_ = event.As<chat::MessageStop>() != nullptr || event.As<chat::Error>() != nullptr;
    listener_->OnEvent(event);
  }

  void RespondFailure(const Status& status) {
    const Status named(status.code(), "[remote] cannot reach the Claude API at " +
                                          shared_->shown_url + ": " + api::ErrorText(status) +
                                          "; check the network, or set ANTHROPIC_API_URL");
    const api::ErrorReply reply = api::EncodeError(api::Dialect::kAnthropic, named);
    http::Response response =
        http::Response::Make(reply.http_status, "application/json", reply.body);
    for (const auto& [name, value] : reply.headers) response.headers.Add(name, value);
    exchange_->Respond(response);
  }

  template <typename Read>
  void Observe(Read read) {
    std::vector<chat::ChatEvent> events;
    read(&events);
    for (const chat::ChatEvent& event : events) {
      if (const auto* start = event.As<chat::MessageStart>()) usage_ = start->usage;
      if (const auto* delta = event.As<chat::MessageDelta>()) usage_ = delta->usage;
      Tell(event);
    }
  }

  const std::shared_ptr<Shared> shared_;
  const http::Request request_;
  const ExchangePtr exchange_;
  Mutex mutex_;
  http::Call call_ AC_GUARDED_BY(mutex_);
  // Of the client's I/O thread.
  const Nanos started_ = Clock::Real().Now();
  int http_status_ = 0;  // 0: no reply has begun
  std::unique_ptr<api::EventDecoder> decoder_;
  chat::Usage usage_;
  std::unique_ptr<ReplyListener> listener_;
  std::string error_body_;
  bool over_ = false;  // the listener has heard the end
};

}  // namespace

PassThrough::PassThrough(PassThroughOptions options, http::Client& client)
    : shared_(std::make_shared<Shared>(Shared{std::move(options), client, {}, {}, {}})) {
  while (shared_->options.base_url.ends_with('/')) shared_->options.base_url.pop_back();
  const Result<http::Url> url = http::Url::Parse(shared_->options.base_url);
  shared_->shown_url = url.ok() ? url->Redacted() : "a malformed URL";
  if (shared_->options.metrics == nullptr) return;
  obs::Metrics& m = *shared_->options.metrics;
  const obs::Labels labels = {{"backend", "claude"}};
  const auto tokens = [&](const char* kind) {
    return m.GetCounter("anyclaude_backend_tokens_total", "Tokens as the server counted them",
                        {{"backend", "claude"}, {"kind", kind}});
  };
  shared_->metrics = {m.GetCounter("anyclaude_backend_requests_total", "Requests sent", labels),
                      m.GetCounter("anyclaude_backend_failures_total",
                                   "Requests without an answer, or with a broken one", labels),
                      tokens("input"),
                      tokens("cached"),
                      tokens("cache_creation"),
                      tokens("output")};
}

PassThrough::~PassThrough() = default;

void PassThrough::SetListen(Listen listen) { shared_->listen = std::move(listen); }

void PassThrough::Handle(const http::Request& request, const ExchangePtr& exchange) {
  const PassThroughOptions& options = shared_->options;
  http::ClientRequest out{.method = request.method,
                          .url = options.base_url + request.target,
                          .headers = EndToEndHeaders(request.headers),
                          .body = request.body,
                          .timeouts = options.timeouts};
  out.headers.Remove("host");
  out.headers.Set("accept-encoding", "identity");
  if (!options.gateway_key.empty()) {
    // What the client sent was for us and means nothing further on.
    out.headers.Remove("authorization");
    out.headers.Set("x-api-key", options.upstream_key);
  }
  shared_->metrics.requests.Add();
  std::make_shared<Forward<Shared>>(shared_, request, exchange)->Start(std::move(out));
}

}  // namespace ac::remote
