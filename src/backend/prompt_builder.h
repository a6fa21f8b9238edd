// From a conversation to the prompt's token ids: chat template, then tokenizer.
//
// Built once per model; immutable and thread-safe after Create.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backend/template_context.h"
#include "base/status.h"
#include "chat/chat.h"
#include "jinja/template.h"
#include "tokenizer/tokenizer.h"

namespace ac::backend {

class PromptBuilder {
 public:
  // `chat_template` empty: a plain ChatML one is used, as most models understand it.
  // `tool_use_template` replaces it for requests with tools; usually empty.
  static Result<std::unique_ptr<PromptBuilder>> Create(const tokenizer::Tokenizer& tokenizer,
                                                       const std::string& chat_template,
                                                       const std::string& tool_use_template);

  // The rendered conversation.
  Result<std::string> Render(const chat::ChatRequest& request) const;
  // Rendered text as token ids; special tokens written by the template become those tokens.
  std::vector<int32_t> TokensOf(std::string_view rendered) const;
  Result<std::vector<int32_t>> Tokens(const chat::ChatRequest& request) const;
  // A prompt without a conversation.
  std::vector<int32_t> Tokens(const chat::RawPrompt& prompt) const;

  // The template's source: tells the model family's tool syntax.
  std::string_view source() const { return source_; }
  const TemplateTraits& traits() const { return main_.traits; }

 private:
  struct Form {
    std::shared_ptr<const jinja::Template> compiled;
    TemplateTraits traits;
  };
  explicit PromptBuilder(const tokenizer::Tokenizer& tokenizer) : tokenizer_(tokenizer) {}
  Result<Form> Compile(const std::string& source, const std::string& name) const;
  Result<std::string> RenderWith(const Form& form, const chat::ChatRequest& request) const;
  TemplateTraits Probe(const Form& form) const;

  const tokenizer::Tokenizer& tokenizer_;
  std::string source_;
  Form main_;
  Form with_tools_;
};

}  // namespace ac::backend
