#include "remote/schema_subset.h"

#include "json/json.h"

namespace ac::remote {
namespace {

// References may form cycles: beyond this nesting everything is allowed.
constexpr int kMaxDepth = 24;
// References that branch would grow without end.
constexpr int kMaxNodes = 20'000;

class Simplifier {
 public:
  explicit Simplifier(const json::Value& root) : root_(root) {}

  json::Value Simplify(const json::Value& schema, int depth) {
    const json::Object* object = schema.if_object();
    if (object == nullptr || depth > kMaxDepth || ++nodes_ > kMaxNodes) return json::Object();
    if (const auto reference = json::GetString(schema, "$ref")) {
      const json::Value* target = Target(*reference);
      return target == nullptr ? json::Value(json::Object()) : Simplify(*target, depth + 1);
    }
    json::Object out;
    TakeType(schema, &out);
    if (const auto text = json::GetString(schema, "description")) out["description"] = *text;
    if (const json::Array* values = json::AsArray(json::Find(schema, "enum")))
      out["enum"] = *values;
    if (const json::Value* value = json::Find(schema, "const")) out["enum"] = json::Array{*value};
    TakeProperties(schema, depth, &out);
    if (const json::Value* items = json::Find(schema, "items")) {
      out["items"] = Simplify(*items, depth + 1);
    }
    for (const std::string_view key : {"anyOf", "oneOf"}) TakeOnlyChoice(schema, key, depth, &out);
    if (const json::Array* parts = json::AsArray(json::Find(schema, "allOf"))) {
      for (const json::Value& part : *parts) Merge(Simplify(part, depth + 1), &out);
    }
    return out;
  }

 private:
  const json::Value* Target(std::string_view reference) const {
    if (!reference.starts_with("#/")) return nullptr;
    const json::Value* at = &root_;
    std::string_view rest = reference.substr(2);
    while (at != nullptr && !rest.empty()) {
      const size_t end = std::min(rest.find('/'), rest.size());
      at = json::Find(*at, rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return at;
  }

  // ["string", "null"] is a string that may be left out.
  static void TakeType(const json::Value& schema, json::Object* out) {
    const json::Value* type = json::Find(schema, "type");
    if (type == nullptr) return;
    if (const json::Array* names = type->if_array()) {
      for (const json::Value& name : *names) {
        if (name.is_string() && name.get_string() != "null") {
          (*out)["type"] = name;
          return;
        }
      }
      return;
    }
    if (type->is_string()) (*out)["type"] = *type;
  }

  void TakeProperties(const json::Value& schema, int depth, json::Object* out) {
    const json::Object* properties = json::AsObject(json::Find(schema, "properties"));
    if (properties == nullptr) return;
    json::Object simple;
    for (const auto& member : *properties) {
      simple[member.key()] = Simplify(member.value(), depth + 1);
    }
    (*out)["properties"] = std::move(simple);
    if (const json::Array* required = json::AsArray(json::Find(schema, "required"))) {
      (*out)["required"] = *required;
    }
  }

  // A union of one type and null is that type; any other union allows everything.
  void TakeOnlyChoice(const json::Value& schema, std::string_view key, int depth,
                      json::Object* out) {
    const json::Array* choices = json::AsArray(json::Find(schema, key));
    if (choices == nullptr) return;
    const json::Value* only = nullptr;
    for (const json::Value& choice : *choices) {
      if (json::GetString(choice, "type") == std::optional<std::string_view>("null")) continue;
      if (only != nullptr) return;
      only = &choice;
    }
    if (only != nullptr) Merge(Simplify(*only, depth + 1), out);
  }

  static void Merge(const json::Value& part, json::Object* out) {
    const json::Object* object = part.if_object();
    if (object == nullptr) return;
    for (const auto& member : *object) {
      json::Value* old = out->if_contains(member.key());
      if (old == nullptr) {
        (*out)[member.key()] = member.value();
      } else if (old->is_object() && member.value().is_object()) {
        for (const auto& inner : member.value().get_object()) {
          old->get_object()[inner.key()] = inner.value();
        }
      } else if (old->is_array() && member.value().is_array() && member.key() == "required") {
        for (const json::Value& name : member.value().get_array()) old->get_array().push_back(name);
      }
    }
  }

  const json::Value& root_;
  int nodes_ = 0;
};

}  // namespace

std::string SubsetSchema(std::string_view schema) {
  const Result<json::Value> parsed = json::Parse(schema);
  if (!parsed.ok() || !parsed->is_object()) return std::string(kUntypedSchema);
  json::Value simple = Simplifier(*parsed).Simplify(*parsed, 0);
  json::Object& object = simple.get_object();
  if (!object.contains("type")) object["type"] = "object";
  return json::Write(simple);
}

}  // namespace ac::remote
