#include "app/backend_factory.h"

#include <utility>

#include "app/upstream.h"
#include "base/mutex.h"
#include "http/url.h"
#include "obs/metrics.h"
#include "remote/discovery.h"
#include "routing/cluster_backend.h"
#include "routing/routed_backend.h"

namespace ac::app {
namespace {

using routing::BackendSpec;
using routing::Health;

constexpr std::chrono::milliseconds kHealthTime{2000};

}  // namespace

const remote::ServerKind& BackendFactory::WithDialect(const remote::ServerKind& kind,
                                                      const std::string& dialect) {
  if (dialect.empty()) return kind;
  kinds_.push_back(kind);
  kinds_.back().endpoint =
      dialect == "anthropic" ? api::Endpoint::kMessages : api::Endpoint::kChatCompletions;
  return kinds_.back();
}

remote::RemoteBackend& BackendFactory::Remote(remote::RemoteOptions options) {
  auto made = std::make_unique<remote::RemoteBackend>(std::move(options), client_, timer_);
  remote::RemoteBackend& remote = *made;
  made_.push_back(std::move(made));
  return remote;
}

Result<remote::RemoteOptions> BackendFactory::OptionsFor(const BackendSpec& spec,
                                                         const Environment& environment) {
  const remote::ServerKind& kind = WithDialect(*remote::FindServerKind(spec.mode), spec.dialect);
  remote::RemoteOptions options;
  options.kind = &kind;
  options.name = spec.name;
  const auto or_variable = [&](const std::string& given,
                               std::initializer_list<std::string_view> suffixes) {
    if (!given.empty()) return ExpandVariable(given, environment);
    return remote::FromVariables(kind, suffixes, environment).value_or("");
  };
  // ANTHROPIC_BASE_URL names this gateway for the client.
  options.base_url = remote::NormalizeBaseUrl(
      kind, kind.mode == "claude" ? or_variable(spec.url, {"_API_URL"})
                                  : or_variable(spec.url, {"_URL", "_BASE_URL"}));
  const Result<http::Url> url = http::Url::Parse(options.base_url);
  if (!url.ok()) return url.status().WithPrefix("[backends] the url of \"" + spec.name + "\"");
  options.model = or_variable(spec.model, {"_MODEL", "_MODEL_PATH"});
  AC_RETURN_IF_ERROR(remote::CheckModelName(kind, options.model));
  options.api_key = or_variable(spec.api_key, {"_API_KEY"});
  if (kind.cloud && options.api_key.empty()) {
    return InvalidArgument("[backends] \"" + spec.name + "\" needs a key: set " +
                           remote::VariableName(kind, "_API_KEY") + " or its api_key");
  }
  options.context_window = spec.context;
  if (spec.max_concurrent > 0) options.max_concurrent = spec.max_concurrent;
  options.metrics = &obs::Metrics::Default();
  return options;
}

std::function<void(std::function<void(Health)>)> BackendFactory::ProbeOf(
    const remote::RemoteOptions& options) {
  const std::string url = remote::RootOf(options.base_url) + std::string(options.kind->health_path);
  // A new probe replaces one that hangs.
  struct Running {
    Mutex mutex;
    http::Call call AC_GUARDED_BY(mutex);
  };
  const auto running = std::make_shared<Running>();
  return [this, url, running](std::function<void(Health)> done) {
    const auto status = std::make_shared<int>(0);
    http::ClientTimeouts limits;
    limits.total = kHealthTime;
    http::Call call = client_.Start(
        {.url = url, .timeouts = limits},
        {.on_headers = [status](const http::Response& head) { *status = head.status; },
         .on_done =
             [status, done = std::move(done)](const Status& end) {
               if (end.code() == Code::kCancelled) return;
               if (*status == 0) return done(Health::kDown);
               // Servers without that path are alive all the same.
               done(*status == 503 ? Health::kDraining : Health::kReady);
             }});
    MutexLock lock(running->mutex);
    std::swap(running->call, call);  // the one before ends after the lock
  };
}

Result<backend::Backend*> BackendFactory::Cluster(const BackendSpec& spec,
                                                  const Environment& environment) {
  std::vector<routing::Replica> replicas;
  for (const BackendSpec& part : spec.replicas) {
    if (remote::FindServerKind(part.mode) == nullptr) {
      return InvalidArgument("[backends] a replica of \"" + spec.name + "\" cannot be of mode \"" +
                             part.mode + "\"");
    }
    AC_ASSIGN_OR_RETURN(remote::RemoteOptions options, OptionsFor(part, environment));
    options.max_retries = 0;  // another replica is the better second try
    auto probe = ProbeOf(options);
    const std::string name = part.name;
    replicas.push_back(
        {.name = name,
         .backend = std::make_unique<remote::RemoteBackend>(std::move(options), client_, timer_),
         .probe = std::move(probe)});
  }
  made_.push_back(std::make_unique<routing::ClusterBackend>(
      std::move(replicas), routing::ClusterOptions{.metrics = &obs::Metrics::Default()}, timer_));
  return made_.back().get();
}

Result<backend::Backend*> BackendFactory::FromSpec(const BackendSpec& spec,
                                                   const Environment& environment,
                                                   const OpenLocal& open_local) {
  if (spec.mode == "local") return open_local();
  if (spec.mode == "cluster") return Cluster(spec, environment);
  AC_ASSIGN_OR_RETURN(remote::RemoteOptions options, OptionsFor(spec, environment));
  return &Remote(std::move(options));
}

Result<backend::Backend*> BackendFactory::Routed(const routing::RouteFile& file,
                                                 const Environment& environment,
                                                 const OpenLocal& open_local) {
  std::vector<routing::RoutedMember> members;
  for (const BackendSpec& spec : file.backends) {
    AC_ASSIGN_OR_RETURN(backend::Backend * made, FromSpec(spec, environment, open_local));
    const remote::ServerKind* kind = remote::FindServerKind(spec.mode);
    members.push_back({.name = spec.name,
                       .backend = made,
                       .charges = spec.price.has_value() || (kind != nullptr && kind->cloud),
                       .price = spec.price,
                       .usd_per_day = spec.usd_per_day});
  }
  made_.push_back(std::make_unique<routing::RoutedBackend>(std::move(members), file.rules,
                                                           &obs::Metrics::Default()));
  return made_.back().get();
}

}  // namespace ac::app
