#include "app/upstream.h"

#include <cstdlib>
#include <optional>

#include "http/url.h"
#include "obs/metrics.h"
#include "remote/discovery.h"

namespace ac::app {
namespace {

using remote::ServerKind;

// The Claude API's variables are the client's as well: ANTHROPIC_BASE_URL may name this very
// server, so only the one that is ours counts.
std::optional<std::string> UrlVariable(const ServerKind& kind, const Environment& environment) {
  if (kind.mode == "claude") return remote::FromVariables(kind, {"_API_URL"}, environment);
  return remote::FromVariables(kind, {"_URL", "_BASE_URL"}, environment);
}

// A flag is stronger than a variable, a variable stronger than a file.
std::string Choose(const Config& config, std::string_view key,
                   const std::optional<std::string>& variable) {
  const Setting& setting = config.Get(key);
  if (setting.source == Source::kFlag) return setting.value;
  return variable.value_or(setting.value);
}

Status CheckUrl(const ServerKind& kind, const std::string& url) {
  if (url.empty()) {
    return InvalidArgument("[upstream] --mode " + std::string(kind.mode) +
                           " needs the server's URL: --url http://HOST:PORT/v1, or " +
                           remote::VariableName(kind, "_URL"));
  }
  const Result<http::Url> parsed = http::Url::Parse(url);
  if (parsed.ok()) return OkStatus();
  return parsed.status().WithPrefix("[upstream] the URL of --mode " + std::string(kind.mode));
}

}  // namespace

Result<remote::RemoteOptions> UpstreamOptions(const ServerKind& kind, const Config& config,
                                              const Environment& environment) {
  remote::RemoteOptions options;
  options.kind = &kind;
  options.name = kind.mode;
  options.base_url = remote::NormalizeBaseUrl(
      kind, Choose(config, "upstream.url", UrlVariable(kind, environment)));
  AC_RETURN_IF_ERROR(CheckUrl(kind, options.base_url));
  options.model = Choose(config, "upstream.model",
                         remote::FromVariables(kind, {"_MODEL", "_MODEL_PATH"}, environment));
  // --model names a file in the local mode and the server's model in every other.
  if (config.Get("model").source == Source::kFlag) options.model = config.Text("model");
  AC_RETURN_IF_ERROR(remote::CheckModelName(kind, options.model));
  options.api_key = ExpandVariable(
      Choose(config, "upstream.api_key", remote::FromVariables(kind, {"_API_KEY"}, environment)),
      environment);
  if (kind.cloud && options.api_key.empty()) {
    return InvalidArgument("[upstream] --mode " + std::string(kind.mode) + " needs a key: set " +
                           remote::VariableName(kind, "_API_KEY") + " (it is sent to " +
                           options.base_url + " and never logged)");
  }
  options.context_window = config.Integer("upstream.context");
  if (const auto length = remote::FromVariables(kind, {"_CONTEXT_LENGTH"}, environment)) {
    options.context_window = std::atoll(length->c_str());
  }
  if (config.Integer("upstream.max_concurrent") > 0) {
    options.max_concurrent = static_cast<int>(config.Integer("upstream.max_concurrent"));
  }
  if (config.Integer("upstream.timeout_ms") > 0) {
    options.first_byte_time = std::chrono::milliseconds(config.Integer("upstream.timeout_ms"));
    options.idle_time = options.first_byte_time;
  }
  options.metrics = &obs::Metrics::Default();
  return options;
}

Result<remote::PassThroughOptions> PassThroughFor(const Config& config,
                                                  const Environment& environment) {
  const ServerKind& kind = *remote::FindServerKind("claude");
  remote::PassThroughOptions options;
  const std::string url = Choose(config, "upstream.url", UrlVariable(kind, environment));
  if (!url.empty()) options.base_url = url;
  AC_RETURN_IF_ERROR(CheckUrl(kind, options.base_url));
  // The client's paths begin with /v1 themselves.
  for (const std::string_view end : {"/", "/v1"}) {
    if (options.base_url.ends_with(end))
      options.base_url.resize(options.base_url.size() - end.size());
  }
  options.gateway_key = config.Text("api_key");
  options.upstream_key =
      Choose(config, "upstream.api_key", remote::FromVariables(kind, {"_API_KEY"}, environment));
  if (!options.gateway_key.empty() && options.upstream_key.empty()) {
    return InvalidArgument(
        "[upstream] with api_key set, clients send that key to this gateway and the Claude API "
        "needs one of its own: set ANTHROPIC_API_KEY, or unset api_key so that the client's own "
        "login passes through");
  }
  options.timeouts.first_byte = std::chrono::minutes(30);
  options.timeouts.idle = std::chrono::minutes(10);
  options.metrics = &obs::Metrics::Default();
  return options;
}

std::string ExpandVariable(std::string_view text, const Environment& environment) {
  if (!text.starts_with('$')) return std::string(text);
  std::string_view name = text.substr(1);
  if (name.starts_with('{') && name.ends_with('}')) name = name.substr(1, name.size() - 2);
  return environment(std::string(name)).value_or("");
}

}  // namespace ac::app
