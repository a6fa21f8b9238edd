#include "web/search.h"

#include <gtest/gtest.h>

#include "json/json.h"

namespace ac::web {
namespace {

// What each service documents as its reply.
constexpr const char* kSearxngReply = R"({"query":"q","results":[
  {"url":"https://a.example","title":"A","content":"about a","publishedDate":"2026-01-01"},
  {"url":"https://b.example","title":"B","content":"about b"}]})";
constexpr const char* kBraveReply = R"({"web":{"results":[
  {"url":"https://a.example","title":"A","description":"about a","age":"2 days ago"}]}})";
constexpr const char* kTavilyReply = R"({"query":"q","results":[
  {"url":"https://a.example","title":"A","content":"about a","score":0.9}]})";

TEST(WebSearch, EachServiceIsAskedAsItWants) {
  const auto searxng = SearchRequest(
      {.service = SearchService::kSearxng, .url = "http://127.0.0.1:8080/"}, "c++ & more");
  EXPECT_EQ(searxng.url, "http://127.0.0.1:8080/search?format=json&q=c%2B%2B%20%26%20more");
  const auto brave = SearchRequest({.service = SearchService::kBrave, .key = "k"}, "q");
  EXPECT_EQ(brave.url, "https://api.search.brave.com/res/v1/web/search?count=5&q=q");
  EXPECT_EQ(brave.headers.Get("x-subscription-token"), "k");
  const auto tavily = SearchRequest({.service = SearchService::kTavily, .key = "k"}, "q \"x\"");
  EXPECT_EQ(tavily.method, "POST");
  EXPECT_EQ(tavily.headers.Get("authorization"), "Bearer k");
  EXPECT_EQ(json::GetString(*json::Parse(tavily.body), "query"), "q \"x\"");
}

TEST(WebSearch, EachServicesReplyIsRead) {
  const std::pair<SearchService, const char*> cases[] = {{SearchService::kSearxng, kSearxngReply},
                                                         {SearchService::kBrave, kBraveReply},
                                                         {SearchService::kTavily, kTavilyReply}};
  for (const auto& [service, body] : cases) {
    const auto hits = ReadSearchReply({.service = service}, 200, body);
    ASSERT_TRUE(hits.ok()) << hits.status();
    ASSERT_GE(hits->size(), 1u);
    EXPECT_EQ((*hits)[0].url, "https://a.example");
    EXPECT_EQ((*hits)[0].title, "A");
    EXPECT_EQ((*hits)[0].text, "about a");
  }
  EXPECT_EQ(
      ReadSearchReply({.service = SearchService::kSearxng, .max_results = 1}, 200, kSearxngReply)
          ->size(),
      1u);
  EXPECT_TRUE(ReadSearchReply({.service = SearchService::kBrave}, 200, "{}")->empty());
}

TEST(WebSearch, FailuresSayWhatToDo) {
  const SearchOptions searxng{.service = SearchService::kSearxng};
  EXPECT_NE(ReadSearchReply(searxng, 403, "").status().message().find("search.formats"),
            std::string::npos);
  EXPECT_NE(
      ReadSearchReply({.service = SearchService::kBrave}, 401, "").status().message().find("key"),
      std::string::npos);
  EXPECT_FALSE(ReadSearchReply(searxng, 200, "<html>").ok());
  EXPECT_NE(CheckSearchOptions(searxng).message().find("web.searxng_url"), std::string::npos);
  EXPECT_NE(CheckSearchOptions({.service = SearchService::kTavily}).message().find("tavily_key"),
            std::string::npos);
  EXPECT_FALSE(ParseSearchService("google").ok());
}

}  // namespace
}  // namespace ac::web
