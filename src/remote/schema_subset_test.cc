#include "remote/schema_subset.h"

#include <gtest/gtest.h>

#include "json/json.h"

namespace ac::remote {
namespace {

TEST(SchemaSubsetTest, KeepsWhatShapesACallAndDropsWhatNarrowsValues) {
  EXPECT_EQ(SubsetSchema(R"({"$schema":"https://json-schema.org/draft/2020-12/schema",
    "type":"object","additionalProperties":false,"required":["path"],"properties":{
      "path":{"type":"string","description":"Where","pattern":"^/","maxLength":9007199254740991},
      "mode":{"enum":["r","w"],"default":"r"},
      "lines":{"type":"array","items":{"type":"integer","minimum":1}}}})"),
            R"({"type":"object","properties":{"path":{"type":"string","description":"Where"},)"
            R"("mode":{"enum":["r","w"]},"lines":{"type":"array","items":{"type":"integer"}}},)"
            R"("required":["path"]})");
}

TEST(SchemaSubsetTest, UnionsWithNullBecomeTheirOneType) {
  EXPECT_EQ(SubsetSchema(R"({"type":"object","properties":{"a":{"anyOf":[{"type":"string"},
    {"type":"null"}]},"b":{"type":["integer","null"]},"c":{"oneOf":[{"type":"string"},
    {"type":"number"}]},"d":{"const":7}}})"),
            R"({"type":"object","properties":{"a":{"type":"string"},"b":{"type":"integer"},)"
            R"("c":{},"d":{"enum":[7]}}})");
}

TEST(SchemaSubsetTest, ReferencesArePutInPlaceAndCyclesEnd) {
  EXPECT_EQ(SubsetSchema(R"({"type":"object","properties":{"p":{"$ref":"#/$defs/point"}},
    "$defs":{"point":{"type":"object","properties":{"x":{"type":"number"}}}}})"),
            R"({"type":"object","properties":{"p":{"type":"object","properties":)"
            R"({"x":{"type":"number"}}}}})");
  const std::string cyclic =
      SubsetSchema(R"({"type":"object","properties":{"n":{"$ref":"#"},"m":{"$ref":"#/nowhere"}}})");
  EXPECT_TRUE(json::Parse(cyclic).ok());
}

TEST(SchemaSubsetTest, ReferencesThatBranchDoNotGrowWithoutEnd) {
  const std::string bomb = SubsetSchema(R"({"type":"object","properties":{"a":{"$ref":"#"},
    "b":{"$ref":"#"},"c":{"$ref":"#"}}})");
  EXPECT_LT(bomb.size(), size_t{4} << 20);
  EXPECT_TRUE(json::Parse(bomb, {.max_depth = 256}).ok());
}

TEST(SchemaSubsetTest, PartsOfAllOfAreJoined) {
  EXPECT_EQ(SubsetSchema(R"({"allOf":[{"type":"object","properties":{"a":{"type":"string"}},
    "required":["a"]},{"properties":{"b":{"type":"string"}},"required":["b"]}]})"),
            R"({"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}},)"
            R"("required":["a","b"]})");
}

TEST(SchemaSubsetTest, WhatIsNoSchemaAcceptsAnyObject) {
  for (const char* text : {"", "not json", "[]", "true"}) {
    EXPECT_EQ(SubsetSchema(text), kUntypedSchema) << text;
  }
  EXPECT_EQ(SubsetSchema("{}"), R"({"type":"object"})");
}

}  // namespace
}  // namespace ac::remote
