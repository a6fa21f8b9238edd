// Computes a request's prompt ahead of time, so that its keys and values lie in the cache when an
// agent asks for the same.
#pragma once

#include <cstdint>
#include <string>

#include "app/config.h"
#include "backend/backend.h"
#include "base/status.h"
#include "chat/event.h"

namespace ac::app {

// `path` holds a request body as clients send it: Anthropic Messages or OpenAI chat completions. It
// goes through the same rules (stabiliser, slimming) as a live one, so that a live one matches it.
// Blocks until the prompt is computed; returns where its tokens came from.
Result<chat::Usage> WarmPrompt(const Config& config, backend::Backend& backend,
                               const std::string& path);

}  // namespace ac::app
