// Asks a search service: SearXNG, Brave or Tavily.
//
// What is asked and how answers are read are pure functions; WebSearcher adds the HTTP client.
// Thread-safe.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "http/client.h"

namespace ac::web {

enum class SearchService { kOff, kSearxng, kBrave, kTavily };
Result<SearchService> ParseSearchService(std::string_view name);  // off, searxng, brave, tavily

struct SearchOptions {
  SearchService service = SearchService::kOff;
  std::string url;  // of a SearXNG server; of the others: empty, or another address than theirs
  std::string key;  // of Brave and Tavily
  int max_results = 5;
};

struct SearchHit {
  std::string url;
  std::string title;
  std::string text;  // what the service shows of the page
  std::string age;   // "2 days ago", a date; may be empty
};

// Names what is missing: an address, a key.
Status CheckSearchOptions(const SearchOptions& options);
http::ClientRequest SearchRequest(const SearchOptions& options, const std::string& query);
// Failure: kUnavailable with what the service said.
Result<std::vector<SearchHit>> ReadSearchReply(const SearchOptions& options, int status,
                                               std::string_view body);

class WebSearcher {
 public:
  using Done = std::function<void(Result<std::vector<SearchHit>>)>;

  explicit WebSearcher(SearchOptions options) : options_(std::move(options)) {}

  // `done` is called once, on the client's thread, unless the Call is destroyed before.
  [[nodiscard]] http::Call Search(const std::string& query, Done done);

 private:
  const SearchOptions options_;
  http::Client client_;
};

}  // namespace ac::web
