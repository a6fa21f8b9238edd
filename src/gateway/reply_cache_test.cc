#include "gateway/reply_cache.h"

#include <gtest/gtest.h>

#include "support/played_backend.h"
#include "support/temp_dir.h"

namespace ac::gateway {
namespace {

using ac::testing::PlayedBackend;
using ac::testing::WaitingSink;

chat::ChatRequest CacheableAsk(const std::string& text) {
  chat::ChatRequest request;
  request.model = "m";
  request.sampling.temperature = 0;
  request.metadata.caller = "caller-1";
  request.messages = {{chat::Role::kUser, {{.value = chat::Text{text}}}}};
  return request;
}

class ReplyCacheTest : public ::testing::Test {
 protected:
  void Open(ReplyCacheOptions options = {}) {
    auto created =
        ReplyCache::Create(FileSystem::Real(), home_.path(), inner_, options, metrics_, clock_);
    ASSERT_TRUE(created.ok()) << created.status();
    cache_ = std::move(created).value();
  }
  struct Asked {
    std::string text;
    std::string served_by;
    chat::Reply reply;
  };
  Asked Ask(const chat::ChatRequest& request) {
    auto sink = std::make_shared<WaitingSink>();
    const auto call = cache_->Start(request, sink);
    const chat::Reply reply = sink->Wait();
    EXPECT_TRUE(reply.complete || !reply.error.ok());
    return {sink->Text(), sink->served_by(), reply};
  }

  const testing::TempDir home_;
  PlayedBackend inner_;
  obs::Metrics metrics_;
  FakeClock clock_;
  std::unique_ptr<ReplyCache> cache_;
};

TEST_F(ReplyCacheTest, TheSecondTimeTheReplyIsStored) {
  inner_.replies = {PlayedBackend::Saying("hello", {.input_tokens = 10, .output_tokens = 2}),
                    PlayedBackend::Saying("other")};
  Open();
  const Asked first = Ask(CacheableAsk("hi"));
  const Asked second = Ask(CacheableAsk("hi"));
  EXPECT_EQ(first.text, "hello");
  EXPECT_EQ(first.served_by, "");
  EXPECT_EQ(second.text, "hello");
  EXPECT_EQ(second.served_by, "reply-cache");
  EXPECT_NE(first.reply.id, second.reply.id);
  EXPECT_EQ(second.reply.usage.input_tokens, 0);
  EXPECT_EQ(second.reply.usage.cache_read, 10);
  EXPECT_EQ(inner_.started, 1);
  const auto lookups = [&](const char* result) {
    return metrics_
        .GetCounter("anyclaude_reply_cache_lookups_total",
                    "Requests that a stored reply could answer", {{"result", result}})
        .value();
  };
  EXPECT_EQ(lookups("hit"), 1);
  EXPECT_EQ(lookups("miss"), 1);
}

TEST_F(ReplyCacheTest, ARestartKeepsWhatIsStored) {
  inner_.replies = {PlayedBackend::Saying("hello")};
  Open();
  Ask(CacheableAsk("hi"));
  cache_.reset();
  Open();
  EXPECT_EQ(Ask(CacheableAsk("hi")).served_by, "reply-cache");
}

TEST_F(ReplyCacheTest, AnotherCallerModelTextOrScopeIsAnotherKey) {
  const std::string key = ReplyKey("scope", CacheableAsk("hi"));
  auto other = CacheableAsk("hi");
  other.metadata.caller = "caller-2";
  EXPECT_NE(ReplyKey("scope", other), key);
  other = CacheableAsk("hi");
  other.model = "n";
  EXPECT_NE(ReplyKey("scope", other), key);
  other = CacheableAsk("hi");
  other.max_tokens = 5;
  EXPECT_NE(ReplyKey("scope", other), key);
  EXPECT_NE(ReplyKey("scope", CacheableAsk("hi ")), key);
  EXPECT_NE(ReplyKey("other scope", CacheableAsk("hi")), key);
}

TEST_F(ReplyCacheTest, HowAReplyIsSentDoesNotMatter) {
  auto streamed = CacheableAsk("hi");
  streamed.stream = true;
  streamed.metadata.session_id = "s";
  EXPECT_EQ(ReplyKey("scope", streamed), ReplyKey("scope", CacheableAsk("hi")));
}

TEST_F(ReplyCacheTest, NeverAcrossCallers) {
  inner_.replies = {PlayedBackend::Saying("for the first"),
                    PlayedBackend::Saying("for the second")};
  Open();
  Ask(CacheableAsk("hi"));
  auto other = CacheableAsk("hi");
  other.metadata.caller = "caller-2";
  EXPECT_EQ(Ask(other).text, "for the second");
}

TEST_F(ReplyCacheTest, OnlyWhatThePolicyAllowsIsCacheable) {
  auto sampled = CacheableAsk("hi");
  sampled.sampling.temperature = 0.7;
  auto unset = CacheableAsk("hi");
  unset.sampling.temperature.reset();
  auto with_tools = CacheableAsk("hi");
  with_tools.tools = {{.name = "t"}};
  auto several = CacheableAsk("hi");
  several.n = 2;
  using enum ReplyCachePolicy;
  EXPECT_TRUE(IsCacheable(kSide, CacheableAsk("hi")));
  EXPECT_FALSE(IsCacheable(kOff, CacheableAsk("hi")));
  EXPECT_FALSE(IsCacheable(kSide, with_tools));
  EXPECT_TRUE(IsCacheable(kAll, with_tools));
  for (const auto& request : {sampled, unset, several}) {
    EXPECT_FALSE(IsCacheable(kAll, request));
  }
}

TEST_F(ReplyCacheTest, ToolCallsAndFailuresAreNotStored) {
  inner_.replies = {PlayedBackend::Calling("toolu_1", "t", "{}"),
                    {{.value = chat::Error{.status = Internal("[x] broken")}}},
                    PlayedBackend::Saying("at last")};
  Open({.policy = ReplyCachePolicy::kAll});
  EXPECT_EQ(Ask(CacheableAsk("hi")).reply.choices[0].stop_reason, chat::StopReason::kToolUse);
  EXPECT_FALSE(Ask(CacheableAsk("hi")).reply.error.ok());
  EXPECT_EQ(Ask(CacheableAsk("hi")).text, "at last");
  EXPECT_EQ(inner_.started, 3);
}

TEST_F(ReplyCacheTest, AnOldReplyIsComputedAgain) {
  inner_.replies = {PlayedBackend::Saying("old"), PlayedBackend::Saying("new")};
  Open({.limits = {.max_age_ms = 1000}});
  Ask(CacheableAsk("hi"));
  EXPECT_EQ(Ask(CacheableAsk("hi")).text, "old");  // so it has been stored
  clock_.Advance(std::chrono::milliseconds(1001));
  EXPECT_EQ(Ask(CacheableAsk("hi")).text, "new");
}

TEST_F(ReplyCacheTest, ADamagedRowIsAMiss) {
  inner_.replies = {PlayedBackend::Saying("hello")};
  Open({.scope = "s"});
  {
    auto database = store::Database::Open(home_ / "state.db");
    store::ReplyTable table(**database, {});
    for (const char* body : {"not json", "[]", R"([{"event":"message_stop"}])"}) {
      ASSERT_TRUE(table.Put(ReplyKey("s", CacheableAsk(body)), body, 1'000'000'000).ok());
    }
  }
  for (const char* body : {"not json", "[]", R"([{"event":"message_stop"}])"}) {
    EXPECT_EQ(Ask(CacheableAsk(body)).text, "hello");
  }
}

TEST_F(ReplyCacheTest, ACallThatIsDroppedSaysNothingMore) {
  inner_.replies = {PlayedBackend::Saying("hello")};
  Open();
  auto sink = std::make_shared<WaitingSink>();
  for (int i = 0; i < 50; ++i) cache_->Start(CacheableAsk("hi"), sink).reset();
  const size_t seen = sink->events().size();
  cache_.reset();  // runs what was posted
  EXPECT_EQ(sink->events().size(), seen);
}

TEST(ReplyCachePolicy, NamesAreParsedAndMistakesNamed) {
  EXPECT_EQ(*ParseReplyCachePolicy("side"), ReplyCachePolicy::kSide);
  EXPECT_EQ(*ParseReplyCachePolicy("off"), ReplyCachePolicy::kOff);
  EXPECT_EQ(*ParseReplyCachePolicy("all"), ReplyCachePolicy::kAll);
  EXPECT_NE(ParseReplyCachePolicy("some").status().message().find("off, side or all"),
            std::string::npos);
}

}  // namespace
}  // namespace ac::gateway
