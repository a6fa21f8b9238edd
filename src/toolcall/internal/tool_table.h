// The request's tools, looked up the way models name them.
//
// Borrows the tools. Not thread-safe: schemas are parsed when first asked for.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "chat/chat.h"
#include "json/json.h"

namespace ac::toolcall::internal {

class ToolTable {
 public:
  explicit ToolTable(std::span<const chat::ToolSpec> tools) : tools_(tools) {}

  bool empty() const { return tools_.empty(); }
  // The tool's own spelling: "bash", "functions.Bash" -> "Bash".
  std::optional<std::string> Find(std::string_view name) const;
  // For a syntax that can be nothing but a call: a known name, or one the model invented (the
  // client answers with the right names). Nullopt for what documentation writes in place of a name.
  std::optional<std::string> FindOrInvented(std::string_view name) const;

  // How a parameter that a model wrote without JSON quotes is to be read.
  enum class ValueKind { kString, kJson, kUnknown };
  ValueKind KindOf(std::string_view tool, std::string_view parameter);
  bool HasParameter(std::string_view tool, std::string_view parameter);

 private:
  const json::Value* Property(std::string_view tool, std::string_view parameter);

  std::span<const chat::ToolSpec> tools_;
  std::map<std::string, json::Value, std::less<>> schemas_;
};

}  // namespace ac::toolcall::internal
