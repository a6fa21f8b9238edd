// anyclaude [--mode M] [claude args...]: starts what the mode needs, runs Claude Code against it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/command.h"
#include "base/status.h"

namespace ac::app {

// A command line that is for the client.
struct LaunchRequest {
  std::string mode;  // of --mode; empty: not given
  std::vector<std::string> client_args;
};

// Reads argv[1..]. Nothing when its first word is one of `commands`, or asks for our own help or
// version: then the line is ours to parse. `--mode` belongs to us before the client's first word;
// what follows `--` is the client's whatever it says.
Result<std::optional<LaunchRequest>> ReadLaunchRequest(const std::vector<std::string>& args,
                                                       const std::vector<std::string>& commands);

// Returns the exit code of the client.
Result<int> Launch(CommandContext& context, const LaunchRequest& request);

}  // namespace ac::app
