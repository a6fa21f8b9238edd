#include "remote/circuit_breaker.h"

#include <gtest/gtest.h>

namespace ac::remote {
namespace {

using State = CircuitBreaker::State;
constexpr BreakerOptions kOptions{
    .failures_to_open = 3, .successes_to_close = 2, .open_time = std::chrono::seconds(30)};

class CircuitBreakerTest : public ::testing::Test {
 protected:
  void Open() {
    for (int i = 0; i < 3; ++i) {
      ASSERT_TRUE(breaker_.Allow());
      breaker_.Failed();
    }
    ASSERT_EQ(breaker_.state(), State::kOpen);
  }
  FakeClock clock_;
  CircuitBreaker breaker_{kOptions, clock_};
};

TEST_F(CircuitBreakerTest, OpensAfterFailuresInARowOnly) {
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(breaker_.Allow());
    breaker_.Failed();
    ASSERT_TRUE(breaker_.Allow());
    breaker_.Succeeded();
  }
  EXPECT_EQ(breaker_.state(), State::kClosed);
  Open();
  EXPECT_FALSE(breaker_.Allow());
  EXPECT_EQ(breaker_.TimeToRetry(), std::chrono::seconds(30));
}

TEST_F(CircuitBreakerTest, LetsOneRequestTryWhenTheTimeIsOver) {
  Open();
  clock_.Advance(std::chrono::seconds(30));
  EXPECT_EQ(breaker_.state(), State::kHalfOpen);
  EXPECT_TRUE(breaker_.Allow());
  EXPECT_FALSE(breaker_.Allow()) << "one at a time";
  breaker_.Succeeded();
  EXPECT_EQ(breaker_.state(), State::kHalfOpen) << "one success is not yet enough";
  EXPECT_TRUE(breaker_.Allow());
  breaker_.Succeeded();
  EXPECT_EQ(breaker_.state(), State::kClosed);
}

TEST_F(CircuitBreakerTest, AFailedTryOpensAgainForTheWholeTime) {
  Open();
  clock_.Advance(std::chrono::seconds(31));
  ASSERT_TRUE(breaker_.Allow());
  breaker_.Failed();
  EXPECT_EQ(breaker_.state(), State::kOpen);
  clock_.Advance(std::chrono::seconds(29));
  EXPECT_FALSE(breaker_.Allow());
  clock_.Advance(std::chrono::seconds(1));
  EXPECT_TRUE(breaker_.Allow());
}

TEST_F(CircuitBreakerTest, AClientThatLeavesFreesTheTry) {
  Open();
  clock_.Advance(std::chrono::seconds(30));
  ASSERT_TRUE(breaker_.Allow());
  breaker_.Abandoned();
  EXPECT_TRUE(breaker_.Allow());
}

TEST_F(CircuitBreakerTest, LateFailuresOfEarlierRequestsDoNotExtendTheTime) {
  Open();
  clock_.Advance(std::chrono::seconds(20));
  breaker_.Failed();
  clock_.Advance(std::chrono::seconds(10));
  EXPECT_TRUE(breaker_.Allow());
}

}  // namespace
}  // namespace ac::remote
