#include "obs/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace ac::obs {
namespace {

using ::testing::HasSubstr;

TEST(Metrics, CountersGaugesAndHistogramsRenderAsPrometheusText) {
  Metrics metrics;
  metrics.GetCounter("anyclaude_requests_total", "Requests.", {{"mode", "local"}}).Add();
  metrics.GetCounter("anyclaude_requests_total", "Requests.", {{"mode", "claude"}}).Add(2);
  metrics.GetGauge("anyclaude_queue_requests", "Waiting.").Set(3);
  const Histogram h = metrics.GetHistogram("anyclaude_ttft_seconds", "First token.", {0.1, 1});
  h.Observe(0.05);
  h.Observe(0.5);
  h.Observe(5);
  const std::string text = metrics.RenderPrometheus();
  EXPECT_THAT(text, HasSubstr("# HELP anyclaude_requests_total Requests.\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE anyclaude_requests_total counter\n"));
  EXPECT_THAT(text, HasSubstr("anyclaude_requests_total{mode=\"local\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("anyclaude_requests_total{mode=\"claude\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("anyclaude_queue_requests 3\n"));
  EXPECT_THAT(text, HasSubstr("anyclaude_ttft_seconds_bucket{le=\"0.1\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("anyclaude_ttft_seconds_bucket{le=\"1\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("anyclaude_ttft_seconds_bucket{le=\"+Inf\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("anyclaude_ttft_seconds_count 3\n"));
}

TEST(Metrics, TheSameNameAndLabelsAreTheSameValue) {
  Metrics metrics;
  const Counter a = metrics.GetCounter("anyclaude_x_total", "x", {{"k", "v"}});
  const Counter b = metrics.GetCounter("anyclaude_x_total", "x", {{"k", "v"}});
  const Counter other = metrics.GetCounter("anyclaude_x_total", "x", {{"k", "w"}});
  a.Add();
  b.Add(4);
  EXPECT_EQ(a.value(), 5);
  EXPECT_EQ(other.value(), 0);
}

TEST(Metrics, LabelValuesAreEscaped) {
  Metrics metrics;
  metrics.GetCounter("anyclaude_x_total", "x", {{"k", "a\"b\\c\nd"}}).Add();
  EXPECT_THAT(metrics.RenderPrometheus(), HasSubstr("{k=\"a\\\"b\\\\c\\nd\"} 1\n"));
}

TEST(Metrics, ACounterNeverGoesDown) {
  Metrics metrics;
  const Counter counter = metrics.GetCounter("anyclaude_x_total", "x");
  counter.Add(2);
  counter.Add(-1);
  EXPECT_EQ(counter.value(), 2);
}

TEST(Metrics, HandlesMadeByDefaultCountNowhere) {
  Counter().Add();
  Gauge().Set(1);
  Gauge().Add(1);
  Histogram().Observe(1);
  EXPECT_EQ(Counter().value(), 0);
  EXPECT_EQ(Gauge().value(), 0);
  EXPECT_EQ(Histogram().count(), 0u);
  EXPECT_EQ(Histogram().sum(), 0);
}

#if defined(NDEBUG)
TEST(Metrics, MisuseGivesAnInertHandleInARelease) {
  Metrics metrics;
  metrics.GetCounter("anyclaude_x_total", "x").Add();
  EXPECT_EQ(metrics.GetCounter("not a name", "x").value(), 0);
  const Gauge clash = metrics.GetGauge("anyclaude_x_total", "x");
  clash.Set(7);
  EXPECT_EQ(clash.value(), 0);
}
#endif

TEST(Metrics, ThreadsCountTogetherWhileOthersRender) {
  Metrics metrics;
  const Histogram histogram = metrics.GetHistogram("anyclaude_h_seconds", "h", LatencyBounds());
  const Gauge gauge = metrics.GetGauge("anyclaude_g", "g");
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      const Counter counter = metrics.GetCounter("anyclaude_c_total", "c");
      for (int i = 0; i < 1000; ++i) {
        counter.Add();
        gauge.Add(1);
        histogram.Observe(0.01);
      }
    });
  }
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(metrics.RenderPrometheus().empty());
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(metrics.GetCounter("anyclaude_c_total", "c").value(), 4000);
  EXPECT_EQ(gauge.value(), 4000);
  EXPECT_EQ(histogram.count(), 4000u);
}

TEST(Metrics, TheDefaultIsOneObject) { EXPECT_EQ(&Metrics::Default(), &Metrics::Default()); }

}  // namespace
}  // namespace ac::obs
