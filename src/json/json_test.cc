#include "json/json.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>

namespace ac::json {
namespace {

std::string RoundTrip(std::string_view text) {
  Result<Value> value = Parse(text);
  return value.ok() ? Write(*value) : value.status().ToString();
}

TEST(Json, KeepsKeyOrder) {
  EXPECT_EQ(RoundTrip(R"({"z":1,"a":{"y":[],"b":null}})"), R"({"z":1,"a":{"y":[],"b":null}})");
}

TEST(Json, NumbersPrintAsJavaScriptDoes) {
  EXPECT_EQ(
      RoundTrip("[5000.0,1e21,1e-7,0.1,-0.0,12345678901234567000,1.5e300,18446744073709551615]"),
      "[5000,1e+21,1e-7,0.1,0,12345678901234567000,1.5e+300,18446744073709551615]");
}

// The nearest double to the text, for every double: what a client wrote is what a backend gets.
TEST(Json, DoublesSurviveARoundTrip) {
  std::mt19937_64 random(5);
  for (int round = 0; round < 20000; ++round) {
    const uint64_t bits = random();
    const auto number = std::bit_cast<double>(bits);
    if (!std::isfinite(number)) continue;
    const std::string text = Write(Value(number));
    Result<Value> parsed = Parse(text);
    ASSERT_TRUE(parsed.ok()) << text;
    EXPECT_EQ(AsDouble(&*parsed), number) << text;
  }
  EXPECT_EQ(
      RoundTrip(
          "[1844674407384467440737000,2.2250738585072011e-308,4.9e-324,1.7976931348623157e308]"),
      "[1.8446744073844674e+24,2.225073858507201e-308,5e-324,1.7976931348623157e+308]");
}

TEST(Json, EscapesOnlyWhatMustBe) {
  EXPECT_EQ(RoundTrip(R"(["\u00e9\n\u001b\"\\/"])"), "[\"\xC3\xA9\\n\\u001b\\\"\\\\/\"]");
}

TEST(Json, ErrorsNameLineAndColumn) {
  const Status status = Parse("{\n  \"a\": 1,\n  \"b\": tru\n}").status();
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_NE(status.message().find("line 3, column"), std::string::npos) << status;
}

TEST(Json, ErrorsForCutAndTrailingText) {
  EXPECT_NE(Parse("{\"a\":").status().message().find("ends early"), std::string::npos);
  EXPECT_NE(Parse("{} x").status().message().find("line 1, column 4"), std::string::npos)
      << Parse("{} x").status();
  EXPECT_FALSE(Parse("").ok());
}

TEST(Json, LimitsDepthAndSize) {
  EXPECT_EQ(Parse(std::string(1000, '[')).status().code(), Code::kTooLarge);
  EXPECT_EQ(Parse("[1,2,3]", {.max_depth = 8, .max_bytes = 3}).status().code(), Code::kTooLarge);
}

TEST(Json, LookupsNeverThrow) {
  const Value value = *Parse(R"({"s":"x","n":3,"f":2.5,"b":true,"w":4.0})");
  EXPECT_EQ(GetString(value, "s"), "x");
  EXPECT_EQ(GetInt(value, "n"), 3);
  EXPECT_EQ(GetInt(value, "w"), 4);
  EXPECT_EQ(GetInt(value, "f"), std::nullopt);
  EXPECT_EQ(GetDouble(value, "f"), 2.5);
  EXPECT_EQ(GetBool(value, "b"), true);
  EXPECT_EQ(GetString(value, "missing"), std::nullopt);
  EXPECT_EQ(Find(Value(3), "x"), nullptr);
}

}  // namespace
}  // namespace ac::json
