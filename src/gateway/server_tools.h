// The tools that a client expects its server to run (web_search, web_fetch), as a model sees them
// and as the client reads their results. Pure functions.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/status.h"
#include "chat/chat.h"
#include "web/fetch.h"
#include "web/search.h"

namespace ac::gateway {

inline constexpr std::string_view kSearchTool = "web_search";
inline constexpr std::string_view kFetchTool = "web_fetch";

// A server tool of a request that the gateway will run.
struct OfferedTool {
  int64_t uses_left = 5;
  web::FetchRules rules;  // of web_fetch
};
using OfferedTools = std::map<std::string, OfferedTool, std::less<>>;  // by name

// The inner request: server blocks of the history become ordinary tool calls and results, server
// tools that are run here ordinary ones. Empty when the request offers none of them.
OfferedTools TakeServerTools(bool searches, bool fetches, chat::ChatRequest* request);

// The query of Claude Code's search request, whose only tool is the search; empty for any other.
std::string DirectQuery(const chat::ChatRequest& request);

// Whether a user, a tool or an earlier result has named the address: a model that follows
// instructions of a page must not carry what it knows to an address of the page's making.
bool IsAddressKnown(const chat::ChatRequest& request, std::string_view url);

// What became of a call: as the client keeps it and as the model reads it.
struct ServerResult {
  std::string type;     // "web_search_tool_result"
  std::string content;  // JSON
  std::string readable;
  bool failed = false;
};
ServerResult SearchResult(const Result<std::vector<web::SearchHit>>& hits);
ServerResult FetchResult(const web::FetchOutcome& outcome);

}  // namespace ac::gateway
