// Objects, arrays, strings and numbers of a schema.
#include <algorithm>
#include <array>
#include <set>

#include "grammar/free_text.h"
#include "grammar/json_pieces.h"
#include "grammar/json_schema.h"
#include "grammar/pieces.h"
#include "grammar/regex.h"

namespace ac::grammar {
namespace {

Status Wrong(const std::string& path, std::string_view keyword, std::string_view what) {
  return InvalidArgument("[grammar] schema " + path + ": " + std::string(keyword) + " " +
                         std::string(what));
}

Piece Impossible() {
  return [](ProgramBuilder& b, Pc) { return b.Fail(); };
}

std::string PathTo(const std::string& path, std::string_view keyword, std::string_view name) {
  return path + "/" + std::string(keyword) + "/" + std::string(name);
}

// What a format allows, or less of it: days of all months, hosts of letters.
struct Format {
  std::string_view name;
  std::string_view regex;
};
constexpr std::string_view kTimeRegex =
    "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])";
constexpr std::array<Format, 12> kFormats = {{
    {"date", "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])"},
    {"time", kTimeRegex},
    {"date-time",
     "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
     "(\\.[0-9]{1,6})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"},
    {"duration", "P([0-9]{1,6}D|([0-9]{1,4}D)?T[0-9]{1,6}[HMS])"},
    {"email",
     "[A-Za-z0-9_+-]+(\\.[A-Za-z0-9_+-]+)*@[A-Za-z0-9]+(-[A-Za-z0-9]+)*"
     "(\\.[A-Za-z0-9]+(-[A-Za-z0-9]+)*)+"},
    {"hostname",
     "[A-Za-z0-9]{1,20}(-[A-Za-z0-9]{1,20})*(\\.[A-Za-z0-9]{1,20}(-[A-Za-z0-9]{1,20})*)*"},
    {"ipv4",
     "((25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])\\.){3}"
     "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"},
    {"ipv6", "([0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}"},
    {"uri", "[A-Za-z][A-Za-z0-9+.-]*:(//)?([A-Za-z0-9._~:/?#@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+"},
    {"uuid", "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"},
    {"json-pointer", "(/([A-Za-z0-9_. -]|~[01])*)*"},
    {"uri-reference", "[A-Za-z0-9._~/-]+"},
}};

}  // namespace

Result<Piece> SchemaCompiler::Object(const json::Value& schema, const std::string& path,
                                     int depth) {
  const json::Value* properties = json::Find(schema, "properties");
  if (properties != nullptr && !properties->is_object()) {
    return Wrong(path, "properties", "must be an object");
  }
  std::set<std::string, std::less<>> required;
  if (const json::Value* list = json::Find(schema, "required")) {
    const json::Array* names = json::AsArray(list);
    if (names == nullptr) return Wrong(path, "required", "must be a list of names");
    for (const json::Value& name : *names) {
      if (!name.is_string()) return Wrong(path, "required", "must be a list of names");
      required.insert(std::string(name.get_string()));
    }
  }
  ObjectParts parts = JsonObjectParts();
  std::vector<std::string> names;
  if (properties != nullptr) {
    for (const auto& member : properties->get_object()) {
      const std::string name(member.key());
      AC_ASSIGN_OR_RETURN(Piece value,
                          Compile(member.value(), PathTo(path, "properties", name), depth + 1));
      parts.properties.push_back({JsonProperty(name, std::move(value)), required.erase(name) > 0});
      names.push_back(name);
    }
  }
  const json::Value* additional = json::Find(schema, "additionalProperties");
  for (const std::string& name : required) {
    // Required and not described: whatever additional keys may hold.
    const json::Value any(true);
    AC_ASSIGN_OR_RETURN(Piece value, Compile(additional == nullptr ? any : *additional,
                                             PathTo(path, "required", name), depth + 1));
    parts.properties.push_back({JsonProperty(name, std::move(value)), true});
    names.push_back(name);
  }
  AC_ASSIGN_OR_RETURN(parts.extra, ExtraProperties(schema, path, depth));
  if (parts.extra) {
    const json::Value* keys = json::Find(schema, "propertyNames");
    const json::Object* patterns = json::AsObject(json::Find(schema, "patternProperties"));
    if (patterns == nullptr || patterns->empty()) {
      Piece key = JsonStringExcept(names);
      if (keys != nullptr && names.empty()) {
        AC_ASSIGN_OR_RETURN(key,
                            Compile(json::Object{{"type", "string"}, {"allOf", json::Array{*keys}}},
                                    path + "/propertyNames", depth + 1));
      } else if (keys != nullptr) {
        Note(path, "propertyNames", "not enforced");
      }
      parts.extra = Sequence({std::move(key), JsonBlanks(), Text(":"), JsonBlanks(), parts.extra});
    }
  }
  return ObjectOf(std::move(parts));
}

// What keys without a description may hold: a value, or, with patternProperties, key and value.
// Null: there are none.
Result<Piece> SchemaCompiler::ExtraProperties(const json::Value& schema, const std::string& path,
                                              int depth) {
  if (const json::Value* value = json::Find(schema, "patternProperties")) {
    const json::Object* patterns = json::AsObject(value);
    if (patterns == nullptr) return Wrong(path, "patternProperties", "must be an object");
    if (patterns->size() > 1) Note(path, "patternProperties", "exact for each pattern on its own");
    std::vector<Piece> pairs;
    for (const auto& member : *patterns) {
      const Result<CompiledRegex> regex = CompileRegex(
          std::string_view(member.key()), {.spelling = Spelling::kJson, .search = true});
      if (!regex.ok()) {
        Note(path, "patternProperties", regex.status().message());
        continue;
      }
      AC_ASSIGN_OR_RETURN(
          Piece inner,
          Compile(member.value(), PathTo(path, "patternProperties", member.key()), depth + 1));
      pairs.push_back(Sequence({Text("\""), regex->piece, Text("\""), JsonBlanks(), Text(":"),
                                JsonBlanks(), std::move(inner)}));
    }
    if (!patterns->empty()) return pairs.empty() ? Piece() : OneOf(std::move(pairs));
  }
  const json::Value* additional = json::Find(schema, "additionalProperties");
  if (additional == nullptr) return JsonAny(builder_);
  if (additional->is_bool() && !additional->get_bool()) return Piece();
  return Compile(*additional, path + "/additionalProperties", depth + 1);
}

Result<Piece> SchemaCompiler::Array(const json::Value& schema, const std::string& path, int depth) {
  AC_ASSIGN_OR_RETURN(const Bounds bounds, BoundsOf(schema, "minItems", "maxItems", path));
  if (bounds.min > bounds.max) return Impossible();
  const json::Value* items = json::Find(schema, "items");
  const json::Value* list = json::Find(schema, "prefixItems");
  const json::Value* rest = items;
  if (items != nullptr && items->is_array()) {  // the older spelling
    list = items;
    rest = json::Find(schema, "additionalItems");
  }
  std::vector<Piece> prefix;
  if (list != nullptr) {
    const json::Array* each = json::AsArray(list);
    if (each == nullptr) return Wrong(path, "prefixItems", "must be a list of schemas");
    for (size_t i = 0; i < each->size(); ++i) {
      AC_ASSIGN_OR_RETURN(
          Piece item,
          Compile((*each)[i], PathTo(path, "prefixItems", std::to_string(i)), depth + 1));
      prefix.push_back(std::move(item));
    }
  }
  Piece others = JsonAny(builder_);
  if (rest != nullptr) {
    AC_ASSIGN_OR_RETURN(others, Compile(*rest, path + "/items", depth + 1));
    if (rest->is_bool() && !rest->get_bool()) others = nullptr;
  }
  return JsonArray(std::move(prefix), std::move(others), bounds.min, bounds.max);
}

Result<Piece> SchemaCompiler::PatternOf(const json::Value& schema, const std::string& path,
                                        bool json, const Bounds& bounds) {
  const json::Value* pattern = json::Find(schema, "pattern");
  if (pattern != nullptr && !pattern->is_string())
    return Wrong(path, "pattern", "must be a string");
  const auto format = json::GetString(schema, "format");
  const auto known = std::find_if(kFormats.begin(), kFormats.end(),
                                  [&](const Format& f) { return format && f.name == *format; });
  if (pattern == nullptr && known == kFormats.end()) return Piece();
  const std::string_view keyword = pattern != nullptr ? "pattern" : "format";
  const std::string_view regex_text =
      pattern != nullptr ? std::string_view(pattern->get_string()) : known->regex;
  const Result<CompiledRegex> regex = CompileRegex(
      regex_text,
      {.spelling = json ? Spelling::kJson : Spelling::kPlain, .search = pattern != nullptr});
  if (!regex.ok()) {
    if (regex.status().code() != Code::kUnsupported) {
      return regex.status().WithPrefix("[grammar] schema " + path + ": pattern");
    }
    Note(path, keyword, "not enforced: " + regex.status().message());
    return Piece();
  }
  if (pattern != nullptr && known != kFormats.end()) Note(path, "format", "not enforced");
  if (regex->max_length < bounds.min || regex->min_length > bounds.max) return Impossible();
  if (regex->min_length < bounds.min)
    Note(path, "minLength", "not enforced beside " + std::string(keyword));
  if (regex->max_length > bounds.max)
    Note(path, "maxLength", "not enforced beside " + std::string(keyword));
  return regex->piece;
}

Result<Piece> SchemaCompiler::String(const json::Value& schema, const std::string& path) {
  AC_ASSIGN_OR_RETURN(const Bounds bounds, BoundsOf(schema, "minLength", "maxLength", path));
  if (bounds.min > bounds.max) return Impossible();
  AC_ASSIGN_OR_RETURN(const Piece pattern, PatternOf(schema, path, true, bounds));
  if (pattern) return Sequence({Text("\""), pattern, Text("\"")});
  return JsonString(builder_, bounds.min, bounds.max);
}

Result<Piece> SchemaCompiler::Number(const json::Value& schema, const std::string& path,
                                     bool integer) {
  NumberRange range;
  range.integer = integer;
  const auto read = [&](std::string_view key, std::optional<double>* out) -> Status {
    const json::Value* value = json::Find(schema, key);
    if (value == nullptr) return OkStatus();
    const auto number = json::AsDouble(value);
    if (!number) return Wrong(path, key, "must be a number");
    *out = *number;
    return OkStatus();
  };
  AC_RETURN_IF_ERROR(read("minimum", &range.min));
  AC_RETURN_IF_ERROR(read("maximum", &range.max));
  for (const bool low : {true, false}) {
    const std::string_view key = low ? "exclusiveMinimum" : "exclusiveMaximum";
    const json::Value* value = json::Find(schema, key);
    if (value == nullptr) continue;
    if (value->is_bool()) {  // the older spelling
      (low ? range.min_exclusive : range.max_exclusive) = value->get_bool();
      continue;
    }
    std::optional<double> bound;
    AC_RETURN_IF_ERROR(read(key, &bound));
    std::optional<double>& inclusive = low ? range.min : range.max;
    const bool narrower = !inclusive || (low ? *bound >= *inclusive : *bound <= *inclusive);
    if (narrower) {
      inclusive = bound;
      (low ? range.min_exclusive : range.max_exclusive) = true;
    }
  }
  if (!range.min && !range.max) return integer ? JsonInteger(builder_) : JsonNumber(builder_);
  return JsonNumberIn(range);
}

Result<SchemaCompiler::ObjectShape> SchemaCompiler::RootShape() {
  ObjectShape shape;
  if (!root_.is_object()) return shape;
  AC_ASSIGN_OR_RETURN(const json::Value flat, Flatten(root_, "#", 0));
  for (const std::string_view keyword : {"anyOf", "oneOf", "const", "enum", "patternProperties"}) {
    if (json::Find(flat, keyword) != nullptr) return shape;
  }
  const auto type = json::GetString(flat, "type");
  if (type && *type != "object") return shape;
  NoteIgnored(flat, "#");
  shape.plain = true;
  const json::Value* additional = json::Find(flat, "additionalProperties");
  shape.open = additional == nullptr || !additional->is_bool() || additional->get_bool();
  std::set<std::string, std::less<>> required;
  if (const json::Array* names = json::AsArray(json::Find(flat, "required"))) {
    for (const json::Value& name : *names) {
      if (name.is_string()) required.insert(std::string(name.get_string()));
    }
  }
  if (const json::Object* properties = json::AsObject(json::Find(flat, "properties"))) {
    for (const auto& member : *properties) {
      const std::string name(member.key());
      shape.properties.push_back(
          {name, member.value(), PathTo("#", "properties", name), required.erase(name) > 0});
    }
  }
  for (const std::string& name : required) {
    const json::Value any(true);
    shape.properties.push_back(
        {name, additional == nullptr ? any : *additional, PathTo("#", "required", name), true});
  }
  return shape;
}

Result<Piece> SchemaCompiler::CompileRawString(const Property& property, std::string_view closer,
                                               const std::vector<std::string>& forbidden) {
  const std::string& path = property.path;
  AC_ASSIGN_OR_RETURN(const json::Value schema, Flatten(property.schema, path, 0));
  NoteIgnored(schema, path);
  json::Array values;
  if (const json::Value* value = json::Find(schema, "const")) values.push_back(*value);
  if (const json::Array* list = json::AsArray(json::Find(schema, "enum"))) values = *list;
  if (!values.empty()) {
    std::vector<Piece> pieces;
    for (const json::Value& value : values) {
      if (value.is_string()) pieces.push_back(Text(std::string_view(value.get_string())));
    }
    return Sequence({OneOf(std::move(pieces)), Text(closer)});
  }
  for (const std::string_view keyword : {"anyOf", "oneOf"}) {
    if (json::Find(schema, keyword) != nullptr) Note(path, keyword, "not enforced");
  }
  AC_ASSIGN_OR_RETURN(const Bounds bounds, BoundsOf(schema, "minLength", "maxLength", path));
  if (bounds.min > bounds.max) return Impossible();
  AC_ASSIGN_OR_RETURN(const Piece pattern, PatternOf(schema, path, false, bounds));
  if (pattern) return Sequence({pattern, Text(closer)});
  if (bounds.min > 0 && bounds.max - bounds.min < closer.size()) {
    // Too little room to turn back from the beginning of a tag: none begins.
    const CharacterSet plain = CharacterSet({{'\n', '\n'}, {'<', '<'}}).Complement();
    return Sequence(
        {Times(bounds.min, bounds.max, Character(plain, Spelling::kPlain), true), Text(closer)});
  }
  FreeTextOptions text;
  text.well_formed = true;
  text.min = bounds.min;
  text.max = bounds.max;
  text.marks.push_back({std::string(closer), Nothing()});
  for (const std::string& mark : forbidden) text.marks.push_back({mark, nullptr});
  return FreeText(std::move(text));
}

}  // namespace ac::grammar
