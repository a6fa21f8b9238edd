#include "chat/repeated_call.h"

#include <algorithm>
#include <map>

#include "json/json.h"

namespace ac::chat {
namespace {

// So many equal calls in a row make the next one suspicious.
constexpr int kEnough = 2;

void SortKeys(json::Value* value) {
  if (auto* object = value->if_object()) {
    std::map<std::string, json::Value> members;
    for (auto& member : *object) members[std::string(member.key())] = std::move(member.value());
    object->clear();
    for (auto& [key, member] : members) {
      SortKeys(&member);
      (*object)[key] = std::move(member);
    }
  } else if (auto* array = value->if_array()) {
    for (json::Value& element : *array) SortKeys(&element);
  }
}

// Agents put reminders beside results; a message without a result is the user speaking.
bool UserSpeaks(const Message& message) {
  return message.role == Role::kUser &&
         std::none_of(message.blocks.begin(), message.blocks.end(),
                      [](const Block& block) { return block.As<ToolResult>() != nullptr; });
}

}  // namespace

std::string CanonicalJson(std::string_view text) {
  Result<json::Value> value = json::Parse(text);
  if (!value.ok()) return std::string(text);
  SortKeys(&*value);
  return json::Write(*value);
}

bool RepeatedCall::Is(std::string_view name, std::string_view input) const {
  return name == tool && CanonicalJson(input) == arguments;
}

std::optional<RepeatedCall> FindRepeatedCall(const std::vector<Message>& messages) {
  std::optional<RepeatedCall> call;
  int count = 0;
  for (auto message = messages.rbegin(); message != messages.rend(); ++message) {
    if (UserSpeaks(*message)) break;
    if (message->role != Role::kAssistant) continue;
    for (auto block = message->blocks.rbegin(); block != message->blocks.rend(); ++block) {
      const auto* use = block->As<ToolUse>();
      if (use == nullptr) continue;
      if (!call) call = RepeatedCall{.tool = use->name, .arguments = CanonicalJson(use->input)};
      if (!call->Is(use->name, use->input)) return std::nullopt;
      if (++count == kEnough) return call;
    }
  }
  return std::nullopt;
}

}  // namespace ac::chat
