// The file that names backends and says which request goes where (docs/formats/backends.md).
//
// Reading checks everything that can be checked without a network: names that are used exist, modes
// are known, conditions have the right kind. Pure functions, thread-safe.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "routing/routed_backend.h"
#include "routing/rules.h"

namespace ac::routing {

struct BackendSpec {
  std::string name;
  std::string mode;
  std::string url;
  std::string model;
  std::string api_key;  // may be "$VARIABLE"
  std::string dialect;  // "", "openai", "anthropic"
  int64_t context = 0;
  int max_concurrent = 0;
  std::optional<Price> price;
  std::optional<double> usd_per_day;
  std::vector<BackendSpec> replicas;  // of mode "cluster"
};

struct RouteFile {
  std::vector<BackendSpec> backends;
  RuleSet rules;
};

// Errors name the field: "[routing] rules.1.if.tokens_over: expected a whole number".
Result<RouteFile> ReadRouteFile(std::string_view text);

// Claude Code Router's config.json (version 2) as a file of ours. `notes` says what has no
// counterpart and what became of it.
Result<std::string> ImportClaudeCodeRouter(std::string_view text, std::vector<std::string>* notes);

}  // namespace ac::routing
