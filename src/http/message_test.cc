#include "http/message.h"

#include <gtest/gtest.h>

namespace ac::http {
namespace {

TEST(HeadersTest, NamesCompareWithoutCaseAndKeepTheirOrder) {
  Headers headers{{"Accept", "a"}, {"X-One", "1"}, {"accept", "b"}};
  EXPECT_EQ(headers.Get("ACCEPT"), "a");
  EXPECT_TRUE(headers.Has("x-one"));
  EXPECT_FALSE(headers.Has("x-two"));
  EXPECT_EQ(headers.Get("x-two"), "");
  headers.Set("accept", "c");
  ASSERT_EQ(headers.size(), 2u);
  EXPECT_EQ(headers.begin()->first, "X-One");
  EXPECT_EQ(headers.Get("Accept"), "c");
}

TEST(HeadersTest, TokensAreFoundInListsAndRepeatedFields) {
  Headers headers{{"Connection", "Keep-Alive , Upgrade"}, {"connection", "x"}};
  EXPECT_TRUE(headers.HasToken("connection", "upgrade"));
  EXPECT_TRUE(headers.HasToken("connection", "X"));
  EXPECT_FALSE(headers.HasToken("connection", "close"));
  EXPECT_FALSE(headers.HasToken("connection", "keep"));
}

TEST(PercentTest, EveryByteSurvivesARoundTrip) {
  std::string all;
  for (int i = 1; i < 256; ++i) all.push_back(static_cast<char>(i));
  const Result<std::string> back = PercentDecode(PercentEncode(all));
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(*back, all);
}

TEST(PercentTest, BrokenEscapesAreRefused) {
  for (const char* bad : {"%", "%4", "%4g", "%g4", "a%", "a%2", "%00", "%%41"}) {
    EXPECT_FALSE(PercentDecode(bad).ok()) << bad;
  }
  EXPECT_EQ(*PercentDecode("a%2Fb+c"), "a/b+c");
  EXPECT_EQ(*PercentDecode("a+b", /*plus_is_space=*/true), "a b");
}

TEST(TargetTest, PathAndQueryAreDecoded) {
  std::string path;
  QueryParams query;
  ASSERT_TRUE(ParseTarget("/v1/a%20b?beta=true&q=%26+x&flag&=v&&z=1=2#f", &path, &query).ok());
  EXPECT_EQ(path, "/v1/a b");
  const QueryParams expected{{"beta", "true"}, {"q", "& x"}, {"flag", ""}, {"", "v"}, {"z", "1=2"}};
  EXPECT_EQ(query, expected);
}

TEST(TargetTest, AbsoluteFormAndAsteriskAreUnderstood) {
  std::string path;
  QueryParams query;
  ASSERT_TRUE(ParseTarget("http://host:1/a?b=c", &path, &query).ok());
  EXPECT_EQ(path, "/a");
  EXPECT_EQ(query.size(), 1u);
  ASSERT_TRUE(ParseTarget("HTTP://host", &path, &query).ok());
  EXPECT_EQ(path, "/");
  EXPECT_TRUE(query.empty());
  ASSERT_TRUE(ParseTarget("https://host?x=y#z", &path, &query).ok());
  EXPECT_EQ(path, "/");
  EXPECT_EQ(query.at(0).second, "y");
  ASSERT_TRUE(ParseTarget("*", &path, &query).ok());
  EXPECT_EQ(path, "*");
}

TEST(TargetTest, AnythingElseIsRefused) {
  std::string path;
  QueryParams query;
  for (const char* bad : {"", "a", "?x", "ftp://h/", "/%", "/a?b=%zz", "/%00"}) {
    EXPECT_FALSE(ParseTarget(bad, &path, &query).ok()) << bad;
  }
}

}  // namespace
}  // namespace ac::http
