// From a conversation to the prompt's token ids: chat template, then tokenizer.
//
// What a client wrote never becomes a control token, whatever it spells (content_marks.h). Turns
// that this server generated go in as the tokens they were, in place of what the template makes of
// the client's echo (generated_turns.h). A prompt that goes on from an earlier one is encoded from
// there (token_cache.h). Built once per model; thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "chat/chat.h"
#include "jinja/template.h"
#include "prompt/content_marks.h"
#include "prompt/generated_turns.h"
#include "prompt/prompt_parts.h"
#include "prompt/template_context.h"
#include "prompt/token_cache.h"
#include "tokenizer/tokenizer.h"

namespace ac::prompt {

struct Prompt {
  std::vector<int32_t> tokens;
  std::string ending;   // the last characters of its text: a template may open a thinking block
  std::string opening;  // what begins the reply's turn; empty when that is not known
  int known_turns = 0;  // went in as the tokens they were generated as
  std::vector<PromptPart> parts;
};

class PromptBuilder {
 public:
  // `chat_template` empty: a plain ChatML one is used, as most models understand it.
  // `tool_use_template` replaces it for requests with tools; usually empty.
  static Result<std::unique_ptr<PromptBuilder>> Create(const tokenizer::Tokenizer& tokenizer,
                                                       const std::string& chat_template,
                                                       const std::string& tool_use_template);

  // `turns` null: every turn is rendered.
  Result<Prompt> Build(const chat::ChatRequest& request, GeneratedTurns* turns = nullptr) const;
  Result<std::vector<int32_t>> Tokens(const chat::ChatRequest& request) const;
  // A prompt without a conversation: control tokens in it are the client's own wish.
  std::vector<int32_t> Tokens(const chat::RawPrompt& prompt) const;
  // The rendered conversation, for people.
  Result<std::string> Render(const chat::ChatRequest& request) const;

  // The template's source: tells the model family's tool syntax.
  std::string_view source() const { return source_; }
  const TemplateTraits& traits() const { return main_.traits; }

 private:
  struct Form {
    std::shared_ptr<const jinja::Template> compiled;
    TemplateTraits traits;
  };
  using Turns = std::map<uint64_t, GeneratedTurns::TurnPtr>;  // by number

  explicit PromptBuilder(const tokenizer::Tokenizer& tokenizer)
      : tokenizer_(tokenizer), marks_(tokenizer) {}
  Result<Form> Compile(const std::string& source, const std::string& name) const;
  const Form& FormFor(const chat::ChatRequest& request) const;
  Result<std::string> RenderWith(const Form& form, const chat::ChatRequest& request,
                                 std::span<const uint64_t> turns, bool add_generation_prompt) const;
  Result<std::string> RenderMarked(const Form& form, const chat::ChatRequest& request,
                                   GeneratedTurns* generated, Turns* used) const;
  std::vector<int32_t> Encode(std::string text, const Turns& turns,
                              std::vector<PromptPart>* parts) const;
  void PlaceParts(const TokenizedPrompt& prompt, std::vector<PromptPart>* parts) const;
  int32_t AppendTurn(const GeneratedTurn& turn, std::vector<int32_t>* tokens) const;

  const tokenizer::Tokenizer& tokenizer_;
  const ContentMarks marks_;
  std::string source_;
  Form main_;
  Form with_tools_;
  mutable TokenCache cache_;
};

}  // namespace ac::prompt
