// What the parts of a prompt mean for its cache: which places are worth keeping, and how much of
// the prompt a client's marks ask to be stored. Pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/request.h"
#include "prompt/prompt_parts.h"

namespace ac::backend {

// The end of tools and system prompt, the end of the last message, and the client's marks.
std::vector<kv::Place> PlacesOf(std::span<const prompt::PromptPart> parts, int64_t prompt_tokens);

// How many tokens lie before the client's last mark; 0: it set none.
int64_t LastMark(std::span<const prompt::PromptPart> parts, int64_t prompt_tokens);

}  // namespace ac::backend
