// anyclaude serve: the server that Claude Code and other clients talk to.
#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>

#include <cstdio>

#include "api/api.h"
#include "app/commands/all.h"
#include "app/modes.h"
#include "app/running_server.h"
#include "gateway/stream_guard.h"

namespace ac::app {
namespace {

struct ServeFlags {
  std::string mode;
  std::string model;
  std::string host;
  std::string port;
  std::string api_key;
  std::string url;
  bool offline_lock = false;
  std::string kv_type;
  SpeculationFlags speculation;
  std::string warm;
};

// Streams in flight get this long to finish after Ctrl-C.
constexpr std::chrono::seconds kGrace{5};

Status ApplyFlags(const ServeFlags& flags, Config* config) {
  const std::pair<std::string_view, const std::string*> given[] = {
      {"mode", &flags.mode},      {"model", &flags.model},     {"host", &flags.host},
      {"port", &flags.port},      {"api_key", &flags.api_key}, {"upstream.url", &flags.url},
      {"kv.type", &flags.kv_type}};
  for (const auto& [key, value] : given) {
    if (!value->empty()) AC_RETURN_IF_ERROR(config->SetFlag(key, *value));
  }
  AC_RETURN_IF_ERROR(flags.speculation.Apply(config));
  if (flags.offline_lock) AC_RETURN_IF_ERROR(config->SetFlag("offline_lock", "true"));
  return OkStatus();
}

void PrintClientLine(const ServerFacts& facts, bool needs_key) {
  fmt::print("Claude Code:  ANTHROPIC_BASE_URL={} ANTHROPIC_API_KEY={} ", facts.url,
             needs_key ? "YOUR_KEY" : "local");
  if (!facts.model.empty()) {
    fmt::print("ANTHROPIC_MODEL={} ", api::ModelIdForDiscovery(facts.model));
  }
  if (facts.context_length > 0) {
    fmt::print("CLAUDE_CODE_MAX_CONTEXT_TOKENS={} ", facts.context_length);
  }
  fmt::print("CLAUDE_CODE_ATTRIBUTION_HEADER=0 CLAUDE_STREAM_IDLE_TIMEOUT_MS=1800000 claude\n");
}

// The lines a user needs: where it is, how to use it, how to stop it.
void PrintReady(const ServerFacts& facts, bool needs_key) {
  if (facts.built_in) {
    fmt::print(
        "Model: {} (made on this machine with random weights: it proves the whole path from "
        "socket\n"
        "       to logits, but its answers are noise; give a real one with --model FILE)\n",
        facts.model);
  } else if (facts.model == "starter") {
    fmt::print(
        "Model: starter (a tiny demonstration that calls tools; ask it to \"read README.md\" or "
        "\"run "
        "the\n       tests\"; for real work give a coding model with --model FILE)\n");
  } else {
    fmt::print("Model: {}\n", facts.model.empty() ? "as the client asks" : facts.model);
  }
  if (facts.mode != "local") fmt::print("Answers: {} ({} mode)\n", facts.title, facts.mode);
  if (!facts.warning.empty()) fmt::print(stderr, "warning: {}\n", facts.warning);
  fmt::print("Serving at {}\n", facts.url);
  if (facts.pass_through) {
    fmt::print("Claude Code:  ANTHROPIC_BASE_URL={} claude   (your own login passes through)\n",
               facts.url);
  } else {
    PrintClientLine(facts, needs_key);
  }
  fmt::print("Stop with Ctrl-C\n");
  std::fflush(stdout);
}

sigset_t StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

Status PrintWarm(RunningServer& server, const Config& config, const std::string& file) {
  AC_ASSIGN_OR_RETURN(const chat::Usage usage, server.Warm(config, file));
  fmt::print("Warm: {} prompt tokens of {}, {} of them cached before\n", usage.PromptTokens(), file,
             usage.cache_read);
  std::fflush(stdout);
  return OkStatus();
}

Status Run(CommandContext& context, const ServeFlags& flags) {
  Config& config = context.config;
  AC_RETURN_IF_ERROR(ApplyFlags(flags, &config));
  // Blocked before any thread starts, so that only the wait below takes them.
  const sigset_t signals = StopSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  AC_ASSIGN_OR_RETURN(const auto server, RunningServer::Start(config));
  PrintReady(server->facts(), !config.Text("api_key").empty());
  if (!flags.warm.empty()) AC_RETURN_IF_ERROR(PrintWarm(*server, config, flags.warm));

  int received = 0;
  sigwait(&signals, &received);
  fmt::print(stderr, "\nstopping; running replies have {} s\n", kGrace.count());
  server->Stop(kGrace);
  fmt::print(stderr, "{}", server->Report());
  const int64_t violations = gateway::StreamGuard::violations();
  return violations == 0 ? OkStatus()
                         : Internal(fmt::format("[serve] {} streams broke a rule of their protocol",
                                                violations));
}

}  // namespace

void RegisterServe(CLI::App& app, Action* chosen) {
  auto flags = std::make_shared<ServeFlags>();
  CLI::App* command = AddCommand(app, chosen, "serve", "Serve the Anthropic and OpenAI APIs",
                                 [flags](CommandContext& context) { return Run(context, *flags); });
  command->add_option("--mode", flags->mode, "Who answers: " + ModeNames());
  command->add_option("--url", flags->url, "The server of a mode that is not local");
  command->add_flag("--offline-lock", flags->offline_lock,
                    "Reach nothing but this machine, whatever the mode");
  AddModelOption(command, &flags->model);
  command->add_option("--host", flags->host, "Address to listen on (127.0.0.1)");
  command->add_option("--port", flags->port, "TCP port (4141); 0 picks a free one");
  command->add_option("--api-key", flags->api_key, "Key that clients must send");
  AddKvTypeOption(command, &flags->kv_type);
  AddSpeculationOptions(command, &flags->speculation);
  command->add_option("--warm", flags->warm,
                      "Compute the prompt of this request (a JSON file) at the start");
}

}  // namespace ac::app
