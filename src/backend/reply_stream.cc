#include "backend/reply_stream.h"

#include <utility>

namespace ac::backend {
namespace {

chat::StopReason StopReasonOf(const engine::FinishInfo& info, bool called_tool) {
  switch (info.reason) {
    case engine::FinishReason::kStopString: return chat::StopReason::kStopSequence;
    case engine::FinishReason::kMaxTokens: return chat::StopReason::kMaxTokens;
    case engine::FinishReason::kContextFull: return chat::StopReason::kContextWindow;
    default: return called_tool ? chat::StopReason::kToolUse : chat::StopReason::kEndTurn;
  }
}

}  // namespace

ReplyFormat ReplyFormat::ForChat(const chat::ChatRequest&, std::string_view) { return {}; }

ReplyStream::ReplyStream(int choice, const ReplyFormat&, chat::IdSource& ids)
    : choice_(choice), ids_(&ids) {}

std::vector<chat::ChatEvent> ReplyStream::Token(const engine::TokenEvent& event) {
  std::vector<chat::ChatEvent> out;
  AddText(event.text, &out);
  return out;
}

std::vector<chat::ChatEvent> ReplyStream::Finish(const engine::FinishInfo& info,
                                                 const chat::Usage& usage) {
  std::vector<chat::ChatEvent> out;
  AddText(info.text, &out);
  CloseBlock(&out);
  Push(&out, chat::MessageDelta{.stop_reason = StopReasonOf(info, called_tool_),
                                .stop_sequence = info.stop_string,
                                .usage = usage});
  return out;
}

void ReplyStream::AddText(std::string_view text, std::vector<chat::ChatEvent>* out) {
  if (text.empty()) return;
  if (open_ != Open::kText) {
    OpenBlock(Open::kText, {.value = chat::Text{}, .cache_ttl = ""}, out);
  }
  Push(out, chat::TextDelta{.index = index_,
                            .text = std::string(text),
                            .logprobs = std::exchange(logprobs_, {})});
}

void ReplyStream::OpenBlock(Open kind, chat::Block block, std::vector<chat::ChatEvent>* out) {
  CloseBlock(out);
  open_ = kind;
  ++index_;
  Push(out, chat::BlockStart{.index = index_, .block = std::move(block)});
}

void ReplyStream::CloseBlock(std::vector<chat::ChatEvent>* out) {
  if (open_ == Open::kNothing) return;
  Push(out, chat::BlockStop{.index = index_});
  open_ = Open::kNothing;
}

}  // namespace ac::backend
