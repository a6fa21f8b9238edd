#include "grammar/json_schema.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "grammar/json_pieces.h"
#include "grammar/pieces.h"

namespace ac::grammar {
namespace {

constexpr int kMaxDepth = 96;
constexpr int kMaxNodes = 200'000;

// Keywords that only narrow and are not compiled.
constexpr std::array<std::string_view, 16> kNotEnforced = {"not",
                                                           "if",
                                                           "then",
                                                           "else",
                                                           "uniqueItems",
                                                           "contains",
                                                           "minContains",
                                                           "maxContains",
                                                           "minProperties",
                                                           "maxProperties",
                                                           "dependentRequired",
                                                           "dependentSchemas",
                                                           "dependencies",
                                                           "multipleOf",
                                                           "unevaluatedProperties",
                                                           "unevaluatedItems"};

constexpr std::array<std::string_view, 26> kValidation = {"type",
                                                          "const",
                                                          "enum",
                                                          "properties",
                                                          "required",
                                                          "items",
                                                          "prefixItems",
                                                          "minItems",
                                                          "maxItems",
                                                          "minLength",
                                                          "maxLength",
                                                          "pattern",
                                                          "format",
                                                          "minimum",
                                                          "maximum",
                                                          "exclusiveMinimum",
                                                          "exclusiveMaximum",
                                                          "additionalProperties",
                                                          "patternProperties",
                                                          "propertyNames",
                                                          "anyOf",
                                                          "oneOf",
                                                          "allOf",
                                                          "$ref",
                                                          "nullable",
                                                          "additionalItems"};

bool Has(const json::Value& schema, std::string_view key) {
  return json::Find(schema, key) != nullptr;
}

bool Validates(const json::Value& schema) {
  if (!schema.is_object()) return true;
  return std::any_of(kValidation.begin(), kValidation.end(),
                     [&](std::string_view key) { return Has(schema, key); });
}

Status Wrong(const std::string& path, std::string_view keyword, std::string_view what) {
  return InvalidArgument("[grammar] schema " + path + ": " + std::string(keyword) + " " +
                         std::string(what));
}

std::string TypeName(const json::Value& value) {
  if (value.is_int64() || value.is_uint64()) return "integer";
  if (value.is_double()) {
    const double number = value.get_double();
    return number == static_cast<double>(static_cast<int64_t>(number)) ? "integer" : "number";
  }
  return std::string(json::KindName(value));
}

bool TypeAllows(const std::vector<std::string>& types, const std::string& type) {
  return std::find(types.begin(), types.end(), type) != types.end() ||
         (type == "integer" && std::find(types.begin(), types.end(), "number") != types.end());
}

std::string Unescape(std::string_view part) {
  std::string out;
  for (size_t i = 0; i < part.size(); ++i) {
    if (part[i] == '~' && i + 1 < part.size() && (part[i + 1] == '0' || part[i + 1] == '1')) {
      out += part[++i] == '0' ? '~' : '/';
    } else if (part[i] == '%' && i + 2 < part.size()) {
      out +=
          static_cast<char>(std::strtol(std::string(part.substr(i + 1, 2)).c_str(), nullptr, 16));
      i += 2;
    } else {
      out += part[i];
    }
  }
  return out;
}

}  // namespace

void SchemaCompiler::Note(const std::string& path, std::string_view keyword,
                          std::string_view effect) {
  constexpr size_t kMaxNotes = 200;
  if (notes_ == nullptr || notes_->size() >= kMaxNotes) return;
  const auto same = [&](const SchemaNote& n) { return n.path == path && n.keyword == keyword; };
  if (std::any_of(notes_->begin(), notes_->end(), same)) return;
  notes_->push_back({path, std::string(keyword), std::string(effect)});
}

void SchemaCompiler::NoteIgnored(const json::Value& schema, const std::string& path) {
  for (const std::string_view keyword : kNotEnforced) {
    if (Has(schema, keyword)) Note(path, keyword, "not enforced");
  }
}

Status SchemaCompiler::CountNode(const std::string& path) {
  if (++nodes_ <= kMaxNodes) return OkStatus();
  return Status(Code::kTooLarge,
                "[grammar] schema " + path + ": more than " + std::to_string(kMaxNodes) + " parts");
}

Result<Piece> SchemaCompiler::CompileRoot() { return Compile(root_, "#", 0); }

Result<Piece> SchemaCompiler::CompileProperty(const Property& property) {
  return Compile(property.schema, property.path, 1);
}

Result<Piece> SchemaCompiler::Compile(const json::Value& schema, const std::string& path,
                                      int depth) {
  AC_RETURN_IF_ERROR(CountNode(path));
  if (depth > kMaxDepth) return Status(Code::kTooLarge, "[grammar] schema " + path + ": too deep");
  if (schema.is_bool()) {
    if (schema.get_bool()) return JsonAny(builder_);
    return Piece([](ProgramBuilder& b, Pc) { return b.Fail(); });
  }
  if (!schema.is_object()) return Wrong(path, "schema", "must be an object or a boolean");
  const json::Value* reference = json::Find(schema, "$ref");
  if (reference != nullptr && !reference->is_string())
    return Wrong(path, "$ref", "must be a string");
  const bool only_reference =
      reference != nullptr &&
      std::none_of(kValidation.begin(), kValidation.end(),
                   [&](std::string_view key) { return key != "$ref" && Has(schema, key); });
  if (only_reference) return Reference(std::string(reference->get_string()), path);
  if (reference == nullptr && !Has(schema, "allOf")) return CompileObjectForm(schema, path, depth);
  AC_ASSIGN_OR_RETURN(const json::Value flat, Flatten(schema, path, depth));
  return flat.is_object() ? CompileObjectForm(flat, path, depth) : Compile(flat, path, depth + 1);
}

Result<Piece> SchemaCompiler::CompileObjectForm(const json::Value& schema, const std::string& path,
                                                int depth) {
  NoteIgnored(schema, path);
  if (const json::Value* value = json::Find(schema, "const")) {
    return Values(json::Array{*value}, schema, path);
  }
  if (const json::Value* values = json::Find(schema, "enum")) {
    if (!values->is_array()) return Wrong(path, "enum", "must be a list");
    return Values(values->get_array(), schema, path);
  }
  for (const std::string_view keyword : {"anyOf", "oneOf"}) {
    if (Has(schema, keyword)) return Alternatives(schema, keyword, path, depth);
  }
  AC_ASSIGN_OR_RETURN(const std::vector<std::string> types, Types(schema, path));
  std::vector<Piece> pieces;
  for (const std::string& type : types) {
    AC_ASSIGN_OR_RETURN(Piece piece, OfType(type, schema, path, depth));
    pieces.push_back(std::move(piece));
  }
  return pieces.size() == 1 ? pieces[0] : OneOf(std::move(pieces));
}

Result<const json::Value*> SchemaCompiler::Resolve(const std::string& pointer,
                                                   const std::string& path) const {
  if (pointer.empty() || pointer[0] != '#') {
    return Unsupported("[grammar] schema " + path + ": $ref to \"" + pointer +
                       "\"; only references inside the schema (#/...) are supported");
  }
  const json::Value* at = &root_;
  std::string_view rest = std::string_view(pointer).substr(1);
  while (!rest.empty() && at != nullptr) {
    if (rest[0] != '/') return Wrong(path, "$ref", "to \"" + pointer + "\" is no JSON pointer");
    rest.remove_prefix(1);
    const size_t end = std::min(rest.find('/'), rest.size());
    const std::string part = Unescape(rest.substr(0, end));
    rest.remove_prefix(end);
    if (const json::Array* array = json::AsArray(at)) {
      const size_t index = static_cast<size_t>(std::strtoul(part.c_str(), nullptr, 10));
      at = index < array->size() ? &(*array)[index] : nullptr;
    } else {
      at = json::Find(*at, part);
    }
  }
  if (at == nullptr) return Wrong(path, "$ref", "to \"" + pointer + "\" points to nothing");
  return at;
}

Result<Piece> SchemaCompiler::Reference(const std::string& pointer, const std::string& path) {
  if (const auto it = references_.find(pointer); it != references_.end()) return Rule(it->second);
  AC_ASSIGN_OR_RETURN(const json::Value* target, Resolve(pointer, path));
  const RuleId rule = builder_.DeclareRule();
  references_[pointer] = rule;
  AC_ASSIGN_OR_RETURN(const Piece piece, Compile(*target, pointer, 0));
  builder_.DefineRule(rule, piece);
  return Rule(rule);
}

Result<Piece> SchemaCompiler::Alternatives(const json::Value& schema, std::string_view keyword,
                                           const std::string& path, int depth) {
  const json::Array* branches = json::AsArray(json::Find(schema, keyword));
  if (branches == nullptr || branches->empty()) {
    return Wrong(path, keyword, "must be a list that is not empty");
  }
  json::Object base = schema.get_object();
  base.erase(keyword);
  const bool merge = Validates(base);
  if (keyword == "oneOf") Note(path, keyword, "treated as anyOf where alternatives overlap");
  std::vector<Piece> pieces;
  for (size_t i = 0; i < branches->size(); ++i) {
    const std::string branch_path = path + "/" + std::string(keyword) + "/" + std::to_string(i);
    json::Value branch = (*branches)[i];
    if (merge && !branch.is_bool()) {
      branch = json::Object{{"allOf", json::Array{base, std::move(branch)}}};
    } else if (merge && branch.get_bool()) {
      branch = base;
    }
    AC_ASSIGN_OR_RETURN(Piece piece, Compile(branch, branch_path, depth + 1));
    pieces.push_back(std::move(piece));
  }
  return OneOf(std::move(pieces));
}

Result<Piece> SchemaCompiler::Values(const json::Array& values, const json::Value& schema,
                                     const std::string& path) const {
  AC_ASSIGN_OR_RETURN(const std::vector<std::string> types, Types(schema, path));
  std::vector<Piece> pieces;
  for (const json::Value& value : values) {
    if (TypeAllows(types, TypeName(value))) pieces.push_back(Text(json::Write(value)));
  }
  return OneOf(std::move(pieces));
}

Result<std::vector<std::string>> SchemaCompiler::Types(const json::Value& schema,
                                                       const std::string& path) const {
  static const std::vector<std::string> kAll = {"object", "array",   "string",
                                                "number", "boolean", "null"};
  const json::Value* type = json::Find(schema, "type");
  if (type == nullptr) return kAll;
  std::vector<std::string> types;
  const auto add = [&](const json::Value& name) {
    const auto text = json::AsString(&name);
    if (!text) return false;
    if (*text != "integer" && std::find(kAll.begin(), kAll.end(), *text) == kAll.end())
      return false;
    types.emplace_back(*text);
    return true;
  };
  const json::Array* list = json::AsArray(type);
  const bool ok = list == nullptr ? add(*type) : std::all_of(list->begin(), list->end(), add);
  if (!ok || types.empty()) {
    return Wrong(path, "type",
                 "must be one or several of object, array, string, number, integer, "
                 "boolean, null");
  }
  const bool nullable = json::GetBool(schema, "nullable").value_or(false);
  if (nullable && !TypeAllows(types, "null")) types.emplace_back("null");
  return types;
}

Result<Piece> SchemaCompiler::OfType(std::string_view type, const json::Value& schema,
                                     const std::string& path, int depth) {
  if (type == "object") return Object(schema, path, depth);
  if (type == "array") return Array(schema, path, depth);
  if (type == "string") return String(schema, path);
  if (type == "number") return Number(schema, path, false);
  if (type == "integer") return Number(schema, path, true);
  if (type == "boolean") return OneOf({Text("true"), Text("false")});
  return Text("null");
}

Result<SchemaCompiler::Bounds> SchemaCompiler::BoundsOf(const json::Value& schema,
                                                        std::string_view min, std::string_view max,
                                                        const std::string& path) const {
  Bounds bounds;
  const auto read = [&](std::string_view key, uint64_t* out) -> Status {
    const json::Value* value = json::Find(schema, key);
    if (value == nullptr) return OkStatus();
    const auto number = json::AsInt(value);
    if (!number || *number < 0) return Wrong(path, key, "must be a whole number, 0 or more");
    *out = static_cast<uint64_t>(*number);
    return OkStatus();
  };
  AC_RETURN_IF_ERROR(read(min, &bounds.min));
  AC_RETURN_IF_ERROR(read(max, &bounds.max));
  return bounds;
}

}  // namespace ac::grammar
