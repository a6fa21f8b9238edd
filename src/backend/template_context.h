// A neutral conversation as the variables of a chat template: messages, tools, flags.
//
// The shape is the one Hugging Face templates expect: roles user/assistant/system/tool, tool calls
// with their arguments as an object, tool results as messages of their own. Pure functions.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "chat/chat.h"
#include "json/json_fwd.h"

namespace ac::backend {

// What a particular template can express; found once per template by ProbeTemplate().
struct TemplateTraits {
  // A system message that is not the first one is rendered where it stands. Where a template
  // refuses it, its text becomes a marked user message in the same place, so the prefix still
  // holds.
  bool system_anywhere = true;
  // The template renders `tools` itself.
  bool renders_tools = true;
};

struct ContextOptions {
  TemplateTraits traits;
  std::string bos_token;
  std::string eos_token;
  bool add_generation_prompt = true;
};

// Errors name the block that cannot be shown to a text model.
Result<json::Value> BuildTemplateContext(const chat::ChatRequest& request,
                                         const ContextOptions& options);

}  // namespace ac::backend
