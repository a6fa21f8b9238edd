#include "app/launcher.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "api/api.h"
#include "app/modes.h"
#include "app/running_server.h"
#include "app/session_report.h"
#include "launch/child.h"
#include "launch/client_environment.h"
#include "launch/client_settings.h"
#include "launch/terminal_menu.h"
#include "store/ledger.h"
#include "store/schema.h"

namespace ac::app {
namespace {

constexpr std::string_view kMode = "--mode";
// The client is gone, so nobody waits for what still runs.
constexpr std::chrono::milliseconds kGrace{200};

bool IsOurs(const std::string& word, const std::vector<std::string>& commands) {
  return word == "--help" || word == "-h" || word == "--version" ||
         std::find(commands.begin(), commands.end(), word) != commands.end();
}

// How fast each mode was last time, as the ledger has it. Without a ledger: nothing is added.
void AddLastSpeeds(const Config& config, std::vector<launch::MenuItem>* items) {
  if (!FileSystem::Real().Exists(config.HomePath("state.db"))) return;
  const auto database = store::OpenState(FileSystem::Real(), config.home());
  if (!database.ok()) return;
  for (launch::MenuItem& item : *items) {
    const auto last = store::Ledger(**database).LastOf(item.name);
    if (!last.ok() || !last->has_value() || !(*last)->first_ms) continue;
    if (!item.detail.empty()) item.detail += "; ";
    item.detail += "first word after " + DurationText(*(*last)->first_ms / 1000) + " last time";
  }
}

// The mode that settings and terminal choose; empty when the user left the menu.
Result<std::string> ChooseMode(const Config& config) {
  const Setting& setting = config.Get("mode");
  if (setting.source != Source::kDefault || !launch::CanShowMenu(STDIN_FILENO, STDERR_FILENO)) {
    return setting.value;
  }
  std::vector<launch::MenuItem> items = UsableModes(config);
  AddLastSpeeds(config, &items);
  const size_t preselected = static_cast<size_t>(
      std::find_if(items.begin(), items.end(),
                   [&](const launch::MenuItem& item) { return item.name == setting.value; }) -
      items.begin());
  AC_ASSIGN_OR_RETURN(
      const std::optional<size_t> chosen,
      launch::RunMenu(launch::Menu(items, preselected), STDIN_FILENO, STDERR_FILENO));
  return chosen.has_value() ? items[*chosen].name : std::string();
}

// Several terminals may run at once: without a port of the user's own, each takes a free one.
Status ApplyDefaults(const std::string& mode, Config* config) {
  AC_RETURN_IF_ERROR(config->SetFlag("mode", mode));
  if (config->Get("port").source == Source::kDefault) {
    AC_RETURN_IF_ERROR(config->SetFlag("port", "0"));
  }
  return OkStatus();
}

launch::ClientSetup SetupFor(const Config& config, const ServerFacts& facts) {
  launch::ClientSetup setup;
  setup.url = facts.url;
  setup.model_id = facts.model.empty() ? "" : api::ModelIdForDiscovery(facts.model);
  setup.api_key = config.Text("api_key");
  setup.context_length = facts.context_length;
  setup.pass_through = facts.pass_through;
  return setup;
}

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// The client's whole command line.
std::vector<std::string> ClientCommand(const std::string& client, const launch::ClientSetup& setup,
                                       const std::vector<std::string>& args) {
  std::string folder = Variable("CLAUDE_CONFIG_DIR");
  if (folder.empty()) folder = JoinPath(Variable("HOME"), ".claude");
  const std::vector<std::string> settings = launch::SettingsWords(
      setup, args, launch::ReadSettingsFiles(FileSystem::Real(), folder, "."));
  std::vector<std::string> command{client};
  command.insert(command.end(), settings.begin(), settings.end());
  command.insert(command.end(), args.begin(), args.end());
  return command;
}

// Before anything is started: a model may take a while to open.
Result<std::string> FindClient() {
  Result<std::string> path = launch::FindProgram("claude");
  if (path.ok() || path.status().code() != Code::kNotFound) return path;
  return NotFound(
      "[launch] claude is not in PATH; install it with: npm install -g @anthropic-ai/claude-code "
      "(or run \"anyclaude serve\" and connect another client)");
}

// The signals wait in the queue while the server starts.
bool AskedToStop() {
  sigset_t pending;
  sigpending(&pending);
  return sigismember(&pending, SIGINT) == 1 || sigismember(&pending, SIGTERM) == 1;
}

}  // namespace

Result<std::optional<LaunchRequest>> ReadLaunchRequest(const std::vector<std::string>& args,
                                                       const std::vector<std::string>& commands) {
  LaunchRequest request;
  size_t at = 0;
  while (at < args.size()) {
    const std::string& word = args[at];
    if (word == kMode) {
      if (at + 1 == args.size()) {
        return InvalidArgument("[launch] --mode needs a name: " + ModeNames());
      }
      request.mode = args[at + 1];
      at += 2;
    } else if (word.starts_with(std::string(kMode) + "=")) {
      request.mode = word.substr(kMode.size() + 1);
      ++at;
    } else {
      break;
    }
  }
  if (at < args.size() && IsOurs(args[at], commands)) return std::optional<LaunchRequest>();
  if (at < args.size() && args[at] == "--") ++at;
  request.client_args.assign(args.begin() + static_cast<std::ptrdiff_t>(at), args.end());
  return std::optional<LaunchRequest>(std::move(request));
}

Result<int> Launch(CommandContext& context, const LaunchRequest& request) {
  Config& config = context.config;
  if (!request.mode.empty()) AC_RETURN_IF_ERROR(config.SetFlag("mode", request.mode));
  AC_ASSIGN_OR_RETURN(const std::string mode, ChooseMode(config));
  if (mode.empty()) return 0;
  AC_RETURN_IF_ERROR(CheckMode(mode));
  AC_RETURN_IF_ERROR(ApplyDefaults(mode, &config));
  AC_ASSIGN_OR_RETURN(const std::string client, FindClient());

  // Before any thread starts, so that only RunChild takes these signals.
  const sigset_t signals = launch::ForwardedSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  AC_ASSIGN_OR_RETURN(const auto server, RunningServer::Start(config));
  if (AskedToStop()) return 130;
  const launch::ClientSetup setup = SetupFor(config, server->facts());
  const launch::MergedEnvironment environment =
      launch::MergeEnvironment(launch::ClientVariables(setup), launch::OwnEnvironment());
  for (const std::string& name : environment.kept) {
    fmt::print(stderr, "anyclaude: {} keeps the value from your environment\n", name);
  }
  const Result<int> code =
      launch::RunChild(ClientCommand(client, setup, request.client_args), environment.entries);
  server->Stop(kGrace);
  fmt::print(stderr, "{}", server->Report());
  return code;
}

}  // namespace ac::app
