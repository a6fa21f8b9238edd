#include "json/partial.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "json/json.h"

namespace ac::json {
namespace {

std::string CompletionOf(std::string_view text) {
  PartialParser parser;
  const Result<size_t> used = parser.Feed(text);
  return used.ok() ? parser.Completed() : used.status().ToString();
}

// Documents that use every construct of the grammar.
std::vector<std::string> Documents() {
  return {
      R"({"path":"/tmp/a b.txt","lines":[1,-2.5e+3,0,1E5,-0.25],"ok":true,"no":false,"x":null})",
      R"([[],{},[[{"a":{}}]],"",{"":""}])",
      R"({"e":"\" \\ \/ \b \f \n \r \t \u00e9 \ud83d\ude00 \u0000","k\u0041\"":1})",
      " {\t\"a\" :\r\n[ 1 , 2 ]\n, \"b\" : { } } ",
      "[\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\",\"\xED\x9F\xBF\xEE\x80\x80\xF4\x8F\xBF\xBF\"]",
      "\"text\"",
      "true",
  };
}

TEST(PartialParser, CompletesEveryOpenConstruct) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", ""},
      {"  ", ""},
      {"{", "{}"},
      {"[", "[]"},
      {R"({"a)", "{}"},
      {R"({"a")", "{}"},
      {R"({"a":)", "{}"},
      {R"({"a": ")", R"({"a": ""})"},
      {R"({"a":"x)", R"({"a":"x"})"},
      {R"({"a":"x\)", R"({"a":"x"})"},
      {R"({"a":"x\u00e)", R"({"a":"x"})"},
      {R"({"a":"x\ud83d)", R"({"a":"x"})"},
      {R"({"a":"x\ud83d\ude0)", R"({"a":"x"})"},
      {R"({"a":"x\ud83d\ude00)", R"({"a":"x\ud83d\ude00"})"},
      {"{\"a\":\"x\xF0\x9F\x98", R"({"a":"x"})"},
      {R"({"a":"x",)", R"({"a":"x"})"},
      {R"({"a":"x","b)", R"({"a":"x"})"},
      {R"({"a":[1,2)", R"({"a":[1,2]})"},
      {R"({"a":[1,2,)", R"({"a":[1,2]})"},
      {R"({"a":[1,-)", R"({"a":[1]})"},
      {R"({"a":[1,-3.)", R"({"a":[1,-3]})"},
      {R"({"a":[1,3.5e+)", R"({"a":[1,3.5]})"},
      {R"({"a":t)", R"({"a":true})"},
      {R"({"a":fals)", R"({"a":false})"},
      {R"({"a":[n)", R"({"a":[null]})"},
      {R"([{"a":{"b":[)", R"([{"a":{"b":[]}}])"},
  };
  for (const auto& [text, expected] : cases) EXPECT_EQ(CompletionOf(text), expected) << text;
}

TEST(PartialParser, EveryPrefixOfADocumentCompletesToTextThatParses) {
  for (const std::string& document : Documents()) {
    PartialParser parser;
    for (size_t i = 0; i < document.size(); ++i) {
      ASSERT_EQ(*parser.Feed(document.substr(i, 1)),
                parser.complete() && document[i] == ' ' ? 0u : 1u)
          << document << " at " << i;
      const std::string completed = parser.Completed();
      if (completed.empty()) continue;
      EXPECT_TRUE(Parse(completed).ok()) << document << " at " << i << ": " << completed;
    }
    EXPECT_TRUE(parser.complete());
    EXPECT_EQ(Write(*Parse(parser.Completed())), Write(*Parse(document)));
  }
}

TEST(PartialParser, CompletionsOnlyGrow) {
  for (const std::string& document : Documents()) {
    PartialParser parser;
    size_t longest = 0;
    for (const char c : document) {
      ASSERT_TRUE(parser.Feed(std::string_view(&c, 1)).ok());
      const std::string completed = parser.Completed();
      size_t common = 0;
      while (common < completed.size() && common < document.size() &&
             completed[common] == document[common]) {
        ++common;
      }
      EXPECT_GE(common, longest) << document;
      longest = common;
    }
  }
}

TEST(PartialParser, TheSplitDoesNotMatter) {
  std::mt19937 random(7);
  for (const std::string& document : Documents()) {
    for (int round = 0; round < 50; ++round) {
      PartialParser parser;
      for (size_t at = 0; at < document.size();) {
        const size_t length = 1 + random() % 9;
        const std::string_view piece = std::string_view(document).substr(at, length);
        ASSERT_TRUE(parser.Feed(piece).ok());
        at += piece.size();
      }
      EXPECT_TRUE(parser.complete()) << document;
      EXPECT_TRUE(parser.Finish().ok());
    }
  }
}

TEST(PartialParser, StopsAtTheEndOfTheValue) {
  PartialParser object;
  EXPECT_EQ(*object.Feed(R"({"a":1}</tool_call>)"), 7u);
  EXPECT_TRUE(object.complete());
  EXPECT_EQ(*object.Feed("more"), 0u);
  EXPECT_EQ(object.text(), R"({"a":1})");

  PartialParser number;
  EXPECT_EQ(*number.Feed("12"), 2u);
  EXPECT_FALSE(number.complete());  // 123 may come
  EXPECT_EQ(*number.Feed("5 "), 1u);
  EXPECT_TRUE(number.complete());
  EXPECT_EQ(number.Completed(), "125");
}

TEST(PartialParser, FinishTellsAnEndFromACut) {
  PartialParser number;
  ASSERT_TRUE(number.Feed("12").ok());
  EXPECT_TRUE(number.Finish().ok());
  PartialParser cut;
  ASSERT_TRUE(cut.Feed("{\"a\"").ok());
  EXPECT_NE(cut.Finish().message().find("ends early"), std::string::npos);
  PartialParser minus;
  ASSERT_TRUE(minus.Feed("-").ok());
  EXPECT_FALSE(minus.Finish().ok());
  EXPECT_FALSE(PartialParser().Finish().ok());
}

TEST(PartialParser, RefusesTheFirstByteThatCannotStandThere) {
  const std::vector<std::pair<std::string, size_t>> cases = {
      {"}", 1},
      {"{,", 2},
      {"{\"a\" 1", 6},
      {"[1 2", 4},
      {"[1}", 3},
      {"{]", 2},
      {"[,", 2},
      {"[1,]", 4},
      {"{\"a\":1,}", 8},
      {"tru3", 4},
      {"01", 0},
      {"[01", 3},
      {"[1.e", 4},
      {"[+", 2},
      {"[-a", 3},
      {"\"\\x", 3},
      {"\"\\u12g", 6},
      {"\"\n", 2},
      {"\"\\udc00", 7},
      {"\"\\ud83d\\u0041", 13},
      {"\"\\ud83dx", 8},
      {"\"\x80", 2},
      {"\"\xC3(", 3},
      {"\"\xED\xA0", 3},
      {"\"\xF5", 2},
      {"'", 1},
      {"\xEF\xBB\xBF{", 1},
      {"[1ee", 4},
  };
  for (const auto& [text, byte] : cases) {
    PartialParser parser;
    const Result<size_t> used = parser.Feed(text);
    if (byte == 0) {  // a bare number that ends before the offending byte
      EXPECT_EQ(*used, 1u) << text;
      continue;
    }
    ASSERT_FALSE(used.ok()) << text;
    EXPECT_NE(used.status().message().find("byte " + std::to_string(byte) + " "), std::string::npos)
        << text << ": " << used.status();
    EXPECT_EQ(parser.Feed(" ").status(), used.status()) << "the failure stays";
    EXPECT_EQ(parser.Finish(), used.status());
  }
}

TEST(PartialParser, LimitsDepthAndSize) {
  PartialParser deep({.max_depth = 3, .max_bytes = 100});
  EXPECT_EQ(deep.Feed("[[[[").status().code(), Code::kTooLarge);
  PartialParser huge;
  EXPECT_EQ(huge.Feed("[1e000100000]").status().code(), Code::kTooLarge);
  PartialParser zeros;
  EXPECT_TRUE(zeros.Feed("[1e-0000000000000099999]").ok());
  PartialParser large({.max_depth = 3, .max_bytes = 4});
  EXPECT_EQ(large.Feed("\"12345").status().code(), Code::kTooLarge);
}

// One random byte changed in a document: both parsers must agree on whether it is JSON.
TEST(PartialParser, AgreesWithTheWholeParserOnDamagedText) {
  std::mt19937 random(11);
  const std::string_view bytes = "{}[]\",:\\ntfu0123456789.eE+- \x01\x80\xC3";
  for (const std::string& document : Documents()) {
    for (int round = 0; round < 3000; ++round) {
      std::string damaged = document;
      damaged[random() % damaged.size()] = bytes[random() % bytes.size()];
      PartialParser parser;
      const Result<size_t> used = parser.Feed(damaged);
      bool accepted = used.ok() && parser.Finish().ok();
      if (accepted && damaged.find_first_not_of(" \t\r\n", *used) != std::string::npos)
        accepted = false;
      EXPECT_EQ(accepted, Parse(damaged).ok()) << damaged;
    }
  }
}

}  // namespace
}  // namespace ac::json
