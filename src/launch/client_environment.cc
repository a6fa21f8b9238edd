#include "launch/client_environment.h"

#include <unistd.h>

#include <algorithm>
#include <map>

namespace ac::launch {
namespace {

constexpr const char* kAddress = "ANTHROPIC_BASE_URL";

// The client compacts at window - min(output, 20000) - 13000: an eighth keeps that threshold high
// on large windows and above zero on small ones.
int64_t OutputTokens(int64_t context_length) {
  return std::clamp<int64_t>(context_length / 8, 1024, 16384);
}

std::string NameOf(const std::string& entry) { return entry.substr(0, entry.find('=')); }

bool IsEmpty(const std::string& entry) {
  const size_t equals = entry.find('=');
  return equals == std::string::npos || equals + 1 == entry.size();
}

}  // namespace

Variables ClientVariables(const ClientSetup& setup) {
  Variables variables{{kAddress, setup.url}};
  if (setup.pass_through) return variables;
  // A bearer token, because an API key in the environment makes the client ask whether to use it.
  variables.emplace_back("ANTHROPIC_AUTH_TOKEN", setup.api_key.empty() ? "local" : setup.api_key);
  if (!setup.model_id.empty()) {
    for (const char* name : {"ANTHROPIC_MODEL", "ANTHROPIC_DEFAULT_HAIKU_MODEL",
                             "ANTHROPIC_DEFAULT_SONNET_MODEL", "ANTHROPIC_DEFAULT_OPUS_MODEL"}) {
      variables.emplace_back(name, setup.model_id);
    }
  }
  if (setup.context_length > 0) {
    variables.emplace_back("CLAUDE_CODE_MAX_CONTEXT_TOKENS", std::to_string(setup.context_length));
    variables.emplace_back("CLAUDE_CODE_MAX_OUTPUT_TOKENS",
                           std::to_string(OutputTokens(setup.context_length)));
  }
  // A line that differs between sessions at the start of the prompt would spoil the prefix cache.
  variables.emplace_back("CLAUDE_CODE_ATTRIBUTION_HEADER", "0");
  variables.emplace_back("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1");
  // A cold prompt of a large repository may take minutes on a CPU.
  variables.emplace_back("API_TIMEOUT_MS", "3600000");
  variables.emplace_back("API_FORCE_IDLE_TIMEOUT", "0");
  variables.emplace_back("CLAUDE_STREAM_IDLE_TIMEOUT_MS", "1800000");
  variables.emplace_back("CLAUDE_BYTE_STREAM_IDLE_TIMEOUT_MS", "1800000");
  return variables;
}

MergedEnvironment MergeEnvironment(const Variables& ours, const std::vector<std::string>& users) {
  MergedEnvironment merged;
  std::map<std::string, std::string> set_by_user;  // name -> entry; empty values count as unset
  for (const std::string& entry : users) {
    if (!IsEmpty(entry)) set_by_user.emplace(NameOf(entry), entry);
  }
  // Either form of key is a key: adding the other would make the client send two.
  const bool has_key = set_by_user.contains("ANTHROPIC_API_KEY");
  std::map<std::string, std::string> added;
  for (const auto& [name, value] : ours) {
    const bool is_key = name == "ANTHROPIC_AUTH_TOKEN";
    if (name != kAddress && (set_by_user.contains(name) || (is_key && has_key))) {
      merged.kept.push_back(is_key && has_key ? "ANTHROPIC_API_KEY" : name);
    } else {
      added.emplace(name, value);
    }
  }
  for (const std::string& entry : users) {
    if (!added.contains(NameOf(entry))) merged.entries.push_back(entry);
  }
  for (const auto& [name, value] : added) merged.entries.push_back(name + "=" + value);
  return merged;
}

std::vector<std::string> OwnEnvironment() {
  std::vector<std::string> entries;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    entries.emplace_back(*entry);
  }
  return entries;
}

}  // namespace ac::launch
