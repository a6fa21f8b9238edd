// An agent's opening as long as Claude Code's: seven tools with long descriptions and a system
// prompt. The words are ours; only the size is like the original.
#pragma once

#include <string>

#include "json/json.h"

namespace ac::demo {

// Read, Write, Edit, Bash, Glob, Grep and LS in Anthropic's form.
json::Array Tools();

// Guidelines, at least `characters` long.
std::string SystemPrompt(size_t characters);

}  // namespace ac::demo
