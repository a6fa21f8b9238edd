// Settings as the earlier gateway wrote them into .anyclauderc.json, by the names they have here.
//
// Pure; thread-safe.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "json/json.h"

namespace ac::app {

struct StorySettings {
  std::vector<std::pair<std::string, std::string>> renamed;  // key of ours, value
  std::vector<std::string> without_effect;                   // docs/parity.md says why
};

// Takes the old names out of a settings file's object: `backend`, `backends.<name>{...}` of the
// backend that is chosen, `debug{...}` and the blocks that have no counterpart.
StorySettings TakeStorySettings(json::Object* file);

}  // namespace ac::app
