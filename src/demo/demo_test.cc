#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/file_system.h"
#include "demo/prompt.h"
#include "demo/stream_reader.h"
#include "demo/timeline.h"
#include "demo/workshop.h"
#include "support/temp_dir.h"

namespace ac::demo {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class WorkshopTest : public ::testing::Test {
 protected:
  ToolResult Run(const std::string& tool, json::Object input) {
    return workshop_->Run(tool, json::Value(std::move(input)));
  }
  void SetUp() override {
    Result<Workshop> made = Workshop::Create(folder_ / "repository", {"make test", "false"});
    ASSERT_TRUE(made.ok()) << made.status().ToString();
    workshop_ = *made;
  }
  testing::TempDir folder_;
  std::optional<Workshop> workshop_;
};

TEST_F(WorkshopTest, ReadsWithLineNumbers) {
  EXPECT_THAT(Run("Read", {{"file_path", "README.md"}}).text, HasSubstr("1\t# Weather station\n"));
  EXPECT_THAT(Run("Read", {{"file_path", workshop_->folder() + "/README.md"}}).text,
              HasSubstr("Weather"));
}

TEST_F(WorkshopTest, WritesEditsListsAndFinds) {
  EXPECT_FALSE(Run("Write", {{"file_path", "a/b.txt"}, {"content", "one two"}}).is_error);
  EXPECT_FALSE(
      Run("Edit", {{"file_path", "a/b.txt"}, {"old_string", "two"}, {"new_string", "three"}})
          .is_error);
  EXPECT_THAT(Run("Read", {{"file_path", "a/b.txt"}}).text, HasSubstr("one three"));
  EXPECT_EQ(Run("LS", {{"path", "src"}}).text, "station.sh\ntest.sh");
  EXPECT_EQ(Run("LS", {{"path", "src/"}}).text, "station.sh\ntest.sh");
  EXPECT_EQ(Run("Glob", {{"pattern", "*.txt"}}).text, "a/b.txt\n");
  EXPECT_EQ(Run("Grep", {{"pattern", "three"}}).text, "a/b.txt:1:one three\n");
}

TEST_F(WorkshopTest, RunsOnlyTheCommandsItExpects) {
  ::setenv("MAKELEVEL", "1", 1);  // as under our own make
  EXPECT_EQ(Run("Bash", {{"command", "make test"}}).text, "all 3 tests passed\n");
  ::unsetenv("MAKELEVEL");
  EXPECT_TRUE(Run("Bash", {{"command", "false"}}).is_error);
  const ToolResult refused = Run("Bash", {{"command", "touch x"}});
  EXPECT_TRUE(refused.is_error);
  EXPECT_FALSE(FileSystem::Real().Exists(workshop_->folder() + "/x"));
}

TEST_F(WorkshopTest, NeverLeavesItsFolder) {
  ASSERT_TRUE(WriteFileAtomic(FileSystem::Real(), folder_ / "repository-not", "secret").ok());
  for (const char* path : {"../repository-not", "/etc/passwd", "", "src/../../repository-not"}) {
    EXPECT_TRUE(Run("Read", {{"file_path", path}}).is_error) << path;
    EXPECT_TRUE(Run("Write", {{"file_path", path}, {"content", "x"}}).is_error) << path;
  }
}

TEST_F(WorkshopTest, WhatIsMissingIsSaid) {
  EXPECT_EQ(Run("Read", {{"file_path", "no.txt"}}).text, "Error: File does not exist: no.txt");
  EXPECT_EQ(
      Run("Edit", {{"file_path", "README.md"}, {"old_string", "zzz"}, {"new_string", ""}}).text,
      "Error: String to replace not found in file.");
  EXPECT_EQ(Run("Grep", {{"pattern", "zzz"}}).text, "No matches found");
  EXPECT_EQ(Run("Fly", {}).text, "Error: there is no tool Fly");
}

TEST(PromptTest, IsAsLongAsAskedAndNeverRepeatsASection) {
  const std::string text = SystemPrompt(40000);
  EXPECT_GE(text.size(), 40000u);
  EXPECT_LT(text.size(), 41000u);
  EXPECT_EQ(Tools().size(), 7u);
}

TEST(StreamReaderTest, PutsTextCallsAndUsageTogether) {
  StreamReader reader;
  auto future = reader.future();
  const http::CallEvents events = reader.Events();
  http::Response head;
  head.status = 200;
  events.on_headers(head);
  events.on_data(
      "event: message_start\ndata: {\"message\":{\"usage\":{\"input_tokens\":5,"
      "\"cache_read_input_tokens\":7}}}\n\n"
      "event: content_block_start\ndata: {\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"
      "event: content_block_delta\ndata: {\"delta\":{\"text\":\"Hel\"}}\n\n");
  events.on_data(
      "event: content_block_delta\ndata: {\"delta\":{\"text\":\"lo\"}}\n\n"
      "event: content_block_stop\ndata: {}\n\n"
      "event: content_block_start\ndata: {\"content_block\":{\"type\":\"tool_use\",\"id\":\"t\","
      "\"name\":\"LS\",\"input\":{}}}\n\n"
      "event: content_block_delta\ndata: "
      "{\"delta\":{\"partial_json\":\"{\\\"path\\\":\\\"src\\\"}\"}}"
      "\n\nevent: content_block_stop\ndata: {}\n\n");
  events.on_done(OkStatus());
  const Result<Reply> reply = future.get();
  ASSERT_TRUE(reply.ok());
  EXPECT_EQ(reply->computed, 5);
  EXPECT_EQ(reply->reused, 7);
  ASSERT_EQ(reply->content.size(), 2u);
  EXPECT_EQ(json::GetString(reply->content[0], "text"), "Hello");
  EXPECT_EQ(json::Write(*json::Find(reply->content[1], "input")), R"({"path":"src"})");
}

TEST(StreamReaderTest, AnErrorIsAFailureWithTheServersWords) {
  StreamReader reader;
  auto future = reader.future();
  const http::CallEvents events = reader.Events();
  http::Response head;
  head.status = 529;
  events.on_headers(head);
  events.on_data("busy");
  events.on_done(OkStatus());
  EXPECT_THAT(future.get().status().message(), HasSubstr("HTTP 529 from the server: busy"));
}

TEST(TimelineTest, ABarIsAsLongAsItsShareAndNothingIsInvisible) {
  EXPECT_EQ(Bar(1, 1, 4), "\u2588\u2588\u2588\u2588");
  EXPECT_EQ(Bar(1, 2, 4), "\u2588\u2588  ");
  EXPECT_EQ(Bar(1, 100000, 4), "\u258f   ");
  EXPECT_EQ(Bar(0, 1, 4), "    ");
  EXPECT_EQ(Bar(0, 0, 4), "    ");
}

TEST(TimelineTest, ATurnShowsWaitCountsCallsAndAnswer) {
  AskedTurn turn{
      .request = "read README.md", .calls = {"Read(README.md)"}, .answer = "It says\nhi"};
  turn.first.first_s = 0.5;
  turn.first.computed = 12;
  turn.first.reused = 345;
  const std::string text = TurnLine(3, turn, 1);
  EXPECT_THAT(text, HasSubstr("0.500 s"));
  EXPECT_THAT(text, HasSubstr("12      345"));
  EXPECT_THAT(text, HasSubstr("Read(README.md) -> \"It says / hi\"\n"));
  turn.answer = std::string(100, 'a') + "\u00e9";
  EXPECT_THAT(TurnLine(3, turn, 1), Not(HasSubstr("\u00e9")));
}

TEST(TimelineTest, TheSummaryComparesWithTheFirstTurn) {
  const std::string text =
      Summary({.cold_s = 2, .warm_s = {0.1, 0.02, 0.03}, .restart_s = 0.1}, 18500);
  EXPECT_THAT(text, HasSubstr("18500 tokens: 2.000 s"));
  EXPECT_THAT(text, HasSubstr("0.030 s (median), 1/67"));
  EXPECT_THAT(text, HasSubstr("0.100 s, 1/20"));
}

}  // namespace
}  // namespace ac::demo
