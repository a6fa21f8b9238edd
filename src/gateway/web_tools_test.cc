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

// As SearXNG documents its reply.
constexpr const char* kSearxngReply = R"({"query":"q","results":[
  {"url":"https://a.example","title":"A","content":"about a","publishedDate":"2026-01-01"},
  {"url":"https://b.example","title":"B","content":"about b"}]})";
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
        inner_,
        WebOptions{.search = {.service = web::SearchService::kSearxng, .url = search_->url()},
                   .fetch = {}},
        metrics_);
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

// A site on this machine, and a gateway that may fetch from it.
class WebFetchTest : public ::testing::Test {
 protected:
  void SetUp() override {
    site_ = ac::testing::Serve(
        [this](const http::Request& request, const ac::testing::ExchangePtr& exchange) {
          ++fetches_;
          exchange->Respond(http::Response::Make(
              200, "text/html", "<title>Cats</title><p>All about " + request.path));
        });
    Open({.enabled = true, .allow_private = true});
  }
  void TearDown() override {
    tools_.reset();
    site_->Shutdown(std::chrono::milliseconds(0));
  }
  void Open(web::FetchOptions options) {
    tools_ = std::make_unique<WebTools>(
        inner_, WebOptions{.search = {}, .fetch = std::move(options)}, metrics_);
  }
  static chat::ChatRequest Asking(const std::string& text) {
    chat::ChatRequest request = gateway::Asking(text);
    request.tools[1] = {.name = "web_fetch",
                        .type = "web_fetch_20250910",
                        .json = R"({"type":"web_fetch_20250910","name":"web_fetch","max_uses":2,)"
                                R"("blocked_domains":["blocked.example"]})"};
    return request;
  }
  // The model fetches `url`, then says goodbye.
  std::shared_ptr<WaitingSink> Fetch(const std::string& question, const std::string& url) {
    inner_.replies = {
        PlayedBackend::Calling("toolu_1", "web_fetch", json::Write(json::Object{{"url", url}})),
        PlayedBackend::Saying("bye")};
    auto sink = std::make_shared<WaitingSink>();
    call_ = tools_->Start(Asking(question), sink);
    sink->Wait();
    return sink;
  }
  // What the client keeps of the fetch.
  static json::Value Told(const std::vector<chat::ChatEvent>& events) {
    for (const chat::ChatEvent& event : events) {
      const auto* start = event.As<chat::BlockStart>();
      const auto* result = start ? start->block.As<chat::ServerToolResult>() : nullptr;
      if (result == nullptr) continue;
      EXPECT_EQ(result->type, "web_fetch_tool_result");
      return *json::Parse(result->content);
    }
    ADD_FAILURE() << "no result";
    return nullptr;
  }
  // What the model reads of it.
  std::string Read() {
    const std::vector<chat::ChatRequest> requests = inner_.requests();
    const auto* result = requests.at(1).messages[2].blocks[0].As<chat::ToolResult>();
    return result == nullptr ? "" : chat::JoinText(result->content, "");
  }

  PlayedBackend inner_;
  obs::Metrics metrics_;
  std::atomic<int> fetches_{0};
  std::unique_ptr<http::Server> site_;
  std::unique_ptr<WebTools> tools_;
  std::unique_ptr<backend::Call> call_;
};

TEST_F(WebFetchTest, APageThatTheUserNamedIsReadAndTheModelGoesOn) {
  const std::string url = site_->url() + "/cats";
  const auto sink = Fetch("what does " + url + " say?", url);
  EXPECT_EQ(sink->Text(), "bye");
  EXPECT_TRUE(api::CheckEvents(sink->events(), {}).ok()) << api::CheckEvents(sink->events(), {});
  const json::Value told = Told(sink->events());
  EXPECT_EQ(json::GetString(told, "type"), "web_fetch_result");
  EXPECT_EQ(json::GetString(told, "url"), url);
  const json::Value* document = json::Find(told, "content");
  ASSERT_NE(document, nullptr);
  EXPECT_EQ(json::GetString(*document, "type"), "document");
  EXPECT_EQ(json::GetString(*document, "title"), "Cats");
  EXPECT_EQ(json::GetString(*json::Find(*document, "source"), "data"), "All about /cats");
  EXPECT_EQ(Read(), "Cats\n" + url + "\n\nAll about /cats");
  EXPECT_EQ(fetches_, 1);
}

TEST_F(WebFetchTest, AnAddressThatNobodyNamedIsNotFetched) {
  const auto sink = Fetch("see " + site_->url() + "/cats", site_->url() + "/?secret=1");
  EXPECT_EQ(json::GetString(Told(sink->events()), "error_code"), "url_not_in_prior_context");
  EXPECT_EQ(sink->Text(), "bye");
  EXPECT_EQ(fetches_, 0);
}

TEST_F(WebFetchTest, ThisMachineIsRefusedUnlessAllowed) {
  Open({.enabled = true});
  const std::string url = site_->url() + "/cats";
  const auto sink = Fetch("see " + url, url);
  const json::Value told = Told(sink->events());
  EXPECT_EQ(json::GetString(told, "type"), "web_fetch_tool_result_error");
  EXPECT_EQ(json::GetString(told, "error_code"), "url_not_allowed");
  EXPECT_NE(Read().find("not to the internet"), std::string::npos) << Read();
  EXPECT_EQ(fetches_, 0);
}

TEST_F(WebFetchTest, TheClientsRulesAndABadAddressAreErrorsOfTheApi) {
  auto sink = Fetch("see http://blocked.example/x", "http://blocked.example/x");
  EXPECT_EQ(json::GetString(Told(sink->events()), "error_code"), "url_not_allowed");
  inner_.started = 0;
  sink = Fetch("see it", "");
  EXPECT_EQ(json::GetString(Told(sink->events()), "error_code"), "invalid_tool_input");
}

}  // namespace
}  // namespace ac::gateway
