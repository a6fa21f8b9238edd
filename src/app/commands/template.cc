// anyclaude template: the prompt a chat template makes of a request, byte for byte.
#include "jinja/template.h"

#include <cstdio>

#include "app/commands/all.h"
#include "app/open_model.h"
#include "json/json.h"

namespace ac::app {
namespace {

struct TemplateFlags {
  std::string model;
  std::string file;
  std::string request;
};

Result<std::string> TemplateSource(const Config& config, const TemplateFlags& flags) {
  if (!flags.file.empty() && !flags.model.empty()) {
    return InvalidArgument("give either --model or --file, not both");
  }
  if (!flags.file.empty()) return ReadFile(FileSystem::Real(), flags.file);
  AC_ASSIGN_OR_RETURN(const OpenedVocabulary vocabulary, OpenVocabulary(config, flags.model));
  const std::string& source = vocabulary.file->tokenizer_source().chat_template;
  if (source.empty()) {
    return NotFound(vocabulary.file->path() + " has no chat template; give one with --file");
  }
  return source;
}

Status Run(CommandContext& context, const TemplateFlags& flags) {
  AC_ASSIGN_OR_RETURN(const std::string source, TemplateSource(context.config, flags));
  AC_ASSIGN_OR_RETURN(const std::string body, ReadFile(FileSystem::Real(), flags.request));
  Result<json::Value> request = json::Parse(body);
  if (!request.ok()) return request.status().WithPrefix(flags.request);
  const std::string name = flags.file.empty() ? "chat_template" : flags.file;
  AC_ASSIGN_OR_RETURN(const auto parsed, jinja::Template::Parse(source, name));
  AC_ASSIGN_OR_RETURN(const std::string text, parsed->Render(*request));
  std::fwrite(text.data(), 1, text.size(), stdout);
  return OkStatus();
}

}  // namespace

void RegisterTemplate(CLI::App& app, Action* chosen) {
  auto flags = std::make_shared<TemplateFlags>();
  CLI::App* command =
      AddCommand(app, chosen, "template", "Print the prompt a chat template makes of a request",
                 [flags](CommandContext& context) { return Run(context, *flags); });
  AddModelOption(command, &flags->model);
  command->add_option("--file", flags->file, "A template file instead of a model's own");
  command
      ->add_option("--request", flags->request,
                   "JSON file with messages, tools, add_generation_prompt, ...")
      ->required();
}

}  // namespace ac::app
