#include "api/stream_checker.h"

#include <algorithm>

#include "base/utf8.h"
#include "chat/dump.h"
#include "json/json.h"

namespace ac::api {
namespace {

using namespace ac::chat;  // NOLINT: every name below is one of its events

constexpr size_t kMaxChoices = 4096;

Status Broken(std::string what) { return Status(Code::kDataLoss, std::move(what)); }

std::string BlockName(int index) { return "block " + std::to_string(index); }

bool IsJsonObject(const std::string& text) {
  const Result<json::Value> value = json::Parse(text.empty() ? "{}" : text);
  return value.ok() && value->is_object();
}

template <typename T>
bool Holds(const Block& block) {
  return block.As<T>() != nullptr;
}

// The index of the block an event belongs to, and whether the event fits the block's kind.
struct Target {
  int index = -1;
  bool fits = false;
  std::string_view text{};
};
Target TargetOf(const ChatEvent& event, const Block& block) {
  if (const auto* text = event.As<TextDelta>()) {
    return {text->index, Holds<Text>(block), text->text};
  }
  if (const auto* text = event.As<ThinkingDelta>()) {
    return {text->index, Holds<Thinking>(block), text->text};
  }
  if (const auto* text = event.As<SignatureDelta>()) {
    return {text->index, Holds<Thinking>(block), text->signature};
  }
  if (const auto* args = event.As<ToolArgsDelta>()) {
    const bool fits = Holds<ToolUse>(block) || Holds<ServerToolUse>(block);
    return {args->index, fits, args->partial_json};
  }
  return {};
}

}  // namespace

Status StreamChecker::Observe(const ChatEvent& event) {
  if (!first_error_.ok()) return first_error_;
  const Status status = Check(event);
  if (!status.ok()) {
    const json::Value dump = EventToJson(event);
    const std::string name(json::GetString(dump, "event").value_or("event"));
    first_error_ = status.WithPrefix("[api] event " + std::to_string(events_) + " (" + name + ")");
  }
  ++events_;
  return first_error_;
}

Status StreamChecker::Check(const ChatEvent& event) {
  if (ended_) return Broken("nothing may follow the end of the message");
  if (event.As<Error>() != nullptr) {
    ended_ = true;
    return OkStatus();
  }
  if (event.As<Ping>() != nullptr) return OkStatus();
  if (const auto* start = event.As<MessageStart>()) {
    if (started_) return Broken("a second message_start");
    started_ = true;
    return start->id.empty() ? Broken("the message has no id") : OkStatus();
  }
  if (!started_) return Broken("comes before message_start");
  if (event.As<MessageStop>() != nullptr) {
    ended_ = true;
    const auto unfinished = [](const Choice& choice) { return !choice.finished; };
    if (choices_.empty() || std::any_of(choices_.begin(), choices_.end(), unfinished)) {
      return Broken("no message_delta before message_stop");
    }
    return OkStatus();
  }
  if (event.choice < 0 || static_cast<size_t>(event.choice) >= kMaxChoices) {
    return Broken("choice " + std::to_string(event.choice) + " is out of range");
  }
  const auto index = static_cast<size_t>(event.choice);
  if (choices_.size() <= index) choices_.resize(index + 1);
  Choice& choice = choices_[index];
  if (choice.finished) return Broken("the choice had its message_delta already");
  if (const auto* start = event.As<BlockStart>()) return CheckBlockStart(*start, &choice);
  if (const auto* stop = event.As<BlockStop>()) return CheckBlockStop(*stop, &choice);
  if (const auto* delta = event.As<MessageDelta>()) return CheckMessageDelta(*delta, &choice);
  const Target target = TargetOf(event, choice.block);
  if (!choice.open || target.index != choice.blocks - 1) {
    return Broken(BlockName(target.index) + " is not open");
  }
  if (!IsValidUtf8(target.text)) return Broken("the text is not valid UTF-8");
  if (!target.fits) return Broken(BlockName(target.index) + " is of another kind");
  if (const auto* args = event.As<ToolArgsDelta>()) choice.arguments += args->partial_json;
  return OkStatus();
}

Status StreamChecker::CheckBlockStart(const BlockStart& start, Choice* choice) {
  if (choice->open) return Broken(BlockName(choice->blocks - 1) + " is still open");
  if (start.index != choice->blocks) {
    return Broken("expected " + BlockName(choice->blocks) + ", got " + std::to_string(start.index));
  }
  if (Holds<Text>(start.block) && choice->called_tool && !rules_.text_after_tool_call) {
    return Broken("text after a tool call");
  }
  if (const auto* call = start.block.As<ToolUse>()) {
    if (call->id.empty() || call->name.empty()) return Broken("a tool call needs an id and a name");
    if (!tool_ids_.insert(call->id).second) return Broken("tool call id " + call->id + " repeats");
    choice->called_tool = true;
    choice->arguments = call->input;
  }
  if (const auto* call = start.block.As<ServerToolUse>()) choice->arguments = call->input;
  choice->block = start.block;
  choice->open = true;
  ++choice->blocks;
  return OkStatus();
}

Status StreamChecker::CheckBlockStop(const BlockStop& stop, Choice* choice) {
  if (!choice->open || stop.index != choice->blocks - 1) {
    return Broken(BlockName(stop.index) + " is not open");
  }
  choice->open = false;
  const bool call = Holds<ToolUse>(choice->block) || Holds<ServerToolUse>(choice->block);
  if (call && !IsJsonObject(choice->arguments))
    choice->broken_arguments.push_back(choice->arguments);
  return OkStatus();
}

Status StreamChecker::CheckMessageDelta(const MessageDelta& delta, Choice* choice) {
  if (choice->open) return Broken(BlockName(choice->blocks - 1) + " is still open");
  choice->finished = true;
  const bool cut = delta.stop_reason == StopReason::kMaxTokens ||
                   delta.stop_reason == StopReason::kContextWindow;
  if (!choice->broken_arguments.empty() && !cut && !rules_.broken_tool_arguments) {
    return Broken("tool arguments are no JSON object: " + choice->broken_arguments.front());
  }
  return OkStatus();
}

Status StreamChecker::Finish() const {
  if (!first_error_.ok()) return first_error_;
  return ended_ ? OkStatus() : Broken("[api] the stream has no message_stop");
}

Status CheckEvents(const std::vector<ChatEvent>& events, StreamRules rules) {
  StreamChecker checker(rules);
  for (const ChatEvent& event : events) AC_RETURN_IF_ERROR(checker.Observe(event));
  return checker.Finish();
}

}  // namespace ac::api
