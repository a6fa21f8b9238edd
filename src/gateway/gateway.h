// The HTTP face: checks access, finds the route, parses the dialect, starts a reply.
//
// Handle() is the http::Handler; it runs on I/O threads and never blocks. A ticker thread keeps
// silent streams alive with pings and forgets replies that are over. Thread-safe.
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "api/api.h"
#include "backend/backend.h"
#include "backend/joined_replies.h"
#include "backend/text_tools.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "gateway/access.h"
#include "gateway/live_view.h"
#include "gateway/observer.h"
#include "gateway/reply_session.h"
#include "gateway/response_store.h"
#include "gateway/stabiliser.h"
#include "http/server.h"

namespace ac::gateway {

struct GatewayOptions {
  AccessPolicy access;
  // Clients give up on streams that are silent for minutes; real ping events every few seconds also
  // show proxies that the connection lives.
  Nanos ping_interval = std::chrono::seconds(5);
  Nanos tick = std::chrono::milliseconds(250);
  std::string version;
  LiveView* live = nullptr;  // shown at /; must outlive the gateway. Null: no page
  StabiliserRules stabiliser;
  SlimRules slim;
  std::vector<RequestObserver*> observers;  // must outlive the gateway
  // Answers a request as it is, on behalf of the routes that need a key; false: the routes do.
  std::function<bool(const http::Request&, const std::shared_ptr<http::Exchange>&)> forward;
  bool check_streams = false;                // judge every stream by its rules (stream_guard.h)
  backend::TextTools* text_tools = nullptr;  // null: no tokenizer here; must outlive the gateway
};

class Gateway {
 public:
  // Backend and clock must outlive the gateway.
  Gateway(GatewayOptions options, backend::Backend& backend, Clock& clock = Clock::Real());
  // Drops every running reply.
  ~Gateway();
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  void Handle(http::Request request, std::shared_ptr<http::Exchange> exchange);

  // From now on /health/ready is 503 and new replies are refused; those that run go on.
  void StartDraining() { draining_ = true; }

  // Words the HTTP server's own errors (413, 408, ...) in the dialect of the path.
  static http::ErrorBody WordError(int status, std::string_view message, std::string_view path);

 private:
  using ExchangePtr = std::shared_ptr<http::Exchange>;
  using Handler = void (Gateway::*)(const http::Request&, const ExchangePtr&);
  struct Route {
    std::string_view method;
    std::string_view path;
    Handler handler;
    bool is_open;  // answered without a key: liveness probes
  };
  static const Route kRoutes[];

  void HandleMessages(const http::Request& request, const ExchangePtr& exchange);
  void HandleCountTokens(const http::Request& request, const ExchangePtr& exchange);
  void HandleChatCompletions(const http::Request& request, const ExchangePtr& exchange);
  void HandleCompletions(const http::Request& request, const ExchangePtr& exchange);
  void HandleResponses(const http::Request& request, const ExchangePtr& exchange);
  void HandleEmbeddings(const http::Request& request, const ExchangePtr& exchange);
  void HandleTokenize(const http::Request& request, const ExchangePtr& exchange);
  void HandleDetokenize(const http::Request& request, const ExchangePtr& exchange);
  void HandleModels(const http::Request& request, const ExchangePtr& exchange);
  void HandleModel(const http::Request& request, const ExchangePtr& exchange);
  void HandleRoot(const http::Request& request, const ExchangePtr& exchange);
  void HandleLiveView(const http::Request& request, const ExchangePtr& exchange);
  void HandleCache(const http::Request& request, const ExchangePtr& exchange);
  void HandleLive(const http::Request& request, const ExchangePtr& exchange);
  void HandleReady(const http::Request& request, const ExchangePtr& exchange);
  void HandleMetrics(const http::Request& request, const ExchangePtr& exchange);

  void StartReply(api::Endpoint endpoint, const http::Request& request,
                  const ExchangePtr& exchange);
  // Applies the rules that keep prompts stable and small.
  void Stabilise(chat::ChatRequest* request) const;
  void TickLoop();

  const GatewayOptions options_;
  backend::Backend& backend_;
  Clock& clock_;
  backend::JoinedReplies joined_;
  ResponseStore responses_;
  std::vector<RequestObserver*> observers_;

  std::atomic<bool> draining_{false};
  Mutex mutex_;
  CondVar wake_;
  std::list<std::shared_ptr<ReplySession>> sessions_ AC_GUARDED_BY(mutex_);
  bool stopping_ AC_GUARDED_BY(mutex_) = false;
  std::thread ticker_;
};

}  // namespace ac::gateway
