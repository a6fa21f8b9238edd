// anyclaude serve: the server that Claude Code and other clients talk to.
#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>

#include <cstdio>

#include "app/commands/all.h"
#include "app/open_model.h"
#include "backend/local_backend.h"
#include "gateway/gateway.h"
#include "obs/log.h"
#include "obs/metrics.h"

namespace ac::app {
namespace {

struct Flags {
  std::string mode;
  std::string model;
  std::string host;
  std::string port;
  std::string api_key;
};

// Streams in flight get this long to finish after Ctrl-C.
constexpr std::chrono::seconds kGrace{5};

Status ApplyFlags(const Flags& flags, Config* config) {
  const std::pair<std::string_view, const std::string*> given[] = {{"mode", &flags.mode},
                                                                   {"model", &flags.model},
                                                                   {"host", &flags.host},
                                                                   {"port", &flags.port},
                                                                   {"api_key", &flags.api_key}};
  for (const auto& [key, value] : given) {
    if (!value->empty()) AC_RETURN_IF_ERROR(config->SetFlag(key, *value));
  }
  if (config->Text("mode") != "local") {
    return InvalidArgument("[serve] unknown mode \"" + config->Text("mode") +
                           "\"; the modes are: local");
  }
  const int64_t port = config->Integer("port");
  if (port < 0 || port > 65535) {
    return InvalidArgument("[serve] port " + std::to_string(port) + " is not in 0..65535");
  }
  return gateway::CheckListenAddress(config->Text("host"), config->Text("api_key"));
}

// The lines a user needs: where it is, how to use it, how to stop it.
void PrintReady(const std::string& url, const std::string& model, int64_t context, bool needs_key,
                bool built_in) {
  if (built_in) {
    fmt::print(
        "Model: {} (made on this machine with random weights: it proves the whole path from "
        "socket\n"
        "       to logits, but its answers are noise; give a real one with --model FILE)\n",
        model);
  } else {
    fmt::print("Model: {}\n", model);
  }
  fmt::print("Serving at {}\n", url);
  fmt::print(
      "Claude Code:  ANTHROPIC_BASE_URL={} ANTHROPIC_API_KEY={} ANTHROPIC_MODEL={} "
      "CLAUDE_CODE_MAX_CONTEXT_TOKENS={} CLAUDE_CODE_ATTRIBUTION_HEADER=0 "
      "CLAUDE_STREAM_IDLE_TIMEOUT_MS=1800000 claude\n",
      url, needs_key ? "YOUR_KEY" : "local", api::ModelIdForDiscovery(model), context);
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

Status Run(CommandContext& context, const Flags& flags) {
  Config& config = context.config;
  AC_RETURN_IF_ERROR(ApplyFlags(flags, &config));
  // Blocked before any thread starts, so that only the wait below takes them.
  const sigset_t signals = StopSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  AC_ASSIGN_OR_RETURN(const OpenedModel opened, OpenModel(config, ""));
  const weights::ModelFile& file = opened.loaded->file();
  const weights::TokenizerSource& source = file.tokenizer_source();
  AC_ASSIGN_OR_RETURN(
      auto prompts, backend::PromptBuilder::Create(opened.loaded->tokenizer(), source.chat_template,
                                                   source.tool_use_template));
  AC_ASSIGN_OR_RETURN(const auto engine, opened.MakeEngine(config));
  backend::LocalOptions local;
  local.model_id = opened.resolved.name;
  local.display_name = file.config().name.empty() ? opened.resolved.name : file.config().name;
  local.architecture = file.config().architecture;
  backend::LocalBackend backend(*engine, opened.loaded->tokenizer(), std::move(prompts), local);

  gateway::GatewayOptions options;
  options.access = {config.Text("api_key"), config.Text("host")};
  options.version = AC_VERSION;
  gateway::Gateway gateway(options, backend);
  http::ServerOptions server_options;
  server_options.host = config.Text("host");
  server_options.port = static_cast<uint16_t>(config.Integer("port"));
  server_options.metrics = &obs::Metrics::Default();
  server_options.error_body = &gateway::Gateway::WordError;
  AC_ASSIGN_OR_RETURN(
      const auto server,
      http::Server::Create(server_options, [&gateway](http::Request request,
                                                      std::shared_ptr<http::Exchange> exchange) {
        gateway.Handle(std::move(request), std::move(exchange));
      }));
  obs::Info("serve", opened.loaded->kernel_choice(), {{"threads", opened.loaded->threads()}});
  PrintReady(server->url(), opened.resolved.name, engine->context_length(),
             !config.Text("api_key").empty(), opened.resolved.built_in);

  int received = 0;
  sigwait(&signals, &received);
  fmt::print(stderr, "\nstopping; running replies have {} s\n", kGrace.count());
  server->Shutdown(kGrace);
  return OkStatus();
}

}  // namespace

void RegisterServe(CLI::App& app, Action* chosen) {
  auto flags = std::make_shared<Flags>();
  CLI::App* command = AddCommand(app, chosen, "serve", "Serve the Anthropic and OpenAI APIs",
                                 [flags](CommandContext& context) { return Run(context, *flags); });
  command->add_option("--mode", flags->mode, "Who answers: local");
  AddModelOption(command, &flags->model);
  command->add_option("--host", flags->host, "Address to listen on (127.0.0.1)");
  command->add_option("--port", flags->port, "TCP port (4141); 0 picks a free one");
  command->add_option("--api-key", flags->api_key, "Key that clients must send");
}

}  // namespace ac::app
