// Which part of the conversation each token of a prompt belongs to: a tool, a block of the system
// prompt, a message, the head of the reply.
//
// A template may move and decorate what it is given, so parts are found in its output by their own
// words, in the order in which they must come. What is not found (a template that leaves it out or
// rewrites it) is counted to the part before it: good enough to say where something lies, and never
// a reason to refuse. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "chat/chat.h"

namespace ac::prompt {

struct PromptPart {
  enum class Kind : uint8_t { kTool, kSystem, kMessage, kReply };
  Kind kind = Kind::kMessage;
  std::string name;       // "tool Read", "system block 2", "message 3 (user), tool result"
  std::string cache_ttl;  // of the client's mark behind it; empty: none
  size_t byte = 0;        // where it begins in the rendered text
  int64_t token = 0;      // and in the prompt
};

// In the order of the text; `token` is not filled in. `text` is a rendered prompt with its marks
// (content_marks.h).
std::vector<PromptPart> FindParts(const chat::ChatRequest& request, std::string_view text);

// The part in which a token lies; null before the first.
const PromptPart* PartAt(std::span<const PromptPart> parts, int64_t token);

}  // namespace ac::prompt
