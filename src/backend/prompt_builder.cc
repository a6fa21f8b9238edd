#include "backend/prompt_builder.h"

#include "json/json.h"

namespace ac::backend {
namespace {

constexpr std::string_view kChatMl =
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

std::string TokenText(const tokenizer::Tokenizer& tokenizer, int32_t id) {
  return id < 0 ? std::string() : std::string(tokenizer.TokenBytes(id));
}

chat::Message TextMessage(chat::Role role, std::string text) {
  return {.role = role, .blocks = {{.value = chat::Text{std::move(text)}, .cache_ttl = ""}}};
}

}  // namespace

Result<std::unique_ptr<PromptBuilder>> PromptBuilder::Create(const tokenizer::Tokenizer& tokenizer,
                                                             const std::string& chat_template,
                                                             const std::string& tool_use_template) {
  std::unique_ptr<PromptBuilder> builder(new PromptBuilder(tokenizer));
  builder->source_ = chat_template.empty() ? std::string(kChatMl) : chat_template;
  AC_ASSIGN_OR_RETURN(builder->main_, builder->Compile(builder->source_, "chat_template"));
  builder->with_tools_ = builder->main_;
  if (!tool_use_template.empty()) {
    AC_ASSIGN_OR_RETURN(builder->with_tools_,
                        builder->Compile(tool_use_template, "tool_use_template"));
    builder->source_ = tool_use_template;
  }
  return builder;
}

Result<PromptBuilder::Form> PromptBuilder::Compile(const std::string& source,
                                                   const std::string& name) const {
  Form form;
  AC_ASSIGN_OR_RETURN(form.compiled, jinja::Template::Parse(source, name));
  form.traits = Probe(form);
  return form;
}

// Asks the template itself what it can express, with a conversation that has a system message in
// the middle: templates refuse it, drop it, or show it.
TemplateTraits PromptBuilder::Probe(const Form& form) const {
  constexpr std::string_view kMark = "MIDDLE-SYSTEM-MARK";
  chat::ChatRequest request;
  request.messages = {TextMessage(chat::Role::kUser, "one"),
                      TextMessage(chat::Role::kAssistant, "two"),
                      TextMessage(chat::Role::kUser, "three"),
                      TextMessage(chat::Role::kSystem, std::string(kMark))};
  const Result<std::string> rendered = RenderWith(form, request);
  TemplateTraits traits;
  traits.system_anywhere = rendered.ok() && rendered->find("three") < rendered->find(kMark) &&
                           rendered->find(kMark) != std::string::npos;
  traits.renders_tools = form.compiled->free_variables().count("tools") > 0;
  return traits;
}

Result<std::string> PromptBuilder::RenderWith(const Form& form,
                                              const chat::ChatRequest& request) const {
  const ContextOptions options{.traits = form.traits,
                               .bos_token = TokenText(tokenizer_, tokenizer_.bos()),
                               .eos_token = TokenText(tokenizer_, tokenizer_.eos())};
  AC_ASSIGN_OR_RETURN(const json::Value context, BuildTemplateContext(request, options));
  Result<std::string> rendered = form.compiled->Render(context);
  if (const auto refusal = jinja::RaisedMessage(rendered.status())) {
    return InvalidArgument("the model's chat template refuses this conversation: " + *refusal);
  }
  return rendered;
}

Result<std::string> PromptBuilder::Render(const chat::ChatRequest& request) const {
  return RenderWith(request.tools.empty() ? main_ : with_tools_, request);
}

std::vector<int32_t> PromptBuilder::TokensOf(std::string_view rendered) const {
  std::vector<int32_t> tokens = tokenizer_.Encode(rendered, {.parse_special = true});
  // Most templates write the first token themselves; a model that wants one must not get two.
  const auto prefix = tokenizer_.prefix_ids();
  if (!prefix.empty() && (tokens.empty() || tokens.front() != prefix.front())) {
    tokens.insert(tokens.begin(), prefix.begin(), prefix.end());
  }
  return tokens;
}

Result<std::vector<int32_t>> PromptBuilder::Tokens(const chat::ChatRequest& request) const {
  AC_ASSIGN_OR_RETURN(const std::string text, Render(request));
  return TokensOf(text);
}

std::vector<int32_t> PromptBuilder::Tokens(const chat::RawPrompt& prompt) const {
  if (!prompt.tokens.empty()) return prompt.tokens;
  return tokenizer_.Encode(prompt.text, {.parse_special = true, .add_bos_eos = true});
}

}  // namespace ac::backend
