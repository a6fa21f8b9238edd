// One reply being generated: the engine's tokens become the blocks of a message.
//
// Text goes through the model family's tool-call parser, which separates thinking, text and calls;
// this class numbers the blocks and opens and closes them in the order chat/event.h demands. A call
// that may become the repetition of an earlier one is held back until it differs: when it does not,
// the owner may generate it again. Pure apart from ids: values in, events out. Not thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chat/chat.h"
#include "chat/event.h"
#include "chat/ids.h"
#include "chat/repeated_call.h"
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
  std::optional<chat::RepeatedCall> repeated;  // the call that should not be made once more

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
  // Nothing while repeats(): settle that first, then ask again.
  std::vector<chat::ChatEvent> Finish(const engine::FinishInfo& info, const chat::Usage& usage,
                                      std::vector<std::string> notes = {});

  // A whole call is the repetition of format.repeated, and nobody was told about it yet.
  bool repeats() const { return guard_ == Guard::kRepeats; }
  // How much was told: so many tokens, and the text that they gave. What came later may be
  // generated again.
  size_t told_tokens() const { return told_tokens_; }
  std::string_view told_text() const { return std::string_view(fed_).substr(0, told_bytes_); }
  // Forgets everything behind them; the next token comes from another try.
  void Rewind();
  // Tells the call after all; no other is held back.
  std::vector<chat::ChatEvent> LetThrough();

  bool may_call() const { return !format_->tools.empty(); }
  // What the client was told, by which the turn is known when it comes back: ids, signatures, text.
  const prompt::GeneratedTurn& told() const { return told_; }

 private:
  enum class Open { kNothing, kText, kThinking, kTool };
  enum class Guard {
    kOff,
    kWatches,
    kHolds,    // a call of the repeated tool is being written
    kRepeats,  // ... and it was the same
  };
  using Events = std::vector<chat::ChatEvent>;

  void Feed(std::string_view text, Events* out);
  void MakeParser();
  void Apply(const std::vector<toolcall::Event>& parsed, Events* out);
  void Hold(const toolcall::Event& event, Events* out);
  void Tell(const toolcall::Event& event, Events* out);
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
  bool parsed_all_ = false;                   // the parser was told that the reply is over

  // Only used while a repetition is looked for.
  Guard guard_ = Guard::kOff;
  std::vector<toolcall::Event> held_;
  std::string fed_;  // all text so far
  size_t tokens_ = 0;
  size_t told_tokens_ = 0;
  size_t told_bytes_ = 0;
};

}  // namespace ac::backend
