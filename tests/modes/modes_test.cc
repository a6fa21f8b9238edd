// Every mode against a server with that mode's habits: text, tools, parallel tools, thinking,
// images, streams that break, errors, cancellation, keys, a server that is not there.
//
// The client side is real: an Anthropic client's bytes to a gateway's socket, its SSE read back.
#include <gtest/gtest.h>

#include <set>

#include "api/codec.h"
#include "api/stream_checker.h"
#include "chat/reply.h"
#include "gateway/gateway.h"
#include "modes/fake_server.h"
#include "remote/remote_backend.h"
#include "routing/cluster_backend.h"
#include "routing/routed_backend.h"
#include "support/http_server.h"

namespace ac::testing {
namespace {

using chat::StopReason;

constexpr const char* kTools = R"([{"name":"Bash","description":"Runs","input_schema":{"type":
  "object","properties":{"command":{"type":"string","pattern":"^l"}}}},{"name":"Read","description":
  "Reads","input_schema":{"type":"object","properties":{"path":{"type":"string"}}}}])";

std::string Ask(const std::string& words, bool tools = false, bool stream = true) {
  std::string body = R"({"model":"anthropic-local-x","max_tokens":32000,"top_k":5,"messages":[)"
                     R"({"role":"user","content":[{"type":"text","text":)" +
                     json::Quote(words) + "}]}]";
  if (tools) body += std::string(",\"tools\":") + kTools;
  if (stream) body += ",\"stream\":true";
  return body + "}";
}

struct Answer {
  int status = 0;
  std::string head;
  std::string body;
  chat::Reply reply;  // of a 200
};

// What stands between the gateway and the server: nothing, a cluster of one, the rules of `auto`.
enum class Around { kNothing, kCluster, kRules };
struct Way {
  const remote::ServerKind* kind;
  Around around;
};

class Forward : public backend::Backend {
 public:
  explicit Forward(backend::Backend& to) : to_(to) {}
  std::unique_ptr<backend::Call> Start(chat::ChatRequest request,
                                       std::shared_ptr<chat::ChatSink> sink) override {
    return to_.Start(std::move(request), std::move(sink));
  }
  void CountTokens(chat::ChatRequest request, std::function<void(Result<int64_t>)> done) override {
    to_.CountTokens(std::move(request), std::move(done));
  }
  std::vector<api::ModelInfo> Models() const override { return to_.Models(); }

 private:
  backend::Backend& to_;
};

class ModesTest : public ::testing::TestWithParam<Way> {
 protected:
  static const remote::ServerKind& kind() { return *GetParam().kind; }
  void SetUp() override {
    fake_ = std::make_unique<FakeServer>(ProfileOf(kind().mode));
    Connect(fake_->base_url(), "key-123");
  }
  void TearDown() override {
    server_.reset();
    gateway_.reset();
    around_.reset();
    backend_.reset();
  }

  void Connect(const std::string& url, const std::string& key) {
    server_.reset();
    gateway_.reset();
    around_.reset();
    remote::RemoteOptions options;
    options.kind = &kind();
    options.name = kind().mode;
    options.base_url = url;
    options.api_key = key;
    options.max_retries = 1;
    backend_ = std::make_unique<remote::RemoteBackend>(options, client_, timer_);
    if (GetParam().around == Around::kCluster) {
      std::vector<routing::Replica> replicas;
      replicas.push_back({.name = "one", .backend = std::make_unique<Forward>(*backend_)});
      around_ = std::make_unique<routing::ClusterBackend>(std::move(replicas),
                                                          routing::ClusterOptions{}, timer_);
    } else if (GetParam().around == Around::kRules) {
      around_ = std::make_unique<routing::RoutedBackend>(
          std::vector<routing::RoutedMember>{{.name = "one", .backend = backend_.get()}},
          routing::RuleSet{.rules = {}, .by_default = {{.backend = "one"}}});
    }
    backend::Backend& outermost = around_ != nullptr ? *around_ : *backend_;
    gateway_ = std::make_unique<gateway::Gateway>(gateway::GatewayOptions{}, outermost);
    server_ = Serve([this](http::Request request, const ExchangePtr& exchange) {
      gateway_->Handle(std::move(request), exchange);
    });
  }

  Answer Send(const std::string& body) {
    Result<http::Response> response =
        client_.Fetch({.method = "POST",
                       .url = server_->url() + "/v1/messages",
                       .headers = {{"content-type", "application/json"}},
                       .body = body});
    Answer answer;
    if (!response.ok()) {
      ADD_FAILURE() << response.status();
      return answer;
    }
    answer.status = response->status;
    answer.body = response->body;
    const bool sse = response->headers.Get("content-type").starts_with("text/event-stream");
    if (answer.status != 200) return answer;
    chat::ReplyBuilder builder;
    std::vector<chat::ChatEvent> events;
    const auto decoder = api::MakeEventDecoder(api::Endpoint::kMessages, {});
    decoder->Feed(answer.body, &events);
    decoder->Finish(&events);
    for (const chat::ChatEvent& event : events) builder.Apply(event);
    answer.reply = builder.Take();
    if (sse && answer.reply.error.ok()) {
      EXPECT_TRUE(api::CheckSse(api::Endpoint::kMessages, answer.body).ok())
          << api::CheckSse(api::Endpoint::kMessages, answer.body) << answer.body;
    }
    return answer;
  }

  static std::string TextOf(const Answer& answer) {
    if (answer.reply.choices.empty()) return "";
    return chat::JoinText(answer.reply.choices[0].blocks, "|");
  }
  static std::vector<chat::ToolUse> CallsOf(const Answer& answer) {
    std::vector<chat::ToolUse> calls;
    if (answer.reply.choices.empty()) return calls;
    for (const chat::Block& block : answer.reply.choices[0].blocks) {
      if (const auto* call = block.As<chat::ToolUse>()) calls.push_back(*call);
    }
    return calls;
  }
  static json::Value Parsed(const std::string& text) {
    const Result<json::Value> value = json::Parse(text);
    return value.ok() ? *value : json::Value("not JSON: " + text);
  }

  http::Client client_{{.proxy = http::ProxyConfig{}}};
  remote::Timer timer_;
  std::unique_ptr<FakeServer> fake_;
  std::unique_ptr<remote::RemoteBackend> backend_;
  std::unique_ptr<backend::Backend> around_;  // null: the backend alone
  std::unique_ptr<gateway::Gateway> gateway_;
  std::unique_ptr<http::Server> server_;
};

TEST_P(ModesTest, TextArrivesWholeWithItsUsage) {
  for (const bool stream : {true, false}) {
    const Answer answer = Send(Ask("say hello", false, stream));
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(TextOf(answer), "Hello \xC3\xA4 world.");
    EXPECT_EQ(answer.reply.choices[0].stop_reason, StopReason::kEndTurn);
    EXPECT_EQ(answer.reply.model, "anthropic-local-x") << "clients want their own name back";
    if (ProfileOf(kind().mode).no_usage) {
      EXPECT_GT(answer.reply.usage.input_tokens, 0) << "zero would keep clients from compacting";
    } else {
      EXPECT_EQ(answer.reply.usage.input_tokens, 20) << "cached tokens are not input tokens";
      EXPECT_EQ(answer.reply.usage.cache_read, 100);
      EXPECT_EQ(answer.reply.usage.output_tokens, 9);
    }
  }
}

TEST_P(ModesTest, AToolCallArrivesWhateverItLooksLikeOnTheWire) {
  const Answer answer = Send(Ask("use a tool", true));
  ASSERT_EQ(answer.status, 200) << answer.body;
  const auto calls = CallsOf(answer);
  ASSERT_EQ(calls.size(), 1u) << answer.body;
  EXPECT_EQ(calls[0].name, "Bash");
  EXPECT_GE(calls[0].id.size(), 9u);
  EXPECT_EQ(Parsed(calls[0].input), Parsed(R"({"command":"ls -l"})"));
  EXPECT_EQ(answer.reply.choices[0].stop_reason, StopReason::kToolUse);
  EXPECT_EQ(TextOf(answer).substr(0, 7), "I look.");
  EXPECT_EQ(TextOf(answer).find("tool_call"), std::string::npos) << "markup in the text";
}

TEST_P(ModesTest, ParallelToolCallsStayApart) {
  const Answer answer = Send(Ask("use two tools", true));
  ASSERT_EQ(answer.status, 200) << answer.body;
  const auto calls = CallsOf(answer);
  ASSERT_EQ(calls.size(), 2u) << answer.body;
  EXPECT_EQ(calls[0].name, "Bash");
  EXPECT_EQ(calls[1].name, "Read");
  EXPECT_NE(calls[0].id, calls[1].id);
  EXPECT_EQ(Parsed(calls[1].input), Parsed(R"({"path":"/a \"b\""})"));
  EXPECT_EQ(answer.reply.choices[0].stop_reason, StopReason::kToolUse);
}

TEST_P(ModesTest, ThinkingArrivesAsThinking) {
  const Answer answer = Send(Ask("think about it"));
  ASSERT_EQ(answer.status, 200) << answer.body;
  ASSERT_EQ(answer.reply.choices[0].blocks.size(), 2u) << answer.body;
  const auto* thinking = answer.reply.choices[0].blocks[0].As<chat::Thinking>();
  ASSERT_NE(thinking, nullptr);
  EXPECT_EQ(thinking->text, "Hm, hm.");
  EXPECT_EQ(TextOf(answer), "42.");
}

TEST_P(ModesTest, AConversationWithToolsImagesAndSystemMessagesReachesTheServer) {
  const std::string body =
      std::string(R"({"model":"x","max_tokens":100,"stream":true,"system":"Be brief.","tools":)") +
      kTools + R"(,"messages":[
    {"role":"user","content":[{"type":"text","text":"first"},{"type":"image","source":
      {"type":"base64","media_type":"image/png","data":"aW1n"}}]},
    {"role":"assistant","content":[{"type":"tool_use","id":"toolu_000000001","name":"Bash",
      "input":{"command":"ls"}}]},
    {"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_000000001",
      "content":"a.txt"}]},
    {"role":"system","content":"A reminder."},
    {"role":"user","content":"say hello"}]})";
  const Answer answer = Send(body);
  ASSERT_EQ(answer.status, 200) << answer.body;
  const std::string sent = json::Write(fake_->requests().back());
  for (const char* part :
       {"Be brief.", "first", "aW1n", "toolu_000000001", "a.txt", "A reminder.", "say hello"}) {
    EXPECT_NE(sent.find(part), std::string::npos) << part << " is missing in " << sent;
  }
  if (kind().quirks.system_anywhere) return;
  // Templates that insist on "system first" would refuse anything else.
  const json::Value request = fake_->requests().back();
  const json::Array& messages = *json::AsArray(json::Find(request, "messages"));
  for (size_t i = 1; i < messages.size(); ++i) {
    EXPECT_NE(json::GetString(messages[i], "role"), std::optional<std::string_view>("system"));
  }
}

TEST_P(ModesTest, AStreamThatBreaksInsideAnEventEndsWithAnErrorNamingTheServer) {
  const Answer answer = Send(Ask("say hello, then cut"));
  ASSERT_EQ(answer.status, 200);
  EXPECT_FALSE(answer.reply.error.ok()) << answer.body;
  EXPECT_FALSE(answer.reply.complete);
  EXPECT_NE(answer.body.find("event: error"), std::string::npos) << answer.body;
  EXPECT_NE(answer.body.find(kind().title), std::string::npos) << answer.body;
  // Whole, the same break is an error status.
  const Answer whole = Send(Ask("say hello, then cut", false, false));
  EXPECT_GE(whole.status, 500) << whole.body;
}

TEST_P(ModesTest, ErrorsSpeakTheClientsDialectAndNameTheServer) {
  const struct {
    const char* words;
    int status;
    const char* text;
  } cases[] = {{"show a web page", 503, "web page instead of JSON"},
               {"refuse this", 400, "I refuse that"},
               {"break this", 503, "it broke"}};
  for (const auto& [words, status, text] : cases) {
    const Answer answer = Send(Ask(words));
    EXPECT_EQ(answer.status, status) << answer.body;
    const json::Value error = Parsed(answer.body);
    EXPECT_EQ(json::GetString(error, "type"), std::optional<std::string_view>("error"));
    EXPECT_NE(answer.body.find(text), std::string::npos) << answer.body;
    EXPECT_NE(answer.body.find(kind().title), std::string::npos) << answer.body;
  }
}

TEST_P(ModesTest, ABusyServerIsAskedAgainAfterTheTimeItNamed) {
  fake_->FailNext(1, 429, R"({"error":{"message":"slow down"}})", {{"retry-after", "1"}});
  const auto before = std::chrono::steady_clock::now();
  const Answer answer = Send(Ask("say hello"));
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_GE(std::chrono::steady_clock::now() - before, std::chrono::milliseconds(900));
  EXPECT_EQ(TextOf(answer), "Hello \xC3\xA4 world.");
  // A longer pause than anybody should hold a connection for is the client's to wait.
  const size_t asked = fake_->requests().size();
  fake_->FailNext(1, 429, R"({"error":{"message":"come back later"}})", {{"retry-after", "120"}});
  const Answer refused = Send(Ask("say hello"));
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(fake_->requests().size(), asked + 1);
}

TEST_P(ModesTest, TheServerStopsWhenTheClientLeaves) {
  {
    const RawSocket client = RawSocket::Tcp(server_->port());
    const std::string body = Ask("say hello, then hang");
    client.Send("POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
                std::to_string(body.size()) + "\r\n\r\n" + body);
    ASSERT_TRUE(Eventually([&] { return !fake_->requests().empty(); }));
  }
  EXPECT_TRUE(Eventually([&] { return fake_->client_left() == 1; }));
}

TEST_P(ModesTest, AMissingKeyIsExplained) {
  if (!kind().cloud) return;  // those on one's own machine ask for none
  Connect(fake_->base_url(), "wrong");
  const Answer answer = Send(Ask("say hello"));
  EXPECT_EQ(answer.status, 401);
  EXPECT_NE(answer.body.find(remote::VariableName(kind(), "_API_KEY")), std::string::npos)
      << answer.body;
  EXPECT_EQ(answer.body.find("wrong"), std::string::npos) << "a key must not be repeated";
}

TEST_P(ModesTest, AServerThatIsNotThereIsNamedWithTheWayToStartIt) {
  const std::string url = fake_->base_url();
  fake_.reset();
  Connect(url, "key-123");
  const Answer answer = Send(Ask("say hello"));
  EXPECT_EQ(answer.status, 503) << answer.body;
  EXPECT_NE(answer.body.find(kind().title), std::string::npos) << answer.body;
  EXPECT_NE(answer.body.find(kind().start_hint.substr(0, 10)), std::string::npos) << answer.body;
}

TEST_P(ModesTest, TheWindowIsTheServersOwn) {
  ASSERT_TRUE(backend_->Refresh(std::chrono::seconds(10)).ok());
  const auto models = backend_->Models();
  ASSERT_FALSE(models.empty());
  EXPECT_EQ(models[0].id, "fake");
  const bool tells = kind().mode != "openai" && kind().mode != "mlx-lm";
  EXPECT_EQ(models[0].context_window, tells ? 65536 : 0);
}

// Every kind alone; and with its own server behind, what can stand around any of them.
std::vector<Way> Ways() {
  std::vector<Way> ways;
  for (const remote::ServerKind& kind : remote::ServerKinds()) {
    ways.push_back({&kind, Around::kNothing});
  }
  for (const char* mode : {"vllm", "custom"}) {
    ways.push_back({remote::FindServerKind(mode), Around::kCluster});
    ways.push_back({remote::FindServerKind(mode), Around::kRules});
  }
  return ways;
}
INSTANTIATE_TEST_SUITE_P(All, ModesTest, ::testing::ValuesIn(Ways()), [](const auto& way) {
  std::string name(way.param.kind->mode);
  if (way.param.around == Around::kCluster) name = "cluster_of_" + name;
  if (way.param.around == Around::kRules) name = "auto_with_" + name;
  for (char& c : name) {
    if (c == '-' || c == '.') c = '_';
  }
  return name;
});

}  // namespace
}  // namespace ac::testing
