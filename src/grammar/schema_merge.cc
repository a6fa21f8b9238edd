// allOf, and keywords beside $ref: several schemas that must all hold become one.
#include <algorithm>

#include "grammar/json_schema.h"

namespace ac::grammar {
namespace {

constexpr int kMaxMergeDepth = 64;
constexpr size_t kMaxCombinations = 64;

json::Value Both(const json::Value& a, const json::Value& b) {
  if (a == b) return a;
  return json::Object{{"allOf", json::Array{a, b}}};
}

json::Array AsList(const json::Value& value) {
  return value.is_array() ? value.get_array() : json::Array{value};
}

bool Contains(const json::Array& list, const json::Value& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

// Types that both lists allow; "integer" is within "number".
json::Array CommonTypes(const json::Array& a, const json::Array& b) {
  json::Array common;
  for (const json::Value& type : a) {
    if (Contains(b, type)) {
      common.push_back(type);
    } else if (type == "integer" && Contains(b, "number")) {
      common.push_back(type);
    } else if (type == "number" && Contains(b, "integer")) {
      common.push_back("integer");
    }
  }
  return common;
}

bool IsLower(std::string_view key) {
  return key == "minimum" || key == "exclusiveMinimum" || key.starts_with("min");
}
bool IsUpper(std::string_view key) {
  return key == "maximum" || key == "exclusiveMaximum" || key.starts_with("max");
}

}  // namespace

Result<json::Value> SchemaCompiler::Flatten(const json::Value& schema, const std::string& path,
                                            int depth) {
  AC_RETURN_IF_ERROR(CountNode(path));
  if (!schema.is_object()) return schema;
  if (depth > kMaxMergeDepth) {
    return Status(Code::kTooLarge, "[grammar] schema " + path + ": $ref or allOf nests too deep");
  }
  json::Object base = schema.get_object();
  json::Value all = json::Object();
  if (const json::Value* reference = base.if_contains("$ref")) {
    const auto pointer = json::AsString(reference);
    if (!pointer) return InvalidArgument("[grammar] schema " + path + ": $ref must be a string");
    AC_ASSIGN_OR_RETURN(const json::Value* target, Resolve(std::string(*pointer), path));
    AC_ASSIGN_OR_RETURN(all, Flatten(*target, path, depth + 1));
    base.erase("$ref");
  }
  json::Array parts;
  if (const json::Value* list = base.if_contains("allOf")) {
    if (!list->is_array()) {
      return InvalidArgument("[grammar] schema " + path + ": allOf must be a list");
    }
    parts = list->get_array();
    base.erase("allOf");
  }
  AC_ASSIGN_OR_RETURN(all, Merge(base, all, path));
  for (const json::Value& part : parts) {
    AC_ASSIGN_OR_RETURN(const json::Value flat, Flatten(part, path, depth + 1));
    AC_ASSIGN_OR_RETURN(all, Merge(all, flat, path));
  }
  return all;
}

Result<json::Value> SchemaCompiler::Merge(const json::Value& a, const json::Value& b,
                                          const std::string& path) {
  AC_RETURN_IF_ERROR(CountNode(path));
  for (const auto& [one, other] : {std::pair(&a, &b), std::pair(&b, &a)}) {
    if (one->is_bool()) return one->get_bool() ? *other : *one;
    if (!one->is_object()) {
      return InvalidArgument("[grammar] schema " + path + ": must be an object or a boolean");
    }
    if (one->get_object().empty()) return *other;
  }
  json::Object merged = a.get_object();
  MergeProperties(&merged, b.get_object(), path);
  for (const auto& member : b.get_object()) {
    if (member.key() == "properties" || member.key() == "additionalProperties") continue;
    MergeKeyword(&merged, member.key(), member.value(), path);
  }
  if (const json::Value* type = merged.if_contains("type")) {
    const json::Array* list = json::AsArray(type);
    if (list != nullptr && list->empty()) return json::Value(false);
  }
  return json::Value(std::move(merged));
}

// A property that only one side describes must also be what the other says about additional ones.
void SchemaCompiler::MergeProperties(json::Object* into, const json::Object& from,
                                     const std::string& path) {
  const auto properties_of = [](const json::Object& schema) {
    const json::Object* object = json::AsObject(schema.if_contains("properties"));
    return object == nullptr ? json::Object() : *object;
  };
  const json::Object mine = properties_of(*into);
  const json::Object theirs = properties_of(from);
  const json::Value* my_others = into->if_contains("additionalProperties");
  const json::Value* their_others = from.if_contains("additionalProperties");
  json::Object all;
  for (const auto& member : mine) {
    if (const json::Value* other = theirs.if_contains(member.key())) {
      all[member.key()] = Both(member.value(), *other);
    } else {
      all[member.key()] =
          their_others == nullptr ? member.value() : Both(member.value(), *their_others);
    }
  }
  for (const auto& member : theirs) {
    if (mine.contains(member.key())) continue;
    all[member.key()] = my_others == nullptr ? member.value() : Both(member.value(), *my_others);
  }
  if (their_others != nullptr) {
    (*into)["additionalProperties"] =
        my_others == nullptr ? *their_others : Both(*my_others, *their_others);
  }
  if (!all.empty()) (*into)["properties"] = std::move(all);
  if (from.contains("patternProperties") && into->contains("patternProperties")) {
    Note(path, "patternProperties", "of one part of allOf only");
  }
}

void SchemaCompiler::MergeKeyword(json::Object* into, std::string_view key,
                                  const json::Value& value, const std::string& path) {
  json::Value* mine = into->if_contains(key);
  if (mine == nullptr) {
    (*into)[key] = value;
    return;
  }
  if (*mine == value) return;
  if (key == "type") {
    *mine = CommonTypes(AsList(*mine), AsList(value));
  } else if (key == "required") {
    json::Array names = AsList(*mine);
    for (const json::Value& name : AsList(value)) {
      if (!Contains(names, name)) names.push_back(name);
    }
    *mine = std::move(names);
  } else if (key == "enum") {
    json::Array common;
    for (const json::Value& entry : AsList(*mine)) {
      if (Contains(AsList(value), entry)) common.push_back(entry);
    }
    *mine = std::move(common);
  } else if (key == "const") {
    (*into)["enum"] = json::Array();  // two different ones
    into->erase("const");
  } else if (key == "items") {
    *mine = Both(*mine, value);
  } else if (key == "anyOf" || key == "oneOf") {
    const json::Array a = AsList(*mine);
    const json::Array b = AsList(value);
    if (a.size() * b.size() > kMaxCombinations) return Note(path, key, "of one part of allOf only");
    json::Array pairs;
    for (const json::Value& one : a) {
      for (const json::Value& other : b) pairs.push_back(Both(one, other));
    }
    *mine = std::move(pairs);
  } else if (IsLower(key) || IsUpper(key)) {
    const auto a = json::AsDouble(mine);
    const auto b = json::AsDouble(&value);
    if (a && b && (IsLower(key) ? *b > *a : *b < *a)) *mine = value;
  } else if (key == "pattern" || key == "format" || key == "prefixItems" ||
             key == "propertyNames" || key == "nullable") {
    Note(path, key, "of one part of allOf only");
  }
}

}  // namespace ac::grammar
