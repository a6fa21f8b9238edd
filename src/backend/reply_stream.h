// One reply being generated: the engine's tokens become the blocks of a message.
//
// Text goes through the model family's tool-call parser, which separates thinking, text and calls;
// this class numbers the blocks and opens and closes them in the order chat/event.h demands. Pure
// apart from ids: values in, events out. Not thread-safe.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "chat/chat.h"
#include "chat/event.h"
#include "chat/ids.h"
#include "engine/request.h"

namespace ac::backend {

// How to read the model's text.
struct ReplyFormat {
  bool parse_calls = false;  // false: everything is text
  static ReplyFormat PlainText() { return {}; }
  // From the template's source, which shows the family's syntax.
  static ReplyFormat ForChat(const chat::ChatRequest& request, std::string_view template_source);
};

class ReplyStream {
 public:
  ReplyStream(int choice, const ReplyFormat& format, chat::IdSource& ids);

  std::vector<chat::ChatEvent> Token(const engine::TokenEvent& event);
  // Closes what is open and adds the MessageDelta with `usage`, the totals of the request so far.
  std::vector<chat::ChatEvent> Finish(const engine::FinishInfo& info, const chat::Usage& usage);

 private:
  enum class Open { kNothing, kText, kThinking, kTool };

  void AddText(std::string_view text, std::vector<chat::ChatEvent>* out);
  void OpenBlock(Open kind, chat::Block block, std::vector<chat::ChatEvent>* out);
  void CloseBlock(std::vector<chat::ChatEvent>* out);
  void Push(std::vector<chat::ChatEvent>* out, auto value) {
    out->push_back({.value = std::move(value), .choice = choice_});
  }

  const int choice_;
  chat::IdSource* ids_;
  Open open_ = Open::kNothing;
  int index_ = -1;  // of the open or last block
  bool called_tool_ = false;
  std::vector<chat::TokenLogprob> logprobs_;  // of tokens whose text is not out yet
};

}  // namespace ac::backend
