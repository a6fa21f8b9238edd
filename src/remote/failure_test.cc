#include "remote/failure.h"

#include <gtest/gtest.h>

namespace ac::remote {
namespace {

constexpr Nanos kNow = std::chrono::seconds(784111777);  // Sun, 06 Nov 1994 08:49:37 GMT

int64_t Seconds(const std::string& name, const std::string& value) {
  http::Headers headers;
  headers.Add(name, value);
  return RetryAfterSeconds(headers, kNow);
}

TEST(FailureTest, RetryAfterIsANumberOrADate) {
  EXPECT_EQ(Seconds("retry-after", "17"), 17);
  EXPECT_EQ(Seconds("retry-after", "1.2"), 2);
  EXPECT_EQ(Seconds("retry-after-ms", "1500"), 2);
  EXPECT_EQ(Seconds("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT"), 30);
  EXPECT_EQ(Seconds("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT"), 0) << "now";
  EXPECT_EQ(Seconds("retry-after", "Sun, 06 Nov 1994 07:00:00 GMT"), 0) << "the past";
}

TEST(FailureTest, WhatIsNoTimeIsNoAdvice) {
  for (const char* value : {"", "soon", "-5", "1e99", "Sun, 99 Nov 1994", "nan"}) {
    EXPECT_EQ(Seconds("retry-after", value), 0) << value;
  }
}

}  // namespace
}  // namespace ac::remote
