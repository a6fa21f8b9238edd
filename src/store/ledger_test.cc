#include "store/ledger.h"

#include <gtest/gtest.h>

#include "store/schema.h"
#include "support/temp_dir.h"

namespace ac::store {
namespace {

RequestRow Row(const std::string& trace, int64_t started_ms) {
  RequestRow row;
  row.trace = trace;
  row.started_ms = started_ms;
  row.day = "2026-01-31";
  row.mode = row.served_by = "local";
  row.model = "m";
  row.endpoint = "/v1/messages";
  row.outcome = "complete";
  row.total_ms = 100;
  return row;
}

class LedgerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = OpenState(FileSystem::Real(), home_.path());
    ASSERT_TRUE(opened.ok()) << opened.status();
    database_ = std::move(opened).value();
  }
  void Add(const RequestRow& row) {
    const Status added = Ledger(*database_).Add(row);
    ASSERT_TRUE(added.ok()) << added;
  }
  const testing::TempDir home_;
  std::unique_ptr<Database> database_;
};

TEST_F(LedgerTest, ARowComesBackWhole) {
  RequestRow row = Row("20260131-000000-1", 5);
  row.session = "s";
  row.agent = "a";
  row.error = "[x] y";
  row.stop_reason = "end_turn";
  row.input_tokens = 1;
  row.cache_read = 2;
  row.cache_write = 3;
  row.output_tokens = 4;
  row.first_ms = 1.5;
  row.cost = 0.25;
  row.miss_reason = "system_changed";
  row.trace_path = "traces/local/x";
  row.trace_bytes = 77;
  Add(row);
  const auto found = Ledger(*database_).Find("20260131");
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->trace, row.trace);
  EXPECT_EQ(found->session, "s");
  EXPECT_EQ(found->cache_write, 3);
  EXPECT_EQ(found->first_ms, 1.5);
  EXPECT_FALSE(found->prefill_ms.has_value());
  EXPECT_EQ(found->cost, 0.25);
  EXPECT_EQ(found->miss_reason, "system_changed");
  EXPECT_EQ(found->trace_bytes, 77);
}

TEST_F(LedgerTest, IdsAreFoundByTheirBeginningAndAmbiguityIsNamed) {
  Add(Row("20260131-000000-1", 1));
  Add(Row("20260131-000001-2", 2));
  Ledger ledger(*database_);
  EXPECT_EQ(ledger.Find("20260131-000001")->trace, "20260131-000001-2");
  EXPECT_EQ(ledger.Find("last")->trace, "20260131-000001-2");
  EXPECT_EQ(ledger.Find("20260131").status().code(), Code::kInvalidArgument);
  EXPECT_EQ(ledger.Find("2027").status().code(), Code::kNotFound);
  EXPECT_EQ(ledger.Find("%").status().code(), Code::kNotFound);
}

TEST_F(LedgerTest, SumsKeepUnknownCostsApart) {
  RequestRow known = Row("1", 10);
  known.cost = 0.5;
  RequestRow failed = Row("2", 20);
  failed.outcome = "failed";
  Add(known);
  Add(failed);
  const auto sums = Ledger(*database_).Sum(GroupBy::kAll, 0);
  ASSERT_EQ(sums->size(), 1u);
  EXPECT_EQ((*sums)[0].requests, 2);
  EXPECT_EQ((*sums)[0].failed, 1);
  EXPECT_DOUBLE_EQ((*sums)[0].cost, 0.5);
  EXPECT_EQ((*sums)[0].unknown_costs, 1);
  EXPECT_EQ((*Ledger(*database_).Sum(GroupBy::kAll, 15))[0].requests, 1);
}

TEST_F(LedgerTest, SumsGroupByDayModeAndModel) {
  RequestRow other = Row("2", 20);
  other.day = "2026-02-01";
  other.mode = "claude";
  other.model = "claude-opus-5";
  Add(Row("1", 10));
  Add(other);
  for (const GroupBy by : {GroupBy::kDay, GroupBy::kMode, GroupBy::kModel}) {
    EXPECT_EQ(Ledger(*database_).Sum(by, 0)->size(), 2u);
  }
  EXPECT_EQ((*Ledger(*database_).Sum(GroupBy::kMode, 0))[0].key, "claude");
}

TEST_F(LedgerTest, TimeSavedComesFromMeasuredSpeedOnly) {
  RequestRow cold = Row("1", 10);
  cold.input_tokens = 10'000;
  cold.prefill_ms = 5000;
  RequestRow warm = Row("2", 20);
  warm.input_tokens = 100;  // too few to measure with
  warm.cache_read = 10'000;
  warm.prefill_ms = 200;
  Add(warm);
  EXPECT_FALSE(SavedSeconds((*Ledger(*database_).Sum(GroupBy::kAll, 0))[0]).has_value());
  Add(cold);
  EXPECT_DOUBLE_EQ(*SavedSeconds((*Ledger(*database_).Sum(GroupBy::kAll, 0))[0]), 5.0);
}

TEST_F(LedgerTest, TheLastRequestOfAModeSkipsAnswersThatTheModeDidNotGive) {
  Add(Row("1", 10));
  RequestRow stored = Row("2", 20);
  stored.served_by = "reply-cache";
  Add(stored);
  Ledger ledger(*database_);
  EXPECT_EQ((*ledger.LastOf("local"))->trace, "1");
  EXPECT_FALSE(ledger.LastOf("claude")->has_value());
}

TEST_F(LedgerTest, MissReasonsAndTimesAreListed) {
  for (int i = 0; i < 3; ++i) {
    RequestRow row = Row(std::to_string(i), i);
    row.first_ms = 30 - 10 * i;
    row.miss_reason = i == 0 ? "tools_changed" : "system_changed";
    Add(row);
  }
  Ledger ledger(*database_);
  EXPECT_EQ((*ledger.MissReasons(0))[0], (std::pair<std::string, int64_t>("system_changed", 2)));
  EXPECT_EQ(*ledger.FirstOutputTimes(0), (std::vector<double>{10, 20, 30}));
}

}  // namespace
}  // namespace ac::store
