// The program: reads settings, parses the command line, runs one command.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "app/commands/all.h"
#include "app/config.h"
#include "app/launcher.h"
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

Result<CommandContext> LoadContext(const char* program) {
  AC_ASSIGN_OR_RETURN(Config config, Config::Load(ProcessEnvironment(), FileSystem::Real(), "."));
  for (const std::string& warning : config.warnings()) std::cerr << "warning: " << warning << "\n";
  return CommandContext{std::move(config), program};
}

std::vector<std::string> CommandNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  return names;
}

// The command that PROXY_ONLY, --check-setup or --test-model asks for instead of the client; empty:
// none.
std::vector<std::string> InsteadOfLaunching(const LaunchRequest& request) {
  if (!request.client_args.empty() && request.client_args[0] == "--check-setup") return {"doctor"};
  if (!request.client_args.empty() && request.client_args[0] == "--test-model") {
    if (request.mode.empty()) return {"test-model"};
    return {"test-model", "--mode", request.mode};
  }
  const std::string proxy_only = ProcessEnvironment()("PROXY_ONLY").value_or("");
  if (proxy_only != "true" && proxy_only != "1") return {};
  if (request.mode.empty()) return {"serve"};
  return {"serve", "--mode", request.mode};
}

int RunLauncher(const LaunchRequest& request, const char* program) {
  Result<CommandContext> context = LoadContext(program);
  if (!context.ok()) return Fail(context.status());
  if (Status status = SetUpLogging(context->config, LogPlace::kFile); !status.ok()) {
    return Fail(status);
  }
  const Result<int> code = Launch(*context, request);
  return code.ok() ? *code : Fail(code.status());
}

int Main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a closed pipe or socket is an error code, not a death
  CLI::App app{"Coding agents on your own hardware, at interactive speed.", "anyclaude"};
  app.set_version_flag("--version", std::string("anyclaude ") + AC_VERSION);
  app.require_subcommand(1);
  app.footer(
      "Without a command: anyclaude [--mode M] [claude args...] starts Claude Code against the "
      "mode.\n"
      "PROXY_ONLY=true starts the server alone, as \"anyclaude serve\" does.");
  Action chosen;
  RegisterServe(app, &chosen);
  RegisterGenerate(app, &chosen);
  RegisterChat(app, &chosen);
  RegisterBatch(app, &chosen);
  RegisterTokenize(app, &chosen);
  RegisterTemplate(app, &chosen);
  RegisterModels(app, &chosen);
  RegisterCache(app, &chosen);
  RegisterTrace(app, &chosen);
  RegisterCost(app, &chosen);
  RegisterStats(app, &chosen);
  RegisterBench(app, &chosen);
  RegisterImport(app, &chosen);
  RegisterTestModel(app, &chosen);
  RegisterDemo(app, &chosen);
  RegisterDoctor(app, &chosen);
  RegisterConfig(app, &chosen);
  const Result<std::optional<LaunchRequest>> launch =
      ReadLaunchRequest({argv + 1, argv + argc}, CommandNames(app));
  if (!launch.ok()) return Fail(launch.status());
  std::vector<std::string> line(argv + 1, argv + argc);
  if (launch->has_value()) {
    line = InsteadOfLaunching(**launch);
    if (line.empty()) return RunLauncher(**launch, argv[0]);
  }
  try {
    std::reverse(line.begin(), line.end());  // the order this form of parse takes
    app.parse(line);
  } catch (const CLI::ParseError& error) {
    // --help and --version arrive here too, with exit code 0.
    return app.exit(error) == 0 ? kOk : kUsage;
  }

  Result<CommandContext> loaded = LoadContext(argv[0]);
  if (!loaded.ok()) return Fail(loaded.status());
  CommandContext context = std::move(loaded).value();
  if (Status status = SetUpLogging(context.config); !status.ok()) return Fail(status);
  if (Status status = chosen(context); !status.ok()) return Fail(status);
  return std::fflush(stdout) == 0 ? kOk : kFailed;
}

}  // namespace
}  // namespace ac::app

int main(int argc, char** argv) { return ac::app::Main(argc, argv); }
