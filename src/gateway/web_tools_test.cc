#include "gateway/web_tools.h"

#include <gtest/gtest.h>

#include "api/stream_checker.h"
#include "json/json.h"
#include "support/http_server.h"
#include "support/played_backend.h"

namespace ac::gateway {
namespace {

using ac::testing::PlayedBackend;
using ac::testing::WaitingSink;

chat::ChatRequest Asking(const std::string& text) {
  chat::ChatRequest request;
  request.model = "m";
  request.messages = {{chat::Role::kUser, {{.value = chat::Text{text}}}}};
  request.tools = {{.name = "Bash", .input_schema = "{}"},
                   {.name = "web_search",
                    .type = "web_search_20250305",
                    .json = R"({"type":"web_search_20250305","name":"web_search","max_uses":2})"}};
  return request;
}

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

TEST(WebTools, TheServerToolBecomesAnOrdinaryOne) {
  chat::ChatRequest request = Asking("hi");
  int64_t uses = 0;
  ASSERT_TRUE(TranslateWebSearch(&request, &uses));
  EXPECT_EQ(uses, 2);
  EXPECT_EQ(request.tools[1].type, "");
  EXPECT_TRUE(json::Parse(request.tools[1].input_schema).ok());
  request.tools.pop_back();
  EXPECT_FALSE(TranslateWebSearch(&request, &uses));
}

TEST(WebTools, ServerBlocksOfTheHistoryBecomeOrdinaryTurns) {
  chat::ChatRequest request = Asking("hi");
  request.messages.push_back(
      {chat::Role::kAssistant,
       {{.value = chat::Text{"let me look"}},
        {.value = chat::ServerToolUse{"srvtoolu_1", "web_search", R"({"query":"q"})"}},
        {.value =
             chat::ServerToolResult{"web_search_tool_result", "srvtoolu_1",
                                    R"([{"title":"A","url":"u","encrypted_content":"text"}])"}},
        {.value = chat::Text{"found"}}}});
  int64_t uses = 0;
  TranslateWebSearch(&request, &uses);
  ASSERT_EQ(request.messages.size(), 4u);
  EXPECT_EQ(request.messages[1].blocks.size(), 2u);
  EXPECT_NE(request.messages[1].blocks[1].As<chat::ToolUse>(), nullptr);
  EXPECT_EQ(request.messages[2].role, chat::Role::kUser);
  const auto* result = request.messages[2].blocks[0].As<chat::ToolResult>();
  ASSERT_NE(result, nullptr);
  EXPECT_NE(chat::JoinText(result->content, "").find("text"), std::string::npos);
  EXPECT_EQ(request.messages[3].role, chat::Role::kAssistant);
}

// A local server that behaves like SearXNG.
class WebToolsTest : public ::testing::Test {
 protected:
  void Open(int status = 200, const std::string& body = kSearxngReply) {
    search_ = ac::testing::Serve([this, status, body](const http::Request& request,
                                                      const ac::testing::ExchangePtr& exchange) {
      {
        MutexLock lock(mutex_);
        queries_.push_back(std::string(request.QueryParam("q").value_or("")));
      }
      exchange->Respond(http::Response::Make(status, "application/json", body));
    });
    tools_ = std::make_unique<WebTools>(
        inner_, SearchOptions{.service = SearchService::kSearxng, .url = search_->url()}, metrics_);
  }
  void TearDown() override {
    tools_.reset();
    if (search_ != nullptr) search_->Shutdown(std::chrono::milliseconds(0));
  }
  std::vector<std::string> queries() {
    MutexLock lock(mutex_);
    return queries_;
  }
  static std::string Kinds(const std::vector<chat::ChatEvent>& events) {
    std::string kinds;
    for (const chat::ChatEvent& event : events) {
      const auto* start = event.As<chat::BlockStart>();
      if (start == nullptr) continue;
      const chat::Block& block = start->block;
      kinds += std::to_string(start->index);
      kinds += block.As<chat::Text>()               ? ":text "
               : block.As<chat::ServerToolUse>()    ? ":search "
               : block.As<chat::ServerToolResult>() ? ":result "
               : block.As<chat::ToolUse>()          ? ":tool "
                                                    : ":? ";
    }
    return kinds;
  }

  PlayedBackend inner_;
  obs::Metrics metrics_;
  std::unique_ptr<http::Server> search_;
  std::unique_ptr<WebTools> tools_;
  Mutex mutex_;
  std::vector<std::string> queries_ AC_GUARDED_BY(mutex_);
};

TEST_F(WebToolsTest, ASearchOfTheModelRunsHereAndTheModelGoesOn) {
  inner_.replies = {
      PlayedBackend::Calling("toolu_1", "web_search", R"({"query":"cats"})"),
      PlayedBackend::Saying("cats are nice", {.input_tokens = 5, .output_tokens = 3})};
  Open();
  auto sink = std::make_shared<WaitingSink>();
  const auto call = tools_->Start(Asking("what are cats?"), sink);
  const chat::Reply& reply = sink->Wait();
  EXPECT_TRUE(reply.complete);
  EXPECT_EQ(sink->Text(), "cats are nice");
  EXPECT_EQ(Kinds(sink->events()), "0:search 1:result 2:text ");
  EXPECT_TRUE(api::CheckEvents(sink->events(), {}).ok()) << api::CheckEvents(sink->events(), {});
  EXPECT_EQ(queries(), std::vector<std::string>{"cats"});
  EXPECT_EQ(reply.choices[0].stop_reason, chat::StopReason::kEndTurn);
  EXPECT_EQ(reply.usage.output_tokens, 3);

  const auto requests = inner_.requests();
  ASSERT_EQ(requests.size(), 2u);
  // The results come at the end: what the first round sent is the beginning of the second.
  ASSERT_EQ(requests[1].messages.size(), 3u);
  const auto* result = requests[1].messages[2].blocks[0].As<chat::ToolResult>();
  ASSERT_NE(result, nullptr);
  EXPECT_EQ(result->tool_use_id, "toolu_1");
  EXPECT_NE(chat::JoinText(result->content, "").find("about a"), std::string::npos);
}

TEST_F(WebToolsTest, TheClientsOwnSearchRequestIsSearchedAtOnce) {
  inner_.replies = {PlayedBackend::Saying("summary")};
  Open();
  chat::ChatRequest request = Asking("Perform a web search for the query: dogs 2026");
  request.tools.erase(request.tools.begin());
  auto sink = std::make_shared<WaitingSink>();
  const auto call = tools_->Start(request, sink);
  sink->Wait();
  EXPECT_EQ(Kinds(sink->events()), "0:search 1:result 2:text ");
  EXPECT_EQ(queries(), std::vector<std::string>{"dogs 2026"});
  EXPECT_EQ(inner_.started, 1);
}

TEST_F(WebToolsTest, AServiceThatFailsIsToldToClientAndModel) {
  inner_.replies = {PlayedBackend::Calling("toolu_1", "web_search", R"({"query":"cats"})"),
                    PlayedBackend::Saying("sorry")};
  Open(500, "oops");
  auto sink = std::make_shared<WaitingSink>();
  const auto call = tools_->Start(Asking("cats?"), sink);
  sink->Wait();
  EXPECT_EQ(sink->Text(), "sorry");
  bool told = false;
  for (const chat::ChatEvent& event : sink->events()) {
    const auto* start = event.As<chat::BlockStart>();
    const auto* result = start ? start->block.As<chat::ServerToolResult>() : nullptr;
    told = told || (result != nullptr && result->content.find("unavailable") != std::string::npos);
  }
  EXPECT_TRUE(told);
  EXPECT_TRUE(inner_.requests()[1].messages[2].blocks[0].As<chat::ToolResult>()->is_error);
}

TEST_F(WebToolsTest, AModelThatOnlySearchesIsStopped) {
  inner_.replies = {PlayedBackend::Calling("toolu_1", "web_search", R"({"query":"1"})"),
                    PlayedBackend::Calling("toolu_2", "web_search", R"({"query":"2"})"),
                    PlayedBackend::Saying("enough")};
  Open();
  auto sink = std::make_shared<WaitingSink>();
  const auto call = tools_->Start(Asking("cats?"), sink);  // max_uses 2
  EXPECT_EQ(sink->Text(), "enough");
  const auto requests = inner_.requests();
  ASSERT_EQ(requests.size(), 3u);
  EXPECT_EQ(requests[1].tools.size(), 2u);
  EXPECT_EQ(requests[2].tools.size(), 1u) << "no third search is offered";
}

TEST_F(WebToolsTest, ToolsOfTheClientAreTheClients) {
  inner_.replies = {PlayedBackend::Calling("toolu_1", "Bash", R"({"command":"ls"})")};
  Open();
  auto sink = std::make_shared<WaitingSink>();
  const auto call = tools_->Start(Asking("list"), sink);
  EXPECT_EQ(sink->Wait().choices[0].stop_reason, chat::StopReason::kToolUse);
  EXPECT_EQ(Kinds(sink->events()), "0:tool ");
  EXPECT_TRUE(queries().empty());
}

TEST_F(WebToolsTest, ACallThatIsDroppedEndsItsSearch) {
  inner_.replies = {PlayedBackend::Calling("toolu_1", "web_search", R"({"query":"cats"})"),
                    PlayedBackend::Saying("late")};
  Open();
  for (int i = 0; i < 20; ++i) {
    auto sink = std::make_shared<WaitingSink>();
    tools_->Start(Asking("cats?"), sink).reset();
    const size_t seen = sink->events().size();
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    EXPECT_EQ(sink->events().size(), seen);
  }
}

}  // namespace
}  // namespace ac::gateway
