// Runs the web search that a client expects of the server, when the model behind us has none.
//
// A Backend around another. A request that offers the server tool web_search reaches the inner
// backend with an ordinary tool of that name; when the model calls it, the search runs here, the
// client sees server_tool_use and web_search_tool_result blocks, and the model goes on with the
// results at the end of its prompt: what came before stays in the prefix cache. All rounds make one
// message. Off unless a search service is configured. Thread-safe.
#pragma once

#include <memory>
#include <string>

#include "backend/backend.h"
#include "gateway/web_search.h"
#include "obs/metrics.h"

namespace ac::gateway {

// The inner request: server blocks of the history become ordinary tool calls and results, the
// server tool an ordinary one. False when the request offers no web search.
bool TranslateWebSearch(chat::ChatRequest* request, int64_t* max_uses);

// The query of Claude Code's search request, whose only tool is the search; empty for any other.
std::string DirectQuery(const chat::ChatRequest& request);

class WebTools : public backend::Backend {
 public:
  // `inner` and `metrics` must outlive this object.
  WebTools(backend::Backend& inner, SearchOptions options, obs::Metrics& metrics);
  ~WebTools() override;

  std::unique_ptr<backend::Call> Start(chat::ChatRequest request,
                                       std::shared_ptr<chat::ChatSink> sink) override;
  void CountTokens(chat::ChatRequest request, std::function<void(Result<int64_t>)> done) override;
  std::vector<api::ModelInfo> Models() const override;

 private:
  class Conversation;
  class Handle;
  class RoundSink;

  backend::Backend& inner_;
  const obs::Counter searches_;
  const obs::Counter failures_;
  WebSearcher searcher_;
};

}  // namespace ac::gateway
