// anyclaude demo: an agent's session of ten turns behind a prompt as long as Claude Code's, a
// restart in between, and what each wait was.
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "app/commands/all.h"
#include "app/model_path.h"
#include "app/running_server.h"
#include "demo/conversation.h"
#include "demo/prompt.h"
#include "demo/timeline.h"
#include "demo/workshop.h"

namespace ac::app {
namespace {

constexpr const char* kRequests[] = {
    "read README.md",
    "list src",
    "run the tests",
    "create notes.txt with the content \"buy a new sensor\"",
    "read notes.txt",
    "replace \"buy\" with \"order\" in notes.txt",
    "run `cat notes.txt`",
    "search for \"degrees\"",
    "how many lines does Makefile have?",
    "who are you?",
};
constexpr const char* kAfterRestart = "read src/station.sh";

// What these requests may run (demo/workshop.h says why there is a list).
const std::vector<std::string>& Commands() {
  static const std::vector<std::string> commands = {"make test", "cat notes.txt", "wc -l Makefile",
                                                    "ls src",    "cat README.md", "ls"};
  return commands;
}

struct DemoFlags {
  std::string model;
  int64_t prompt_tokens = 18490;
};

// A folder that is gone when the demonstration ends.
class Scratch {
 public:
  static Result<std::unique_ptr<Scratch>> Make() {
    std::error_code error;
    std::string pattern =
        (std::filesystem::temp_directory_path(error) / "anyclaude-demo-XXXXXX").string();
    if (error || ::mkdtemp(pattern.data()) == nullptr) {
      return Status(Code::kPermissionDenied, "[demo] cannot make a temporary folder: " + pattern);
    }
    return std::unique_ptr<Scratch>(new Scratch(pattern));
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  const std::string path;

 private:
  explicit Scratch(std::string folder) : path(std::move(folder)) {}
};

// The user's settings with a home of its own, so that the first turn finds nothing kept.
Result<Config> DemoConfig(const CommandContext& context, const DemoFlags& flags,
                          const std::string& home) {
  const std::string asked = flags.model.empty() ? context.config.Text("model") : flags.model;
  AC_ASSIGN_OR_RETURN(const ResolvedModel model,
                      ResolveModel(context.config, asked, FileSystem::Real()));
  const Environment outer = ProcessEnvironment();
  const Environment inner = [&](const std::string& name) {
    return name == "ANYCLAUDE_HOME" ? std::optional<std::string>(home) : outer(name);
  };
  AC_ASSIGN_OR_RETURN(Config config, Config::Load(inner, FileSystem::Real(), "."));
  for (const auto& [key, value] : {std::pair<const char*, std::string>{"mode", "local"},
                                   {"port", "0"},
                                   {"model", model.path}}) {
    AC_RETURN_IF_ERROR(config.SetFlag(key, value));
  }
  if (model.built_in) {
    fmt::print(
        "This model has random weights, so its answers are noise and it calls no tool; the waits\n"
        "are real all the same. `make starter` trains one that does.\n\n");
  }
  return config;
}

// A conversation whose first prompt has the wanted number of tokens, nearly, as the server counts.
Result<std::unique_ptr<demo::Conversation>> Open(const ServerFacts& facts, int64_t prompt_tokens) {
  auto characters = static_cast<double>(prompt_tokens);
  std::unique_ptr<demo::Conversation> conversation;
  // The tools have tokens too, so each correction falls a little short and the next one helps.
  for (int attempt = 0; attempt < 4; ++attempt) {
    conversation = std::make_unique<demo::Conversation>(
        facts.model, demo::Tools(), demo::SystemPrompt(static_cast<size_t>(characters)));
    conversation->UseServer(facts.url);
    AC_ASSIGN_OR_RETURN(const int64_t tokens, conversation->CountTokens(kRequests[0]));
    characters +=
        static_cast<double>(prompt_tokens - tokens) * characters / static_cast<double>(tokens);
    characters = std::max(characters, 1.0);
  }
  return conversation;
}

class TurnPrinter {
 public:
  void Add(const demo::AskedTurn& turn) {
    longest_s_ = std::max(longest_s_, turn.first.first_s);
    fmt::print("{}", demo::TurnLine(++number_, turn, longest_s_));
    std::fflush(stdout);
  }

 private:
  int number_ = 0;
  double longest_s_ = 0;
};

Status Play(const Config& config, const DemoFlags& flags, const demo::Workshop& workshop) {
  demo::DemoTimes times;
  int64_t prompt_tokens = 0;
  std::unique_ptr<demo::Conversation> conversation;
  TurnPrinter show;
  {
    AC_ASSIGN_OR_RETURN(const auto server, RunningServer::Start(config));
    AC_ASSIGN_OR_RETURN(conversation, Open(server->facts(), flags.prompt_tokens));
    fmt::print("Model {}, ten requests of an agent, then a restart of the server.\n\n{}",
               server->facts().model, demo::TimelineHead());
    for (const char* request : kRequests) {
      AC_ASSIGN_OR_RETURN(const demo::AskedTurn turn, conversation->Ask(request, workshop));
      show.Add(turn);
      if (times.cold_s == 0) {
        times.cold_s = turn.first.first_s;
        prompt_tokens = turn.first.computed + turn.first.reused;
      } else {
        times.warm_s.push_back(turn.first.first_s);
      }
    }
    server->Stop(std::chrono::seconds(5));
  }
  fmt::print("      --- the server is stopped and started again ---\n");
  AC_ASSIGN_OR_RETURN(const auto server, RunningServer::Start(config));
  conversation->UseServer(server->facts().url);
  AC_ASSIGN_OR_RETURN(const demo::AskedTurn turn, conversation->Ask(kAfterRestart, workshop));
  show.Add(turn);
  times.restart_s = turn.first.first_s;
  fmt::print("{}", demo::Summary(times, prompt_tokens));
  return OkStatus();
}

Status Run(CommandContext& context, const DemoFlags& flags) {
  AC_ASSIGN_OR_RETURN(const auto scratch, Scratch::Make());
  AC_ASSIGN_OR_RETURN(const Config config,
                      DemoConfig(context, flags, JoinPath(scratch->path, "home")));
  AC_ASSIGN_OR_RETURN(const demo::Workshop workshop,
                      demo::Workshop::Create(JoinPath(scratch->path, "repository"), Commands()));
  return Play(config, flags, workshop);
}

}  // namespace

void RegisterDemo(CLI::App& app, Action* chosen) {
  auto flags = std::make_shared<DemoFlags>();
  CLI::App* command =
      AddCommand(app, chosen, "demo", "Play an agent's session and show what each turn waits for",
                 [flags](CommandContext& context) { return Run(context, *flags); });
  AddModelOption(command, &flags->model);
  command->add_option("--prompt-tokens", flags->prompt_tokens, "Tokens of the first prompt")
      ->check(CLI::PositiveNumber);
}

}  // namespace ac::app
