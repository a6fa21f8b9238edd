// Running one generation from a command and waiting for it.
#pragma once

#include <functional>

#include "base/status.h"
#include "engine/engine.h"

namespace ac::app {

struct Generated {
  std::vector<engine::TokenEvent> tokens;
  engine::FinishInfo finish;
};

// `on_text` gets text as it becomes final (on the engine's thread), `on_progress` the prompt's
// progress; both may be null.
Result<Generated> GenerateAndWait(engine::Engine& engine, engine::GenerateRequest request,
                                  std::function<void(std::string_view)> on_text,
                                  std::function<void(int64_t, int64_t)> on_progress);

}  // namespace ac::app
