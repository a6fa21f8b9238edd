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
#include "prompt/generated_turns.h"
#include "toolcall/toolcall.h"

namespace ac::backend {

// How to read the model's text. Shared by the replies of one request.
struct ReplyFormat {
  bool raw = true;  // everything is text
  toolcall::Family family = toolcall::Family::kGeneric;
  std::vector<chat::ToolSpec> tools;  // those the model may call
  bool thinking_open = false;

  static ReplyFormat Raw() { return {}; }
  // `prompt_end`: the last characters of the rendered prompt, which may open a thinking block.
  static ReplyFormat ForChat(const chat::ChatRequest& request, toolcall::Family family,
                             std::string_view prompt_end);
};

class ReplyStream {
 public:
  ReplyStream(int choice, std::shared_ptr<const ReplyFormat> format, chat::IdSource& ids);

  // `logprob` belongs to the token and leaves with its text; null when not asked for.
  std::vector<chat::ChatEvent> Token(const engine::TokenEvent& event,
                                     const chat::TokenLogprob* logprob = nullptr);
  // Closes what is open and adds the MessageDelta with `usage`, the totals of the request so far.
  std::vector<chat::ChatEvent> Finish(const engine::FinishInfo& info, const chat::Usage& usage);

  // What the client was told, by which the turn is known when it comes back: ids, signatures, text.
  const prompt::GeneratedTurn& told() const { return told_; }

 private:
  enum class Open { kNothing, kText, kThinking, kTool };
  using Events = std::vector<chat::ChatEvent>;

  void Feed(std::string_view text, Events* out);
  void Apply(const std::vector<toolcall::Event>& parsed, Events* out);
  void AddText(std::string_view text, Events* out);
  void AddThinking(std::string_view text, Events* out);
  void OpenBlock(Open kind, chat::Block block, Events* out);
  void CloseBlock(Events* out);
  template <typename T>
  void Push(T value, Events* out) const {
    out->push_back({.value = std::move(value), .choice = choice_});
  }

  const int choice_;
  std::shared_ptr<const ReplyFormat> format_;         // its tools are borrowed by the parser
  std::unique_ptr<toolcall::ToolCallParser> parser_;  // null when everything is text
  chat::IdSource* ids_;
  Open open_ = Open::kNothing;
  int index_ = -1;  // of the open or last block
  bool called_tool_ = false;
  prompt::GeneratedTurn told_;
  std::vector<chat::TokenLogprob> logprobs_;  // of tokens whose text is not out yet
};

}  // namespace ac::backend
