// A small repository in a temporary folder, and the tools that work on it.
//
// Files outside the folder are not touched. Commands are run only when they are among those the
// demonstration expects: a model chooses the words, and this machine is the user's. Every method
// answers with what a model would read, errors too. For one thread.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "json/json.h"

namespace ac::demo {

struct ToolResult {
  std::string text;
  bool is_error = false;
};

class Workshop {
 public:
  static Result<Workshop> Create(std::string folder, std::vector<std::string> commands);

  const std::string& folder() const { return folder_; }
  ToolResult Run(const std::string& tool, const json::Value& input) const;

 private:
  Workshop(std::string folder, std::vector<std::string> commands)
      : folder_(std::move(folder)), commands_(std::move(commands)) {}
  ToolResult Read(const json::Value& input) const;
  ToolResult Write(const json::Value& input) const;
  ToolResult Edit(const json::Value& input) const;
  ToolResult Bash(const json::Value& input) const;
  ToolResult List(const json::Value& input) const;
  ToolResult Find(const std::string& tool, const json::Value& input) const;
  // The path in the folder that the input names; kPermissionDenied when it leads out of it.
  Result<std::string> Path(const json::Value& input, std::string_view key) const;

  std::string folder_;
  std::vector<std::string> commands_;
};

}  // namespace ac::demo
