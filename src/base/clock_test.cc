#include "base/clock.h"

#include <gtest/gtest.h>

#include <chrono>

namespace ac {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(RealClock, NeverRunsBackwards) {
  Clock& clock = Clock::Real();
  Nanos last = clock.Now();
  for (int i = 0; i < 1000; ++i) {
    const Nanos now = clock.Now();
    ASSERT_GE(now, last);
    last = now;
  }
}

TEST(RealClock, SleepsAtLeastAsLongAsAsked) {
  Clock& clock = Clock::Real();
  const Nanos begin = clock.Now();
  clock.SleepFor(milliseconds(2));
  EXPECT_GE(clock.Now() - begin, milliseconds(2));
  clock.SleepFor(milliseconds(-5));  // returns at once
}

TEST(RealClock, WallTimeIsAfterThisWasWritten) {
  EXPECT_GT(Clock::Real().WallNow(), hours(24 * 365 * 50));
}

TEST(FakeClock, MovesOnlyWhenTold) {
  FakeClock clock(seconds(10));
  EXPECT_EQ(clock.Now(), seconds(10));
  EXPECT_EQ(clock.Now(), seconds(10));
  clock.Advance(milliseconds(500));
  clock.SleepFor(milliseconds(500));
  EXPECT_EQ(clock.Now(), seconds(11));
  EXPECT_EQ(clock.WallNow(), seconds(11));
}

TEST(Seconds, KeepsFractions) { EXPECT_DOUBLE_EQ(Seconds(milliseconds(1250)), 1.25); }

}  // namespace
}  // namespace ac
