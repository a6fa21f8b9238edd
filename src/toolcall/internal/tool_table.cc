#include "toolcall/internal/tool_table.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace ac::toolcall::internal {
namespace {

constexpr size_t kMaxNameLength = 256;

// What examples write where a name belongs.
constexpr std::array<std::string_view, 10> kPlaceholders = {
    "name",      "function",  "function_name", "function-name", "functionname",
    "tool_name", "tool-name", "toolname",      "my_function",   "your_function",
};

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

// May a value of this schema be a string? When in doubt, yes.
bool AllowsString(const json::Value& schema) {
  if (const json::Value* type = json::Find(schema, "type")) {
    const json::Array* list = json::AsArray(type);
    if (list == nullptr) return *type == "string";
    return std::find(list->begin(), list->end(), json::Value("string")) != list->end();
  }
  if (const json::Array* values = json::AsArray(json::Find(schema, "enum"))) {
    return std::any_of(values->begin(), values->end(),
                       [](const json::Value& value) { return value.is_string(); });
  }
  for (const std::string_view key : {"anyOf", "oneOf"}) {
    if (const json::Array* branches = json::AsArray(json::Find(schema, key))) {
      return std::any_of(branches->begin(), branches->end(), AllowsString);
    }
  }
  return true;
}

bool IsNameChar(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.' ||
         c == ':' || c == '/';
}

}  // namespace

std::optional<std::string> ToolTable::Find(std::string_view name) const {
  for (const std::string_view prefix : {"", "functions.", "function.", "tools."}) {
    if (!name.starts_with(prefix)) continue;
    const std::string_view bare = name.substr(prefix.size());
    for (const chat::ToolSpec& tool : tools_) {
      if (tool.name == bare) return tool.name;
    }
    const std::string lower = Lower(bare);
    const auto same = [&](const chat::ToolSpec& tool) { return Lower(tool.name) == lower; };
    const auto found = std::find_if(tools_.begin(), tools_.end(), same);
    if (found != tools_.end() && !lower.empty()) return found->name;
  }
  return std::nullopt;
}

std::optional<std::string> ToolTable::FindOrInvented(std::string_view name) const {
  if (std::optional<std::string> known = Find(name)) return known;
  const std::string lower = Lower(name);
  if (name.empty() || name.size() > kMaxNameLength || lower.starts_with("example") ||
      std::find(kPlaceholders.begin(), kPlaceholders.end(), lower) != kPlaceholders.end() ||
      !std::all_of(name.begin(), name.end(), IsNameChar) ||
      std::isalpha(static_cast<unsigned char>(name.front())) == 0) {
    return std::nullopt;
  }
  return std::string(name);
}

const json::Value* ToolTable::Property(std::string_view tool, std::string_view parameter) {
  auto found = schemas_.find(tool);
  if (found == schemas_.end()) {
    json::Value schema;
    for (const chat::ToolSpec& spec : tools_) {
      if (spec.name != tool || spec.input_schema.empty()) continue;
      Result<json::Value> parsed = json::Parse(spec.input_schema);
      if (parsed.ok()) schema = std::move(parsed).value();
    }
    found = schemas_.emplace(std::string(tool), std::move(schema)).first;
  }
  const json::Value* properties = json::Find(found->second, "properties");
  return properties == nullptr ? nullptr : json::Find(*properties, parameter);
}

bool ToolTable::HasParameter(std::string_view tool, std::string_view parameter) {
  return Property(tool, parameter) != nullptr;
}

ToolTable::ValueKind ToolTable::KindOf(std::string_view tool, std::string_view parameter) {
  const json::Value* property = Property(tool, parameter);
  if (property == nullptr) return ValueKind::kUnknown;
  if (const auto type = json::GetString(*property, "type")) {
    return *type == "string" ? ValueKind::kString : ValueKind::kJson;
  }
  return AllowsString(*property) ? ValueKind::kUnknown : ValueKind::kJson;
}

}  // namespace ac::toolcall::internal
