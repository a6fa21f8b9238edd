#include "app/running_server.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "app/backends.h"
#include "app/forwarded_requests.h"
#include "app/gateway_settings.h"
#include "app/mode_health.h"
#include "app/modes.h"
#include "app/open_model.h"
#include "app/session_report.h"
#include "app/warm.h"
#include "backend/local_backend.h"
#include "gateway/gateway.h"
#include "gateway/live_view.h"
#include "gateway/recorder.h"
#include "gateway/session_totals.h"
#include "http/offline_lock.h"
#include "json/json.h"
#include "obs/log.h"
#include "obs/metrics.h"

namespace ac::app {
namespace {

Status CheckSettings(const Config& config) {
  AC_RETURN_IF_ERROR(CheckMode(config.Text("mode")));
  const int64_t port = config.Integer("port");
  if (port < 0 || port > 65535) {
    return InvalidArgument("[serve] port " + std::to_string(port) + " is not in 0..65535");
  }
  return gateway::CheckListenAddress(config.Text("host"), config.Text("api_key"));
}

}  // namespace

// In the order they are made; destroyed from the last to the first.
struct RunningServer::Parts {
  std::unique_ptr<gateway::SessionTotals> totals;
  std::unique_ptr<ModeHealth> mode_health;
  std::unique_ptr<gateway::LiveView> live;
  std::unique_ptr<gateway::Recorder> recorder;  // null when the home cannot be written
  OpenedModel opened;
  std::unique_ptr<engine::Engine> engine;
  std::unique_ptr<backend::LocalBackend> local;
  std::unique_ptr<Backends> upstream;  // of every mode but local
  std::unique_ptr<GatewayBackends> layers;
  std::unique_ptr<gateway::Gateway> gateway;
  std::unique_ptr<http::Server> server;

  Status OpenLocal(const Config& config) {
    AC_ASSIGN_OR_RETURN(opened, OpenModel(config, ""));
    const weights::ModelFile& file = opened.loaded->file();
    const weights::TokenizerSource& source = file.tokenizer_source();
    AC_ASSIGN_OR_RETURN(auto prompts, prompt::PromptBuilder::Create(opened.loaded->tokenizer(),
                                                                    source.chat_template,
                                                                    source.tool_use_template));
    AC_ASSIGN_OR_RETURN(engine, opened.MakeEngine(config));
    backend::LocalOptions options;
    options.model_id = opened.resolved.name;
    options.display_name = file.config().name.empty() ? opened.resolved.name : file.config().name;
    options.sampling = engine::RecommendedSampling(file.config().architecture, source.gguf);
    options.turn_log_folder = config.HomePath("turns");
    options.metrics = &obs::Metrics::Default();
    local = std::make_unique<backend::LocalBackend>(*engine, opened.loaded->tokenizer(),
                                                    std::move(prompts), options);
    obs::Info("serve", opened.loaded->kernel_choice(), {{"threads", opened.loaded->threads()}});
    return OkStatus();
  }

  void Observe(const Config& config, const std::string& mode) {
    const bool log_bodies = obs::ParseDebugLevel(config.Text("debug")).bodies;
    totals = std::make_unique<gateway::SessionTotals>(mode, obs::Metrics::Default(), log_bodies);
    mode_health = std::make_unique<ModeHealth>(mode, ProcessEnvironment());
    live = std::make_unique<gateway::LiveView>(AC_VERSION, mode);
    gateway::RecorderOptions options{
        .home = config.home(),
        .mode = mode,
        .version = AC_VERSION,
        .traces = config.Boolean("trace.enabled"),
        .limits = {.max_bytes = static_cast<uint64_t>(config.Integer("trace.max_mb")) << 20,
                   .max_age_days = config.Integer("trace.max_days")}};
    auto created =
        gateway::Recorder::Create(FileSystem::Real(), std::move(options), obs::Metrics::Default());
    if (created.ok()) {
      recorder = std::move(created).value();
    } else {
      // Serving matters more than the record of it.
      obs::Warn("serve", "nothing is recorded", {{"why", created.status().message()}});
    }
  }

  // What the page at / shows beside the requests.
  void AddToLiveView(const ServerFacts& facts, json::Object* snapshot) const {
    const auto maybe = [](const std::optional<double>& value) {
      return value ? json::Value(*value) : json::Value(nullptr);
    };
    const gateway::Totals sum = totals->totals();
    std::optional<double> speed;
    if (sum.measured_ms > 0) {
      speed = static_cast<double>(sum.measured_tokens) / sum.measured_ms * 1000;
    }
    (*snapshot)["model"] = facts.model;
    (*snapshot)["totals"] = json::Object{{"requests", sum.requests},
                                         {"failed", sum.failed},
                                         {"computed", sum.computed_tokens},
                                         {"reused", sum.reused_tokens},
                                         {"output", sum.output_tokens},
                                         {"hit_rate", maybe(sum.HitRate())},
                                         {"saved_s", maybe(sum.SavedSeconds())},
                                         {"prompt_speed", maybe(speed)}};
    if (recorder != nullptr) {
      const gateway::Recorder::Today today = recorder->today();
      (*snapshot)["cost_today"] = json::Object{
          {"dollars", today.dollars}, {"known", today.known}, {"unknown", today.unknown}};
    }
    if (engine != nullptr) {
      const engine::EngineStats stats = engine->stats();
      (*snapshot)["engine"] = json::Object{
          {"running", stats.running},           {"queued", stats.queued},
          {"pages_total", stats.pages_total},   {"pages_free", stats.pages_free},
          {"pages_cached", stats.pages_cached}, {"disk_pages", stats.disk_pages},
          {"disk_bytes", stats.disk_bytes},     {"disk_bad_pages", stats.disk_bad_pages},
          {"disk_writing", stats.disk_writing}};
    }
    json::Array modes{
        json::Object{{"name", facts.mode}, {"state", "serving"}, {"ok", true}, {"serving", true}}};
    for (const ModeState& mode : mode_health->Look()) {
      modes.push_back(json::Object{{"name", mode.name},
                                   {"title", mode.title},
                                   {"state", mode.state},
                                   {"ok", mode.ok},
                                   {"serving", false}});
    }
    (*snapshot)["modes"] = std::move(modes);
  }

  Status Listen(const Config& config, std::vector<gateway::RequestObserver*> observers) {
    backend::Backend& inner = upstream != nullptr ? upstream->backend() : *local;
    const std::string source = upstream != nullptr
                                   ? upstream->facts().title + " " + upstream->facts().model
                                   : opened.resolved.path;
    AC_ASSIGN_OR_RETURN(layers,
                        GatewayBackends::Open(config, config.Text("mode") + " " + source, inner));
    gateway::GatewayOptions options = GatewayOptionsFrom(config);
    options.observers = std::move(observers);
    options.text_tools = local.get();
    options.observers.push_back(totals.get());
    options.observers.push_back(live.get());
    options.live = live.get();
    if (recorder != nullptr) options.observers.push_back(recorder.get());
    if (upstream != nullptr && upstream->pass_through() != nullptr) {
      upstream->pass_through()->SetListen(
          [observers = options.observers](const http::Request& request, Nanos started) {
            return ObserveForwarded(observers, request, started);
          });
      options.forward = [this](const http::Request& request,
                               const std::shared_ptr<http::Exchange>& exchange) {
        if (!remote::PassesThrough(request.path)) return false;
        upstream->pass_through()->Handle(request, exchange);
        return true;
      };
    }
    gateway = std::make_unique<gateway::Gateway>(options, layers->outermost());
    http::ServerOptions server_options;
    server_options.host = config.Text("host");
    server_options.port = static_cast<uint16_t>(config.Integer("port"));
    server_options.metrics = &obs::Metrics::Default();
    server_options.error_body = &gateway::Gateway::WordError;
    AC_ASSIGN_OR_RETURN(
        server,
        http::Server::Create(server_options, [this](http::Request request,
                                                    std::shared_ptr<http::Exchange> exchange) {
          gateway->Handle(std::move(request), std::move(exchange));
        }));
    return OkStatus();
  }
};

RunningServer::RunningServer() : parts_(std::make_unique<Parts>()) {}
RunningServer::~RunningServer() = default;

Result<std::unique_ptr<RunningServer>> RunningServer::Start(
    const Config& config, std::vector<gateway::RequestObserver*> observers) {
  AC_RETURN_IF_ERROR(CheckSettings(config));
  std::unique_ptr<RunningServer> running(new RunningServer());
  Parts& parts = *running->parts_;
  if (config.Boolean("offline_lock")) http::EngageOfflineLock();
  ServerFacts& facts = running->facts_;
  AC_ASSIGN_OR_RETURN(facts.mode, ResolveMode(config, ProcessEnvironment()));
  if (facts.mode == "local") {
    AC_RETURN_IF_ERROR(parts.OpenLocal(config));
    facts.title = "the embedded engine";
    facts.model = parts.opened.resolved.name;
    facts.context_length = parts.engine->context_length();
    facts.built_in = parts.opened.resolved.built_in;
  } else {
    const auto open_local = [&]() -> Result<backend::Backend*> {
      if (parts.local == nullptr) AC_RETURN_IF_ERROR(parts.OpenLocal(config));
      return parts.local.get();
    };
    AC_ASSIGN_OR_RETURN(parts.upstream,
                        Backends::Open(facts.mode, config, ProcessEnvironment(), open_local));
    const UpstreamFacts& upstream = parts.upstream->facts();
    facts.title = upstream.title;
    facts.model = upstream.model;
    facts.context_length = upstream.context_length;
    facts.pass_through = parts.upstream->pass_through() != nullptr;
    facts.warning = upstream.warning;
  }
  parts.Observe(config, facts.mode);
  parts.live->SetExtra([server = running.get()](json::Object* snapshot) {
    server->parts_->AddToLiveView(server->facts_, snapshot);
  });
  AC_RETURN_IF_ERROR(parts.Listen(config, std::move(observers)));
  facts.url = parts.server->url();
  return running;
}

Result<chat::Usage> RunningServer::Warm(const Config& config, const std::string& file) {
  if (parts_->local == nullptr) {
    return InvalidArgument("[serve] --warm needs --mode local: other servers have their own cache");
  }
  return WarmPrompt(config, *parts_->local, file);
}

void RunningServer::Stop(std::chrono::milliseconds grace) {
  // Until the last reply is out, health checks still reach us and learn that no new ones start.
  const auto deadline = std::chrono::steady_clock::now() + grace;
  parts_->gateway->StartDraining();
  while (std::chrono::steady_clock::now() < deadline &&
         parts_->server->stats().running_exchanges > 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      deadline - std::chrono::steady_clock::now());
  parts_->server->Shutdown(std::max(left, std::chrono::milliseconds(0)));
  if (parts_->recorder != nullptr) parts_->recorder->Flush();
}

std::string RunningServer::Report() const {
  std::optional<gateway::Recorder::Costs> costs;
  if (parts_->recorder != nullptr) costs = parts_->recorder->costs();
  return SessionReport(parts_->totals->totals(), costs);
}

}  // namespace ac::app
