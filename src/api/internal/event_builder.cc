#include "api/internal/event_builder.h"

#include <algorithm>
#include <utility>

namespace ac::api::internal {
namespace {

using namespace ac::chat;  // NOLINT: every name below is one of its events

constexpr int kMaxChoices = 1024;
// Shorter ids ("call_0") start again in every reply, and clients drop a call whose id they know.
// Nine characters is what Mistral's servers make and insist on.
constexpr size_t kMinIdLength = 9;

// A call without a name still gets its answer: the client tells the model which tools exist.
constexpr std::string_view kNamelessTool = "unnamed_tool";

constexpr std::string_view kBlanks = " \t\r\n";

}  // namespace

bool EventBuilder::has_stop_reason() const {
  return std::any_of(choices_.begin(), choices_.end(),
                     [](const Choice& choice) { return choice.stop_reason.has_value(); });
}

bool EventBuilder::Ready(int choice) {
  if (ended_ || choice < 0 || choice >= kMaxChoices) return false;
  if (!started_) Start("", "", {});
  const auto index = static_cast<size_t>(choice);
  if (choices_.size() <= index) choices_.resize(index + 1);
  return true;
}

void EventBuilder::Emit(int choice, ChatEvent event) {
  event.choice = choice;
  out_->push_back(std::move(event));
}

void EventBuilder::Start(std::string_view id, std::string_view model, const Usage& usage) {
  if (started_ || ended_) return;
  started_ = true;
  usage_ = usage;
  MessageStart start;
  start.id = id.empty() ? options_.ids->Next(kMessageIdPrefix) : std::string(id);
  start.model = options_.model.empty() ? std::string(model) : options_.model;
  start.usage = usage;
  Emit(0, {std::move(start)});
}

void EventBuilder::Ping() {
  if (!ended_) Emit(0, {chat::Ping{}});
}

void EventBuilder::Open(int choice, Kind kind, Block block) {
  CloseBlock(choice);
  Choice& state = At(choice);
  state.open = kind;
  Emit(choice, {BlockStart{state.blocks++, std::move(block)}});
}

void EventBuilder::Text(int choice, std::string_view text, std::vector<TokenLogprob> logprobs) {
  if (text.empty() || !Ready(choice)) return;
  Choice& state = At(choice);
  if (state.open == Kind::kText) {
    return Emit(choice, {TextDelta{state.blocks - 1, std::string(text), std::move(logprobs)}});
  }
  const Kind before = state.open == Kind::kNone ? state.last : state.open;
  const bool blank = text.find_first_not_of(kBlanks) == std::string_view::npos;
  if (blank) {
    // Clients drop blocks that are only blanks; after a call they would even move them.
    if (before != Kind::kCall) state.held_blanks += text;
    return;
  }
  std::string whole = std::exchange(state.held_blanks, {}) + std::string(text);
  if (before == Kind::kThinking) whole.erase(0, whole.find_first_not_of("\r\n"));
  Open(choice, Kind::kText, {chat::Text{}, ""});
  Emit(choice, {TextDelta{At(choice).blocks - 1, std::move(whole), std::move(logprobs)}});
}

void EventBuilder::Thinking(int choice, std::string_view text) {
  if (text.empty() || !Ready(choice)) return;
  if (At(choice).open != Kind::kThinking) {
    Open(choice, Kind::kThinking, {chat::Thinking{}, ""});
  }
  Emit(choice, {ThinkingDelta{At(choice).blocks - 1, std::string(text)}});
}

void EventBuilder::Signature(int choice, std::string_view signature) {
  if (signature.empty() || !Ready(choice)) return;
  if (At(choice).open != Kind::kThinking) {
    Open(choice, Kind::kThinking, {chat::Thinking{}, ""});
  }
  Emit(choice, {SignatureDelta{At(choice).blocks - 1, std::string(signature)}});
}

void EventBuilder::BeginCall(int choice, std::string_view id, std::string_view name) {
  if (!Ready(choice)) return;
  std::string unique(id);
  if (unique.size() < kMinIdLength || call_ids_.contains(unique)) {
    unique = options_.ids->Next(kToolUseIdPrefix);
  }
  call_ids_.insert(unique);
  if (name.empty()) name = kNamelessTool;
  Open(choice, Kind::kCall, {ToolUse{std::move(unique), std::string(name), ""}, ""});
  At(choice).called_tool = true;
}

void EventBuilder::Arguments(int choice, std::string_view text) {
  if (text.empty() || !Ready(choice) || At(choice).open != Kind::kCall) return;
  Emit(choice, {ToolArgsDelta{At(choice).blocks - 1, std::string(text)}});
}

void EventBuilder::Begin(int choice, Block block) {
  if (!Ready(choice)) return;
  const bool call = block.As<ServerToolUse>() != nullptr;
  Open(choice, call ? Kind::kCall : Kind::kOther, std::move(block));
}

void EventBuilder::CloseBlock(int choice) {
  if (!Ready(choice)) return;
  Choice& state = At(choice);
  state.held_blanks.clear();
  if (state.open == Kind::kNone) return;
  state.last = std::exchange(state.open, Kind::kNone);
  Emit(choice, {BlockStop{state.blocks - 1}});
}

void EventBuilder::SetStopReason(int choice, StopReason reason, std::string_view sequence) {
  if (!Ready(choice)) return;
  At(choice).stop_reason = reason;
  At(choice).stop_sequence = sequence;
}

void EventBuilder::MergeUsage(const Usage& usage) {
  const auto take = [](int64_t* old, int64_t now) {
    if (now != 0) *old = now;
  };
  take(&usage_.input_tokens, usage.input_tokens);
  take(&usage_.cache_read, usage.cache_read);
  take(&usage_.cache_creation, usage.cache_creation);
  take(&usage_.output_tokens, usage.output_tokens);
  take(&usage_.thinking_tokens, usage.thinking_tokens);
}

void EventBuilder::End() {
  if (!Ready(0)) return;
  for (int i = 0; i < static_cast<int>(choices_.size()); ++i) {
    CloseBlock(i);
    const Choice& state = At(i);
    StopReason reason = state.stop_reason.value_or(StopReason::kEndTurn);
    // Servers disagree on what a reply with calls ends with; clients act on the calls.
    if (state.called_tool && (reason == StopReason::kEndTurn)) reason = StopReason::kToolUse;
    if (!state.called_tool && reason == StopReason::kToolUse) reason = StopReason::kEndTurn;
    Emit(i, {MessageDelta{reason, state.stop_sequence, usage_}});
  }
  Emit(0, {MessageStop{}});
  ended_ = true;
}

void EventBuilder::Fail(Status status) {
  if (ended_) return;
  ended_ = true;
  Emit(0, {Error{std::move(status), 0}});
}

}  // namespace ac::api::internal
