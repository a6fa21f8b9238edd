// A coding agent's tools, for tests.
#pragma once

#include <vector>

#include "chat/chat.h"

namespace ac::toolcall::testing {

inline chat::ToolSpec Tool(std::string name, const std::string& properties) {
  chat::ToolSpec tool;
  tool.name = std::move(name);
  tool.input_schema = "{\"type\":\"object\",\"properties\":{" + properties + "}}";
  return tool;
}

inline std::vector<chat::ToolSpec> CodingTools() {
  return {
      Tool("Bash", R"("command":{"type":"string"},"timeout":{"type":"number"},
                      "run_in_background":{"type":"boolean"})"),
      Tool("Read", R"("file_path":{"type":"string"},"limit":{"type":"integer"})"),
      Tool("Edit", R"("file_path":{"type":"string"},"old_string":{"type":"string"},
                      "new_string":{"type":"string"},"replace_all":{"type":"boolean"})"),
      Tool("Write", R"("file_path":{"type":"string"},"content":{"type":"string"})"),
      Tool("TodoWrite", R"("todos":{"type":"array","items":{"type":"object"}})"),
      Tool("ListAgents", ""),
      Tool("get_weather", R"("location":{"type":"string"},"days":{"type":"integer"})"),
  };
}

}  // namespace ac::toolcall::testing
