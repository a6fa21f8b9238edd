#include "batch/runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/mutex.h"
#include "json/json.h"
#include "support/http_server.h"
#include "support/temp_dir.h"

namespace ac::batch {
namespace {

using ac::testing::ExchangePtr;
using ac::testing::Serve;
using ac::testing::TempDir;
using ::testing::HasSubstr;

http::Response ChatReply(const std::string& text) {
  return http::Response::Make(200, "application/json",
                              R"({"id":"c1","choices":[{"message":{"content":)" +
                                  json::Quote(text) +
                                  R"(}}],"usage":{"prompt_tokens":10,"completion_tokens":2,)"
                                  R"("prompt_tokens_details":{"cached_tokens":4}}})");
}

class RunnerTest : public ::testing::Test {
 protected:
  // The last user message of a chat request.
  static std::string Prompt(const http::Request& request) {
    const auto body = json::Parse(request.body);
    const json::Array* messages = json::AsArray(json::Find(*body, "messages"));
    return std::string(*json::GetString(messages->back(), "content"));
  }
  Status RunAll(http::Handler handler, int parallel = 4) {
    const auto server = Serve(std::move(handler), {.threads = 2});
    auto journal = Journal::Open(FileSystem::Real(), directory_ / "journal", items_, true);
    if (!journal.ok()) return journal.status();
    RunOptions options{.url = server->url(), .api_key = "k", .parallel = parallel, .attempts = 3};
    options.first_pause = std::chrono::milliseconds(1);
    http::Client client;
    AC_RETURN_IF_ERROR(
        RunBatch(client, items_, **journal, options, [this](int64_t done, const Totals& totals) {
          done_ = done;
          totals_ = totals;
        }));
    return (*journal)->WriteOutput(items_, directory_ / "out");
  }
  std::vector<std::string> Lines() {
    std::string text = *ReadFile(FileSystem::Real(), directory_ / "out");
    std::vector<std::string> lines;
    for (size_t end; (end = text.find('\n')) != std::string::npos; text.erase(0, end + 1)) {
      lines.push_back(text.substr(0, end));
    }
    return lines;
  }

  TempDir directory_;
  std::vector<Item> items_;
  int64_t done_ = 0;
  Totals totals_;
};

TEST_F(RunnerTest, EveryLineIsAskedOnceAndAnsweredInOrder) {
  std::string text;
  for (int i = 0; i < 50; ++i) text += "prompt " + std::to_string(i) + "\n";
  items_ = *ReadItems(text, {});
  Mutex mutex;
  std::map<std::string, int> asked;
  ASSERT_TRUE(RunAll([&](const http::Request& request, const ExchangePtr& exchange) {
                EXPECT_EQ(request.headers.Get("Authorization"), "Bearer k");
                MutexLock lock(mutex);
                ++asked[Prompt(request)];
                exchange->Respond(ChatReply("re: " + Prompt(request)));
              }).ok());
  EXPECT_EQ(asked.size(), 50u);
  EXPECT_TRUE(std::all_of(asked.begin(), asked.end(), [](const auto& a) { return a.second == 1; }));
  const auto lines = Lines();
  ASSERT_EQ(lines.size(), 50u);
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(lines[i], R"({"custom_id":"line-)" + std::to_string(i + 1) +
                            R"(","text":"re: prompt )" + std::to_string(i) + "\"}");
  }
  EXPECT_EQ(done_, 50);
  EXPECT_EQ(totals_.input_tokens, 50 * 6);
  EXPECT_EQ(totals_.cached_tokens, 50 * 4);
  EXPECT_EQ(totals_.output_tokens, 50 * 2);
}

TEST_F(RunnerTest, NoMoreThanAskedForRunAtOnce) {
  items_ = *ReadItems("1\n2\n3\n4\n5\n6\n7\n8\n9", {});
  Mutex mutex;
  std::vector<ExchangePtr> held;
  size_t most = 0;
  ASSERT_TRUE(RunAll(
                  [&](const http::Request&, const ExchangePtr& exchange) {
                    MutexLock lock(mutex);
                    held.push_back(exchange);
                    most = std::max(most, held.size());
                    if (held.size() < 3) return;  // three must come before any is answered
                    for (const ExchangePtr& one : std::exchange(held, {})) {
                      one->Respond(ChatReply("x"));
                    }
                  },
                  3)
                  .ok());
  EXPECT_EQ(most, 3u);
}

TEST_F(RunnerTest, ABusyServerIsAskedAgain) {
  items_ = *ReadItems("a\nb", {});
  Mutex mutex;
  std::map<std::string, int> asked;
  ASSERT_TRUE(RunAll([&](const http::Request& request, const ExchangePtr& exchange) {
                MutexLock lock(mutex);
                if (++asked[Prompt(request)] < 3) {
                  return exchange->Respond(http::Response::Make(529, "application/json", "{}"));
                }
                exchange->Respond(ChatReply("x"));
              }).ok());
  EXPECT_EQ(totals_.answered, 2);
  EXPECT_EQ(asked["a"], 3);
}

TEST_F(RunnerTest, AnErrorIsTheErrorOfItsLine) {
  items_ = *ReadItems(
      "good\nbad\n{\"custom_id\":\"o\",\"body\":{\"messages\":[{\"content\":\"bad\"}]}}\n"
      "{\"custom_id\":\"n\",\"params\":{\"messages\":[{\"content\":\"bad\"}]}}",
      {});
  ASSERT_TRUE(RunAll([&](const http::Request& request, const ExchangePtr& exchange) {
                if (Prompt(request) == "good") return exchange->Respond(ChatReply("fine"));
                exchange->Respond(http::Response::Make(
                    400, "application/json", R"({"type":"error","error":{"message":"no"}})"));
              }).ok());
  const auto lines = Lines();
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_THAT(lines[0], HasSubstr(R"("text":"fine")"));
  EXPECT_THAT(lines[1], HasSubstr(R"("error":{"message":"no"})"));
  EXPECT_THAT(lines[2], HasSubstr(R"("status_code":400)"));
  EXPECT_THAT(lines[3], HasSubstr(R"("result":{"type":"errored","error":{)"));
  EXPECT_EQ(totals_.failed, 3);
}

TEST_F(RunnerTest, WhatAnEarlierRunFinishedIsNotAskedAgain) {
  items_ = *ReadItems("a\nb\nc", {});
  {
    auto journal = Journal::Open(FileSystem::Real(), directory_ / "journal", items_, true);
    ASSERT_TRUE((*journal)->Append(items_[1], {.ok = true, .output = "kept"}).ok());
  }
  Mutex mutex;
  std::vector<std::string> asked;
  ASSERT_TRUE(RunAll(
                  [&](const http::Request& request, const ExchangePtr& exchange) {
                    MutexLock lock(mutex);
                    asked.push_back(Prompt(request));
                    exchange->Respond(ChatReply("x"));
                  },
                  1)
                  .ok());
  EXPECT_THAT(asked, ::testing::ElementsAre("a", "c"));
  EXPECT_EQ(Lines()[1], "kept");
  EXPECT_EQ(done_, 3);
}

TEST_F(RunnerTest, AServerThatIsGoneFailsTheLinesAndNotTheBatch) {
  items_ = *ReadItems("a", {});
  auto journal = Journal::Open(FileSystem::Real(), directory_ / "journal", items_, true);
  http::Client client;
  RunOptions options{.url = "http://127.0.0.1:1", .attempts = 2};
  options.first_pause = std::chrono::milliseconds(1);
  ASSERT_TRUE(RunBatch(client, items_, **journal, options, {}).ok());
  EXPECT_EQ((*journal)->totals().failed, 1);
}

}  // namespace
}  // namespace ac::batch
