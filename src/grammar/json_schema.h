// JSON Schema as a piece of a grammar.
//
// Compiled exactly: types, const, enum, properties, required, additionalProperties, items,
// prefixItems, item and length bounds, pattern, common formats, number ranges, anyOf, allOf, $ref
// with recursion, nullable. A keyword that only narrows what is valid and has no automaton here
// (not, if, uniqueItems, multipleOf, ...) is left out and reported in the notes. What cannot be
// read at all is an error that names path and keyword.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "grammar/program.h"
#include "json/json.h"

namespace ac::grammar {

struct SchemaNote {
  std::string path;     // "#/properties/age"
  std::string keyword;  // "multipleOf"
  std::string effect;   // "not enforced"
};

class SchemaCompiler {
 public:
  // `root` and `notes` must outlive the compiler; pieces do not need them.
  SchemaCompiler(ProgramBuilder& builder, const json::Value& root, std::vector<SchemaNote>* notes)
      : builder_(builder), root_(root), notes_(notes) {}

  // The whole schema as a JSON value.
  Result<Piece> CompileRoot();

  // For families that write an object's properties in their own way.
  struct Property {
    std::string name;
    json::Value schema;
    std::string path;
    bool required = false;
  };
  struct ObjectShape {
    bool plain = false;  // nothing but properties decides; otherwise the rest is empty
    std::vector<Property> properties;
    bool open = false;  // other keys are allowed
  };
  Result<ObjectShape> RootShape();
  Result<Piece> CompileProperty(const Property& property);
  // A string without quotes and escapes, up to `closer`, none of `forbidden` in it.
  Result<Piece> CompileRawString(const Property& property, std::string_view closer,
                                 const std::vector<std::string>& forbidden);

 private:
  struct Bounds {
    uint64_t min = 0;
    uint64_t max = kUnlimited;
  };

  Result<Piece> Compile(const json::Value& schema, const std::string& path, int depth);
  Result<Piece> CompileObjectForm(const json::Value& schema, const std::string& path, int depth);
  Result<Piece> Reference(const std::string& pointer, const std::string& path);
  Result<const json::Value*> Resolve(const std::string& pointer, const std::string& path) const;
  // The schema without $ref beside other keywords and without allOf.
  Result<json::Value> Flatten(const json::Value& schema, const std::string& path, int depth);
  Result<json::Value> Merge(const json::Value& a, const json::Value& b, const std::string& path);
  void MergeProperties(json::Object* into, const json::Object& from, const std::string& path);
  void MergeKeyword(json::Object* into, std::string_view key, const json::Value& value,
                    const std::string& path);

  Result<Piece> Alternatives(const json::Value& schema, std::string_view keyword,
                             const std::string& path, int depth);
  Result<Piece> Values(const json::Array& values, const json::Value& schema,
                       const std::string& path) const;
  Result<std::vector<std::string>> Types(const json::Value& schema, const std::string& path) const;
  Result<Piece> OfType(std::string_view type, const json::Value& schema, const std::string& path,
                       int depth);
  Result<Piece> Object(const json::Value& schema, const std::string& path, int depth);
  Result<Piece> ExtraProperties(const json::Value& schema, const std::string& path, int depth);
  Result<Piece> Array(const json::Value& schema, const std::string& path, int depth);
  Result<Piece> String(const json::Value& schema, const std::string& path);
  Result<Piece> Number(const json::Value& schema, const std::string& path, bool integer);
  // The piece of `pattern` or `format`; null when neither holds the string.
  Result<Piece> PatternOf(const json::Value& schema, const std::string& path, bool json,
                          const Bounds& bounds);

  Result<Bounds> BoundsOf(const json::Value& schema, std::string_view min, std::string_view max,
                          const std::string& path) const;
  void Note(const std::string& path, std::string_view keyword, std::string_view effect);
  void NoteIgnored(const json::Value& schema, const std::string& path);
  Status CountNode(const std::string& path);

  ProgramBuilder& builder_;
  const json::Value& root_;
  std::vector<SchemaNote>* const notes_;
  std::map<std::string, RuleId> references_;
  int nodes_ = 0;
};

}  // namespace ac::grammar
