#include "gateway/recorder.h"

#include <gtest/gtest.h>

#include "backend/joined_replies.h"
#include "gateway/session_totals.h"
#include "json/json.h"
#include "store/ledger.h"
#include "store/schema.h"
#include "store/trace_file.h"
#include "store/trace_parts.h"
#include "support/temp_dir.h"

namespace ac::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr const char* kSecret = "sk-ant-api03-abcdefghijklmnopqrstuvwxyz0123456789";

class RecorderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    http_.method = "POST";
    http_.path = "/v1/messages";
    http_.headers.Add("x-api-key", kSecret);
    http_.headers.Add("User-Agent", "test/1");
    http_.body = R"({"model":"m", "messages":[{"role":"user","content":"my key is )" +
                 std::string(kSecret) + R"("}]})";
    chat_.model = "m";
    chat_.metadata.session_id = "session-1";
  }
  void Open(RecorderOptions options = {}) {
    options.home = home_.path();
    options.mode = "local";
    options.version = "9";
    auto created = Recorder::Create(FileSystem::Real(), options, metrics_);
    ASSERT_TRUE(created.ok()) << created.status();
    recorder_ = std::move(created).value();
  }
  ObservedRequest Observed() {
    return {.endpoint = api::Endpoint::kMessages,
            .http = http_,
            .chat = chat_,
            .wall = seconds(1'769'860'800),
            .now = seconds(10)};
  }
  // A reply of 1.5 s: admitted after 0.1, first output after 1.0.
  void Play(RequestObserver& observer, bool finish = true, std::string_view served_by = "") {
    const auto watch = observer.OnStarted(Observed());
    const chat::Usage usage{.input_tokens = 1000, .cache_read = 3000, .output_tokens = 11};
    watch->OnEvent({.value = chat::MessageStart{.id = "msg_1",
                                                .model = "m",
                                                .usage = usage,
                                                .diagnosis = {},
                                                .served_by = std::string(served_by)}},
                   seconds(10) + milliseconds(100));
    watch->OnEvent({.value = chat::Ping{.prompt_done = 512, .prompt_total = 1000}},
                   seconds(10) + milliseconds(500));
    watch->OnEvent({.value = chat::BlockStart{.index = 0, .block = {.value = chat::Text{}}}},
                   seconds(11));
    // The secret comes in two pieces: neither looks like one.
    watch->OnEvent(
        {.value = chat::TextDelta{.index = 0, .text = "it is sk-ant-api03-abcdefghijkl"}},
        seconds(11));
    watch->OnEvent({.value = chat::TextDelta{.index = 0, .text = "mnopqrstuvwxyz0123456789"}},
                   seconds(11) + milliseconds(100));
    if (finish) {
      watch->OnEvent({.value = chat::BlockStop{.index = 0}}, seconds(11) + milliseconds(500));
      watch->OnEvent({.value = chat::MessageDelta{.usage = usage}},
                     seconds(11) + milliseconds(500));
      watch->OnEnd(Ending::kComplete, seconds(11) + milliseconds(500));
    } else {
      watch->OnEnd(Ending::kCancelled, seconds(11) + milliseconds(500));
    }
  }
  store::RequestRow LastRow() {
    auto database = store::OpenState(FileSystem::Real(), home_.path());
    EXPECT_TRUE(database.ok()) << database.status();
    auto row = store::Ledger(**database).Find("last");
    EXPECT_TRUE(row.ok()) << row.status();
    return row.ok() ? *row : store::RequestRow();
  }

  const testing::TempDir home_;
  obs::Metrics metrics_;
  http::Request http_;
  chat::ChatRequest chat_;
  std::unique_ptr<Recorder> recorder_;
};

TEST_F(RecorderTest, ARequestBecomesALedgerRow) {
  Open();
  Play(*recorder_);
  recorder_->Flush();
  const store::RequestRow row = LastRow();
  EXPECT_EQ(row.mode, "local");
  EXPECT_EQ(row.served_by, "local");
  EXPECT_EQ(row.session, "session-1");
  EXPECT_EQ(row.outcome, "complete");
  EXPECT_EQ(row.stop_reason, "end_turn");
  EXPECT_EQ(row.input_tokens, 1000);
  EXPECT_EQ(row.cache_read, 3000);
  EXPECT_EQ(row.output_tokens, 11);
  EXPECT_DOUBLE_EQ(*row.first_ms, 1000);
  EXPECT_DOUBLE_EQ(*row.prefill_ms, 900);
  EXPECT_DOUBLE_EQ(row.total_ms, 1500);
  EXPECT_FALSE(row.cost.has_value()) << "nobody said what electricity costs";
}

TEST_F(RecorderTest, AReplySharedByTwinsIsCountedOnce) {
  Open();
  Play(*recorder_);
  Play(*recorder_, true, backend::kServedByTwin);
  recorder_->Flush();
  auto database = store::OpenState(FileSystem::Real(), home_.path());
  ASSERT_TRUE(database.ok()) << database.status();
  const auto sums = store::Ledger(**database).Sum(store::GroupBy::kMode, 0);
  ASSERT_TRUE(sums.ok()) << sums.status();
  ASSERT_EQ(sums->size(), 1u);
  EXPECT_EQ((*sums)[0].requests, 2);
  EXPECT_EQ((*sums)[0].input_tokens, 1000);
  EXPECT_EQ((*sums)[0].cache_read, 3000);
  EXPECT_EQ((*sums)[0].output_tokens, 11);
  const store::RequestRow twin = LastRow();
  EXPECT_EQ(twin.served_by, "twin");
  EXPECT_EQ(twin.cost, 0);
}

TEST_F(RecorderTest, TheTraceHoldsRequestReplyEventsAndTimes) {
  Open();
  Play(*recorder_);
  recorder_->Flush();
  const auto trace =
      store::TraceStore(FileSystem::Real(), home_.path(), {}).Read(LastRow().trace_path);
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_EQ(json::GetString(*trace, "outcome"), "complete");
  EXPECT_EQ(json::GetInt(*json::Find(*trace, "usage"), "cache_read"), 3000);
  EXPECT_EQ(json::GetDouble(*json::Find(*trace, "times_ms"), "first_output"), 1000.0);
  EXPECT_EQ(store::PromptTokens(*trace), 4000);
  EXPECT_EQ(store::PromptParts(*trace).size(), 1u);
  const json::Array* events = json::AsArray(json::Find(*trace, "events"));
  ASSERT_NE(events, nullptr);
  ASSERT_EQ(events->size(), 7u);
  EXPECT_EQ(json::Write((*events)[1]), R"([500,"ping",512])");
}

TEST_F(RecorderTest, NoSecretReachesTheDiskWhole) {
  Open();
  Play(*recorder_);
  recorder_->Flush();
  const auto trace =
      store::TraceStore(FileSystem::Real(), home_.path(), {}).Read(LastRow().trace_path);
  const std::string text = json::Write(*trace);
  EXPECT_EQ(text.find("abcdefghijkl"), std::string::npos) << text;
  EXPECT_EQ(text.find("mnopqrstuvwxyz"), std::string::npos) << text;
  EXPECT_NE(text.find("my key is [redacted]"), std::string::npos) << text;
  EXPECT_NE(text.find("test/1"), std::string::npos);
}

TEST_F(RecorderTest, TheBodyIsKeptAsItCame) {
  http_.body = R"({"model":"m",   "n":1.50,"messages":[]})";
  Open();
  Play(*recorder_);
  recorder_->Flush();
  const auto raw =
      store::TraceStore(FileSystem::Real(), home_.path(), {}).ReadRaw(LastRow().trace_path);
  EXPECT_NE(store::DecompressTrace(*raw)->find(http_.body), std::string::npos);
}

TEST_F(RecorderTest, ARequestThatTheClientLeftIsRecordedToo) {
  Open();
  Play(*recorder_, /*finish=*/false);
  recorder_->Flush();
  EXPECT_EQ(LastRow().outcome, "cancelled");
}

TEST_F(RecorderTest, AStopWhileReadingCountsWhatWasRead) {
  SessionTotals totals("local", metrics_);
  const auto watch = totals.OnStarted(Observed());
  watch->OnEvent({.value = chat::MessageStart{.usage = {.input_tokens = 1000, .cache_read = 300}}},
                 seconds(11));
  watch->OnEvent({.value = chat::Ping{.prompt_done = 812, .prompt_total = 1300}}, seconds(12));
  watch->OnEnd(Ending::kCancelled, seconds(13));
  EXPECT_EQ(totals.totals().computed_tokens, 512);
  EXPECT_EQ(totals.totals().reused_tokens, 300);
}

TEST_F(RecorderTest, WithoutTracesTheLedgerIsStillKept) {
  Open({.traces = false});
  Play(*recorder_);
  recorder_->Flush();
  EXPECT_EQ(LastRow().trace_path, "");
  EXPECT_FALSE(FileSystem::Real().Exists(home_ / "traces"));
}

TEST_F(RecorderTest, TheDestructorWritesWhatIsQueued) {
  Open();
  for (int i = 0; i < 20; ++i) Play(*recorder_);
  recorder_.reset();
  auto database = store::OpenState(FileSystem::Real(), home_.path());
  EXPECT_EQ((*store::Ledger(**database).Sum(store::GroupBy::kAll, 0))[0].requests, 20);
}

TEST_F(RecorderTest, AFullDiskCostsTheRecordAndNothingElse) {
  Open();
  // A file where the folder should be: no trace can be written.
  ASSERT_TRUE(WriteFileAtomic(FileSystem::Real(), home_ / "traces", "in the way").ok());
  Play(*recorder_);
  recorder_->Flush();
  EXPECT_EQ(metrics_
                .GetCounter("anyclaude_unrecorded_requests_total",
                            "Requests without a trace and a ledger row")
                .value(),
            1);
}

TEST_F(RecorderTest, AQueueThatIsFullDropsAndCounts) {
  Open({.max_queued = 0});
  Play(*recorder_);
  recorder_->Flush();
  EXPECT_EQ(metrics_
                .GetCounter("anyclaude_unrecorded_requests_total",
                            "Requests without a trace and a ledger row")
                .value(),
            1);
}

TEST_F(RecorderTest, TotalsAddUpAndSaveTimeAtTheMeasuredSpeed) {
  SessionTotals totals("local", metrics_);
  EXPECT_FALSE(totals.totals().HitRate().has_value());
  Play(totals);
  Play(totals);
  Play(totals, /*finish=*/false);
  const Totals sum = totals.totals();
  EXPECT_EQ(sum.requests, 3);
  EXPECT_EQ(sum.cancelled, 1);
  EXPECT_EQ(sum.computed_tokens, 3000);
  EXPECT_EQ(sum.reused_tokens, 9000);
  EXPECT_DOUBLE_EQ(*sum.HitRate(), 0.75);
  // 0.9 s for 1000 computed tokens: 9000 reused ones would have taken 8.1 s.
  EXPECT_DOUBLE_EQ(*sum.SavedSeconds(), 8.1);
}

TEST_F(RecorderTest, PromptsThatAreBeingReadAreInTheMetrics) {
  SessionTotals totals("local", metrics_);
  const auto tokens = [&](const char* state) {
    return metrics_
        .GetGauge("anyclaude_prefill_tokens", "Of the prompts that are being read now",
                  {{"state", state}})
        .value();
  };
  const obs::Gauge seconds_left =
      metrics_.GetGauge("anyclaude_prefill_seconds_left",
                        "Until the last of the prompts that are being read now is read");
  const auto watch = totals.OnStarted(Observed());
  const auto other = totals.OnStarted(Observed());
  watch->OnEvent({.value = chat::MessageStart{.id = "msg_1", .model = "m"}}, seconds(10));
  watch->OnEvent({.value = chat::Ping{}}, seconds(10));
  EXPECT_EQ(tokens("read"), 0);
  watch->OnEvent({.value = chat::Ping{.prompt_done = 512, .prompt_total = 2048}}, seconds(11));
  EXPECT_EQ(tokens("read"), 512);
  EXPECT_EQ(tokens("left"), 1536);
  EXPECT_EQ(seconds_left.value(), 0) << "not known yet";
  watch->OnEvent({.value = chat::Ping{.prompt_done = 1024, .prompt_total = 2048}}, seconds(13));
  EXPECT_EQ(seconds_left.value(), 4);
  other->OnEvent({.value = chat::Ping{.prompt_done = 100, .prompt_total = 200}}, seconds(13));
  EXPECT_EQ(tokens("read"), 1124);
  watch->OnEvent({.value = chat::BlockStart{.index = 0, .block = {.value = chat::Text{}}}},
                 seconds(15));
  EXPECT_EQ(tokens("read"), 100);
  EXPECT_EQ(seconds_left.value(), 0);
  other->OnEnd(Ending::kCancelled, seconds(16));
  EXPECT_EQ(tokens("read"), 0);
  EXPECT_EQ(tokens("left"), 0);
}

}  // namespace
}  // namespace ac::gateway
