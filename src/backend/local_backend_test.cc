#include "backend/local_backend.h"

#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "api/stream_checker.h"
#include "base/utf8.h"
#include "chat/reply.h"
#include "support/toy_model.h"
#include "support/toy_tokenizer.h"

namespace ac::backend {
namespace {

using ac::testing::ToyModel;

class CollectingChatSink : public chat::ChatSink {
 public:
  void OnEvent(chat::ChatEvent event) override {
    MutexLock lock(mutex_);
    builder_.Apply(event);
    if (event.As<chat::MessageStop>() != nullptr || event.As<chat::Error>() != nullptr) ++ends_;
    events_.push_back(std::move(event));
    changed_.NotifyAll();
  }
  bool Wait() {
    MutexLock lock(mutex_);
    for (int i = 0; i < 300 && ends_ == 0; ++i) {
      changed_.WaitFor(mutex_, std::chrono::milliseconds(100));
    }
    return ends_ == 1;
  }
  size_t count() {
    MutexLock lock(mutex_);
    return events_.size();
  }
  chat::Reply reply() {
    MutexLock lock(mutex_);
    return builder_.reply();
  }
  std::vector<chat::ChatEvent> events() {
    MutexLock lock(mutex_);
    return events_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  chat::ReplyBuilder builder_;
  std::vector<chat::ChatEvent> events_;
  int ends_ = 0;
};

// Holds a model's steps until it is opened.
class Gate {
 public:
  Status Pass() {
    MutexLock lock(mutex_);
    ++waiting_;
    changed_.NotifyAll();
    while (!open_) changed_.Wait(mutex_);
    return OkStatus();
  }
  void AwaitStep() {
    MutexLock lock(mutex_);
    while (waiting_ == 0) changed_.Wait(mutex_);
  }
  void Open() {
    MutexLock lock(mutex_);
    open_ = true;
    changed_.NotifyAll();
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  int waiting_ = 0;
  bool open_ = false;
};

chat::ChatRequest Ask(std::string text) {
  chat::ChatRequest request;
  request.model = "asked-model";
  request.messages = {
      {.role = chat::Role::kUser, .blocks = {{.value = chat::Text{std::move(text)}}}}};
  request.sampling.temperature = 0;
  request.max_tokens = 12;
  return request;
}

// What the message's end says of its prompt: its beginning may have come before that was known.
chat::PromptFacts FactsOf(const std::vector<chat::ChatEvent>& events) {
  for (const chat::ChatEvent& event : events) {
    const auto* delta = event.As<chat::MessageDelta>();
    if (delta != nullptr && delta->prompt) return *delta->prompt;
  }
  ADD_FAILURE() << "no facts";
  return {};
}

class LocalBackendTest : public ::testing::Test {
 protected:
  void SetUp() override { Start({}); }
  void Start(const engine::EngineOptions& options, int64_t pages = 1024) {
    backend_.reset();
    engine_.reset();  // the model serves one engine at a time
    auto pool = kv::PagePool::Create(ToyModel::Layout(), pages);
    ASSERT_TRUE(pool.ok());
    engine_ =
        std::make_unique<engine::Engine>(model_, *tokenizer_, std::move(pool).value(), options);
    auto prompts = prompt::PromptBuilder::Create(*tokenizer_, "", "");
    ASSERT_TRUE(prompts.ok()) << prompts.status();
    backend_ = std::make_unique<LocalBackend>(*engine_, *tokenizer_, std::move(prompts).value(),
                                              LocalOptions{.model_id = "toy", .ids = &ids_});
  }
  // The whole reply.
  std::shared_ptr<CollectingChatSink> Run(chat::ChatRequest request) {
    auto sink = std::make_shared<CollectingChatSink>();
    const auto call = backend_->Start(std::move(request), sink);
    EXPECT_TRUE(sink->Wait());
    return sink;
  }

  ToyModel model_{257, 2048};
  std::unique_ptr<tokenizer::Tokenizer> tokenizer_ = ac::testing::MakeToyTokenizer();
  chat::SequenceIds ids_;
  std::unique_ptr<engine::Engine> engine_;
  std::unique_ptr<LocalBackend> backend_;
};

TEST_F(LocalBackendTest, TheReplyIsWhatTheModelSaysToTheRenderedPrompt) {
  const chat::ChatRequest request = Ask("hello");
  const auto prompt = backend_->prompts().Tokens(request);
  ASSERT_TRUE(prompt.ok()) << prompt.status();
  EXPECT_EQ(tokenizer_->Decode(*prompt),
            "<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n");
  const auto sink = Run(request);
  const chat::Reply reply = sink->reply();
  ASSERT_TRUE(reply.complete) << reply.error;
  EXPECT_EQ(reply.model, "asked-model");
  EXPECT_EQ(reply.usage.input_tokens, static_cast<int64_t>(prompt->size()));
  EXPECT_EQ(reply.usage.output_tokens, 12);
  std::string expected;
  for (const int32_t token : model_.Continue(*prompt, 12)) {
    if (token == ac::testing::kToyEndToken) break;
    expected += tokenizer_->TokenBytes(token);
  }
  EXPECT_EQ(chat::JoinText(reply.choices[0].blocks, ""), RepairUtf8(expected));
}

TEST_F(LocalBackendTest, UsageCountsCachedTokensApart) {
  Run(Ask("a question that is asked twice"));
  const chat::Reply again = Run(Ask("a question that is asked twice"))->reply();
  EXPECT_GT(again.usage.cache_read, 30);
  EXPECT_EQ(again.usage.input_tokens, 1);
}

TEST_F(LocalBackendTest, WhatAClientMarksAndMustBeComputedCountsAsStored) {
  chat::ChatRequest request = Ask("a question with a mark behind it");
  request.messages[0].blocks[0].cache_ttl = "5m";
  const auto prompt = backend_->prompts().Tokens(request);
  ASSERT_TRUE(prompt.ok());
  const auto total = static_cast<int64_t>(prompt->size());
  const chat::Usage first = Run(request)->reply().usage;
  EXPECT_EQ(first.cache_read, 0);
  EXPECT_GT(first.cache_creation, 30);
  EXPECT_EQ(first.input_tokens, std::string("<|im_start|>assistant\n").size())
      << "what is behind the mark: the reply's header";
  EXPECT_EQ(first.PromptTokens(), total);
  const chat::Usage again = Run(request)->reply().usage;
  EXPECT_EQ(again.cache_creation, 0) << "it is stored already";
  EXPECT_EQ(again.cache_read, total - 1);
  EXPECT_EQ(again.PromptTokens(), total);
  request.messages[0].blocks.push_back({.value = chat::Text{"and more"}, .cache_ttl = "1h"});
  const chat::Usage more = Run(request)->reply().usage;
  EXPECT_GT(more.cache_read, 30);
  EXPECT_GT(more.cache_creation, 8);
}

TEST_F(LocalBackendTest, AnEditedPromptIsToldWhichMessageLeftTheCacheAndWhatItCost) {
  chat::ChatRequest request = Ask("first question");
  request.system = {{.value = chat::Text{"You are helpful and brief."}}};
  const std::string answer = "an answer of some length, so that losing it costs something";
  request.messages.push_back(
      {.role = chat::Role::kAssistant, .blocks = {{.value = chat::Text{answer}}}});
  request.messages.push_back(
      {.role = chat::Role::kUser, .blocks = {{.value = chat::Text{"second question"}}}});
  EXPECT_FALSE(FactsOf(Run(request)->events()).divergence);
  request.messages[1].blocks[0].As<chat::Text>()->text[10] = '!';
  const auto sink = Run(request);
  const chat::PromptFacts facts = FactsOf(sink->events());
  ASSERT_TRUE(facts.divergence);
  EXPECT_EQ(facts.divergence->part, "message 2 (assistant)");
  EXPECT_EQ(facts.divergence->before, "t\nan answer ");
  EXPECT_EQ(facts.divergence->was.substr(0, 4), "of s");
  EXPECT_EQ(facts.divergence->now.substr(0, 4), "!f s");
  EXPECT_GT(facts.divergence->seconds, 0);
  EXPECT_GT(facts.prefill_ms, 0);
  EXPECT_EQ(facts.from_memory + facts.from_disk + facts.computed,
            sink->reply().usage.PromptTokens());
}

TEST_F(LocalBackendTest, WordsNearASecretAreNotShown) {
  const std::string key = "sk-ant-api03-abcdefghijklmnopqrstuvwxyz0123456789";
  Run(Ask("my key is " + key + " and my question is the first one"));
  // In the middle of the key, and behind it.
  for (const char* edited : {"my key is sk-ant-api03-abcdefghijklmnopqrstuvwXYZ0123456789 and",
                             "my key is sk-ant-api03-abcdefghijklmnopqrstuvwxyz0123456789 but"}) {
    const chat::PromptFacts facts = FactsOf(Run(Ask(edited))->events());
    ASSERT_TRUE(facts.divergence) << edited;
    EXPECT_EQ(facts.divergence->before, "[a secret is near]");
    EXPECT_EQ(facts.divergence->was, "[a secret is near]");
    EXPECT_EQ(facts.divergence->now, "[a secret is near]");
    EXPECT_EQ(facts.divergence->part, "message 1 (user)") << "where it is can be told";
  }
}

TEST_F(LocalBackendTest, SeveralRepliesToOnePromptShareOneMessage) {
  chat::ChatRequest request = Ask("hello");
  request.n = 3;
  const chat::Reply reply = Run(request)->reply();
  ASSERT_TRUE(reply.complete);
  EXPECT_EQ(reply.choices.size(), 3u);
  EXPECT_EQ(reply.usage.output_tokens, 36);
}

TEST_F(LocalBackendTest, MoreRepliesThanTheBatchTakesWaitForTheirTurn) {
  Start({.max_running = 4});
  chat::ChatRequest request = Ask("hello");
  request.n = 30;
  const chat::Reply reply = Run(request)->reply();
  ASSERT_TRUE(reply.complete) << reply.error;
  EXPECT_EQ(reply.choices.size(), 30u);
  EXPECT_EQ(reply.usage.output_tokens, 30 * 12);
}

TEST_F(LocalBackendTest, MoreRepliesThanTheQueueTakesAreRefusedWholeAndHarmNobody) {
  Start({.max_running = 4, .max_queued = 8});
  Gate gate;
  model_.on_forward = [&](std::span<const model::Chunk>) { return gate.Pass(); };
  chat::ChatRequest request = Ask("hello");
  request.n = 30;
  const auto sink = Run(request);
  gate.Open();
  EXPECT_EQ(sink->reply().error.code(), Code::kOverloaded) << sink->reply().error;
  // A whole turn of the engine lies between two checks: it takes the cancelled ones out.
  EXPECT_TRUE(engine_->CheckIntegrity().ok());
  EXPECT_TRUE(engine_->CheckIntegrity().ok());
  const chat::Reply next = Run(Ask("hello"))->reply();
  EXPECT_TRUE(next.complete) << next.error;
  EXPECT_TRUE(engine_->CheckIntegrity().ok());
}

TEST_F(LocalBackendTest, WhatACallsGrammarLeavesNoChoiceAboutCostsNoForwardPass) {
  chat::ChatRequest request = Ask("hello");
  request.max_tokens = 400;
  request.tools = {{.name = "set_the_direction",
                    .description = "",
                    .input_schema = R"({"type":"object","properties":{"direction":{"enum":)"
                                    R"(["to the left","to the right"]}},)"
                                    R"("required":["direction"],"additionalProperties":false})"}};
  request.tool_choice.kind = chat::ToolChoice::Kind::kAny;
  request.tool_choice.parallel = false;
  request.sampling.logit_bias = {{'h', -1000}};  // no <think>
  const chat::Reply reply = Run(request)->reply();
  ASSERT_TRUE(reply.complete) << reply.error;
  EXPECT_EQ(reply.choices[0].stop_reason, chat::StopReason::kToolUse);
  EXPECT_GT(reply.usage.output_tokens, 80);
  EXPECT_LT(2 * model_.steps, reply.usage.output_tokens);
}

TEST_F(LocalBackendTest, RawPromptsAreNotTemplated) {
  chat::ChatRequest request = Ask("");
  request.messages.clear();
  request.prompts = {{.text = "abc"}, {.tokens = {1, 2, 3}}};
  const chat::Reply reply = Run(request)->reply();
  ASSERT_TRUE(reply.complete) << reply.error;
  EXPECT_EQ(reply.choices.size(), 2u);
}

TEST_F(LocalBackendTest, AnOverlongPromptGetsTheTextThatMakesAgentsCompact) {
  const auto sink = Run(Ask(std::string(3000, 'x')));
  ASSERT_EQ(sink->count(), 1u) << "an error and nothing before it";
  const std::string message = sink->reply().error.message();
  EXPECT_NE(message.find("prompt is too long: 30"), std::string::npos) << message;
  EXPECT_NE(message.find("tokens > 2047 maximum"), std::string::npos) << message;
}

TEST_F(LocalBackendTest, APromptBeyondTheMemoryMakesAgentsCompactAndSaysWhatIsMissing) {
  Start({}, 64);  // 256 tokens
  const auto sink = Run(Ask(std::string(300, 'x')));
  ASSERT_EQ(sink->count(), 1u) << "an error and nothing before it";
  const Status error = sink->reply().error;
  EXPECT_EQ(error.code(), Code::kInvalidArgument) << "asking again would not help: " << error;
  EXPECT_NE(error.message().find("prompt is too long: 3"), std::string::npos) << error;
  EXPECT_NE(error.message().find("tokens > 255 maximum"), std::string::npos) << error;
  EXPECT_NE(error.message().find("raise kv.memory_mb"), std::string::npos) << error;
  EXPECT_TRUE(Run(Ask("short"))->reply().complete);
}

TEST_F(LocalBackendTest, MaxTokensBeyondTheContextIsClamped) {
  chat::ChatRequest request = Ask(std::string(1990, 'x'));
  request.max_tokens = 32000;
  const chat::Reply reply = Run(request)->reply();
  ASSERT_TRUE(reply.complete) << reply.error;
  EXPECT_LT(reply.usage.PromptTokens() + reply.usage.output_tokens, 2049);
}

TEST_F(LocalBackendTest, ADestroyedCallIsSilentAndFreesTheEngine) {
  auto sink = std::make_shared<CollectingChatSink>();
  chat::ChatRequest request = Ask("hello");
  request.max_tokens = 2000;
  auto call = backend_->Start(std::move(request), sink);
  while (sink->count() < 3) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  call.reset();
  const size_t seen = sink->count();
  for (int i = 0; i < 500 && engine_->stats().running > 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(engine_->stats().running, 0);
  EXPECT_EQ(sink->count(), seen);
}

TEST_F(LocalBackendTest, AMessageBeginsWhileTheModelIsBusyWithAnother) {
  Run(Ask("a question that is asked twice"));  // for the cache
  Gate gate;
  model_.on_forward = [&](auto) { return gate.Pass(); };
  auto busy = std::make_shared<CollectingChatSink>();
  const auto first = backend_->Start(Ask("something else"), busy);
  gate.AwaitStep();
  auto sink = std::make_shared<CollectingChatSink>();
  const auto second = backend_->Start(Ask("a question that is asked twice"), sink);
  // The step that runs cannot end before the gate opens, so this start is not the engine's.
  while (sink->count() == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  const std::vector<chat::ChatEvent> before = sink->events();
  ASSERT_EQ(before.size(), 1u);
  const auto* start = before[0].As<chat::MessageStart>();
  ASSERT_NE(start, nullptr);
  EXPECT_FALSE(start->admitted);
  EXPECT_GT(start->usage.input_tokens, 30) << "all of the prompt: nobody knows better yet";
  EXPECT_EQ(start->usage.cache_read, 0);
  gate.Open();
  ASSERT_TRUE(sink->Wait());
  ASSERT_TRUE(busy->Wait());
  EXPECT_TRUE(api::CheckEvents(sink->events()).ok()) << api::CheckEvents(sink->events());
  EXPECT_EQ(sink->reply().usage.input_tokens, 1) << "the end of the message knows the cache";
  EXPECT_EQ(sink->reply().usage.PromptTokens(), start->usage.input_tokens);
}

// Looks at the engine in the moment in which the message begins.
class StartWatcher : public CollectingChatSink {
 public:
  explicit StartWatcher(const engine::Engine& engine) : engine_(engine) {}
  void OnEvent(chat::ChatEvent event) override {
    if (const auto* start = event.As<chat::MessageStart>()) {
      MutexLock lock(mutex_);
      start_ = *start;
      requests_ = engine_.stats().requests;
    }
    CollectingChatSink::OnEvent(std::move(event));
  }
  chat::MessageStart start() {
    MutexLock lock(mutex_);
    return start_;
  }
  uint64_t requests() {
    MutexLock lock(mutex_);
    return requests_;
  }

 private:
  const engine::Engine& engine_;
  Mutex mutex_;
  chat::MessageStart start_ AC_GUARDED_BY(mutex_);
  uint64_t requests_ AC_GUARDED_BY(mutex_) = 0;
};

chat::ChatRequest AskWithTools(int tools) {
  chat::ChatRequest request = Ask("read it");
  for (int i = 0; i < tools; ++i) {
    request.tools.push_back(
        {.name = "Read" + std::to_string(i),
         .input_schema = R"({"type":"object","properties":{"path":{"type":"string"}}})"});
  }
  return request;
}

TEST_F(LocalBackendTest, AMessageBeginsBeforeTheGrammarOfNewToolsIsCompiled) {
  auto sink = std::make_shared<StartWatcher>(*engine_);
  const auto call = backend_->Start(AskWithTools(30), sink);
  ASSERT_TRUE(sink->Wait());
  ASSERT_TRUE(sink->reply().complete) << sink->reply().error;
  EXPECT_EQ(sink->requests(), 0u) << "the engine is told when the grammar is ready";
  EXPECT_FALSE(sink->start().admitted);
  EXPECT_EQ(sink->start().model, "asked-model");
  EXPECT_EQ(sink->start().usage.input_tokens, sink->reply().usage.PromptTokens());
  EXPECT_TRUE(api::CheckEvents(sink->events()).ok()) << api::CheckEvents(sink->events());
  EXPECT_EQ(engine_->stats().requests, 1u);
}

TEST_F(LocalBackendTest, WhatIsWrongWithARequestIsSaidBeforeAMessageBegins) {
  const auto refused = [&](const chat::ChatRequest& request, const std::string& why) {
    const auto sink = Run(request);
    EXPECT_EQ(sink->count(), 1u) << why << ": an error and nothing before it";
    EXPECT_NE(sink->reply().error.message().find(why), std::string::npos) << sink->reply().error;
  };
  chat::ChatRequest request = AskWithTools(2);
  request.tools[1].name = request.tools[0].name;
  refused(request, "tools: two tools have the name");
  request = AskWithTools(2);
  request.tool_choice = {.kind = chat::ToolChoice::Kind::kTool, .name = "Write"};
  refused(request, "tool_choice: there is no tool");
  request = AskWithTools(3);
  request.sampling.temperature = -1;
  refused(request, "temperature");
  request = AskWithTools(4);
  request.messages[0].blocks[0].As<chat::Text>()->text = std::string(3000, 'x');
  refused(request, "prompt is too long");
  request = AskWithTools(5);
  request.response_format = {.kind = chat::ResponseFormat::Kind::kJsonSchema,
                             .schema = R"({"type":7})"};
  refused(request, "response_format");
}

TEST_F(LocalBackendTest, EmbeddingsAreNormalisedAndInTheOrderOfTheTexts) {
  std::vector<chat::RawPrompt> texts(20);
  for (size_t i = 0; i < texts.size(); ++i) {
    texts[i].tokens = {1, static_cast<int32_t>(i), 30};
  }
  std::promise<TextTools::Embeddings> told;
  const auto work = backend_->Embed(texts, [&](Result<TextTools::Embeddings> result) {
    ASSERT_TRUE(result.ok()) << result.status();
    told.set_value(std::move(result).value());
  });
  const TextTools::Embeddings result = told.get_future().get();
  EXPECT_EQ(result.prompt_tokens, 60);
  ASSERT_EQ(result.vectors.size(), 20u);
  for (size_t i = 0; i < 20; ++i) {
    const auto number = static_cast<float>(i);
    const std::vector<float>& vector = result.vectors[i];
    EXPECT_NEAR(vector[0] * vector[0] + vector[1] * vector[1], 1.0f, 1e-5f);
    EXPECT_NEAR(vector[1] / vector[0], (901 + number * number) / (31 + number), 1e-3f);
  }
}

TEST_F(LocalBackendTest, ATextTooLongToEmbedIsAnsweredOnce) {
  std::promise<Status> told;
  const auto work = backend_->Embed(
      {{.text = "short"}, {.text = std::string(3000, 'x')}},
      [&](Result<TextTools::Embeddings> result) { told.set_value(result.status()); });
  const Status status = told.get_future().get();
  EXPECT_NE(status.message().find("prompt is too long: 3000 tokens"), std::string::npos) << status;
}

TEST_F(LocalBackendTest, EmbeddingsThatNobodyWaitsForAreNotComputed) {
  Gate gate;
  model_.on_forward = [&](auto) { return gate.Pass(); };
  std::atomic<int> answers{0};
  auto work = backend_->Embed(std::vector<chat::RawPrompt>(200, {.text = "some text"}),
                              [&](const auto&) { ++answers; });
  gate.AwaitStep();
  work.reset();
  gate.Open();
  // A question behind them: what the engine was told before has ended by then.
  Run(Ask("hello"));
  for (int i = 0; i < 500 && engine_->stats().running > 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(engine_->stats().running, 0);
  EXPECT_EQ(answers, 0);
  EXPECT_LE(engine_->stats().requests, 9u) << "eight texts at a time, and the question";
}

TEST_F(LocalBackendTest, CountsTokensExactlyWithoutGenerating) {
  const chat::ChatRequest request = Ask("how many?");
  std::promise<int64_t> counted;
  backend_->CountTokens(request, [&](Result<int64_t> tokens) { counted.set_value(*tokens); });
  EXPECT_EQ(counted.get_future().get(),
            static_cast<int64_t>(backend_->prompts().Tokens(request)->size()));
  EXPECT_EQ(model_.steps, 0);
}

// Writes one call, and a different one only by a draw that is not greedy.
class StubbornModel : public ToyModel {
 public:
  StubbornModel() : ToyModel(257, 4096) {}
  void WriteLogits(std::span<const int32_t> seen, float* logits) const override {
    std::fill_n(logits, vocab_size(), -30.0f);
    std::string text;
    for (const int32_t token : seen) text += token < 256 ? static_cast<char>(token) : '\0';
    const std::string opening = "<|im_start|>assistant\n";
    const std::string reply = text.substr(text.rfind(opening) + opening.size());
    logits[ac::testing::kToyEndToken] = 0;
    const auto wants = [&](const std::string& call, float logit) {
      if (call.size() <= reply.size() || !call.starts_with(reply)) return;
      float& next = logits[static_cast<unsigned char>(call[reply.size()])];
      next = std::max(next, logit);
    };
    wants(Call("a.txt"), 30);
    // One of nine others, nearly as likely each.
    for (char c = 'b'; open_minded && c <= 'j'; ++c) wants(Call(std::string{c} + ".txt"), 29.99f);
  }
  static std::string Call(const std::string& path) {
    return "Looking.\n<tool_call>\n{\"name\": \"Read\", \"arguments\": {\"path\": \"" + path +
           "\"}}\n</tool_call>";
  }
  bool open_minded = true;
};

class RepeatedCallTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto pool = kv::PagePool::Create(ToyModel::Layout(), 1024);
    ASSERT_TRUE(pool.ok());
    engine_ = std::make_unique<engine::Engine>(model_, *tokenizer_, std::move(pool).value(),
                                               engine::EngineOptions{});
    auto prompts = prompt::PromptBuilder::Create(*tokenizer_, "", "");
    ASSERT_TRUE(prompts.ok()) << prompts.status();
    backend_ = std::make_unique<LocalBackend>(
        *engine_, *tokenizer_, std::move(prompts).value(),
        LocalOptions{.model_id = "toy", .ids = &ids_, .metrics = &metrics_});
  }
  // After so many equal calls.
  static chat::ChatRequest AskAfter(int calls) {
    chat::ChatRequest request = Ask("read it");
    request.max_tokens = 300;
    request.sampling.seed = 11;
    request.tools = {{.name = "Read",
                      .input_schema = R"({"type":"object","properties":{"path":{"type":"string"}},
                                          "required":["path"]})"}};
    for (int i = 0; i < calls; ++i) {
      const std::string id = "toolu_" + std::to_string(i);
      request.messages.push_back(
          {.role = chat::Role::kAssistant,
           .blocks = {{.value = chat::ToolUse{
                           .id = id, .name = "Read", .input = R"({"path": "a.txt"})"}}}});
      chat::ToolResult result{.tool_use_id = id};
      result.content = {{.value = chat::Text{"not found"}}};
      request.messages.push_back(
          {.role = chat::Role::kUser, .blocks = {{.value = std::move(result)}}});
    }
    return request;
  }
  std::vector<chat::ChatEvent> Run(chat::ChatRequest request) {
    auto sink = std::make_shared<CollectingChatSink>();
    const auto call = backend_->Start(std::move(request), sink);
    EXPECT_TRUE(sink->Wait());
    reply_ = sink->reply();
    return sink->events();
  }
  std::string Input() const {
    for (const chat::Block& block : reply_.choices.at(0).blocks) {
      if (const auto* use = block.As<chat::ToolUse>()) return chat::CanonicalJson(use->input);
    }
    return "no call";
  }
  static std::vector<std::string> Notes(const std::vector<chat::ChatEvent>& events) {
    for (const chat::ChatEvent& event : events) {
      if (const auto* delta = event.As<chat::MessageDelta>()) return delta->notes;
    }
    return {};
  }
  double Count(const char* outcome) {
    return metrics_.GetCounter("anyclaude_repeated_calls_total", "", {{"outcome", outcome}})
        .value();
  }

  StubbornModel model_;
  obs::Metrics metrics_;
  std::unique_ptr<tokenizer::Tokenizer> tokenizer_ = ac::testing::MakeToyTokenizer();
  chat::SequenceIds ids_;
  std::unique_ptr<engine::Engine> engine_;
  std::unique_ptr<LocalBackend> backend_;
  chat::Reply reply_;
};

TEST_F(RepeatedCallTest, TheSecondEqualCallPasses) {
  EXPECT_TRUE(Notes(Run(AskAfter(1))).empty());
  EXPECT_EQ(Input(), R"({"path":"a.txt"})");
}

TEST_F(RepeatedCallTest, TheThirdEqualCallIsSampledAgainAndReported) {
  const auto events = Run(AskAfter(2));
  ASSERT_TRUE(reply_.complete) << reply_.error;
  EXPECT_NE(Input(), R"({"path":"a.txt"})");
  EXPECT_EQ(Input().size(), std::string(R"({"path":"a.txt"})").size());
  EXPECT_EQ(chat::JoinText(reply_.choices[0].blocks, "").substr(0, 8), "Looking.");
  EXPECT_EQ(reply_.choices[0].stop_reason, chat::StopReason::kToolUse);
  EXPECT_GE(Count("resampled"), 1);
  EXPECT_EQ(Count("let_through"), 0);
  EXPECT_EQ(Notes(events).size(), static_cast<size_t>(Count("resampled")));
  // Told once: the text before the call, and one call.
  int blocks = 0;
  for (const auto& event : events) blocks += event.As<chat::BlockStart>() != nullptr ? 1 : 0;
  EXPECT_EQ(blocks, 2);
  // What the client got is what it pays for: the tokens are bytes here, the last one is the end.
  EXPECT_EQ(reply_.usage.output_tokens,
            static_cast<int64_t>(StubbornModel::Call("b.txt").size()) + 1);
}

TEST_F(RepeatedCallTest, AModelThatKnowsNothingElseIsLetThrough) {
  model_.open_minded = false;
  const auto events = Run(AskAfter(2));
  ASSERT_TRUE(reply_.complete) << reply_.error;
  EXPECT_EQ(Input(), R"({"path":"a.txt"})");
  EXPECT_EQ(Count("resampled"), 3);
  EXPECT_EQ(Count("let_through"), 1);
  EXPECT_EQ(Notes(events).size(), 4u);
  EXPECT_TRUE(engine_->CheckIntegrity().ok());
}

}  // namespace
}  // namespace ac::backend
