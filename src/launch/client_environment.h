// What Claude Code needs in its environment to work well against this server.
//
// Pure functions. Every value the user already set wins, except the address: talking to this server
// is what the launcher is for.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace ac::launch {

struct ClientSetup {
  std::string url;
  std::string model_id;  // as the client should name it; empty: leave the choice to the client
  std::string api_key;   // that the server demands; empty: any will do
  int64_t context_length = 0;  // tokens; 0: unknown
  // The client talks to its own cloud through us: only the address changes.
  bool pass_through = false;
};

using Variables = std::vector<std::pair<std::string, std::string>>;

// In the order of use; the address first.
Variables ClientVariables(const ClientSetup& setup);

struct MergedEnvironment {
  std::vector<std::string> entries;  // "NAME=value", for execve
  std::vector<std::string> kept;     // names of ours where the user's value stayed
};

// `users` is the environment to start from, in execve's form.
MergedEnvironment MergeEnvironment(const Variables& ours, const std::vector<std::string>& users);

// This process's environment in that form.
std::vector<std::string> OwnEnvironment();

}  // namespace ac::launch
