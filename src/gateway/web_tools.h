// Runs the web search and the fetching of pages that a client expects of the server, when the model
// behind us has none.
//
// A Backend around another. A request that offers the server tools web_search or web_fetch reaches
// the inner backend with ordinary tools of those names; when the model calls one, it runs here, the
// client sees server_tool_use and *_tool_result blocks, and the model goes on with the results at
// the end of its prompt: what came before stays in the prefix cache. All rounds make one message.
// Off unless configured. Thread-safe.
#pragma once

#include <memory>
#include <string>

#include "backend/backend.h"
#include "gateway/server_tools.h"
#include "obs/metrics.h"
#include "web/fetch.h"
#include "web/search.h"

namespace ac::gateway {

struct WebOptions {
  web::SearchOptions search;
  web::FetchOptions fetch;
  bool any() const { return fetch.enabled || search.service != web::SearchService::kOff; }
};

class WebTools : public backend::Backend {
 public:
  // `inner` and `metrics` must outlive this object.
  WebTools(backend::Backend& inner, WebOptions options, obs::Metrics& metrics);
  ~WebTools() override;

  std::unique_ptr<backend::Call> Start(chat::ChatRequest request,
                                       std::shared_ptr<chat::ChatSink> sink) override;
  void CountTokens(chat::ChatRequest request, std::function<void(Result<int64_t>)> done) override;
  std::vector<api::ModelInfo> Models() const override;

 private:
  class Conversation;
  class Handle;
  class RoundSink;
  // Of one tool.
  struct Counters {
    obs::Counter calls;
    obs::Counter failures;
  };

  OfferedTools Take(chat::ChatRequest* request) const;

  backend::Backend& inner_;
  const bool searches_;
  const bool fetches_;
  const Counters search_counters_;
  const Counters fetch_counters_;
  web::WebSearcher searcher_;
  web::PageFetcher fetcher_;
};

}  // namespace ac::gateway
