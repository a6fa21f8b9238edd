#include <gtest/gtest.h>
#include <unistd.h>

#include "http/client.h"
#include "loadtest/paced_upstream.h"
#include "loadtest/process_usage.h"
#include "loadtest/stream_load.h"

namespace ac::loadtest {
namespace {

constexpr Pace kFast{.tokens = 3, .interval = std::chrono::milliseconds(1)};

std::unique_ptr<PacedUpstream> Upstream(const Pace& pace) {
  auto upstream = PacedUpstream::Create(0);
  EXPECT_TRUE(upstream.ok()) << upstream.status();
  (*upstream)->SetPace(pace);
  return std::move(upstream).value();
}

TEST(StreamLoad, EveryRequestIsAskedAndReadToItsEnd) {
  const auto upstream = Upstream(kFast);
  const LoadResult result = RunLoad({.url = upstream->url(),
                                     .streams = 4,
                                     .requests = 21,
                                     .text_bytes = 3 * PacedUpstream::kToken.size()});
  EXPECT_EQ(result.complete, 21) << result.first_failure;
  EXPECT_EQ(result.failed, 0);
  EXPECT_EQ(result.tokens, 63);
  EXPECT_EQ(result.first_byte_s.size(), 21u);
  EXPECT_GE(result.most_open, 1);
  EXPECT_LE(result.most_open, 4);
  for (size_t i = 0; i < 21; ++i) {
    EXPECT_GT(result.first_byte_s[i], 0);
    EXPECT_GE(result.first_token_s[i], result.first_byte_s[i]);
  }
}

TEST(StreamLoad, AReplyOfAnotherLengthIsAFailure) {
  const auto upstream = Upstream(kFast);
  const LoadResult result = RunLoad({.url = upstream->url(),
                                     .streams = 2,
                                     .requests = 3,
                                     .text_bytes = 4 * PacedUpstream::kToken.size()});
  EXPECT_EQ(result.complete, 0);
  EXPECT_EQ(result.failed, 3);
  EXPECT_NE(result.first_failure.find("18 of 24 bytes"), std::string::npos) << result.first_failure;
}

TEST(StreamLoad, AServerThatIsNotThereIsAFailureOfEveryRequest) {
  const LoadResult result = RunLoad({.url = "http://127.0.0.1:1", .streams = 2, .requests = 5});
  EXPECT_EQ(result.failed, 5);
  EXPECT_NE(result.first_failure.find("127.0.0.1"), std::string::npos) << result.first_failure;
}

TEST(StreamLoad, StreamsAreOpenTogether) {
  // Long enough that all have begun before the first can end, however slow the machine.
  const auto upstream = Upstream({.tokens = 10, .interval = std::chrono::milliseconds(100)});
  const LoadResult result = RunLoad({.url = upstream->url(),
                                     .streams = 3,
                                     .requests = 3,
                                     .text_bytes = 10 * PacedUpstream::kToken.size()});
  EXPECT_EQ(result.complete, 3) << result.first_failure;
  EXPECT_GE(result.most_open, 1);
}

TEST(PacedUpstream, SpeaksTheOpenAiStreamToo) {
  const auto upstream = Upstream(kFast);
  http::Client client({.proxy = http::ProxyConfig{}});
  const auto reply = client.Fetch(
      {.method = "POST", .url = upstream->url() + "/v1/chat/completions", .body = "{}"});
  ASSERT_TRUE(reply.ok()) << reply.status();
  size_t tokens = 0;
  for (size_t at = 0; (at = reply->body.find(R"("content":"token ")", at)) != std::string::npos;
       ++at) {
    ++tokens;
  }
  EXPECT_EQ(tokens, 3u) << reply->body;
  EXPECT_TRUE(reply->body.ends_with("data: [DONE]\n\n")) << reply->body;
}

TEST(PacedUpstream, AClientThatLeavesEndsItsStreamAlone) {
  const auto upstream = Upstream({.tokens = 1000, .interval = std::chrono::milliseconds(1)});
  {
    http::Client client({.proxy = http::ProxyConfig{}});
    const http::Call call =
        client.Start({.method = "POST", .url = upstream->url() + "/v1/messages", .body = "{}"}, {});
  }
  upstream->SetPace(kFast);
  const LoadResult result = RunLoad({.url = upstream->url(),
                                     .streams = 1,
                                     .requests = 1,
                                     .text_bytes = 3 * PacedUpstream::kToken.size()});
  EXPECT_EQ(result.complete, 1) << result.first_failure;
}

TEST(ProcessUsage, IsThatOfTheNamedProcess) {
  const auto usage = UsageOf(getpid());
  ASSERT_TRUE(usage.ok()) << usage.status();
  EXPECT_GE(usage->cpu_s, 0);
  EXPECT_GT(usage->memory_mb, 1);
  EXPECT_GE(usage->peak_memory_mb, usage->memory_mb);
  const auto missing = UsageOf(999'999'999);
  ASSERT_FALSE(missing.ok());
  EXPECT_NE(missing.status().message().find("999999999"), std::string::npos);
}

TEST(Percentile, IsTheSmallestValueThatTheShareDoesNotExceed) {
  EXPECT_EQ(Percentile({}, 0.5), 0);
  EXPECT_EQ(Percentile({7}, 0.99), 7);
  EXPECT_EQ(Percentile({4, 1, 3, 2}, 0.5), 2);
  EXPECT_EQ(Percentile({4, 1, 3, 2}, 0.99), 4);
}

}  // namespace
}  // namespace ac::loadtest
