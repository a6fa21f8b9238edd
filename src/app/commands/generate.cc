// anyclaude generate: continue a prompt, as text or as exact token ids.
#include <fmt/format.h>

#include <cstdio>

#include "app/commands/all.h"
#include "app/commands/input.h"
#include "app/generation.h"
#include "app/open_model.h"
#include "app/progress.h"
#include "json/json.h"

namespace ac::app {
namespace {

struct GenerateFlags {
  std::string model;
  std::string kv_type;
  SpeculationFlags speculation;
  std::string prompt;
  std::string file;
  std::string tokens;
  int64_t n = 128;
  double temperature = 0;
  int top_k = 0;
  double top_p = 1;
  double min_p = 0;
  double repetition_penalty = 1;
  uint64_t seed = 0;
  int top_logprobs = -1;
  std::vector<std::string> stop;
  bool ignore_eos = false;
  bool json = false;
};

Result<std::vector<int32_t>> PromptTokens(const GenerateFlags& flags,
                                          const tokenizer::Tokenizer& tokenizer) {
  if (!flags.tokens.empty()) return ParseTokenIds(flags.tokens);
  AC_ASSIGN_OR_RETURN(const std::string text, ReadTextOrFile(flags.prompt, flags.file));
  return tokenizer.Encode(text, {.parse_special = true, .add_bos_eos = true});
}

engine::GenerateRequest MakeRequest(const GenerateFlags& flags, std::vector<int32_t> prompt) {
  engine::GenerateRequest request;
  request.prompt = std::move(prompt);
  request.max_tokens = flags.n;
  request.sampling.temperature = flags.temperature;
  request.sampling.top_k = flags.top_k;
  request.sampling.top_p = flags.top_p;
  request.sampling.min_p = flags.min_p;
  request.sampling.repetition_penalty = flags.repetition_penalty;
  request.sampling.seed = flags.seed;
  request.stop_strings = flags.stop;
  request.ignore_end_tokens = flags.ignore_eos;
  request.top_logprobs = flags.top_logprobs;
  return request;
}

json::Value ToJson(const Generated& generated, bool logprobs) {
  json::Array ids;
  json::Array top;
  std::string text;
  for (const engine::TokenEvent& event : generated.tokens) {
    ids.push_back(event.id);
    text += event.text;
    json::Array step;
    for (const engine::TokenLogprob& entry : event.logprobs.top) {
      step.push_back(
          json::Object{{"id", entry.id}, {"logprob", static_cast<double>(entry.logprob)}});
    }
    top.push_back(std::move(step));
  }
  const engine::FinishInfo& info = generated.finish;
  json::Object out{{"tokens", std::move(ids)}};
  if (logprobs) out["top"] = std::move(top);
  out["text"] = text + info.text;
  out["prompt_tokens"] = info.prompt_tokens;
  out["cached_tokens"] = info.cached_tokens;
  out["prefill_s"] = Seconds(info.prefill);
  out["decode_s"] = Seconds(info.decode);
  return out;
}

Status Run(CommandContext& context, const GenerateFlags& flags) {
  if (!flags.kv_type.empty()) {
    AC_RETURN_IF_ERROR(context.config.SetFlag("kv.type", flags.kv_type));
  }
  AC_RETURN_IF_ERROR(flags.speculation.Apply(&context.config));
  AC_ASSIGN_OR_RETURN(const OpenedModel opened, OpenModel(context.config, flags.model));
  AC_ASSIGN_OR_RETURN(std::vector<int32_t> prompt, PromptTokens(flags, opened.loaded->tokenizer()));
  AC_ASSIGN_OR_RETURN(const auto engine, opened.MakeOneShotEngine(context.config));
  ProgressBar progress("reading the prompt", "tokens");
  const auto print = [](std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
  };
  AC_ASSIGN_OR_RETURN(const Generated generated,
                      GenerateAndWait(*engine, MakeRequest(flags, std::move(prompt)),
                                      flags.json ? std::function<void(std::string_view)>() : print,
                                      [&](int64_t done, int64_t total) {
                                        progress.Update(static_cast<uint64_t>(done),
                                                        static_cast<uint64_t>(total));
                                      }));
  if (flags.json) {
    fmt::print("{}\n", json::Write(ToJson(generated, flags.top_logprobs >= 0)));
    return OkStatus();
  }
  fmt::print("\n");
  const engine::FinishInfo& info = generated.finish;
  fmt::print(stderr, "{} prompt tokens in {:.2f} s, {} tokens in {:.2f} s ({:.1f} tokens/s)\n",
             info.prompt_tokens, Seconds(info.prefill), info.output_tokens, Seconds(info.decode),
             info.output_tokens > 1 ? static_cast<double>(info.output_tokens - 1) /
                                          std::max(Seconds(info.decode), 1e-9)
                                    : 0.0);
  return OkStatus();
}

}  // namespace

void RegisterGenerate(CLI::App& app, Action* chosen) {
  auto flags = std::make_shared<GenerateFlags>();
  CLI::App* command = AddCommand(app, chosen, "generate", "Continue a prompt",
                                 [flags](CommandContext& context) { return Run(context, *flags); });
  AddModelOption(command, &flags->model);
  AddKvTypeOption(command, &flags->kv_type);
  AddSpeculationOptions(command, &flags->speculation);
  command->add_option("--prompt,-p", flags->prompt, "The prompt");
  command->add_option("--file,-f", flags->file,
                      "Read the prompt from a file (- for standard input)");
  command->add_option("--tokens", flags->tokens, "The prompt as token ids: 1,2,3");
  command->add_option("-n,--max-tokens", flags->n, "Tokens to generate")
      ->check(CLI::PositiveNumber);
  command->add_option("--temperature", flags->temperature, "0: always the most likely token");
  command->add_option("--top-k", flags->top_k, "Keep the K most likely tokens");
  command->add_option("--top-p", flags->top_p, "Keep the tokens that make up this probability");
  command->add_option("--min-p", flags->min_p, "Drop tokens below this share of the best one");
  command->add_option("--repetition-penalty", flags->repetition_penalty, "1: none");
  command->add_option("--seed", flags->seed, "Same seed, same text");
  command->add_option("--stop", flags->stop, "Stop before this text (may be repeated)");
  command->add_flag("--ignore-eos", flags->ignore_eos, "Do not stop at the model's end token");
  command->add_option("--top-logprobs", flags->top_logprobs,
                      "With --json: the K best log-probabilities of each step");
  command->add_flag("--json", flags->json, "Print one JSON object");
}

}  // namespace ac::app
