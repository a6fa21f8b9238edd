// Notices that a conversation makes the same tool call again and again.
//
// Models get caught in loops: the same call with the same arguments, the same answer, the same call
// once more. Two in a row may be on purpose; the third one is sampled again by the backend. Pure
// functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chat/chat.h"

namespace ac::chat {

struct RepeatedCall {
  std::string tool;
  std::string arguments;  // as CanonicalJson
  bool Is(std::string_view name, std::string_view input) const;
};

// The call that the conversation made at least twice in a row at its end, with nothing but results
// in between: a user who asks again, or another call, begins a new count.
std::optional<RepeatedCall> FindRepeatedCall(const std::vector<Message>& messages);

// The same text for the same value, whatever the order of keys and the spaces. What is no JSON
// stays as it is.
std::string CanonicalJson(std::string_view text);

}  // namespace ac::chat
