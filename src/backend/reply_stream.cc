#include "backend/reply_stream.h"

#include <algorithm>
#include <utility>

namespace ac::backend {
namespace {

using toolcall::Event;

bool WasCut(engine::FinishReason reason) {
  return reason == engine::FinishReason::kMaxTokens || reason == engine::FinishReason::kContextFull;
}

chat::StopReason StopReasonOf(const engine::FinishInfo& info, bool called_tool) {
  switch (info.reason) {
    case engine::FinishReason::kStopString:
      return chat::StopReason::kStopSequence;
    case engine::FinishReason::kMaxTokens:
      return chat::StopReason::kMaxTokens;
    case engine::FinishReason::kContextFull:
      return chat::StopReason::kContextWindow;
    default:
      return called_tool ? chat::StopReason::kToolUse : chat::StopReason::kEndTurn;
  }
}

std::string_view TrimEnd(std::string_view text) {
  const size_t last = text.find_last_not_of(" \t\r\n");
  return last == std::string_view::npos ? std::string_view() : text.substr(0, last + 1);
}

bool IsBlank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

}  // namespace

ReplyFormat ReplyFormat::ForChat(const chat::ChatRequest& request, toolcall::Family family,
                                 std::string_view prompt_end) {
  ReplyFormat format;
  format.raw = false;
  format.family = family;
  format.thinking_open = TrimEnd(prompt_end).ends_with("<think>");
  if (request.tool_choice.kind == chat::ToolChoice::Kind::kNone) return format;
  for (const chat::ToolSpec& tool : request.tools) {
    // Tools the server itself would run cannot be called here.
    if (tool.type.empty() || !tool.input_schema.empty()) format.tools.push_back(tool);
  }
  return format;
}

ReplyStream::ReplyStream(int choice, std::shared_ptr<const ReplyFormat> format, chat::IdSource& ids)
    : choice_(choice), format_(std::move(format)), ids_(&ids) {
  if (!format_->raw) MakeParser();
  if (format_->repeated) guard_ = Guard::kWatches;
}

void ReplyStream::MakeParser() {
  parser_ = toolcall::MakeParser(
      format_->family, {.tools = format_->tools, .thinking_open = format_->thinking_open});
}

std::vector<chat::ChatEvent> ReplyStream::Token(const engine::TokenEvent& event,
                                                const chat::TokenLogprob* logprob) {
  Events out;
  if (logprob != nullptr) logprobs_.push_back(*logprob);
  ++tokens_;
  Feed(event.text, &out);
  return out;
}

std::vector<chat::ChatEvent> ReplyStream::Finish(const engine::FinishInfo& info,
                                                 const chat::Usage& usage,
                                                 std::vector<std::string> notes) {
  Events out;
  if (!std::exchange(parsed_all_, true)) {
    Feed(info.text, &out);
    if (parser_ != nullptr) {
      std::vector<Event> parsed;
      parser_->Finish(WasCut(info.reason), &parsed);
      Apply(parsed, &out);
    }
  }
  if (repeats()) return out;
  if (guard_ == Guard::kHolds) out = LetThrough();  // cut: it will not be the same any more
  CloseBlock(&out);
  Push(chat::MessageDelta{.stop_reason = StopReasonOf(info, called_tool_),
                          .stop_sequence = info.stop_string,
                          .usage = usage,
                          .notes = std::move(notes)},
       &out);
  return out;
}

void ReplyStream::Feed(std::string_view text, Events* out) {
  if (text.empty()) return;
  if (guard_ != Guard::kOff) fed_ += text;
  if (parser_ == nullptr) return AddText(text, out);
  std::vector<Event> parsed;
  parser_->Feed(text, &parsed);
  Apply(parsed, out);
}

void ReplyStream::Apply(const std::vector<Event>& parsed, Events* out) {
  // All of one token is held, also the text before the call: it comes again with another try.
  if (guard_ == Guard::kWatches &&
      std::any_of(parsed.begin(), parsed.end(), [this](const Event& event) {
        return event.kind == Event::Kind::kCallStart && event.text == format_->repeated->tool;
      })) {
    guard_ = Guard::kHolds;
  }
  for (const Event& event : parsed) {
    if (guard_ == Guard::kHolds || guard_ == Guard::kRepeats) {
      Hold(event, out);
    } else {
      Tell(event, out);
    }
  }
  if (guard_ == Guard::kWatches && !out->empty()) {
    told_tokens_ = tokens_;
    told_bytes_ = fed_.size();
  }
}

void ReplyStream::Hold(const Event& event, Events* out) {
  held_.push_back(event);
  if (guard_ == Guard::kRepeats || event.kind != Event::Kind::kCallEnd) return;
  std::string tool;
  std::string input;
  for (const Event& held : held_) {
    if (held.kind == Event::Kind::kCallStart) {
      tool = held.text;
      input.clear();
    }
    if (held.kind == Event::Kind::kArgsDelta) input += held.text;
  }
  if (format_->repeated->Is(tool, input)) {
    guard_ = Guard::kRepeats;
    return;
  }
  if (tool != format_->repeated->tool) return;  // the suspicious one comes behind it
  for (const Event& held : std::exchange(held_, {})) Tell(held, out);
  guard_ = Guard::kWatches;
}

void ReplyStream::Rewind() {
  fed_.resize(told_bytes_);
  tokens_ = told_tokens_;
  held_.clear();
  logprobs_.clear();
  parsed_all_ = false;
  guard_ = Guard::kWatches;
  MakeParser();
  std::vector<Event> known;  // and told already
  parser_->Feed(fed_, &known);
}

std::vector<chat::ChatEvent> ReplyStream::LetThrough() {
  Events out;
  for (const Event& held : std::exchange(held_, {})) Tell(held, &out);
  guard_ = Guard::kOff;
  return out;
}

void ReplyStream::Tell(const Event& event, Events* out) {
  switch (event.kind) {
    case Event::Kind::kText:
      AddText(event.text, out);
      break;
    case Event::Kind::kThinking:
      AddThinking(event.text, out);
      break;
    case Event::Kind::kCallStart:
      called_tool_ = true;
      told_.call_ids.push_back(ids_->Next(chat::kToolUseIdPrefix));
      OpenBlock(Open::kTool,
                {.value = chat::ToolUse{.id = told_.call_ids.back(), .name = event.text}}, out);
      break;
    case Event::Kind::kArgsDelta:
      Push(chat::ToolArgsDelta{.index = index_, .partial_json = event.text}, out);
      break;
    case Event::Kind::kCallEnd:
      CloseBlock(out);
      break;
  }
}

void ReplyStream::AddText(std::string_view text, Events* out) {
  // Clients move text behind a call in front of it, and drop blocks that are only blanks: neither
  // is sent, so that the history that comes back is the one that was generated.
  if (called_tool_) return;
  if (open_ != Open::kText && parser_ != nullptr && IsBlank(text)) return;
  if (open_ != Open::kText) OpenBlock(Open::kText, {.value = chat::Text{}}, out);
  told_.text += text;
  Push(
      chat::TextDelta{
          .index = index_, .text = std::string(text), .logprobs = std::exchange(logprobs_, {})},
      out);
}

void ReplyStream::AddThinking(std::string_view text, Events* out) {
  if (open_ != Open::kThinking) OpenBlock(Open::kThinking, {.value = chat::Thinking{}}, out);
  Push(chat::ThinkingDelta{.index = index_, .text = std::string(text)}, out);
}

void ReplyStream::OpenBlock(Open kind, chat::Block block, Events* out) {
  CloseBlock(out);
  open_ = kind;
  ++index_;
  Push(chat::BlockStart{.index = index_, .block = std::move(block)}, out);
}

void ReplyStream::CloseBlock(Events* out) {
  if (open_ == Open::kNothing) return;
  if (open_ == Open::kThinking) {
    // Clients keep the signature and send it back with the block.
    told_.signatures.push_back(ids_->Next("sig_"));
    Push(chat::SignatureDelta{.index = index_, .signature = told_.signatures.back()}, out);
  }
  Push(chat::BlockStop{.index = index_}, out);
  open_ = Open::kNothing;
}

}  // namespace ac::backend
