#include "chat/chat.h"

#include <array>
#include <utility>

#include "chat/event.h"

namespace ac::chat {
namespace {

constexpr std::array<std::pair<StopReason, std::string_view>, 7> kStopReasons = {{
    {StopReason::kEndTurn, "end_turn"},
    {StopReason::kMaxTokens, "max_tokens"},
    {StopReason::kStopSequence, "stop_sequence"},
    {StopReason::kToolUse, "tool_use"},
    {StopReason::kPauseTurn, "pause_turn"},
    {StopReason::kRefusal, "refusal"},
    {StopReason::kContextWindow, "model_context_window_exceeded"},
}};

}  // namespace

std::string_view RoleName(Role role) {
  switch (role) {
    case Role::kUser:
      return "user";
    case Role::kAssistant:
      return "assistant";
    case Role::kSystem:
      return "system";
  }
  return "user";
}

std::string JoinText(const std::vector<Block>& blocks, std::string_view separator) {
  std::string joined;
  bool first = true;
  for (const Block& block : blocks) {
    const Text* text = block.As<Text>();
    if (text == nullptr) continue;
    if (!first) joined += separator;
    first = false;
    joined += text->text;
  }
  return joined;
}

std::string_view StopReasonName(StopReason reason) {
  for (const auto& [value, name] : kStopReasons) {
    if (value == reason) return name;
  }
  return "end_turn";
}

std::optional<StopReason> StopReasonFromName(std::string_view name) {
  for (const auto& [value, known] : kStopReasons) {
    if (known == name) return value;
  }
  return std::nullopt;
}

}  // namespace ac::chat
