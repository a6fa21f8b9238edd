#include "remote/remote_backend.h"

#include <future>
#include <utility>

#include "json/json.h"
#include "remote/discovery.h"
#include "remote/internal/core.h"
#include "remote/internal/remote_call.h"

namespace ac::remote {
namespace {

// Destroying it stops the work.
class RunningCall : public backend::Call {
 public:
  explicit RunningCall(std::shared_ptr<RemoteCall> call) : call_(std::move(call)) {}
  ~RunningCall() override { call_->Detach(); }

 private:
  const std::shared_ptr<RemoteCall> call_;
};

}  // namespace

RemoteBackend::RemoteBackend(RemoteOptions options, http::Client& client, Timer& timer,
                             const Clock& clock)
    : core_(std::make_shared<RemoteCore>(std::move(options), client, timer, clock)) {}

RemoteBackend::~RemoteBackend() = default;

std::unique_ptr<backend::Call> RemoteBackend::Start(chat::ChatRequest request,
                                                    std::shared_ptr<chat::ChatSink> sink) {
  core_->RefreshWhenOld();
  auto call = std::make_shared<RemoteCall>(core_, std::move(request), std::move(sink));
  call->Begin();
  return std::make_unique<RunningCall>(std::move(call));
}

void RemoteBackend::CountTokens(chat::ChatRequest request,
                                std::function<void(Result<int64_t>)> done) {
  const Learned learned = core_->learned();
  const ServerKind& kind = *core_->options.kind;
  const chat::ChatRequest shaped =
      ShapeRequest(std::move(request), kind, learned, api::Endpoint::kMessages);
  const size_t bytes = PromptBytes(shaped);
  const auto estimate = [core = core_, bytes]() -> Result<int64_t> {
    int64_t tokens = 0;
    if (core->EstimateTokens(bytes, &tokens)) return tokens;
    return Unsupported("[remote] " + std::string(core->options.kind->title) +
                       " counts no tokens, and has answered nothing yet to estimate from");
  };
  const std::string model = PickModel(kind, core_->options.model, shaped.model, core_->Models());
  const Result<std::string> body = api::SerializeRequest(api::Endpoint::kCountTokens, shaped,
                                                         SerializeOptionsFor(kind, learned, model));
  // Clouds that speak OpenAI's protocol have no such endpoint.
  if (!body.ok() || (kind.cloud && kind.endpoint != api::Endpoint::kMessages)) {
    return done(estimate());
  }
  http::ClientTimeouts limits = core_->Timeouts();
  limits.total = std::chrono::seconds(30);
  core_->Fetch({.method = "POST",
                .url = core_->EndpointUrl(api::Endpoint::kCountTokens),
                .headers = core_->RequestHeaders(),
                .body = *body,
                .repeatable = true,
                .timeouts = limits},
               [core = core_, estimate, done = std::move(done)](const Status& status,
                                                                const http::Response& reply) {
                 if (!status.ok()) return done(ConnectionFailure(core->peer(), status));
                 const Result<json::Value> parsed = json::Parse(reply.body, {.max_depth = 32});
                 if (reply.status == 200 && parsed.ok()) {
                   if (const auto count = json::GetInt(*parsed, "input_tokens"))
                     return done(*count);
                 }
                 done(estimate());
               });
}

std::vector<api::ModelInfo> RemoteBackend::Models() const {
  core_->RefreshWhenOld();
  std::vector<api::ModelInfo> models = core_->Models();
  const RemoteOptions& options = core_->options;
  if (models.empty() && !options.model.empty()) models.push_back({.id = options.model});
  for (api::ModelInfo& model : models) {
    if (options.context_window > 0) model.context_window = options.context_window;
  }
  return models;
}

Status RemoteBackend::Refresh(std::chrono::milliseconds limit) {
  const auto answer = std::make_shared<std::promise<Status>>();
  std::future<Status> future = answer->get_future();
  core_->Refresh([answer](const Status& status) { answer->set_value(status); });
  if (future.wait_for(limit) == std::future_status::ready) return future.get();
  return Status(Code::kDeadlineExceeded,
                "[remote] " + core_->shown_url + " did not say in time which models it has");
}

void RemoteBackend::RefreshLater(std::function<void(Status)> done) {
  core_->Refresh(std::move(done));
}

const RemoteOptions& RemoteBackend::options() const { return core_->options; }
CircuitBreaker::State RemoteBackend::breaker_state() const { return core_->breaker.state(); }

}  // namespace ac::remote
