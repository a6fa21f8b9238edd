#include "gateway/side_requests.h"

#include <gtest/gtest.h>

#include "api/stream_checker.h"
#include "json/json.h"
#include "support/played_backend.h"

namespace ac::gateway {
namespace {

using ac::testing::PlayedBackend;
using ac::testing::WaitingSink;

chat::ChatRequest SideAsk(const std::string& text) {
  chat::ChatRequest request;
  request.model = "m";
  request.messages = {{chat::Role::kUser, {{.value = chat::Text{text}}}}};
  return request;
}

chat::ChatRequest Quota() {
  auto request = SideAsk("quota");
  request.max_tokens = 1;
  return request;
}

chat::ChatRequest Title(const std::string& text) {
  auto request = SideAsk(text);
  request.response_format = {
      .kind = chat::ResponseFormat::Kind::kJsonSchema,
      .schema =
          R"({"type":"object","properties":{"title":{"type":"string"}},"required":["title"]})"};
  return request;
}

TEST(SideRequests, AreRecognisedByTheirShape) {
  EXPECT_EQ(ClassifySideRequest(Quota()), SideRequest::kQuota);
  EXPECT_EQ(ClassifySideRequest(Title("hello")), SideRequest::kTitle);
  EXPECT_EQ(ClassifySideRequest(SideAsk("[SUGGESTION MODE: say what the user types next]")),
            SideRequest::kSuggestion);
}

TEST(SideRequests, OrdinaryRequestsAreNot) {
  EXPECT_EQ(ClassifySideRequest(SideAsk("quota")), std::nullopt);
  EXPECT_EQ(ClassifySideRequest(SideAsk("hello")), std::nullopt);
  auto longer = Quota();
  longer.max_tokens = 2;
  EXPECT_EQ(ClassifySideRequest(longer), std::nullopt);
  auto with_tools = Title("x");
  with_tools.tools = {{.name = "t"}};
  EXPECT_EQ(ClassifySideRequest(with_tools), std::nullopt);
  auto two_fields = Title("x");
  two_fields.response_format.schema = R"({"properties":{"title":{},"body":{}}})";
  EXPECT_EQ(ClassifySideRequest(two_fields), std::nullopt);
  auto broken = Title("x");
  broken.response_format.schema = "{";
  EXPECT_EQ(ClassifySideRequest(broken), std::nullopt);
}

TEST(SideRequests, ATitleIsTheFirstWordsOfTheUser) {
  const std::pair<const char*, const char*> cases[] = {
      {"fix the login bug", "Fix the login bug"},
      {"<session>\nplease  add tests\n</session>", "Please add tests"},
      {"one two three four five six seven eight nine", "One two three four five six seven"},
      {"is 1 < 2 true?", "Is 1 < 2 true?"},
      {"", "New conversation"},
      {"<a><b></b></a>", "New conversation"},
  };
  for (const auto& [text, title] : cases) EXPECT_EQ(TitleFor(Title(text)), title) << text;
  const std::string endless = TitleFor(Title(std::string(500, 'x')));
  EXPECT_EQ(endless.size(), 60u);
  std::string accents;
  for (int i = 0; i < 100; ++i) accents += "a\xCC\x81";
  EXPECT_NE(TitleFor(Title(accents)).back(), '\xCC');
}

TEST(SideRequests, AreAnsweredWithoutTheModelAndCounted) {
  PlayedBackend inner;
  obs::Metrics metrics;
  SideRequests side(inner, {}, metrics);
  for (const auto& request : {Quota(), Title("hello world"), SideAsk("[SUGGESTION MODE: x]")}) {
    auto sink = std::make_shared<WaitingSink>();
    const auto call = side.Start(request, sink);
    EXPECT_TRUE(sink->Wait().complete);
    EXPECT_EQ(sink->served_by(), "gateway");
    EXPECT_TRUE(api::CheckEvents(sink->events(), {}).ok());
  }
  EXPECT_EQ(inner.started, 0);
  for (const char* kind : {"quota", "title", "suggestion"}) {
    EXPECT_EQ(metrics
                  .GetCounter("anyclaude_side_requests_total",
                              "Requests that the gateway answered itself", {{"kind", kind}})
                  .value(),
              1)
        << kind;
  }
}

TEST(SideRequests, ATitleIsTheJsonThatWasAskedFor) {
  PlayedBackend inner;
  obs::Metrics metrics;
  SideRequests side(inner, {}, metrics);
  auto sink = std::make_shared<WaitingSink>();
  const auto call = side.Start(Title("say \"hi\""), sink);
  const auto answer = json::Parse(sink->Text());
  ASSERT_TRUE(answer.ok()) << sink->Text();
  EXPECT_EQ(json::GetString(*answer, "title"), "Say \"hi\"");
}

TEST(SideRequests, SwitchedOffKindsGoToTheModel) {
  PlayedBackend inner;
  inner.replies = {PlayedBackend::Saying("from the model")};
  obs::Metrics metrics;
  SideRequests side(inner, {.quota = false, .title = false, .suggestion = false}, metrics);
  auto sink = std::make_shared<WaitingSink>();
  const auto call = side.Start(Title("hello"), sink);
  EXPECT_EQ(sink->Text(), "from the model");
}

}  // namespace
}  // namespace ac::gateway
