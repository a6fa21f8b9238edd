#include "http/sse.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>
#include <vector>

namespace ac::http {
namespace {

std::vector<std::string> ParseInPieces(std::string_view stream, const std::vector<size_t>& cuts) {
  std::vector<std::string> events;
  SseParser parser([&](const SseEvent& event) {
    events.push_back(event.event + "|" + event.data + "|" + event.id);
  });
  size_t begin = 0;
  for (const size_t cut : cuts) {
    EXPECT_TRUE(parser.Feed(stream.substr(begin, cut - begin)).ok());
    begin = cut;
  }
  EXPECT_TRUE(parser.Feed(stream.substr(begin)).ok());
  EXPECT_TRUE(parser.Finish().ok());
  return events;
}

std::vector<std::string> Parse(std::string_view stream) { return ParseInPieces(stream, {}); }
using Events = std::vector<std::string>;

TEST(SseParserTest, FieldsCommentsAndLineEndingsFollowTheStandard) {
  EXPECT_EQ(Parse("data: a\n\n"), (Events{"|a|"}));
  EXPECT_EQ(Parse("event: x\ndata: a\n\ndata: b\n\n"), (Events{"x|a|", "|b|"}));
  EXPECT_EQ(Parse("data:a\r\rdata: b\r\n\r\n"), (Events{"|a|", "|b|"}));
  EXPECT_EQ(Parse("data: a\ndata:\ndata: b\n\n"), (Events{"|a\n\nb|"}));
  EXPECT_EQ(Parse("data:  a \n\n"), (Events{"| a |"}));
  EXPECT_EQ(Parse("\xEF\xBB\xBF"
                  "data: a\n\n"),
            (Events{"|a|"}));
  EXPECT_EQ(Parse(": ping\n\n:x\ndata: a\n: y\ndata: b\n\n"), (Events{"|a\nb|"}));
  EXPECT_EQ(Parse("id: 7\ndata: a\n\ndata: b\n\n"), (Events{"|a|7", "|b|7"}));
  EXPECT_EQ(Parse("data\n\n"), (Events{"||"}));
  EXPECT_EQ(Parse("event: x\n\ndata: b\n\n"), (Events{"|b|"}));
  EXPECT_EQ(Parse("Data: a\nretry: 10\nwhatever\n\n"), Events{});
}

TEST(SseParserTest, AMissingLastBlankLineStillDeliversTheEvent) {
  EXPECT_EQ(Parse("data: a\n\nevent: x\ndata: b"), (Events{"|a|", "x|b|"}));
  EXPECT_EQ(Parse("data: a\n"), (Events{"|a|"}));
  EXPECT_EQ(Parse("event: x\n"), Events{});
  EXPECT_EQ(Parse(""), Events{});
}

TEST(SseParserTest, AnySplitGivesTheSameEvents) {
  const std::string stream =
      "\xEF\xBB\xBF: hello\r\nevent: message_start\r\ndata: {\"a\":\r\ndata:1}\r\n\r\n"
      "id: 3\rdata: x\r\rdata: \xE2\x82\xAC\n\n\n\ndata:[DONE]";
  const Events whole = Parse(stream);
  ASSERT_EQ(whole.size(), 4u);
  for (size_t i = 0; i <= stream.size(); ++i) {
    EXPECT_EQ(ParseInPieces(stream, {i}), whole) << i;
    for (size_t j = i; j <= stream.size(); ++j) EXPECT_EQ(ParseInPieces(stream, {i, j}), whole);
  }
  std::vector<size_t> every(stream.size());
  std::iota(every.begin(), every.end(), size_t{0});
  EXPECT_EQ(ParseInPieces(stream, every), whole);
}

TEST(SseParserTest, RandomStreamsDoNotDependOnTheSplit) {
  std::mt19937 random(1);
  const std::vector<std::string> parts = {"data", "event", "id",   ":", ": ",   "\n",
                                          "\r",   "\r\n",  "text", " ", "\n\n", "\xEF\xBB\xBF"};
  for (int round = 0; round < 3000; ++round) {
    std::string stream;
    for (int k = 0; k < 12; ++k) stream += parts[random() % parts.size()];
    const size_t a = random() % (stream.size() + 1);
    const size_t b = a + random() % (stream.size() + 1 - a);
    EXPECT_EQ(ParseInPieces(stream, {a, b}), Parse(stream)) << stream;
  }
}

TEST(SseParserTest, AHugeEventIsRefusedAndTheParserStaysRefusing) {
  int events = 0;
  SseParser parser([&](const SseEvent&) { ++events; }, 100);
  EXPECT_TRUE(parser.Feed("data: small\n\n").ok());
  Status status = parser.Feed("data: ");
  for (int i = 0; i < 20 && status.ok(); ++i) status = parser.Feed("0123456789");
  EXPECT_EQ(status.code(), Code::kTooLarge);
  EXPECT_EQ(parser.Feed("\n\n").code(), Code::kTooLarge);
  EXPECT_EQ(parser.Finish().code(), Code::kTooLarge);
  EXPECT_EQ(events, 1);
}

TEST(FormatSseTest, WhatIsFormattedParsesBack) {
  for (const std::string data : {"", "x", "a\nb", "\n", "a\n\nb\n", " lead", ":colon", "data: x"}) {
    EXPECT_EQ(Parse(FormatSse("ping", data)), (Events{"ping|" + data + "|"}));
    EXPECT_EQ(Parse(FormatSse("", data)), (Events{"|" + data + "|"}));
  }
  EXPECT_EQ(FormatSse("e", "a\r\nb\rc"), "event: e\ndata: a\ndata: b\ndata: c\n\n");
  EXPECT_EQ(FormatSse("e\ndata: forged", "x"), "event: edata: forged\ndata: x\n\n");
}

}  // namespace
}  // namespace ac::http
