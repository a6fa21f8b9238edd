#include "remote/pass_through.h"

#include <gtest/gtest.h>

#include "api/stream_checker.h"
#include "chat/reply.h"
#include "http/sse.h"
#include "support/http_server.h"

namespace ac::remote {
namespace {

using testing::ExchangePtr;

// Odd spacing, key order and characters: what a parser and printer would change.
const std::string kBody =
    "{ \"model\":\"claude-x\",\n\t\"stream\" : true, \"\xC3\xA4\":1e2,  \"a\":\"\\u0041\"}";

class PassThroughTest : public ::testing::Test {
 protected:
  void Start(http::Handler upstream, PassThroughOptions options = {}) {
    upstream_ = testing::Serve(std::move(upstream));
    options.base_url = upstream_->url();
    options.metrics = &metrics_;
    pass_ = std::make_unique<PassThrough>(options, client_);
    pass_->SetListen([this](const http::Request& request, Nanos) {
      asked_ = request.body;
      return std::make_unique<Listener>(*this);
    });
    gateway_ = testing::Serve([this](const http::Request& request, const ExchangePtr& exchange) {
      pass_->Handle(request, exchange);
    });
  }
  http::Response Send(http::Headers headers = {},
                      const std::string& target = "/v1/messages?beta=true") {
    Result<http::Response> response = client_.Fetch({.method = "POST",
                                                     .url = gateway_->url() + target,
                                                     .headers = std::move(headers),
                                                     .body = kBody});
    EXPECT_TRUE(response.ok()) << response.status();
    return response.ok() ? *response : http::Response{};
  }

  class Listener : public ReplyListener {
   public:
    explicit Listener(PassThroughTest& test) : test_(test) {}
    void OnEvent(const chat::ChatEvent& event) override {
      test_.events_.push_back(event);
      if (event.As<chat::MessageStop>() || event.As<chat::Error>()) test_.over_.Set();
    }
    void OnClientGone() override {
      test_.gone_ = true;
      test_.over_.Set();
    }

   private:
    PassThroughTest& test_;
  };

  obs::Metrics metrics_;
  std::string asked_;
  std::vector<chat::ChatEvent> events_;
  bool gone_ = false;
  testing::Event over_;
  http::Client client_{{.proxy = http::ProxyConfig{}}};
  std::unique_ptr<http::Server> upstream_;
  std::unique_ptr<PassThrough> pass_;
  std::unique_ptr<http::Server> gateway_;
};

std::string Reply() {
  return http::FormatSse("message_start",
                         R"({"type":"message_start","message":{"id":"msg_1","model":"claude-x",)"
                         R"("usage":{"input_tokens":7,"cache_read_input_tokens":18000,)"
                         R"("cache_creation_input_tokens":490,"output_tokens":1}}})") +
         ": a comment stays\n\n" +
         http::FormatSse(
             "content_block_start",
             R"({"type":"content_block_start","index":0,"content_block":{"type":"text",)"
             R"("text":""}})") +
         http::FormatSse("content_block_delta",
                         R"({"type":"content_block_delta", "index":0,"delta":{"type":"text_delta",)"
                         R"("text":"Hi"}})") +
         http::FormatSse("content_block_stop", R"({"type":"content_block_stop","index":0})") +
         http::FormatSse("message_delta",
                         R"({"type":"message_delta","delta":{"stop_reason":"end_turn"},)"
                         R"("usage":{"output_tokens":12}})") +
         http::FormatSse("message_stop", R"({"type":"message_stop"})");
}

TEST_F(PassThroughTest, BodiesAndHeadersArriveAsTheyWereSent) {
  http::Request seen;
  Start([&seen](const http::Request& request, const ExchangePtr& exchange) {
    seen = request;
    http::Response response = http::Response::Make(200, "text/event-stream", Reply());
    response.headers.Add("request-id", "req_1");
    response.headers.Add("anthropic-ratelimit-requests-remaining", "9");
    response.headers.Add("keep-alive", "timeout=5");
    exchange->Respond(response);
  });
  const http::Response reply = Send({{"x-api-key", "sk-ant-secret"},
                                     {"authorization", "Bearer oauth-token"},
                                     {"anthropic-beta", "a,b"},
                                     {"accept-encoding", "gzip, br"},
                                     {"x-hop", "1"},
                                     {"te", "trailers"}});
  EXPECT_EQ(seen.body, kBody);
  EXPECT_EQ(seen.target, "/v1/messages?beta=true");
  EXPECT_EQ(seen.headers.Get("x-api-key"), "sk-ant-secret");
  EXPECT_EQ(seen.headers.Get("authorization"), "Bearer oauth-token");
  EXPECT_EQ(seen.headers.Get("anthropic-beta"), "a,b");
  EXPECT_EQ(seen.headers.Get("accept-encoding"), "identity");
  EXPECT_FALSE(seen.headers.Has("te"));
  EXPECT_EQ(seen.headers.Get("host"), "127.0.0.1:" + std::to_string(upstream_->port()));
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, Reply()) << "byte for byte, comments and spacing included";
  EXPECT_EQ(reply.headers.Get("request-id"), "req_1");
  EXPECT_EQ(reply.headers.Get("anthropic-ratelimit-requests-remaining"), "9");
}

TEST_F(PassThroughTest, TheTokensThatTheApiCountedAreSeen) {
  Start([](const http::Request&, const ExchangePtr& exchange) {
    exchange->Respond(http::Response::Make(200, "text/event-stream", Reply()));
  });
  Send();
  ASSERT_TRUE(over_.Within());
  EXPECT_EQ(asked_, kBody);
  chat::ReplyBuilder reply;
  for (const chat::ChatEvent& event : events_) reply.Apply(event);
  EXPECT_EQ(reply.reply().model, "claude-x");
  const chat::Usage& usage = reply.reply().usage;
  EXPECT_EQ(usage.input_tokens, 7);
  EXPECT_EQ(usage.cache_read, 18000);
  EXPECT_EQ(usage.cache_creation, 490);
  EXPECT_EQ(usage.output_tokens, 12);
  EXPECT_TRUE(api::CheckEvents(events_).ok()) << api::CheckEvents(events_);
  EXPECT_NE(metrics_.RenderPrometheus().find("kind=\"cached\"} 18000"), std::string::npos);
}

TEST_F(PassThroughTest, PiecesArriveBeforeTheReplyIsComplete) {
  testing::Holder holder;
  Start([&holder](const http::Request& request, const ExchangePtr& exchange) {
    holder(request, exchange);
  });
  const testing::RawSocket client = testing::RawSocket::Tcp(gateway_->port());
  client.Send(testing::Post("/v1/messages", kBody));
  const ExchangePtr upstream = holder.Take();
  ASSERT_NE(upstream, nullptr);
  upstream->StartStream(200, {{"content-type", "text/event-stream"}});
  upstream->Write("data: first\n\n");
  EXPECT_NE(client.ReadUntil("data: first").find("data: first"), std::string::npos);
  upstream->Finish();
}

TEST_F(PassThroughTest, ErrorsOfTheApiPassUnchanged) {
  const std::string body = R"({"type":"error","error":{"type":"rate_limit_error","message":"x"}})";
  Start([&body](const http::Request&, const ExchangePtr& exchange) {
    http::Response response = http::Response::Make(429, "application/json", body);
    response.headers.Add("retry-after", "17");
    exchange->Respond(response);
  });
  const http::Response reply = Send();
  EXPECT_EQ(reply.status, 429);
  EXPECT_EQ(reply.body, body);
  EXPECT_EQ(reply.headers.Get("retry-after"), "17");
  ASSERT_TRUE(over_.Within());
  ASSERT_EQ(events_.size(), 1u);
  ASSERT_NE(events_[0].As<chat::Error>(), nullptr);
  EXPECT_EQ(events_[0].As<chat::Error>()->status.code(), Code::kResourceExhausted);
}

TEST_F(PassThroughTest, AReplyThatBreaksOffDoesNotLookWhole) {
  Start([](const http::Request&, const ExchangePtr& exchange) {
    exchange->StartStream(200, {{"content-type", "text/event-stream"}});
    exchange->Write("data: half");
    exchange->Abort();
  });
  const Result<http::Response> reply =
      client_.Fetch({.method = "POST", .url = gateway_->url() + "/v1/messages", .body = kBody});
  EXPECT_FALSE(reply.ok());
}

TEST_F(PassThroughTest, TheApiIsLeftWhenTheClientLeaves) {
  testing::Holder holder;
  testing::Event gone;
  Start([&holder](const http::Request& request, const ExchangePtr& exchange) {
    holder(request, exchange);
  });
  ExchangePtr upstream;
  {
    const testing::RawSocket client = testing::RawSocket::Tcp(gateway_->port());
    client.Send(testing::Post("/v1/messages", kBody));
    upstream = holder.Take();
    ASSERT_NE(upstream, nullptr);
    upstream->OnClientGone([gone] { gone.Set(); });
  }
  EXPECT_TRUE(gone.Within());
  ASSERT_TRUE(over_.Within());
  EXPECT_TRUE(gone_);
}

TEST_F(PassThroughTest, AGatewayKeyStaysHereAndTheUpstreamKeyGoesOn) {
  http::Request seen;
  Start(
      [&seen](const http::Request& request, const ExchangePtr& exchange) {
        seen = request;
        exchange->Respond(http::Response::Make(200, "application/json", "{}"));
      },
      {.gateway_key = "ours", .upstream_key = "sk-ant-theirs"});
  Send({{"authorization", "Bearer ours"}});
  EXPECT_EQ(seen.headers.Get("x-api-key"), "sk-ant-theirs");
  EXPECT_FALSE(seen.headers.Has("authorization"));
}

TEST_F(PassThroughTest, AnApiThatIsNotThereIsNamed) {
  Start(&testing::Echo);
  upstream_.reset();
  const http::Response reply = Send();
  EXPECT_EQ(reply.status, 503);
  EXPECT_NE(reply.body.find("the Claude API at"), std::string::npos) << reply.body;
  EXPECT_NE(reply.body.find("ANTHROPIC_API_URL"), std::string::npos);
}

TEST(EndToEndHeadersTest, FieldsOfOneConnectionAreDropped) {
  const http::Headers kept = EndToEndHeaders({{"Connection", "close, X-Mine"},
                                              {"X-Mine", "1"},
                                              {"Transfer-Encoding", "chunked"},
                                              {"Content-Length", "3"},
                                              {"Proxy-Authorization", "Basic x"},
                                              {"X-Other", "2"}});
  EXPECT_EQ(kept.size(), 1u);
  EXPECT_EQ(kept.Get("x-other"), "2");
}

}  // namespace
}  // namespace ac::remote
