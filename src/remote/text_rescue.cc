#include "remote/text_rescue.h"

#include <utility>

namespace ac::remote {
namespace {

using chat::ChatEvent;
using toolcall::Event;

bool IsBlank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

}  // namespace

TextRescue::TextRescue(std::vector<chat::ToolSpec> tools, chat::IdSource& ids)
    : tools_(std::move(tools)), ids_(ids) {}

TextRescue::Choice& TextRescue::At(int choice) {
  const auto index = static_cast<size_t>(choice);
  if (choices_.size() <= index) choices_.resize(index + 1);
  return choices_[index];
}

void TextRescue::Pass(ChatEvent event, std::vector<ChatEvent>* out) {
  if (tools_.empty()) return out->push_back(std::move(event));
  const int choice = event.choice;
  Choice& state = At(choice);
  if (auto* start = std::get_if<chat::BlockStart>(&event.value)) {
    if (start->block.As<chat::Text>() != nullptr) {
      // Text after text: one stream for the parser, because a call may begin in either.
      state.in_text = true;
      if (state.parser == nullptr) {
        state.parser = toolcall::MakeParser(toolcall::Family::kGeneric, {.tools = tools_});
      }
      return;
    }
    EndText(choice, false, out);
    state.server_index = state.next_index++;
    start->index = state.server_index;
    if (start->block.As<chat::ToolUse>() != nullptr) state.called = true;
  } else if (auto* text = std::get_if<chat::TextDelta>(&event.value)) {
    std::vector<Event> parsed;
    if (state.parser != nullptr) state.parser->Feed(text->text, &parsed);
    return Apply(choice, parsed, out);
  } else if (auto* stop = std::get_if<chat::BlockStop>(&event.value)) {
    if (std::exchange(state.in_text, false)) return;
    stop->index = state.server_index;
  } else if (auto* thinking = std::get_if<chat::ThinkingDelta>(&event.value)) {
    thinking->index = state.server_index;
  } else if (auto* signature = std::get_if<chat::SignatureDelta>(&event.value)) {
    signature->index = state.server_index;
  } else if (auto* arguments = std::get_if<chat::ToolArgsDelta>(&event.value)) {
    arguments->index = state.server_index;
  } else if (auto* delta = std::get_if<chat::MessageDelta>(&event.value)) {
    EndText(choice, delta->stop_reason == chat::StopReason::kMaxTokens, out);
    if (state.called && delta->stop_reason == chat::StopReason::kEndTurn) {
      delta->stop_reason = chat::StopReason::kToolUse;
    }
  }
  out->push_back(std::move(event));
}

void TextRescue::EndText(int choice, bool cut, std::vector<ChatEvent>* out) {
  Choice& state = At(choice);
  if (state.parser == nullptr) return;
  std::vector<Event> parsed;
  state.parser->Finish(cut, &parsed);
  state.parser = nullptr;
  Apply(choice, parsed, out);
  CloseBlock(choice, out);
}

void TextRescue::Apply(int choice, const std::vector<Event>& parsed, std::vector<ChatEvent>* out) {
  for (const Event& event : parsed) {
    Choice& state = At(choice);
    const int index = state.next_index - 1;
    switch (event.kind) {
      case Event::Kind::kText:
        if (state.open != Open::kText) {
          // Blanks around a call are markup, not an answer.
          if (IsBlank(event.text)) break;
          OpenBlock(choice, Open::kText, {chat::Text{}, ""}, out);
        }
        out->push_back({chat::TextDelta{state.next_index - 1, event.text, {}}, choice});
        break;
      case Event::Kind::kThinking:
        if (state.open != Open::kThinking) {
          OpenBlock(choice, Open::kThinking, {chat::Thinking{}, ""}, out);
        }
        out->push_back({chat::ThinkingDelta{state.next_index - 1, event.text}, choice});
        break;
      case Event::Kind::kCallStart:
        OpenBlock(choice, Open::kCall,
                  {chat::ToolUse{ids_.Next(chat::kToolUseIdPrefix), event.text, ""}, ""}, out);
        At(choice).called = true;
        ++rescued_calls_;
        break;
      case Event::Kind::kArgsDelta:
        out->push_back({chat::ToolArgsDelta{index, event.text}, choice});
        break;
      case Event::Kind::kCallEnd:
        CloseBlock(choice, out);
        break;
    }
  }
}

void TextRescue::OpenBlock(int choice, Open kind, chat::Block block, std::vector<ChatEvent>* out) {
  CloseBlock(choice, out);
  Choice& state = At(choice);
  state.open = kind;
  out->push_back({chat::BlockStart{state.next_index++, std::move(block)}, choice});
}

void TextRescue::CloseBlock(int choice, std::vector<ChatEvent>* out) {
  Choice& state = At(choice);
  if (std::exchange(state.open, Open::kNothing) == Open::kNothing) return;
  out->push_back({chat::BlockStop{state.next_index - 1}, choice});
}

}  // namespace ac::remote
