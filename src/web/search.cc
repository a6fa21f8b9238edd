#include "web/search.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "json/json.h"

namespace ac::web {
namespace {

constexpr std::string_view kBrave = "https://api.search.brave.com";
constexpr std::string_view kTavily = "https://api.tavily.com";
constexpr size_t kMaxReplyBytes = size_t{4} << 20;
constexpr size_t kMaxTextBytes = 2000;
constexpr std::chrono::seconds kTimeLimit{20};

std::string BaseUrl(const SearchOptions& options) {
  std::string url = options.url;
  if (url.empty() && options.service == SearchService::kBrave) url = kBrave;
  if (url.empty() && options.service == SearchService::kTavily) url = kTavily;
  while (url.ends_with('/')) url.pop_back();
  return url;
}

std::string Field(const json::Value& entry, std::string_view name) {
  return std::string(json::GetString(entry, name).value_or(""));
}

const json::Array* ResultsOf(SearchService service, const json::Value& reply) {
  if (service == SearchService::kBrave) {
    const json::Value* web = json::Find(reply, "web");
    return web == nullptr ? nullptr : json::AsArray(json::Find(*web, "results"));
  }
  return json::AsArray(json::Find(reply, "results"));
}

std::string Shortened(std::string text) {
  if (text.size() <= kMaxTextBytes) return text;
  size_t end = kMaxTextBytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end) + "...";
}

}  // namespace

Result<SearchService> ParseSearchService(std::string_view name) {
  if (name == "off") return SearchService::kOff;
  if (name == "searxng") return SearchService::kSearxng;
  if (name == "brave") return SearchService::kBrave;
  if (name == "tavily") return SearchService::kTavily;
  return InvalidArgument("[config] web.search takes off, searxng, brave or tavily, not \"" +
                         std::string(name) + "\"");
}

Status CheckSearchOptions(const SearchOptions& options) {
  if (options.service == SearchService::kSearxng && options.url.empty()) {
    return InvalidArgument("[config] web.search searxng needs web.searxng_url (or SEARXNG_URL)");
  }
  if (options.service == SearchService::kBrave && options.key.empty()) {
    return InvalidArgument("[config] web.search brave needs web.brave_key (or BRAVE_API_KEY)");
  }
  if (options.service == SearchService::kTavily && options.key.empty()) {
    return InvalidArgument("[config] web.search tavily needs web.tavily_key (or TAVILY_API_KEY)");
  }
  return OkStatus();
}

http::ClientRequest SearchRequest(const SearchOptions& options, const std::string& query) {
  http::ClientRequest request;
  request.headers.Add("accept", "application/json");
  request.max_body_bytes = kMaxReplyBytes;
  request.timeouts = http::ClientTimeouts{.total = kTimeLimit};
  const std::string base = BaseUrl(options);
  const std::string encoded = http::PercentEncode(query);
  switch (options.service) {
    case SearchService::kOff:
      break;
    case SearchService::kSearxng:
      request.url = base + "/search?format=json&q=" + encoded;
      break;
    case SearchService::kBrave:
      request.url = base + "/res/v1/web/search?count=" + std::to_string(options.max_results) +
                    "&q=" + encoded;
      request.headers.Add("x-subscription-token", options.key);
      break;
    case SearchService::kTavily:
      request.method = "POST";
      request.url = base + "/search";
      request.headers.Add("authorization", "Bearer " + options.key);
      request.headers.Add("content-type", "application/json");
      request.body =
          json::Write(json::Object{{"query", query}, {"max_results", options.max_results}});
      break;
  }
  return request;
}

Result<std::vector<SearchHit>> ReadSearchReply(const SearchOptions& options, int status,
                                               std::string_view body) {
  if (status != 200) {
    std::string hint;
    if (status == 401 || status == 403) hint = "; is the key right?";
    if (status == 403 && options.service == SearchService::kSearxng) {
      hint = "; its settings must list json under search.formats";
    }
    if (status == 429) hint = "; too many searches";
    return Unavailable("[web] the search service answered " + std::to_string(status) + hint);
  }
  const Result<json::Value> reply = json::Parse(body);
  if (!reply.ok()) return Unavailable("[web] the search service did not answer with JSON");
  std::vector<SearchHit> hits;
  const json::Array* results = ResultsOf(options.service, *reply);
  if (results == nullptr) return hits;  // nothing was found
  const bool is_brave = options.service == SearchService::kBrave;
  for (const json::Value& entry : *results) {
    if (hits.size() >= static_cast<size_t>(std::max(options.max_results, 1))) break;
    SearchHit hit{.url = Field(entry, "url"),
                  .title = Field(entry, "title"),
                  .text = Shortened(Field(entry, is_brave ? "description" : "content")),
                  .age = Field(entry, is_brave ? "age" : "publishedDate")};
    if (!hit.url.empty()) hits.push_back(std::move(hit));
  }
  return hits;
}

http::Call WebSearcher::Search(const std::string& query, Done done) {
  struct Reply {
    int status = 0;
    std::string body;
  };
  auto reply = std::make_shared<Reply>();
  return client_.Start(
      SearchRequest(options_, query),
      {.on_headers = [reply](const http::Response& head) { reply->status = head.status; },
       .on_data = [reply](std::string_view bytes) { reply->body += bytes; },
       .on_done =
           [this, reply, done = std::move(done)](const Status& status) {
             if (!status.ok()) {
               done(Unavailable("[web] the search service cannot be reached: " + status.message()));
             } else {
               done(ReadSearchReply(options_, reply->status, reply->body));
             }
           }});
}

}  // namespace ac::web
