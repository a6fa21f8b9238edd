// Keeps the beginning of prompts equal from request to request, so that the prefix cache can work.
//
// A pure function over the neutral conversation; every rule can be switched off, and says what it
// did. Pass-through modes do not use it. docs/guides/stabiliser.md explains the rules to users.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "chat/chat.h"

namespace ac::gateway {

struct StabiliserRules {
  // Drops the client's billing line, whose numbers differ between sessions, in any of its formats.
  bool attribution = true;
  // Tools by name: the order in which servers of tools answered no longer matters. Deferred tools,
  // which are not rendered, come last.
  bool tool_order = true;
  // Date, working directory and git status move from the middle of the system prompt to its end.
  bool volatile_last = true;
  // System messages inside the conversation stay where they are. Off: they are joined to the system
  // prompt, for servers whose template refuses them, at the price of the cache.
  bool system_in_place = true;
};

// What slimming leaves of the tools, for small models.
struct SlimRules {
  // Names of the tools to keep; empty: all. A tool that the conversation has used stays.
  std::vector<std::string> tools;
  // Longest description in bytes; 0: no limit. Sentences that state a rule (must, never, only,
  // ...) stay whatever the limit.
  int64_t description_bytes = 0;
  // Drops the descriptions of parameters from the schemas.
  bool drop_parameter_descriptions = false;
};

struct Change {
  std::string_view rule;  // "attribution", "tool_order", "volatile_last", ...
  std::string what;       // "dropped 1 line from the system prompt"
};

std::vector<Change> Stabilise(const StabiliserRules& rules, chat::ChatRequest* request);
std::vector<Change> Slim(const SlimRules& rules, chat::ChatRequest* request);

// Exposed for tables in tests.
bool IsAttributionLine(std::string_view line);
bool IsVolatileLine(std::string_view line);
std::string ShortDescription(std::string_view description, size_t limit);

}  // namespace ac::gateway
