// anyclaude import ccr FILE: takes over another router's settings.
#include <fmt/format.h>

#include "app/backends.h"
#include "app/commands/all.h"
#include "base/file_system.h"
#include "routing/route_file.h"

namespace ac::app {
namespace {

struct ImportFlags {
  std::string file;
  std::string out;
  bool replace = false;
};

Status ImportCcr(CommandContext& context, const ImportFlags& flags) {
  FileSystem& fs = FileSystem::Real();
  AC_ASSIGN_OR_RETURN(const std::string text, ReadFile(fs, flags.file));
  std::vector<std::string> notes;
  Result<std::string> imported = routing::ImportClaudeCodeRouter(text, &notes);
  if (!imported.ok()) return imported.status().WithPrefix(flags.file);
  const std::string out = flags.out.empty() ? BackendsFile(context.config) : flags.out;
  if (fs.Exists(out) && !flags.replace) {
    return Status(
        Code::kAlreadyExists,
        "[import] " + out + " exists; --replace overwrites it, --out FILE writes another");
  }
  if (flags.out.empty()) AC_RETURN_IF_ERROR(fs.CreateDirectories(context.config.home()));
  AC_RETURN_IF_ERROR(WriteFileAtomic(fs, out, *imported));
  for (const std::string& note : notes) fmt::print(stderr, "note: {}\n", note);
  fmt::print("{}\n", out);
  fmt::print(stderr, "start it with: anyclaude serve --mode auto\n");
  return OkStatus();
}

}  // namespace

void RegisterImport(CLI::App& app, Action* chosen) {
  CLI::App* command = app.add_subcommand("import", "Take over another program's settings");
  command->require_subcommand(1);
  auto flags = std::make_shared<ImportFlags>();
  CLI::App* ccr =
      AddCommand(*command, chosen, "ccr", "Claude Code Router 2's config.json",
                 [flags](CommandContext& context) { return ImportCcr(context, *flags); });
  ccr->add_option("file", flags->file, "Usually ~/.claude-code-router/config.json")->required();
  ccr->add_option("--out", flags->out, "Where to write (backends.json in the home)");
  ccr->add_flag("--replace", flags->replace, "Overwrite what is there");
}

}  // namespace ac::app
