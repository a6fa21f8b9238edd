#include "gateway/live_view.h"

#include <gtest/gtest.h>

#include "json/json.h"

namespace ac::gateway {
namespace {

class LiveViewTest : public ::testing::Test {
 protected:
  std::unique_ptr<RequestWatch> Start() {
    chat_.model = "m";
    chat_.metadata.session_id = "0123456789";
    return view_.OnStarted({.endpoint = api::Endpoint::kMessages,
                            .http = http_,
                            .chat = chat_,
                            .wall = clock_.WallNow(),
                            .now = clock_.Now()});
  }
  void Say(RequestWatch& watch, chat::ChatEvent event) {
    clock_.Advance(std::chrono::milliseconds(100));
    watch.OnEvent(event, clock_.Now());
  }
  json::Value Snapshot() { return *json::Parse(view_.Snapshot()); }
  static const json::Value& First(const json::Value& snapshot, const char* list) {
    return json::AsArray(json::Find(snapshot, list))->at(0);
  }

  FakeClock clock_;
  http::Request http_;
  chat::ChatRequest chat_;
  LiveView view_{"9", "local", clock_};
};

TEST_F(LiveViewTest, ARequestGoesThroughItsPhases) {
  const auto watch = Start();
  EXPECT_EQ(json::GetString(First(Snapshot(), "running"), "phase"), "queued");
  Say(*watch, {.value = chat::MessageStart{.usage = {.input_tokens = 100, .cache_read = 300}}});
  Say(*watch, {.value = chat::Ping{.prompt_done = 350, .prompt_total = 400}});
  const json::Value reading = Snapshot();
  EXPECT_EQ(json::GetString(First(reading, "running"), "phase"), "prefill");
  EXPECT_EQ(json::GetInt(First(reading, "running"), "prompt_done"), 350);
  EXPECT_EQ(json::GetInt(First(reading, "running"), "reused"), 300);
  EXPECT_EQ(json::GetString(First(reading, "running"), "session"), "01234567");
  Say(*watch, {.value = chat::BlockStart{.index = 0, .block = {.value = chat::Text{}}}});
  for (int i = 0; i < 3; ++i) Say(*watch, {.value = chat::TextDelta{.index = 0, .text = "x"}});
  const json::Value writing = Snapshot();
  EXPECT_EQ(json::GetString(First(writing, "running"), "phase"), "decoding");
  EXPECT_DOUBLE_EQ(*json::GetDouble(First(writing, "running"), "pieces_per_s"), 10);
  watch->OnEnd(Ending::kComplete, clock_.Now());
  const json::Value after = Snapshot();
  EXPECT_TRUE(json::AsArray(json::Find(after, "running"))->empty());
  EXPECT_EQ(json::GetString(First(after, "recent"), "outcome"), "complete");
  EXPECT_DOUBLE_EQ(*json::AsDouble(&First(after, "hit_rates").get_array()[1]), 0.75);
}

TEST_F(LiveViewTest, AMissIsShownWithItsReason) {
  const auto watch = Start();
  Say(*watch,
      {.value = chat::MessageStart{.diagnosis = chat::CacheDiagnosis{"system_changed", 42}}});
  watch->OnEnd(Ending::kComplete, clock_.Now());
  EXPECT_EQ(json::GetString(First(Snapshot(), "recent"), "miss"), "system_changed");
  EXPECT_EQ(json::GetInt(First(Snapshot(), "recent"), "missed_tokens"), 42);
}

TEST_F(LiveViewTest, OnlyTheLastRequestsAreKept) {
  for (int i = 0; i < 100; ++i) Start()->OnEnd(Ending::kFailed, clock_.Now());
  const json::Value snapshot = Snapshot();
  EXPECT_EQ(json::AsArray(json::Find(snapshot, "recent"))->size(), 30u);
  EXPECT_EQ(json::GetInt(First(snapshot, "recent"), "number"), 100);
}

TEST_F(LiveViewTest, OthersMayAddWhatTheyKnow) {
  view_.SetExtra([](json::Object* snapshot) { (*snapshot)["engine"] = 7; });
  EXPECT_EQ(json::GetInt(Snapshot(), "engine"), 7);
}

TEST(WebPage, NeedsNothingFromElsewhere) {
  const std::string_view page = WebPage();
  EXPECT_TRUE(page.starts_with("<!doctype html>"));
  for (const char* word : {"src=", "@import", "url(", "https://"}) {
    EXPECT_EQ(page.find(word), std::string_view::npos) << word;
  }
}

}  // namespace
}  // namespace ac::gateway
