#include "gateway/gateway.h"

#include <utility>

#include "api/errors.h"
#include "base/hash.h"
#include "gateway/respond.h"
#include "gateway/side_requests.h"
#include "gateway/visible_prefill.h"
#include "json/json.h"
#include "obs/log.h"
#include "obs/metrics.h"

namespace ac::gateway {
namespace {

using api::Dialect;
using api::Endpoint;
using http::Exchange;

// What the shape of an error depends on. Paths both dialects have are told apart by the headers
// that Anthropic's clients always send.
Dialect DialectOfPath(std::string_view path) {
  return path.starts_with("/v1/messages") ? Dialect::kAnthropic : Dialect::kOpenAi;
}
Dialect DialectOfRequest(const http::Request& request) {
  return request.headers.Has("anthropic-version") ? Dialect::kAnthropic
                                                  : DialectOfPath(request.path);
}

std::string FirstHeader(const http::Request& request,
                        std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    if (request.headers.Has(name)) return std::string(request.headers.Get(name));
  }
  return {};
}

// Stands for the presented key, so that callers can be told apart without keeping what they sent.
std::string CallerName(const http::Request& request) {
  const std::string key = FirstHeader(request, {"x-api-key", "authorization"});
  return Hash128Of(key.data(), key.size()).ToHex();
}

// The same for requests that ask the same, whether their reply is streamed or not: clients write
// `stream` last and fall back to the same body without it.
std::string TwinName(Endpoint endpoint, const http::Request& request,
                     const chat::RequestMetadata& metadata) {
  if (metadata.session_id.empty()) return {};
  std::string body = request.body;
  for (const std::string_view field : {",\"stream\":true", ",\"stream\":false"}) {
    if (const size_t at = body.rfind(field); at != std::string::npos) body.erase(at, field.size());
  }
  const std::string who = metadata.caller + " " + metadata.session_id + " " + metadata.agent_id;
  return std::to_string(static_cast<int>(endpoint)) + " " + who + " " +
         Hash128Of(body.data(), body.size()).ToHex();
}

// Nobody waits for these: what a client asks beside its conversation.
bool IsBackground(const chat::ChatRequest& request) {
  const bool small_model = request.tools.empty() && !request.metadata.session_id.empty() &&
                           request.model.find("haiku") != std::string::npos;
  return small_model || ClassifySideRequest(request).has_value();
}

// Only where a signed thinking block can carry the note and bring it back to be dropped.
bool TakesNotes(Endpoint endpoint, const chat::ChatRequest& request) {
  return endpoint == Endpoint::kMessages && request.stream && !request.metadata.background &&
         request.thinking.mode != chat::ThinkingConfig::Mode::kDisabled;
}

void CountUnknownFields(const chat::ChatRequest& request) {
  if (request.unknown_fields.empty()) return;
  obs::Metrics::Default()
      .GetCounter("anyclaude_unknown_fields_total", "Fields of requests that have no effect here")
      .Add(static_cast<double>(request.unknown_fields.size()));
  for (const std::string& path : request.unknown_fields) {
    obs::Debug("gateway", "a field without effect", {{"path", path}});
  }
}

// Paths in the table that end in '/' match everything below them.
bool Matches(std::string_view pattern, std::string_view path) {
  if (pattern == path) return true;
  return pattern.size() > 1 && pattern.ends_with('/') && path.starts_with(pattern) &&
         path.size() > pattern.size();
}

Code CodeOfHttpStatus(int status) {
  switch (status) {
    case 408:
      return Code::kDeadlineExceeded;
    case 413:
    case 431:
      return Code::kTooLarge;
    case 503:
      return Code::kOverloaded;
    case 500:
      return Code::kInternal;
    default:
      return Code::kInvalidArgument;
  }
}

}  // namespace

const Gateway::Route Gateway::kRoutes[] = {
    {"POST", "/v1/messages", &Gateway::HandleMessages, false},
    {"POST", "/v1/messages/count_tokens", &Gateway::HandleCountTokens, false},
    {"POST", "/v1/chat/completions", &Gateway::HandleChatCompletions, false},
    {"POST", "/v1/completions", &Gateway::HandleCompletions, false},
    {"POST", "/v1/responses", &Gateway::HandleResponses, false},
    {"POST", "/v1/embeddings", &Gateway::HandleEmbeddings, false},
    {"POST", "/tokenize", &Gateway::HandleTokenize, false},
    {"POST", "/detokenize", &Gateway::HandleDetokenize, false},
    {"GET", "/v1/models", &Gateway::HandleModels, false},
    {"GET", "/v1/models/", &Gateway::HandleModel, false},
    {"GET", "/v1/anyclaude/live", &Gateway::HandleLiveView, false},
    {"GET", "/cache", &Gateway::HandleCache, false},
    {"GET", "/metrics", &Gateway::HandleMetrics, false},
    {"GET", "/health/live", &Gateway::HandleLive, true},
    {"GET", "/health/ready", &Gateway::HandleReady, true},
    {"GET", "/", &Gateway::HandleRoot, true},
};

Gateway::Gateway(GatewayOptions options, backend::Backend& backend, Clock& clock)
    : options_(std::move(options)),
      backend_(backend),
      clock_(clock),
      joined_(backend, clock, obs::Metrics::Default()),
      observers_(options_.observers) {
  observers_.push_back(&responses_);
  ticker_ = std::thread([this] { TickLoop(); });
}

Gateway::~Gateway() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.NotifyAll();
  ticker_.join();
  std::list<std::shared_ptr<ReplySession>> sessions;
  {
    MutexLock lock(mutex_);
    sessions.swap(sessions_);
  }
  for (const auto& session : sessions) session->Drop();
}

void Gateway::Handle(http::Request request, ExchangePtr exchange) {
  const Dialect dialect = DialectOfRequest(request);
  const Route* found = nullptr;
  bool path_known = false;
  // HEAD is GET without the body, which the server leaves out.
  std::string_view method = request.method;
  if (method == "HEAD") method = "GET";
  for (const Route& route : kRoutes) {
    if (!Matches(route.path, request.path)) continue;
    path_known = true;
    if (route.method == method) found = &route;
  }
  AccessPolicy policy = options_.access;
  if (found != nullptr && found->is_open) policy.api_key.clear();
  const Status access =
      CheckAccess(policy, {.host = request.headers.Get("host"),
                           .origin = request.headers.Get("origin"),
                           .x_api_key = request.headers.Get("x-api-key"),
                           .authorization = request.headers.Get("authorization")});
  if (!access.ok()) return RespondError(*exchange, dialect, access);
  const bool is_open = found != nullptr && found->is_open;
  if (!is_open && options_.forward && options_.forward(request, exchange)) return;
  if (found == nullptr && path_known) {
    return RespondError(*exchange, dialect,
                        Status(Code::kUnsupported, "[gateway] " + request.method +
                                                       " is not a method of " + request.path));
  }
  if (found == nullptr) {
    return RespondError(*exchange, dialect, NotFound("[gateway] no such path: " + request.path));
  }
  (this->*found->handler)(request, exchange);
}

http::ErrorBody Gateway::WordError(int status, std::string_view message, std::string_view path) {
  const api::ErrorReply reply = api::EncodeError(
      DialectOfPath(path), Status(CodeOfHttpStatus(status), "[http] " + std::string(message)));
  return {"application/json", reply.body};
}

// --- Routes
// ---------------------------------------------------------------------------------------

void Gateway::HandleMessages(const http::Request& request, const ExchangePtr& exchange) {
  StartReply(Endpoint::kMessages, request, exchange);
}
void Gateway::HandleChatCompletions(const http::Request& request, const ExchangePtr& exchange) {
  StartReply(Endpoint::kChatCompletions, request, exchange);
}
void Gateway::HandleCompletions(const http::Request& request, const ExchangePtr& exchange) {
  StartReply(Endpoint::kCompletions, request, exchange);
}
void Gateway::HandleResponses(const http::Request& request, const ExchangePtr& exchange) {
  StartReply(Endpoint::kResponses, request, exchange);
}

void Gateway::StartReply(Endpoint endpoint, const http::Request& request,
                         const ExchangePtr& exchange) {
  if (draining_) {
    return RespondError(*exchange, api::DialectOf(endpoint),
                        Unavailable("[gateway] the server is shutting down"));
  }
  const api::RequestHeaders headers{
      .session_id = FirstHeader(request, {"x-claude-code-session-id", "x-session-id"}),
      .agent_id = FirstHeader(request, {"x-claude-code-agent-id"}),
      .parent_agent_id = FirstHeader(request, {"x-claude-code-parent-agent-id"})};
  Result<chat::ChatRequest> parsed = api::ParseRequest(endpoint, request.body, headers);
  if (!parsed.ok()) return RespondError(*exchange, api::DialectOf(endpoint), parsed.status());
  parsed->metadata.caller = CallerName(request);
  parsed->metadata.twin = TwinName(endpoint, request, parsed->metadata);
  parsed->metadata.background = IsBackground(*parsed);
  parsed->metadata.takes_notes = TakesNotes(endpoint, *parsed);
  DropPrefillNotes(&*parsed);
  CountUnknownFields(*parsed);
  if (Status known = responses_.Continue(&*parsed); !known.ok()) {
    return RespondError(*exchange, api::DialectOf(endpoint), known);
  }
  WatchList watches(observers_, {.endpoint = endpoint,
                                 .http = request,
                                 .chat = *parsed,
                                 .wall = clock_.WallNow(),
                                 .now = clock_.Now()});
  auto session =
      std::make_shared<ReplySession>(endpoint, *parsed, exchange, clock_, std::move(watches));
  {
    MutexLock lock(mutex_);
    sessions_.push_back(session);
  }
  Stabilise(&*parsed);
  if (options_.check_streams) session->CheckStream();
  session->Start(joined_, std::move(parsed).value());
}

void Gateway::Stabilise(chat::ChatRequest* request) const {
  std::vector<Change> changes = gateway::Stabilise(options_.stabiliser, request);
  const std::vector<Change> slimmed = Slim(options_.slim, request);
  changes.insert(changes.end(), slimmed.begin(), slimmed.end());
  for (const Change& change : changes) {
    obs::Metrics::Default()
        .GetCounter("anyclaude_prompt_changes_total", "Requests that a prompt rule changed",
                    {{"rule", std::string(change.rule)}})
        .Add();
    obs::Debug("gateway", "prompt changed", {{"rule", change.rule}, {"what", change.what}});
  }
}

void Gateway::HandleCountTokens(const http::Request& request, const ExchangePtr& exchange) {
  Result<chat::ChatRequest> parsed = api::ParseRequest(Endpoint::kCountTokens, request.body);
  if (!parsed.ok()) return RespondError(*exchange, Dialect::kAnthropic, parsed.status());
  DropPrefillNotes(&*parsed);
  Stabilise(&*parsed);
  backend_.CountTokens(std::move(parsed).value(), [exchange](Result<int64_t> tokens) {
    if (!tokens.ok()) return RespondError(*exchange, Dialect::kAnthropic, tokens.status());
    RespondJson(*exchange, api::EncodeTokenCount(*tokens));
  });
}

void Gateway::HandleModels(const http::Request& request, const ExchangePtr& exchange) {
  RespondJson(*exchange, api::EncodeModelList(DialectOfRequest(request), backend_.Models()));
}

void Gateway::HandleModel(const http::Request& request, const ExchangePtr& exchange) {
  const std::string_view id =
      std::string_view(request.path).substr(std::string_view("/v1/models/").size());
  for (const api::ModelInfo& model : backend_.Models()) {
    if (model.id == id || model.id == api::ModelIdFromDiscovery(id)) {
      return RespondJson(*exchange, api::EncodeModel(DialectOfRequest(request), model));
    }
  }
  RespondError(*exchange, DialectOfRequest(request),
               NotFound("[gateway] no model " + std::string(id) + "; see /v1/models"));
}

void Gateway::HandleRoot(const http::Request& request, const ExchangePtr& exchange) {
  // Browsers ask for HTML by name; everything else gets the list of endpoints.
  if (options_.live != nullptr && request.headers.HasToken("accept", "text/html")) {
    http::Response page =
        http::Response::Make(200, "text/html; charset=utf-8", std::string(WebPage()));
    page.headers.Add("content-security-policy",
                     "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
                     "connect-src 'self'; img-src data:; frame-ancestors 'none'");
    page.headers.Add("cache-control", "no-cache");
    return exchange->Respond(page);
  }
  const json::Object about{{"name", "anyclaude"},
                           {"version", options_.version},
                           {"endpoints",
                            {"/v1/messages", "/v1/messages/count_tokens", "/v1/chat/completions",
                             "/v1/completions", "/v1/responses", "/tokenize", "/detokenize",
                             "/v1/models", "/cache", "/health/live", "/health/ready", "/metrics"}}};
  RespondJson(*exchange, json::WritePretty(about) + "\n");
}

void Gateway::HandleLiveView(const http::Request& request, const ExchangePtr& exchange) {
  if (options_.live == nullptr) {
    return RespondError(*exchange, DialectOfRequest(request),
                        NotFound("[gateway] no such path: " + request.path));
  }
  RespondJson(*exchange, options_.live->Snapshot());
}

void Gateway::HandleCache(const http::Request& request, const ExchangePtr& exchange) {
  if (options_.live == nullptr) {
    return RespondError(*exchange, DialectOfRequest(request),
                        NotFound("[gateway] no such path: " + request.path));
  }
  RespondJson(*exchange, options_.live->CacheSnapshot());
}

void Gateway::HandleLive(const http::Request&, const ExchangePtr& exchange) {
  RespondJson(*exchange, R"({"status":"live"})");
}

void Gateway::HandleReady(const http::Request&, const ExchangePtr& exchange) {
  if (!draining_) return RespondJson(*exchange, R"({"status":"ready"})");
  exchange->Respond(http::Response::Make(503, "application/json", R"({"status":"draining"})"));
}

void Gateway::HandleMetrics(const http::Request&, const ExchangePtr& exchange) {
  exchange->Respond(http::Response::Make(200, "text/plain; version=0.0.4; charset=utf-8",
                                         obs::Metrics::Default().RenderPrometheus()));
}

// --- The ticker
// -----------------------------------------------------------------------------------

void Gateway::TickLoop() {
  while (true) {
    std::list<std::shared_ptr<ReplySession>> over;
    std::list<std::shared_ptr<ReplySession>> running;
    {
      MutexLock lock(mutex_);
      if (!stopping_) wake_.WaitFor(mutex_, options_.tick);
      if (stopping_) return;
      for (auto it = sessions_.begin(); it != sessions_.end();) {
        const auto here = it++;
        if ((*here)->done()) {
          over.splice(over.end(), sessions_, here);
        } else {
          running.push_back(*here);
        }
      }
    }
    for (const auto& session : over) session->Drop();
    for (const auto& session : running) session->Tick(options_.ping_interval);
  }
}

}  // namespace ac::gateway
