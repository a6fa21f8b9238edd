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

// `path` holds a request body as clients send it: Anthropic Messages or OpenAI chat completions.
// Blocks until the prompt is computed; returns where its tokens came from.
Result<chat::Usage> WarmPrompt(backend::Backend& backend, const std::string& path);

}  // namespace ac::app
