#include "store/prices.h"

#include <gtest/gtest.h>

#include "json/json.h"
#include "support/temp_dir.h"

namespace ac::store {
namespace {

Prices BuiltIn() {
  Prices prices;
  EXPECT_TRUE(prices.Add(BuiltInPrices()).ok());
  return prices;
}

TEST(Prices, EveryBuiltInPriceHasADateAndASource) {
  const auto file = json::Parse(BuiltInPrices());
  ASSERT_TRUE(file.ok()) << file.status();
  const json::Array* models = json::AsArray(json::Find(*file, "models"));
  ASSERT_NE(models, nullptr);
  EXPECT_GT(models->size(), 10u);
  for (const json::Value& entry : *models) {
    EXPECT_GE(json::GetString(entry, "date").value_or("").size(), 7u) << json::Write(entry);
    EXPECT_TRUE(json::GetString(entry, "source").value_or("").starts_with("https://"));
  }
}

TEST(Prices, EachKindOfTokenHasItsOwnPrice) {
  const auto cost = BuiltIn().CostOf({.mode = "claude",
                                      .model = "claude-opus-4-5-20251101",
                                      .input_tokens = 1'000'000,
                                      .cache_read = 2'000'000,
                                      .cache_write = 400'000,
                                      .output_tokens = 100'000});
  ASSERT_TRUE(cost.has_value());
  EXPECT_DOUBLE_EQ(*cost, 5 + 2 * 0.5 + 0.4 * 6.25 + 0.1 * 25);
}

TEST(Prices, WritingForAnHourCostsMoreAndAMixIsUnknown) {
  PricedUsage usage{.mode = "claude", .model = "claude-sonnet-4-5", .cache_write = 1'000'000};
  EXPECT_DOUBLE_EQ(*BuiltIn().CostOf(usage), 3.75);
  usage.cache_life = CacheLife::kOneHour;
  EXPECT_DOUBLE_EQ(*BuiltIn().CostOf(usage), 6);
  usage.cache_life = CacheLife::kMixed;
  EXPECT_FALSE(BuiltIn().CostOf(usage).has_value());
  usage.cache_write = 0;
  EXPECT_DOUBLE_EQ(*BuiltIn().CostOf(usage), 0);
}

TEST(Prices, LongPromptsMayHaveTheirOwnPrices) {
  PricedUsage usage{.mode = "claude", .model = "claude-haiku-5-5", .input_tokens = 100'000};
  EXPECT_DOUBLE_EQ(*BuiltIn().CostOf(usage), 0.01);
  usage.cache_read = 1;
  EXPECT_DOUBLE_EQ(*BuiltIn().CostOf(usage), 0.05 + 0.05e-6);
}

TEST(Prices, SpellingsOfAModelAreRecognisedAndOthersAreNot) {
  const Prices prices = BuiltIn();
  for (const char* model : {"claude-opus-5", "anthropic/claude-opus-5", "claude-opus-5[1m]",
                            "claude-opus-5-20260724", "claude-opus-5-latest"}) {
    ASSERT_NE(prices.Find(model), nullptr) << model;
    EXPECT_EQ(prices.Find(model)->model, "claude-opus-5") << model;
  }
  EXPECT_EQ(prices.Find("claude-opus-5-5")->model, "claude-opus-5-5");
  for (const char* model : {"claude-opus-50", "claude-opus-5-mini", "opus", "", "gpt-5x"}) {
    EXPECT_EQ(prices.Find(model), nullptr) << model;
  }
}

TEST(Prices, WhatIsNotKnownIsUnknownAndNotZero) {
  EXPECT_FALSE(BuiltIn().CostOf({.mode = "openai", .model = "unheard-of"}).has_value());
  EXPECT_FALSE(BuiltIn().CostOf({.mode = "local", .model = "m", .seconds = 9}).has_value());
  // The vendor publishes no price for writing.
  EXPECT_FALSE(
      BuiltIn().CostOf({.mode = "openai", .model = "gpt-5", .cache_write = 1}).has_value());
}

TEST(Prices, HoursAndElectricityOfTheUserCount) {
  Prices prices = BuiltIn();
  ASSERT_TRUE(prices
                  .Add(R"({"format":"anyclaude-prices","version":1,
                           "hourly":[{"mode":"vllm","per_hour":3.6}],
                           "electricity":{"watts":100,"per_kwh":0.36}})")
                  .ok());
  EXPECT_DOUBLE_EQ(*prices.CostOf({.mode = "vllm", .model = "x", .seconds = 10}), 0.01);
  EXPECT_DOUBLE_EQ(*prices.CostOf({.mode = "local", .model = "x", .seconds = 100}), 0.001);
}

TEST(Prices, TheUsersFileWinsAndItsMistakesAreNamed) {
  const testing::TempDir home;
  FileSystem& fs = FileSystem::Real();
  const std::string path = JoinPath(home.path(), "prices.json");
  ASSERT_TRUE(WriteFileAtomic(fs, path, R"({"format":"anyclaude-prices","version":1,
      "models":[{"model":"claude-opus-5","input":1}]})")
                  .ok());
  auto prices = Prices::Load(fs, home.path());
  ASSERT_TRUE(prices.ok()) << prices.status();
  EXPECT_DOUBLE_EQ(*prices->Find("claude-opus-5")->rates.input, 1);
  for (const char* broken :
       {R"({"format":"anyclaude-prices","version":2})", R"({"format":"other","version":1})", "{",
        R"({"format":"anyclaude-prices","version":1,"models":[{"input":1}]})",
        R"({"format":"anyclaude-prices","version":1,"models":[{"model":"m","input":"x"}]})",
        R"({"format":"anyclaude-prices","version":1,"models":[{"model":"m","input":-1}]})",
        R"({"format":"anyclaude-prices","version":1,"hourly":[{"mode":"m"}]})",
        R"({"format":"anyclaude-prices","version":1,"electricity":{"watts":1}})"}) {
    ASSERT_TRUE(WriteFileAtomic(fs, path, broken).ok());
    prices = Prices::Load(fs, home.path());
    ASSERT_FALSE(prices.ok()) << broken;
    EXPECT_NE(prices.status().message().find("prices.json"), std::string::npos);
  }
}

}  // namespace
}  // namespace ac::store
