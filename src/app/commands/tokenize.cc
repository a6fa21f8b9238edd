// anyclaude tokenize: text to ids, or back with --decode.
#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <iterator>

#include "app/commands/all.h"
#include "app/commands/input.h"
#include "app/open_model.h"
#include "json/json.h"

namespace ac::app {
namespace {

struct TokenizeFlags {
  std::string model;
  std::string file;
  std::string text;
  bool json = false;
  bool decode = false;
  bool no_special = false;
};

Status Run(CommandContext& context, const TokenizeFlags& flags) {
  AC_ASSIGN_OR_RETURN(const OpenedVocabulary vocabulary,
                      OpenVocabulary(context.config, flags.model));
  AC_ASSIGN_OR_RETURN(const std::string input, ReadTextOrFile(flags.text, flags.file));
  if (flags.decode) {
    AC_ASSIGN_OR_RETURN(const std::vector<int32_t> ids, ParseTokenIds(input));
    const std::string text = vocabulary.tokenizer->Decode(ids, {.skip_special = flags.no_special});
    std::fwrite(text.data(), 1, text.size(), stdout);
    return OkStatus();
  }
  const std::vector<int32_t> ids =
      vocabulary.tokenizer->Encode(input, {.parse_special = !flags.no_special});
  if (flags.json) {
    fmt::print("{}\n", json::Write(json::Array(ids.begin(), ids.end())));
    return OkStatus();
  }
  for (const int32_t id : ids) {
    fmt::print("{:>7}  {}\n", id, json::Quote(vocabulary.tokenizer->TokenBytes(id)));
  }
  return OkStatus();
}

}  // namespace

void RegisterTokenize(CLI::App& app, Action* chosen) {
  auto flags = std::make_shared<TokenizeFlags>();
  CLI::App* command =
      AddCommand(app, chosen, "tokenize", "Text to token ids, or back with --decode",
                 [flags](CommandContext& context) { return Run(context, *flags); });
  AddModelOption(command, &flags->model);
  command->add_option("--file,-f", flags->file, "Read the text from a file (- for standard input)");
  command->add_option("--text,-t", flags->text, "The text itself");
  command->add_flag("--json", flags->json, "Print a JSON array of ids");
  command->add_flag("--decode", flags->decode, "The input is ids; print their text");
  command->add_flag(
      "--no-special", flags->no_special,
      "Treat special tokens in the text as plain text; leave them out of decoded text");
}

}  // namespace ac::app
