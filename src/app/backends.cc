#include "app/backends.h"

#include <algorithm>
#include <future>
#include <iostream>
#include <list>
#include <utility>
#include <vector>

#include "app/backend_factory.h"
#include "app/upstream.h"
#include "base/file_system.h"
#include "http/client.h"
#include "http/offline_lock.h"
#include "http/url.h"
#include "remote/discovery.h"
#include "remote/remote_backend.h"

namespace ac::app {
namespace {

constexpr std::chrono::milliseconds kProbeTime{800};
constexpr std::chrono::milliseconds kFirstAnswerTime{3000};

// Answers for the dialects that cannot pass through.
class NoBackend : public backend::Backend {
 public:
  std::unique_ptr<backend::Call> Start(chat::ChatRequest,
                                       std::shared_ptr<chat::ChatSink> sink) override {
    sink->OnEvent({chat::Error{Why()}});
    return nullptr;
  }
  void CountTokens(chat::ChatRequest, std::function<void(Result<int64_t>)> done) override {
    done(Why());
  }
  std::vector<api::ModelInfo> Models() const override { return {}; }

 private:
  static Status Why() {
    return Unsupported(
        "[claude] without ANTHROPIC_API_KEY only the Anthropic protocol passes through: use "
        "/v1/messages, or set the key");
  }
};

std::vector<std::string_view> LocalServersThatAnswer(const Environment& environment) {
  std::vector<std::string_view> modes;
  for (const ProbedServer& server : ProbeServers(environment)) {
    if (server.answers) modes.push_back(server.kind->mode);
  }
  return modes;
}

}  // namespace

// At once, so that those that hang cost one wait together.
std::vector<ProbedServer> ProbeServers(const Environment& environment) {
  struct Asked {
    ProbedServer server;
    std::string body;
    int status = 0;
    std::promise<void> over;
    http::Call call;
  };
  std::list<Asked> asked;
  http::Client client;
  for (const remote::ServerKind& kind : remote::ServerKinds()) {
    const std::string base = remote::NormalizeBaseUrl(
        kind, remote::FromVariables(kind, {"_URL", "_BASE_URL"}, environment).value_or(""));
    if (kind.cloud || kind.probe_path.empty() || base.empty()) continue;
    const Result<http::Url> url = http::Url::Parse(base);
    const bool elsewhere = !url.ok() || !http::IsLoopbackHost(url->host);
    if (elsewhere && http::OfflineLockEngaged()) continue;
    Asked& one = asked.emplace_back();
    one.server = {.kind = &kind, .url = base};
    http::ClientTimeouts limits;
    limits.total = kProbeTime;
    one.call = client.Start(
        {.url = remote::RootOf(base) + std::string(kind.probe_path),
         .max_body_bytes = size_t{4} << 20,
         .timeouts = limits},
        {.on_headers = [&one](const http::Response& head) { one.status = head.status; },
         .on_data = [&one](std::string_view bytes) { one.body += bytes; },
         .on_done = [&one](const Status&) { one.over.set_value(); }});
  }
  std::vector<ProbedServer> servers;
  for (Asked& one : asked) {
    one.over.get_future().wait();
    one.server.answers =
        one.status == 200 && one.body.find(one.server.kind->probe_mark) != std::string::npos;
    servers.push_back(std::move(one.server));
  }
  return servers;
}

struct Backends::Parts {
  BackendFactory factory;
  NoBackend none;
  backend::Backend* backend = &none;
  std::unique_ptr<remote::PassThrough> pass_through;
};

Backends::Backends() : parts_(std::make_unique<Parts>()) {}
Backends::~Backends() = default;

backend::Backend& Backends::backend() { return *parts_->backend; }
remote::PassThrough* Backends::pass_through() { return parts_->pass_through.get(); }

std::vector<std::string_view> AnsweringModes(const Environment& environment) {
  std::vector<std::string_view> modes = LocalServersThatAnswer(environment);
  for (const remote::ServerKind& kind : remote::ServerKinds()) {
    const bool has_key = remote::FromVariables(kind, {"_API_KEY"}, environment).has_value();
    if (kind.cloud && has_key) modes.push_back(kind.mode);
  }
  return modes;
}

std::string BackendsFile(const Config& config) {
  const std::string& named = config.Text("backends_file");
  return named.empty() ? config.HomePath("backends.json") : named;
}

Result<std::string> ResolveMode(const Config& config, const Environment& environment) {
  std::string mode = config.Text("mode");
  if (const auto now = remote::ModeForOldName(mode)) {
    std::cerr << "warning: the mode \"" << mode << "\" is called \"" << *now << "\" now\n";
    mode = *now;
  }
  if (mode != "auto") return mode;
  if (FileSystem::Real().Exists(BackendsFile(config))) return mode;
  const std::vector<std::string_view> found = LocalServersThatAnswer(environment);
  mode = found.empty() ? "local" : std::string(found.front());
  std::cerr << "auto: using " << mode << "\n";
  return mode;
}

// --- Opening -------------------------------------------------------------------------------------

Status Backends::OpenServer(const std::string& mode, const Config& config,
                            const Environment& environment) {
  const remote::ServerKind* found = remote::FindServerKind(mode);
  if (found == nullptr) return NotFound("[upstream] no server is known for --mode " + mode);
  const remote::ServerKind& kind =
      parts_->factory.WithDialect(*found, config.Text("upstream.dialect"));
  AC_ASSIGN_OR_RETURN(remote::RemoteOptions options, UpstreamOptions(kind, config, environment));
  facts_.title = std::string(kind.title) + " at " + options.base_url;
  remote::RemoteBackend& remote = parts_->factory.Remote(std::move(options));
  parts_->backend = &remote;
  const Status answer = remote.Refresh(kFirstAnswerTime);
  if (!answer.ok()) facts_.warning = answer.message();
  facts_.model = remote::PickModel(kind, remote.options().model, "", remote.Models());
  facts_.context_length = remote.options().context_window;
  for (const api::ModelInfo& model : remote.Models()) {
    if (model.id == facts_.model && facts_.context_length == 0) {
      facts_.context_length = model.context_window;
    }
  }
  return OkStatus();
}

Status Backends::OpenClaude(const Config& config, const Environment& environment) {
  AC_ASSIGN_OR_RETURN(auto pass, PassThroughFor(config, environment));
  facts_.title = "the Claude API at " + pass.base_url;
  parts_->pass_through =
      std::make_unique<remote::PassThrough>(std::move(pass), parts_->factory.client());
  // Clients of OpenAI's protocol are translated for, when there is a key to do it with.
  Result<remote::RemoteOptions> options =
      UpstreamOptions(*remote::FindServerKind("claude"), config, environment);
  if (options.ok()) parts_->backend = &parts_->factory.Remote(std::move(options).value());
  return OkStatus();
}

Status Backends::OpenRouted(const Config& config, const Environment& environment,
                            const OpenLocal& open_local) {
  const std::string path = BackendsFile(config);
  AC_ASSIGN_OR_RETURN(const std::string text, ReadFile(FileSystem::Real(), path));
  Result<routing::RouteFile> file = routing::ReadRouteFile(text);
  if (!file.ok()) return file.status().WithPrefix(path);
  AC_ASSIGN_OR_RETURN(parts_->backend, parts_->factory.Routed(*file, environment, open_local));
  facts_.title = "the rules of " + path;
  return OkStatus();
}

Status Backends::OpenCluster(const Config& config, const Environment& environment) {
  std::string nodes = config.Text("upstream.url");
  for (const char* name : {"CLUSTER_NODES", "MLX_CLUSTER_NODES"}) {
    if (nodes.empty()) nodes = environment(name).value_or("");
  }
  routing::BackendSpec spec{.name = "cluster", .mode = "cluster"};
  for (size_t begin = 0; begin < nodes.size();) {
    const size_t end = std::min(nodes.find(',', begin), nodes.size());
    const std::string url = nodes.substr(begin, end - begin);
    if (!url.empty()) {
      spec.replicas.push_back({.name = "replica-" + std::to_string(spec.replicas.size()),
                               .mode = "custom",
                               .url = url,
                               .model = config.Text("upstream.model"),
                               .api_key = config.Text("upstream.api_key"),
                               .dialect = config.Text("upstream.dialect")});
    }
    begin = end + 1;
  }
  if (spec.replicas.empty() || spec.replicas.size() > routing::kMaxReplicas) {
    return InvalidArgument(
        "[upstream] --mode cluster needs 1 to 64 servers of one model: --url "
        "http://a:8000,http://b:8000 or CLUSTER_NODES; servers of different kinds are named in " +
        BackendsFile(config));
  }
  facts_.title = std::to_string(spec.replicas.size()) + " replicas";
  AC_ASSIGN_OR_RETURN(parts_->backend, parts_->factory.Cluster(spec, environment));
  return OkStatus();
}

Result<std::unique_ptr<Backends>> Backends::Open(const std::string& mode, const Config& config,
                                                 const Environment& environment,
                                                 const OpenLocal& open_local) {
  std::unique_ptr<Backends> opened(new Backends());
  Status status;
  if (mode == "claude") {
    status = opened->OpenClaude(config, environment);
  } else if (mode == "cluster") {
    status = opened->OpenCluster(config, environment);
  } else if (mode == "auto") {
    status = opened->OpenRouted(config, environment, open_local);
  } else {
    status = opened->OpenServer(mode, config, environment);
  }
  if (!status.ok()) return status;
  return opened;
}

}  // namespace ac::app
