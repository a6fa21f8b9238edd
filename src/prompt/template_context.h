// A neutral conversation as the variables of a chat template: messages, tools, flags.
//
// The shape is the one Hugging Face templates expect: roles user/assistant/system/tool, tool calls
// with their arguments as an object, tool results as messages of their own. Pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "chat/chat.h"
#include "json/json_fwd.h"
#include "prompt/content_marks.h"

namespace ac::prompt {

// What a particular template can express; found once per template (template_traits.h).
struct TemplateTraits {
  // A system message that is not the first one is rendered where it stands.
  bool system_anywhere = true;
  // Otherwise: the header of a user's message, and what it must become to be a system message's.
  // Empty when the template's headers do not tell the roles apart by name.
  std::string user_header;
  std::string system_header;
  // Two user messages in a row are refused.
  bool must_alternate = false;
  // The template renders `tools` itself.
  bool renders_tools = true;
  // Known assistant turns can be put in as tokens: a turn begins with `turn_opening`, behind which
  // the template may write `turn_lead` more before the content.
  bool takes_turns = false;
  std::string turn_opening;
  std::string turn_lead;
  // The template writes about a turn's calls elsewhere too, so a turn with calls must be shown to
  // it, known or not.
  bool looks_back_at_calls = false;
};

struct ContextOptions {
  TemplateTraits traits;
  std::string bos_token;
  std::string eos_token;
  bool add_generation_prompt = true;
  const ContentMarks* marks = nullptr;  // null: texts are given as they are
  // One per message: the number of the generated turn that stands for it, 0 for none.
  std::span<const uint64_t> turns{};
};

// Errors name the block that cannot be shown to a text model.
Result<json::Value> BuildTemplateContext(const chat::ChatRequest& request,
                                         const ContextOptions& options);

}  // namespace ac::prompt
