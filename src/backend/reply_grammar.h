// Which grammar a reply must follow: tool calls in the family's own syntax, structured output.
//
// Grammars are compiled on the calling (preparation) thread and kept for the next request with the
// same tools; their masks are computed as replies need them. Thread-safe.
#pragma once

#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/call_syntax.h"
#include "base/mutex.h"
#include "base/status.h"
#include "chat/chat.h"
#include "engine/token_constraint.h"
#include "grammar/matcher.h"
#include "toolcall/toolcall.h"

namespace ac::backend {

class ReplyGrammars {
 public:
  // `tokenizer` must outlive it; `template_source` is the chat template's text.
  ReplyGrammars(const tokenizer::Tokenizer& tokenizer, toolcall::Family family,
                std::string template_source)
      : tokenizer_(tokenizer), family_(family), template_source_(std::move(template_source)) {}

  // What a client got wrong about its tools: two of one name, a choice that is none of them. Fast.
  static Status Check(const chat::ChatRequest& request, const std::vector<chat::ToolSpec>& tools);
  // What For answers, if that is known; nothing when it must be compiled, which may take a tenth of
  // a second.
  std::optional<std::shared_ptr<const engine::TokenConstraint>> Known(
      const chat::ChatRequest& request, const std::vector<chat::ToolSpec>& tools,
      bool thinking_open);
  // Null: nothing is demanded of the reply. `tools`: those the model may call, checked;
  // `thinking_open`: the prompt ends inside a thinking block. A tool whose schema cannot be
  // compiled takes any JSON object and is reported in the log; a response format that cannot be is
  // an error.
  Result<std::shared_ptr<const engine::TokenConstraint>> For(
      const chat::ChatRequest& request, const std::vector<chat::ToolSpec>& tools,
      bool thinking_open);

  // Reads the vocabulary, so that the first request with a grammar does not wait for it.
  void Prepare() { (void)SharedVocabulary(); }

 private:
  struct Entry {
    std::string key;  // everything that the grammar depends on
    std::shared_ptr<const engine::TokenConstraint> constraint;
  };
  std::shared_ptr<const grammar::Vocabulary> SharedVocabulary();
  std::optional<std::shared_ptr<const engine::TokenConstraint>> Find(const std::string& key);
  Result<std::shared_ptr<const engine::TokenConstraint>> Compile(
      const chat::ChatRequest& request, const std::vector<chat::ToolSpec>& tools,
      bool thinking_open);

  const tokenizer::Tokenizer& tokenizer_;
  const toolcall::Family family_;
  const std::string template_source_;
  Mutex mutex_;
  std::shared_ptr<const grammar::Vocabulary> vocabulary_ AC_GUARDED_BY(mutex_);
  std::list<Entry> cache_ AC_GUARDED_BY(mutex_);  // last used first
};

}  // namespace ac::backend
