#include "grammar/json_schema.h"

#include <gtest/gtest.h>

#include "grammar/json_pieces.h"
#include "support/test_grammar.h"

namespace ac::grammar {
namespace {

class JsonSchemaTest : public ::testing::Test {
 protected:
  void Use(std::string_view schema) {
    notes_.clear();
    Result<json::Value> value = json::Parse(schema);
    ASSERT_TRUE(value.ok()) << value.status();
    ProgramBuilder builder;
    SchemaCompiler compiler(builder, *value, &notes_);
    Result<Piece> piece = compiler.CompileRoot();
    ASSERT_TRUE(piece.ok()) << piece.status();
    Result<Program> program = builder.Build(*piece);
    ASSERT_TRUE(program.ok()) << program.status();
    grammar_ = GrammarOf(std::move(program).value());
  }
  bool Is(std::string_view text) const { return Matches(grammar_, text); }
  static Status ErrorOf(std::string_view schema) {
    const Result<json::Value> value = json::Parse(schema);
    ProgramBuilder builder;
    SchemaCompiler compiler(builder, *value, nullptr);
    Result<Piece> piece = compiler.CompileRoot();
    if (!piece.ok()) return piece.status();
    return builder.Build(*piece).status();
  }

  std::vector<SchemaNote> notes_;
  std::shared_ptr<const Grammar> grammar_;
};

TEST_F(JsonSchemaTest, ObjectsTakeTheirKeysInAnyOrderAndEachOnce) {
  Use(R"({"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"boolean"},
          "c":{"type":"null"}},"required":["a","b"],"additionalProperties":false})");
  EXPECT_TRUE(Is(R"({"a":1,"b":true})"));
  EXPECT_TRUE(Is(R"({"b": false, "c": null, "a": -12})"));
  EXPECT_TRUE(Is("{\n  \"a\": 1,\n  \"b\": true\n}"));
  EXPECT_FALSE(Is(R"({"a":1})"));
  EXPECT_FALSE(Is(R"({"a":1,"b":true,"a":2})"));
  EXPECT_FALSE(Is(R"({"a":1,"b":true,"d":2})"));
  EXPECT_FALSE(Is(R"({"a":1.5,"b":true})"));
  EXPECT_FALSE(Is(R"({"a":1,"b":true,})"));
}

TEST_F(JsonSchemaTest, AdditionalKeysHoldTheirSchemaAndNeverRepeatADeclaredOne) {
  Use(R"({"properties":{"ab":{"type":"integer"}},"type":"object",
          "additionalProperties":{"type":"string"}})");
  EXPECT_TRUE(Is(R"({"a":"x","abc":"y","b":"","\u00fc":"z"})") == false);  // keys without escapes
  EXPECT_TRUE(Is("{\"a\":\"x\",\"abc\":\"y\",\"b\":\"\",\"\xC3\xBC\":\"z\"}"));
  EXPECT_TRUE(Is(R"({"ab":3,"":"empty"})"));
  EXPECT_FALSE(Is(R"({"ab":"x"})"));
  EXPECT_FALSE(Is(R"({"c":3})"));
}

TEST_F(JsonSchemaTest, MoreThanSixtyFourKeysComeInTheirOrder) {
  std::string schema = R"({"type":"object","additionalProperties":false,"required":["k3","k70"],)"
                       R"("properties":{)";
  for (int i = 0; i < 80; ++i) {
    schema += (i == 0 ? "\"k" : ",\"k") + std::to_string(i) + R"(":{"type":"integer"})";
  }
  Use(schema + "}}");
  EXPECT_TRUE(Is(R"({"k1":1,"k3":1,"k70":2,"k79":0})"));
  EXPECT_FALSE(Is(R"({"k3":1,"k1":1,"k70":2})"));
  EXPECT_FALSE(Is(R"({"k1":1,"k70":2})"));
  EXPECT_FALSE(Is(R"({"k3":1})"));
}

TEST_F(JsonSchemaTest, StringsCountCharactersNotBytes) {
  Use(R"({"type":"string","minLength":2,"maxLength":4})");
  EXPECT_FALSE(Is(R"("a")"));
  EXPECT_TRUE(Is("\"\xC3\xA4\xC3\xB6\""));
  EXPECT_TRUE(Is("\"\\u00e4\\n\xF0\x9F\x98\x80x\""));
  EXPECT_TRUE(Is(R"("\ud83d\ude00abc")"));
  EXPECT_FALSE(Is(R"("abcde")"));
  EXPECT_FALSE(Is("\"a\nb\""));
  EXPECT_FALSE(Is(R"("\ud83dab")"));
}

TEST_F(JsonSchemaTest, LongBoundsAreCountedNotUnrolled) {
  Use(R"({"type":"array","items":{"type":"string","maxLength":100000},"minItems":2,
          "maxItems":50000})");
  EXPECT_LT(grammar_->program().size(), 2000u);
  EXPECT_TRUE(Is("[\"" + std::string(100000, 'x') + "\",\"\"]"));
  EXPECT_FALSE(Is("[\"" + std::string(100001, 'x') + "\",\"\"]"));
  EXPECT_FALSE(Is("[\"\"]"));
}

TEST_F(JsonSchemaTest, NumberRangesHoldDigitByDigit) {
  Use(R"({"type":"integer","minimum":-12,"maximum":1050})");
  for (const int i : {-12, -9, -1, 0, 1, 9, 10, 99, 999, 1000, 1049, 1050}) {
    EXPECT_TRUE(Is(std::to_string(i))) << i;
  }
  for (const int i : {-13, -20, -100, 1051, 1060, 2000, 10000}) {
    EXPECT_FALSE(Is(std::to_string(i))) << i;
  }
  EXPECT_FALSE(Is("007"));
  Use(R"({"type":"number","exclusiveMinimum":0,"maximum":0.25})");
  for (const auto* text : {"0.25", "0.2", "0.001", "0.249", "0.250"}) EXPECT_TRUE(Is(text)) << text;
  for (const auto* text : {"0", "0.0", "0.26", "0.2501", "1", "-0.1"}) {
    EXPECT_FALSE(Is(text)) << text;
  }
  Use(R"({"type":"number","minimum":-2.5,"exclusiveMaximum":-1})");
  for (const auto* text : {"-2.5", "-2", "-1.5", "-1.01"}) EXPECT_TRUE(Is(text)) << text;
  for (const auto* text : {"-2.51", "-1", "-1.0", "-3", "0", "1.5"}) EXPECT_FALSE(Is(text)) << text;
}

TEST_F(JsonSchemaTest, EveryIntegerOfARangeAndNoOther) {
  for (const auto& [low, high] : {std::pair(0, 7), {5, 123}, {-20, -3}, {-101, 99}, {98, 1002}}) {
    Use(R"({"type":"integer","minimum":)" + std::to_string(low) + R"(,"maximum":)" +
        std::to_string(high) + "}");
    for (int i = -1200; i <= 1200; ++i) {
      ASSERT_EQ(Is(std::to_string(i)), low <= i && i <= high) << i;
    }
  }
}

TEST_F(JsonSchemaTest, EnumsConstsAndUnions) {
  Use(R"({"enum":["a\"b",1,null,{"x":[1,2]}]})");
  EXPECT_TRUE(Is(R"("a\"b")"));
  EXPECT_TRUE(Is(R"({"x":[1,2]})"));
  EXPECT_FALSE(Is("2"));
  Use(R"({"anyOf":[{"type":"string","maxLength":2},{"type":"array","items":{"const":7}}],
          "title":"no matter"})");
  EXPECT_TRUE(Is(R"("ab")"));
  EXPECT_TRUE(Is("[7, 7]"));
  EXPECT_FALSE(Is("[8]"));
  Use(R"({"type":["integer","null"],"minimum":3})");
  EXPECT_TRUE(Is("null"));
  EXPECT_TRUE(Is("3"));
  EXPECT_FALSE(Is("2"));
  Use(R"({"type":"string","nullable":true,"enum":["a",null]})");
  EXPECT_TRUE(Is("null"));
}

TEST_F(JsonSchemaTest, RecursionThroughReferences) {
  Use(R"({"$defs":{"node":{"type":"object","properties":{"v":{"type":"integer"},
          "next":{"anyOf":[{"$ref":"#/$defs/node"},{"type":"null"}]}},"required":["v","next"],
          "additionalProperties":false}},"$ref":"#/$defs/node"})");
  EXPECT_TRUE(Is(R"({"v":1,"next":{"v":2,"next":null}})"));
  EXPECT_FALSE(Is(R"({"v":1,"next":{"v":2}})"));
}

TEST_F(JsonSchemaTest, AllOfJoinsItsPartsAndTheirAdditionalProperties) {
  Use(R"({"allOf":[{"type":"object","properties":{"a":{"type":"number"}},"required":["a"]},
          {"properties":{"a":{"minimum":2,"maximum":9},"b":{"type":"string"}},
           "additionalProperties":false}]})");
  EXPECT_TRUE(Is(R"({"a":3})"));
  EXPECT_TRUE(Is(R"({"b":"x","a":2.5})"));
  EXPECT_FALSE(Is(R"({"a":1})"));
  EXPECT_FALSE(Is(R"({"b":"x"})"));
  EXPECT_FALSE(Is(R"({"a":3,"c":1})"));
}

TEST_F(JsonSchemaTest, TuplesAndItemBounds) {
  Use(R"({"type":"array","prefixItems":[{"type":"integer"},{"type":"string"}],
          "items":{"type":"boolean"},"minItems":1,"maxItems":4})");
  for (const auto* text : {"[1]", R"([1,"a"])", R"([1,"a",true])", R"([1,"a",true,false])"}) {
    EXPECT_TRUE(Is(text)) << text;
  }
  for (const auto* text : {"[]", R"(["a"])", R"([1,"a",1])", R"([1,"a",true,false,true])"}) {
    EXPECT_FALSE(Is(text)) << text;
  }
  Use(R"({"type":"array","items":{"const":1},"minItems":0,"maxItems":2})");
  EXPECT_TRUE(Is("[]"));
  EXPECT_TRUE(Is("[ ]"));
  EXPECT_TRUE(Is("[1,1]"));
  EXPECT_FALSE(Is("[1,1,1]"));
}

TEST_F(JsonSchemaTest, PatternsMatchAnywhereUnlessAnchored) {
  Use(R"({"type":"string","pattern":"^[a-z]+(-\\d{2,3})?$"})");
  EXPECT_TRUE(Is(R"("abc-123")"));
  EXPECT_FALSE(Is(R"("abc-1")"));
  EXPECT_FALSE(Is(R"("")"));
  Use(R"({"type":"string","pattern":"[\"\\\\]"})");
  EXPECT_TRUE(Is(R"("say \"")"));
  EXPECT_TRUE(Is(R"("a\\b")"));
  EXPECT_FALSE(Is(R"("plain")"));
}

TEST_F(JsonSchemaTest, WhatOnlyNarrowsIsLeftOutAndReported) {
  Use(R"({"type":"object","properties":{"n":{"type":"integer","multipleOf":5},
          "s":{"type":"string","pattern":"(?=x)y"}},"required":["n"]})");
  ASSERT_EQ(notes_.size(), 2u);
  EXPECT_EQ(notes_[0].path, "#/properties/n");
  EXPECT_EQ(notes_[0].keyword, "multipleOf");
  EXPECT_EQ(notes_[1].keyword, "pattern");
  EXPECT_TRUE(Is(R"({"n":3})"));
}

TEST_F(JsonSchemaTest, ABadSchemaIsNamedByPathAndKeyword) {
  const auto expect = [](std::string_view schema, std::string_view part) {
    const Status status = ErrorOf(schema);
    EXPECT_FALSE(status.ok()) << schema;
    EXPECT_NE(status.message().find(part), std::string::npos) << status;
  };
  expect(R"({"properties":{"a":{"type":"strin"}}})", "#/properties/a: type");
  expect(R"({"properties":[]})", "#: properties");
  expect(R"({"items":{"minLength":-1,"type":"string"}})", "#/items: minLength");
  expect(R"({"$ref":"#/$defs/none"})", "#: $ref");
  expect(R"({"$ref":"other.json"})", "#: $ref");
  expect(R"({"type":"string","pattern":"("})", "pattern");
  expect(R"({"type":"object","required":["a"],"additionalProperties":false})", "nothing can match");
  expect(R"({"enum":[]})", "nothing can match");
  expect(R"({"$ref":"#"})", "nothing can match");
}

TEST_F(JsonSchemaTest, DeadAlternativesAreNeverEntered) {
  Use(R"({"type":"object","properties":{"a":false,"b":{"type":"integer","minimum":5,"maximum":4},
          "c":{"type":"integer"}},"additionalProperties":false})");
  EXPECT_TRUE(Is(R"({"c":1})"));
  EXPECT_TRUE(Is("{}"));
  Matcher matcher(grammar_);
  ASSERT_TRUE(matcher.AcceptBytes(R"({"c":1)"));
  EXPECT_FALSE(matcher.AcceptBytes(","));
}

}  // namespace
}  // namespace ac::grammar
