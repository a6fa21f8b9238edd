// The program: reads settings, parses the command line, runs one command.
#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <iostream>

#include "app/commands/all.h"
#include "app/config.h"
#include "app/logging.h"
#include "base/file_system.h"

namespace ac::app {
namespace {

constexpr int kOk = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;

int Fail(const Status& status) {
  std::cerr << "anyclaude: " << status.message() << "\n";
  return kFailed;
}

int Main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a closed pipe or socket is an error code, not a death
  CLI::App app{"Coding agents on your own hardware, at interactive speed.", "anyclaude"};
  app.set_version_flag("--version", std::string("anyclaude ") + AC_VERSION);
  app.require_subcommand(1);
  Action chosen;
  RegisterServe(app, &chosen);
  RegisterGenerate(app, &chosen);
  RegisterChat(app, &chosen);
  RegisterTokenize(app, &chosen);
  RegisterTemplate(app, &chosen);
  RegisterModels(app, &chosen);
  RegisterDoctor(app, &chosen);
  RegisterConfig(app, &chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // --help and --version arrive here too, with exit code 0.
    return app.exit(error) == 0 ? kOk : kUsage;
  }

  Result<Config> config = Config::Load(ProcessEnvironment(), FileSystem::Real(), ".");
  if (!config.ok()) return Fail(config.status());
  for (const std::string& warning : config->warnings()) std::cerr << "warning: " << warning << "\n";
  CommandContext context{std::move(config).value(), argv[0]};
  if (Status status = SetUpLogging(context.config); !status.ok()) return Fail(status);
  if (Status status = chosen(context); !status.ok()) return Fail(status);
  return std::fflush(stdout) == 0 ? kOk : kFailed;
}

}  // namespace
}  // namespace ac::app

int main(int argc, char** argv) { return ac::app::Main(argc, argv); }
