#include "gateway/gateway.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "api/errors.h"
#include "support/http_server.h"
#include "support/raw_http.h"

namespace ac::gateway {
namespace {

using ac::testing::RawReply;
using ac::testing::RawRequest;
using ac::testing::RawSocket;

// A backend that plays a list of events, or waits until its call is destroyed.
class GatedBackend : public backend::Backend {
 public:
  class PlayedCall : public backend::Call {
   public:
    explicit PlayedCall(GatedBackend& owner) : owner_(owner) {}
    ~PlayedCall() override {
      if (thread.joinable()) thread.join();
      ++owner_.destroyed;
    }
    std::thread thread;

   private:
    GatedBackend& owner_;
  };

  std::unique_ptr<backend::Call> Start(chat::ChatRequest request,
                                       std::shared_ptr<chat::ChatSink> sink) override {
    last_request = std::move(request);
    auto call = std::make_unique<PlayedCall>(*this);
    call->thread = std::thread([this, sink] {
      for (const chat::ChatEvent& event : events) sink->OnEvent(event);
    });
    return call;
  }
  void CountTokens(chat::ChatRequest, std::function<void(Result<int64_t>)> done) override {
    done(int64_t{1234});
  }
  std::vector<api::ModelInfo> Models() const override {
    return {{.id = "toy", .display_name = "Toy", .context_window = 4096}};
  }

  std::vector<chat::ChatEvent> events;
  chat::ChatRequest last_request;
  std::atomic<int> destroyed{0};
};

std::vector<chat::ChatEvent> HelloReply() {
  const chat::Usage usage{.input_tokens = 7, .cache_read = 3, .output_tokens = 2};
  return {{.value = chat::MessageStart{.id = "msg_1", .model = "m", .usage = usage}},
          {.value = chat::BlockStart{.index = 0, .block = {.value = chat::Text{}}}},
          {.value = chat::TextDelta{.index = 0, .text = "Hello"}},
          {.value = chat::TextDelta{.index = 0, .text = " you"}},
          {.value = chat::BlockStop{.index = 0}},
          {.value = chat::MessageDelta{.usage = usage}},
          {.value = chat::MessageStop{}}};
}

constexpr const char* kAsk =
    R"({"model":"m","max_tokens":5,"messages":[{"role":"user","content":"hi"}]})";
constexpr const char* kAskStream =
    R"({"model":"m","max_tokens":5,"stream":true,"messages":[{"role":"user","content":"hi"}]})";

class GatewayTest : public ::testing::Test {
 protected:
  void Start(GatewayOptions options = {}) {
    if (options.access.listen_host.empty()) options.access.listen_host = "127.0.0.1";
    options.tick = std::chrono::milliseconds(20);
    options.check_streams = true;
    gateway_ = std::make_unique<Gateway>(options, backend_);
    http::ServerOptions server_options;
    server_options.limits.max_body_bytes = 1 << 20;
    server_options.error_body = &Gateway::WordError;
    auto server = http::Server::Create(
        server_options, [this](http::Request request, std::shared_ptr<http::Exchange> exchange) {
          gateway_->Handle(std::move(request), std::move(exchange));
        });
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = std::move(server).value();
  }
  void TearDown() override {
    if (server_ != nullptr) server_->Shutdown(std::chrono::milliseconds(0));
    EXPECT_EQ(StreamGuard::violations() - violations_before_, expected_violations_);
  }
  RawReply Ask(const std::string& method, const std::string& path, const std::string& body = "",
               const std::string& headers = "") {
    return RawRequest(server_->port(), method, path, body, headers);
  }

  const int64_t violations_before_ = StreamGuard::violations();
  int64_t expected_violations_ = 0;
  GatedBackend backend_;
  std::unique_ptr<Gateway> gateway_;
  std::unique_ptr<http::Server> server_;
};

TEST_F(GatewayTest, AnswersAWholeMessage) {
  backend_.events = HelloReply();
  Start();
  const RawReply reply = Ask("POST", "/v1/messages", kAsk);
  EXPECT_EQ(reply.status, 200) << reply.body;
  EXPECT_NE(reply.body.find("\"text\":\"Hello you\""), std::string::npos) << reply.body;
  EXPECT_NE(reply.body.find("\"cache_read_input_tokens\":3"), std::string::npos) << reply.body;
}

// Writes down what it is told.
class NotingObserver : public RequestObserver {
 public:
  class Watch : public RequestWatch {
   public:
    explicit Watch(NotingObserver& owner) : owner_(owner) {}
    void OnEvent(const chat::ChatEvent&, Nanos) override { ++owner_.events; }
    void OnEnd(Ending ending, Nanos) override {
      owner_.ending = static_cast<int>(ending);
      ++owner_.ended;
    }

   private:
    NotingObserver& owner_;
  };
  std::unique_ptr<RequestWatch> OnStarted(const ObservedRequest& request) override {
    caller = request.chat.metadata.caller;
    body = request.http.body;
    return std::make_unique<Watch>(*this);
  }
  std::string caller;
  std::string body;
  std::atomic<int> events{0};
  std::atomic<int> ended{0};
  std::atomic<int> ending{-1};
};

TEST_F(GatewayTest, ObserversHearTheRequestItsEventsAndItsEnd) {
  backend_.events = HelloReply();
  NotingObserver observer;
  Start({.observers = {&observer}});
  EXPECT_EQ(Ask("POST", "/v1/messages", kAskStream, "x-api-key: one\r\n").status, 200);
  EXPECT_EQ(observer.body, kAskStream);
  EXPECT_EQ(observer.events, 7);
  EXPECT_EQ(observer.ended, 1);
  EXPECT_EQ(observer.ending, static_cast<int>(Ending::kComplete));
  const std::string first = observer.caller;
  EXPECT_EQ(first.find("one"), std::string::npos) << "a caller's name must not be its key";

  backend_.events = {{.value = chat::Error{.status = Internal("[x] broken")}}};
  EXPECT_EQ(Ask("POST", "/v1/messages", kAsk, "x-api-key: two\r\n").status, 500);
  EXPECT_EQ(observer.ended, 2);
  EXPECT_EQ(observer.ending, static_cast<int>(Ending::kFailed));
  EXPECT_NE(observer.caller, first);
}

TEST_F(GatewayTest, ObserversHearThatTheClientLeft) {
  backend_.events = {HelloReply()[0]};
  NotingObserver observer;
  Start({.observers = {&observer}});
  {
    const RawSocket connection = RawSocket::Tcp(server_->port());
    const std::string body = kAskStream;
    ASSERT_TRUE(
        connection.Send("POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
                        std::to_string(body.size()) + "\r\n\r\n" + body));
    ASSERT_NE(connection.ReadUntil("message_start").find("message_start"), std::string::npos);
  }
  for (int i = 0; i < 200 && observer.ended == 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(observer.ending, static_cast<int>(Ending::kCancelled));
}

TEST_F(GatewayTest, AHeaderNamesWhatAnswered) {
  backend_.events = HelloReply();
  std::get<chat::MessageStart>(backend_.events[0].value).served_by = "reply-cache";
  Start();
  for (const char* body : {kAsk, kAskStream}) {
    const RawReply reply = Ask("POST", "/v1/messages", body);
    EXPECT_NE(reply.head.find("x-anyclaude-served-by: reply-cache"), std::string::npos)
        << reply.head;
  }
}

TEST_F(GatewayTest, StreamsEventsInTheAnthropicOrder) {
  backend_.events = HelloReply();
  Start();
  const RawReply reply = Ask("POST", "/v1/messages?beta=true", kAskStream);
  EXPECT_EQ(reply.status, 200);
  size_t at = 0;
  for (const char* name :
       {"message_start", "content_block_start", "content_block_delta", "content_block_delta",
        "content_block_stop", "message_delta", "message_stop"}) {
    at = reply.body.find(std::string("event: ") + name + "\n", at);
    ASSERT_NE(at, std::string::npos) << name << " missing in\n" << reply.body;
    ++at;
  }
}

TEST_F(GatewayTest, StreamsChatCompletions) {
  backend_.events = HelloReply();
  Start();
  const RawReply reply = Ask("POST", "/v1/chat/completions", kAskStream);
  EXPECT_EQ(reply.status, 200);
  EXPECT_NE(reply.body.find("\"content\":\"Hello\""), std::string::npos) << reply.body;
  EXPECT_NE(reply.body.find("data: [DONE]"), std::string::npos);
}

TEST_F(GatewayTest, AStreamThatBreaksARuleIsCounted) {
  backend_.events = HelloReply();
  backend_.events.erase(backend_.events.begin() + 1);  // text in a block that never began
  Start();
  Ask("POST", "/v1/messages", kAskStream);
  expected_violations_ = 2;  // the events, and the bytes made from them
}

TEST_F(GatewayTest, WhoDrainsSaysSoAndStartsNothingNew) {
  Start();
  EXPECT_EQ(Ask("GET", "/health/ready").status, 200);
  gateway_->StartDraining();
  EXPECT_EQ(Ask("GET", "/health/ready").status, 503);
  EXPECT_EQ(Ask("GET", "/health/live").status, 200);
  const RawReply refused = Ask("POST", "/v1/messages", kAsk);
  EXPECT_EQ(refused.status, 503);
  EXPECT_NE(refused.body.find("shutting down"), std::string::npos) << refused.body;
}

TEST_F(GatewayTest, EmbeddingsNeedAModelOfOurOwn) {
  Start();
  const RawReply reply = Ask("POST", "/v1/embeddings", R"({"model":"m","input":"x"})");
  EXPECT_EQ(reply.status, 501) << reply.body;
  EXPECT_EQ(Ask("POST", "/v1/embeddings", R"({"model":"m"})").status, 400);
}

// Embeds nothing, and counts who waits for it.
class WaitingTextTools : public backend::TextTools {
 public:
  class Work : public backend::Call {
   public:
    explicit Work(WaitingTextTools& owner) : owner_(owner) { ++owner_.running; }
    ~Work() override { --owner_.running; }

   private:
    WaitingTextTools& owner_;
  };

  void Tokenize(chat::ChatRequest, TokensCallback done) override { done(std::vector<int32_t>{}); }
  std::string Detokenize(std::span<const int32_t>) const override { return ""; }
  std::unique_ptr<backend::Call> Embed(std::vector<chat::RawPrompt>,
                                       EmbeddingsCallback done) override {
    if (answer) {
      done(Embeddings{.vectors = {{1.0f}}, .prompt_tokens = 1});
    } else {
      kept = std::move(done);
    }
    return std::make_unique<Work>(*this);
  }

  bool answer = false;
  EmbeddingsCallback kept;
  std::atomic<int> running{0};
};

TEST_F(GatewayTest, AClientThatLeavesEndsItsEmbeddings) {
  WaitingTextTools tools;
  GatewayOptions options;
  options.text_tools = &tools;
  Start(options);
  const std::string body = R"({"model":"m","input":"x"})";
  {
    const RawSocket client = RawSocket::Tcp(server_->port());
    client.Send("POST /v1/embeddings HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: " +
                std::to_string(body.size()) + "\r\n\r\n" + body);
    ASSERT_TRUE(testing::Eventually([&] { return tools.running == 1; }));
  }
  EXPECT_TRUE(testing::Eventually([&] { return tools.running == 0; }));
  tools.kept = nullptr;
  tools.answer = true;
  EXPECT_EQ(Ask("POST", "/v1/embeddings", body).status, 200);
  EXPECT_TRUE(testing::Eventually([&] { return tools.running == 0; })) << "answered, forgotten";
}

TEST_F(GatewayTest, AnErrorBeforeTheStartHasAnHttpStatus) {
  backend_.events = {{.value = chat::Error{.status = api::PromptTooLong(5000, 4096)}}};
  Start();
  const RawReply reply = Ask("POST", "/v1/messages", kAskStream);
  EXPECT_EQ(reply.status, 400);
  EXPECT_NE(reply.body.find("prompt is too long: 5000 tokens > 4096 maximum"), std::string::npos)
      << reply.body;
}

TEST_F(GatewayTest, AnErrorAfterTheStartIsAnEvent) {
  backend_.events = HelloReply();
  backend_.events.resize(3);
  backend_.events.push_back({.value = chat::Error{.status = Internal("[x] broken")}});
  Start();
  const RawReply reply = Ask("POST", "/v1/messages", kAskStream);
  EXPECT_EQ(reply.status, 200);
  EXPECT_NE(reply.body.find("event: error"), std::string::npos) << reply.body;
}

TEST_F(GatewayTest, SilentStreamsGetPings) {
  backend_.events = {HelloReply()[0]};
  Start({.ping_interval = std::chrono::milliseconds(50)});
  const RawSocket connection = RawSocket::Tcp(server_->port());
  const std::string body = kAskStream;
  ASSERT_TRUE(connection.Send("POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
                              std::to_string(body.size()) + "\r\n\r\n" + body));
  const std::string seen = connection.ReadUntil("event: ping");
  EXPECT_NE(seen.find("event: ping"), std::string::npos) << seen;
  EXPECT_LT(seen.find("event: message_start"), seen.find("event: ping"));
}

TEST_F(GatewayTest, AClientThatLeavesEndsItsCall) {
  backend_.events = {HelloReply()[0]};
  Start();
  {
    const RawSocket connection = RawSocket::Tcp(server_->port());
    const std::string body = kAskStream;
    ASSERT_TRUE(
        connection.Send("POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
                        std::to_string(body.size()) + "\r\n\r\n" + body));
    ASSERT_NE(connection.ReadUntil("message_start").find("message_start"), std::string::npos);
    EXPECT_EQ(backend_.destroyed, 0);
  }
  for (int i = 0; i < 200 && backend_.destroyed == 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(backend_.destroyed, 1);
}

TEST_F(GatewayTest, FinishedCallsAreForgotten) {
  backend_.events = HelloReply();
  Start();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Ask("POST", "/v1/messages", kAsk).status, 200);
  for (int i = 0; i < 200 && backend_.destroyed < 5; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(backend_.destroyed, 5);
}

TEST_F(GatewayTest, ListsModelsInBothDialects) {
  Start();
  EXPECT_NE(Ask("GET", "/v1/models").body.find("toy"), std::string::npos);
  const RawReply anthropic =
      Ask("GET", "/v1/models?limit=1000", "", "anthropic-version: 2023-06-01\r\n");
  EXPECT_NE(anthropic.body.find("anthropic-local-toy"), std::string::npos) << anthropic.body;
  EXPECT_EQ(Ask("GET", "/v1/models/toy").status, 200);
  EXPECT_EQ(Ask("GET", "/v1/models/anthropic-local-toy").status, 200);
  EXPECT_EQ(Ask("GET", "/v1/models/other").status, 404);
}

TEST_F(GatewayTest, CountsTokens) {
  Start();
  const RawReply reply = Ask("POST", "/v1/messages/count_tokens", kAsk);
  EXPECT_EQ(reply.status, 200);
  EXPECT_NE(reply.body.find("\"input_tokens\":1234"), std::string::npos) << reply.body;
}

TEST_F(GatewayTest, PromptsAreStabilisedBeforeTheBackendSeesThem) {
  backend_.events = HelloReply();
  Start();
  const std::string body =
      R"({"model":"m","max_tokens":5,"messages":[{"role":"user","content":"hi"}],"system":[)"
      R"({"type":"text","text":"x-anthropic-billing-header: cc_version=2.1.329.abc;"},)"
      R"({"type":"text","text":"You are."}]})";
  EXPECT_EQ(Ask("POST", "/v1/messages", body).status, 200);
  ASSERT_EQ(backend_.last_request.system.size(), 1u);
  EXPECT_EQ(backend_.last_request.system[0].As<chat::Text>()->text, "You are.");
}

TEST_F(GatewayTest, WrongPathsMethodsAndBodiesAreNamed) {
  Start();
  EXPECT_EQ(Ask("GET", "/nowhere").status, 404);
  const RawReply method = Ask("GET", "/v1/messages");
  EXPECT_GE(method.status, 400);
  EXPECT_NE(method.body.find("GET is not a method"), std::string::npos) << method.body;
  const RawReply broken = Ask("POST", "/v1/messages", "{\n  \"model\": oops}");
  EXPECT_EQ(broken.status, 400);
  EXPECT_NE(broken.body.find("line 2, column"), std::string::npos) << broken.body;
}

TEST_F(GatewayTest, HealthAndRootAndMetricsAnswer) {
  Start();
  EXPECT_EQ(Ask("GET", "/health/live").status, 200);
  EXPECT_EQ(Ask("GET", "/health/ready").status, 200);
  EXPECT_EQ(Ask("GET", "/metrics").status, 200);
  EXPECT_EQ(Ask("HEAD", "/").status, 200);
  EXPECT_NE(Ask("GET", "/").body.find("anyclaude"), std::string::npos);
}

TEST_F(GatewayTest, BrowsersGetThePageAndOthersTheListOfEndpoints) {
  LiveView live("9", "local");
  Start({.access = {.api_key = "k1", .listen_host = "127.0.0.1"}, .live = &live});
  const RawReply page = Ask("GET", "/", "", "Accept: text/html,application/xhtml+xml\r\n");
  EXPECT_NE(page.head.find("text/html"), std::string::npos) << page.head;
  EXPECT_NE(page.head.find("content-security-policy"), std::string::npos);
  EXPECT_NE(Ask("GET", "/").body.find("endpoints"), std::string::npos);
  EXPECT_EQ(Ask("GET", "/v1/anyclaude/live").status, 401);
  EXPECT_EQ(Ask("GET", "/v1/anyclaude/live", "", "x-api-key: k1\r\n").status, 200);
}

TEST_F(GatewayTest, AKeyIsNeededWhereOneIsSetExceptForProbes) {
  Start({.access = {.api_key = "k1", .listen_host = "127.0.0.1"}});
  backend_.events = HelloReply();
  EXPECT_EQ(Ask("POST", "/v1/messages", kAsk).status, 401);
  EXPECT_EQ(Ask("POST", "/v1/messages", kAsk, "x-api-key: k1\r\n").status, 200);
  EXPECT_EQ(Ask("GET", "/v1/models").status, 401);
  EXPECT_EQ(Ask("GET", "/health/live").status, 200);
}

TEST_F(GatewayTest, BrowsersFromOtherSitesAreRefused) {
  Start();
  EXPECT_EQ(Ask("GET", "/v1/models", "", "Origin: https://evil.example\r\n").status, 403);
}

TEST_F(GatewayTest, ServerErrorsSpeakTheClientsDialect) {
  Start();
  const std::string huge = "{\"x\":\"" + std::string(2 << 20, 'a') + "\"}";
  const RawReply reply = Ask("POST", "/v1/messages", huge);
  EXPECT_EQ(reply.status, 413);
  EXPECT_NE(reply.body.find("request_too_large"), std::string::npos) << reply.body;
}

}  // namespace
}  // namespace ac::gateway
