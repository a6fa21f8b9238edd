#include "engine/stop_strings.h"

#include <gtest/gtest.h>

#include <random>

namespace ac::engine {
namespace {

TEST(StopStrings, TextWithoutAStopStringPassesThrough) {
  StopStrings stops({"STOP"});
  EXPECT_EQ(stops.Push("hello "), "hello ");
  EXPECT_EQ(stops.Push("world"), "world");
  EXPECT_EQ(stops.Finish(), "");
  EXPECT_FALSE(stops.matched());
}

TEST(StopStrings, AStopStringAcrossThreePiecesIsFoundAndItsStartNeverLeaves) {
  StopStrings stops({"</tool>"});
  EXPECT_EQ(stops.Push("x <"), "x ");
  EXPECT_EQ(stops.Push("/to"), "");
  EXPECT_FALSE(stops.matched());
  EXPECT_EQ(stops.Push("ol> y"), "");
  EXPECT_TRUE(stops.matched());
  EXPECT_EQ(stops.match(), "</tool>");
  EXPECT_EQ(stops.Push("more"), "");
  EXPECT_EQ(stops.Finish(), "");
}

TEST(StopStrings, AFalseBeginningIsGivenBackWhenItBreaks) {
  StopStrings stops({"aab"});
  EXPECT_EQ(stops.Push("aa"), "");
  EXPECT_EQ(stops.Push("a"), "a");  // "aa" may still become "aab"
  EXPECT_EQ(stops.Push("c"), "aac");
  EXPECT_EQ(stops.Push("aab"), "");
  EXPECT_TRUE(stops.matched());
}

TEST(StopStrings, HeldTextIsReturnedAtTheEnd) {
  StopStrings stops({"END"});
  EXPECT_EQ(stops.Push("the EN"), "the ");
  EXPECT_EQ(stops.Finish(), "EN");
}

TEST(StopStrings, TheOneThatCompletesFirstWinsAndOfThoseTheLongest) {
  StopStrings first({"abcd", "bc"});
  EXPECT_EQ(first.Push("xabcd"), "xa");
  EXPECT_EQ(first.match(), "bc");
  StopStrings longest({"c", "abc"});
  EXPECT_EQ(longest.Push("xabc"), "x");
  EXPECT_EQ(longest.match(), "abc");
}

TEST(StopStrings, EmptyStopStringsAreIgnored) {
  StopStrings stops({"", "x"});
  EXPECT_EQ(stops.Push("ab"), "ab");
  EXPECT_FALSE(stops.matched());
}

// The definition: character by character, stop as soon as the text ends in a stop string.
struct Cut {
  std::string text;
  std::string match;
};
Cut Naive(const std::string& text, const std::vector<std::string>& stops) {
  for (size_t n = 1; n <= text.size(); ++n) {
    std::string best;
    for (const std::string& stop : stops) {
      if (!stop.empty() && stop.size() > best.size() && text.substr(0, n).ends_with(stop)) {
        best = stop;
      }
    }
    if (!best.empty()) return {text.substr(0, n - best.size()), best};
  }
  return {text, ""};
}

TEST(StopStrings, RandomTextsCutAnywhereGiveTheNaiveResult) {
  std::mt19937 random(3);
  const auto pick = [&](int low, int high) {
    return std::uniform_int_distribution<int>(low, high)(random);
  };
  const auto word = [&](int low, int high) {
    std::string s;
    for (int n = pick(low, high); n > 0; --n) s += static_cast<char>('a' + pick(0, 1));
    return s;
  };
  int matches = 0;
  for (int round = 0; round < 20000; ++round) {
    std::vector<std::string> patterns;
    for (int n = pick(0, 3); n > 0; --n) patterns.push_back(word(2, 6));
    const std::string text = word(0, 12);
    const Cut expected = Naive(text, patterns);
    StopStrings stops(patterns);
    std::string out;
    for (size_t at = 0; at < text.size();) {
      const auto n = static_cast<size_t>(pick(1, 4));
      out += stops.Push(text.substr(at, n));
      ASSERT_EQ(expected.text.substr(0, out.size()), out) << "gave out text too early";
      at += n;
    }
    out += stops.Finish();
    ASSERT_EQ(out, expected.text) << text;
    ASSERT_EQ(stops.match(), expected.match) << text;
    matches += stops.matched() ? 1 : 0;
  }
  EXPECT_GT(matches, 1000);
}

}  // namespace
}  // namespace ac::engine
