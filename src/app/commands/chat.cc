// anyclaude chat: an interactive conversation in the terminal, without tools.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>

#include "app/commands/all.h"
#include "app/generation.h"
#include "app/open_model.h"
#include "prompt/prompt_builder.h"

namespace ac::app {
namespace {

struct ChatFlags {
  std::string model;
  std::string system;
  int64_t n = 1024;
};

chat::Message TextMessage(chat::Role role, std::string text) {
  return {.role = role, .blocks = {{.value = chat::Text{std::move(text)}, .cache_ttl = ""}}};
}

// One question and its answer; the answer joins the conversation.
Status Turn(const prompt::PromptBuilder& prompts, engine::Engine& engine, const ChatFlags& flags,
            const engine::SamplingParams& sampling, uint64_t seed,
            chat::ChatRequest* conversation) {
  engine::GenerateRequest request;
  AC_ASSIGN_OR_RETURN(request.prompt, prompts.Tokens(*conversation));
  request.max_tokens = flags.n;
  request.sampling = sampling;
  request.sampling.seed = seed;
  std::string answer;
  AC_ASSIGN_OR_RETURN(const Generated generated, GenerateAndWait(
                                                     engine, std::move(request),
                                                     [&](std::string_view text) {
                                                       answer += text;
                                                       std::fwrite(text.data(), 1, text.size(),
                                                                   stdout);
                                                       std::fflush(stdout);
                                                     },
                                                     nullptr));
  fmt::print("\n");
  const engine::FinishInfo& info = generated.finish;
  fmt::print(stderr, "({} of {} prompt tokens from the cache, {:.2f} s to the first token)\n",
             info.cached_tokens, info.prompt_tokens, Seconds(info.prefill));
  conversation->messages.push_back(TextMessage(chat::Role::kAssistant, std::move(answer)));
  return OkStatus();
}

Status Run(CommandContext& context, const ChatFlags& flags) {
  AC_ASSIGN_OR_RETURN(const OpenedModel opened, OpenModel(context.config, flags.model));
  const weights::TokenizerSource& source = opened.loaded->file().tokenizer_source();
  AC_ASSIGN_OR_RETURN(const auto prompts, prompt::PromptBuilder::Create(opened.loaded->tokenizer(),
                                                                        source.chat_template, ""));
  AC_ASSIGN_OR_RETURN(const auto engine, opened.MakeEngine(context.config));
  const bool terminal = ::isatty(STDIN_FILENO) == 1;
  if (opened.resolved.built_in) {
    fmt::print(stderr,
               "This is the built-in test model: its weights are random, so are its words.\n");
  }
  const engine::SamplingParams sampling = engine::RecommendedSampling(
      opened.loaded->file().config().architecture, opened.loaded->file().tokenizer_source().gguf);
  if (terminal) fmt::print(stderr, "Type a message; an empty line or Ctrl-D ends.\n");
  chat::ChatRequest conversation;
  if (!flags.system.empty()) {
    conversation.system.push_back({.value = chat::Text{flags.system}, .cache_ttl = ""});
  }
  std::string line;
  for (uint64_t turn = 0;; ++turn) {
    if (terminal) fmt::print(stderr, "> ");
    if (!std::getline(std::cin, line) || line.empty()) return OkStatus();
    conversation.messages.push_back(TextMessage(chat::Role::kUser, line));
    AC_RETURN_IF_ERROR(Turn(*prompts, *engine, flags, sampling, turn, &conversation));
  }
}

}  // namespace

void RegisterChat(CLI::App& app, Action* chosen) {
  auto flags = std::make_shared<ChatFlags>();
  CLI::App* command = AddCommand(app, chosen, "chat", "Talk to a model in the terminal",
                                 [flags](CommandContext& context) { return Run(context, *flags); });
  AddModelOption(command, &flags->model);
  command->add_option("--system", flags->system, "System prompt");
  command->add_option("-n,--max-tokens", flags->n, "Longest answer in tokens")
      ->check(CLI::PositiveNumber);
}

}  // namespace ac::app
