#include "web/fetch.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "support/http_server.h"

namespace ac::web {
namespace {

using ac::testing::ExchangePtr;

http::Response Html(int status = 200, const std::string& type = "text/html; charset=utf-8") {
  http::Response head;
  head.status = status;
  head.headers.Add("content-type", type);
  return head;
}

std::string CodeOf(std::string_view url, const FetchRules& rules = {}) {
  const auto error = CheckFetchUrl(url, rules);
  return error ? error->code : "";
}

TEST(FetchRules, OnlyPlainWebAddressesAreFetched) {
  EXPECT_EQ(CodeOf("https://a.example/x?y=1"), "");
  EXPECT_EQ(CodeOf("http://a.example"), "");
  for (const char* url : {"", "a.example", "file:///etc/passwd", "ftp://a.example/",
                          "https://user:secret@a.example/", "javascript:1"}) {
    EXPECT_EQ(CodeOf(url), "invalid_tool_input") << url;
  }
  EXPECT_EQ(CodeOf("https://a.example/" + std::string(300, 'x')), "url_too_long");
}

TEST(FetchRules, DomainsCoverTheirSubdomainsAndPaths) {
  const FetchRules only{.allowed_domains = {"good.example", "docs.example/guide/"}};
  EXPECT_EQ(CodeOf("https://good.example/a", only), "");
  EXPECT_EQ(CodeOf("https://www.GOOD.example/a", only), "");
  EXPECT_EQ(CodeOf("https://notgood.example/a", only), "url_not_allowed");
  EXPECT_EQ(CodeOf("https://docs.example/guide/x", only), "");
  EXPECT_EQ(CodeOf("https://docs.example/guide", only), "");
  EXPECT_EQ(CodeOf("https://docs.example/guidelines", only), "url_not_allowed");
  const FetchRules but{.blocked_domains = {"bad.example"}};
  EXPECT_EQ(CodeOf("https://x.bad.example/", but), "url_not_allowed");
  EXPECT_EQ(CodeOf("https://good.example/", but), "");
}

TEST(ReadPage, HtmlBecomesTextAndPlainTextStays) {
  const FetchOutcome html =
      ReadPage("https://a.example/", Html(), "<title>T</title><p>Hello <b>you</b></p>", 1000);
  ASSERT_TRUE(html.page);
  EXPECT_EQ(html.page->title, "T");
  EXPECT_EQ(html.page->text, "Hello you");
  const FetchOutcome plain =
      ReadPage("https://a.example/", Html(200, "application/json"), "{\"a\": 1}", 1000);
  ASSERT_TRUE(plain.page);
  EXPECT_EQ(plain.page->text, "{\"a\": 1}");
  const FetchOutcome cut = ReadPage("https://a.example/", Html(200, "text/plain"), "abcdef", 3);
  ASSERT_TRUE(cut.page);
  EXPECT_EQ(cut.page->text, "abc\n[The page goes on; it was cut here.]");
}

TEST(ReadPage, WhatIsNoReadablePageSaysWhy) {
  const auto code = [](const http::Response& head) {
    return ReadPage("https://a.example/", head, "x", 100).error.code;
  };
  EXPECT_EQ(code(Html(404)), "url_not_accessible");
  EXPECT_EQ(code(Html(429)), "too_many_requests");
  EXPECT_EQ(code(Html(200, "image/png")), "unsupported_content_type");
  EXPECT_EQ(code(Html(200, "")), "unsupported_content_type");
  http::Response packed = Html();
  packed.headers.Add("content-encoding", "gzip");
  EXPECT_EQ(code(packed), "unsupported_content_type");
}

// A local site, whose pages are named by their paths.
class PageFetcherTest : public ::testing::Test {
 protected:
  void SetUp() override {
    site_ = ac::testing::Serve([this](const http::Request& request, const ExchangePtr& exchange) {
      ++asked_;
      if (request.path == "/page") {
        exchange->Respond(http::Response::Make(200, "text/html", "<title>T</title><p>words"));
      } else if (request.path == "/moved") {
        Redirect(exchange, "/page");
      } else if (request.path == "/loop") {
        Redirect(exchange, "/loop");
      } else if (request.path == "/elsewhere") {
        Redirect(exchange, "http://blocked.example/page");
      } else if (request.path == "/large") {
        exchange->Respond(http::Response::Make(200, "text/plain", std::string(5000, 'x')));
      } else if (request.path == "/silent") {
        held_ = exchange;
      } else {
        exchange->Respond(http::Response::Make(404, "text/plain", "no"));
      }
    });
  }
  static void Redirect(const ExchangePtr& exchange, const std::string& location) {
    http::Response reply = http::Response::Make(302, "text/plain", "");
    reply.headers.Add("location", location);
    exchange->Respond(std::move(reply));
  }
  static FetchOutcome Get(PageFetcher& fetcher, const std::string& url,
                          const FetchRules& rules = {}) {
    std::promise<FetchOutcome> told;
    const auto fetch = fetcher.Start(
        url, rules, [&](FetchOutcome outcome) { told.set_value(std::move(outcome)); });
    return told.get_future().get();
  }
  static FetchOptions Private() {
    return {.enabled = true,
            .allow_private = true,
            .max_body_bytes = 4000,
            .time_limit = std::chrono::seconds(60)};
  }

  std::atomic<int> asked_{0};
  ExchangePtr held_;
  std::unique_ptr<http::Server> site_;
};

TEST_F(PageFetcherTest, APageIsFetchedAndRedirectsAreFollowed) {
  PageFetcher fetcher(Private());
  for (const char* path : {"/page", "/moved"}) {
    const FetchOutcome outcome = Get(fetcher, site_->url() + path);
    ASSERT_TRUE(outcome.page) << outcome.error.why;
    EXPECT_EQ(outcome.page->url, site_->url() + "/page");
    EXPECT_EQ(outcome.page->title, "T");
    EXPECT_EQ(outcome.page->text, "words");
    EXPECT_EQ(outcome.page->retrieved_at.size(), std::string("2026-01-31T12:00:00Z").size());
  }
}

TEST_F(PageFetcherTest, ThisMachineIsNotFetchedUnlessAllowed) {
  PageFetcher fetcher({.enabled = true});
  const std::string port = std::to_string(site_->port());
  for (const std::string host :
       {"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"}) {
    const FetchOutcome outcome = Get(fetcher, "http://" + host + ":" + port + "/page");
    EXPECT_FALSE(outcome.page) << host;
    EXPECT_EQ(outcome.error.code, "url_not_allowed") << host << ": " << outcome.error.why;
  }
  EXPECT_EQ(asked_, 0);
}

TEST_F(PageFetcherTest, WhereARedirectLeadsIsJudgedAgain) {
  PageFetcher fetcher(Private());
  const FetchOutcome outcome =
      Get(fetcher, site_->url() + "/elsewhere", {.blocked_domains = {"blocked.example"}});
  EXPECT_EQ(outcome.error.code, "url_not_allowed") << outcome.error.why;
  EXPECT_EQ(Get(fetcher, site_->url() + "/loop").error.code, "url_not_accessible");
}

TEST_F(PageFetcherTest, LimitsEndAFetch) {
  PageFetcher fetcher(Private());
  EXPECT_EQ(Get(fetcher, site_->url() + "/large").error.code, "content_too_large");
  FetchOptions hurried = Private();
  hurried.time_limit = std::chrono::milliseconds(50);
  PageFetcher impatient(hurried);
  const FetchOutcome outcome = Get(impatient, site_->url() + "/silent");
  EXPECT_EQ(outcome.error.code, "url_not_accessible");
  EXPECT_NE(outcome.error.why.find("not finished within"), std::string::npos) << outcome.error.why;
}

TEST_F(PageFetcherTest, AFetchThatIsDroppedCallsNobody) {
  PageFetcher fetcher(Private());
  std::atomic<int> told{0};
  for (int i = 0; i < 50; ++i) {
    fetcher.Start(site_->url() + "/moved", {}, [&](FetchOutcome) { ++told; }).reset();
    const int seen = told;
    Get(fetcher, site_->url() + "/page");  // behind it on the same thread
    EXPECT_EQ(told, seen);
  }
}

}  // namespace
}  // namespace ac::web
