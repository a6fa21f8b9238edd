// Finds tool calls and thinking that a server left in the text of a reply.
//
// Sits between the decoder and the sink: text goes through the tool-call parsers of every known
// model family, blocks are numbered anew, and a reply that turns out to call a tool says so in its
// stop reason. Replies to requests without tools pass unchanged. Owns its state, one per reply; not
// thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "chat/chat.h"
#include "chat/event.h"
#include "chat/ids.h"
#include "toolcall/toolcall.h"

namespace ac::remote {

class TextRescue {
 public:
  // `tools`: those the model may call.
  TextRescue(std::vector<chat::ToolSpec> tools, chat::IdSource& ids);

  // Well-formed events in, well-formed events out.
  void Pass(chat::ChatEvent event, std::vector<chat::ChatEvent>* out);
  int rescued_calls() const { return rescued_calls_; }

 private:
  enum class Open { kNothing, kText, kThinking, kCall };
  struct Choice {
    int next_index = 0;
    Open open = Open::kNothing;  // of the blocks made from text
    bool in_text = false;        // the server's block is a text block
    bool text_over = false;      // it is closed, but the parser may hold its end back
    int server_index = -1;       // ours for the server's open block of another kind
    bool called = false;
    std::unique_ptr<toolcall::ToolCallParser> parser;
  };

  Choice& At(int choice);
  void Apply(int choice, const std::vector<toolcall::Event>& parsed,
             std::vector<chat::ChatEvent>* out);
  void OpenBlock(int choice, Open kind, chat::Block block, std::vector<chat::ChatEvent>* out);
  void CloseBlock(int choice, std::vector<chat::ChatEvent>* out);
  // The text block is complete; `cut`: by a limit, so a half-written call stays text.
  void EndText(int choice, bool cut, std::vector<chat::ChatEvent>* out);

  const std::vector<chat::ToolSpec> tools_;
  chat::IdSource& ids_;
  std::vector<Choice> choices_;
  int rescued_calls_ = 0;
};

}  // namespace ac::remote
