#include "app/session_report.h"

#include <gtest/gtest.h>

namespace ac::app {
namespace {

TEST(SessionReport, NothingAskedNothingSaid) { EXPECT_EQ(SessionReport({}, std::nullopt), ""); }

TEST(SessionReport, ShowsMeasuredValues) {
  const gateway::Totals totals{.requests = 12,
                               .failed = 1,
                               .computed_tokens = 20'000,
                               .reused_tokens = 180'000,
                               .output_tokens = 1'500,
                               .measured_tokens = 10'000,
                               .measured_ms = 20'000};
  const std::string report =
      SessionReport(totals, gateway::Recorder::Costs{.dollars = 0.0123, .unknown = 2});
  EXPECT_EQ(report,
            "anyclaude: 12 requests, 1 failed\n"
            "  prompt tokens: 20,000 computed, 180,000 reused (90.0 % from the cache)\n"
            "  output tokens: 1,500\n"
            "  time saved by reuse: 6 min 0 s (at the measured 500 tokens/s)\n"
            "  cost: $0.0123 (+ 2 of unknown cost)\n");
}

TEST(SessionReport, WhatWasNotMeasuredIsUnknown) {
  const std::string report =
      SessionReport({.requests = 2, .reused_tokens = 5}, gateway::Recorder::Costs{.unknown = 2});
  EXPECT_NE(report.find("time saved by reuse: unknown"), std::string::npos) << report;
  EXPECT_NE(report.find("cost: unknown"), std::string::npos) << report;
}

TEST(SessionReport, NumbersAreReadable) {
  EXPECT_EQ(Grouped(0), "0");
  EXPECT_EQ(Grouped(999), "999");
  EXPECT_EQ(Grouped(1000), "1,000");
  EXPECT_EQ(Grouped(-1234567), "-1,234,567");
  EXPECT_EQ(DurationText(0.0123), "12 ms");
  EXPECT_EQ(DurationText(0.44), "0.4 s");
  EXPECT_EQ(DurationText(75), "75 s");
  EXPECT_EQ(DurationText(185), "3 min 5 s");
  EXPECT_EQ(DurationText(7300), "2 h 1 min");
  EXPECT_EQ(CostText(0, 3, 0), "$0.00");
}

}  // namespace
}  // namespace ac::app
