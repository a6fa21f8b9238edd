#include "app/gateway_settings.h"

#include <algorithm>
#include <utility>

#include "gateway/reply_cache.h"
#include "gateway/side_requests.h"
#include "gateway/visible_prefill.h"
#include "gateway/web_tools.h"
#include "obs/log.h"
#include "obs/metrics.h"

namespace ac::app {
namespace {

std::vector<std::string> Names(const std::string& text) {
  std::vector<std::string> names;
  size_t start = 0;
  while (start <= text.size()) {
    const size_t end = std::min(text.find(',', start), text.size());
    const size_t first = text.find_first_not_of(' ', start);
    size_t last = end;
    while (last > start && text[last - 1] == ' ') --last;
    if (first < last) names.push_back(text.substr(first, last - first));
    start = end + 1;
  }
  return names;
}

Result<web::SearchOptions> SearchOptionsFrom(const Config& config) {
  web::SearchOptions options;
  AC_ASSIGN_OR_RETURN(options.service, web::ParseSearchService(config.Text("web.search")));
  if (options.service == web::SearchService::kSearxng) {
    options.url = config.Text("web.searxng_url");
  } else if (options.service == web::SearchService::kBrave) {
    options.key = config.Text("web.brave_key");
  } else {
    options.key = config.Text("web.tavily_key");
  }
  options.max_results =
      static_cast<int>(std::clamp<int64_t>(config.Integer("web.max_results"), 1, 20));
  AC_RETURN_IF_ERROR(web::CheckSearchOptions(options));
  return options;
}

web::FetchOptions FetchOptionsFrom(const Config& config) {
  web::FetchOptions options;
  options.enabled = config.Boolean("web.fetch");
  options.allow_private = config.Boolean("web.fetch_private");
  options.max_text_bytes =
      static_cast<size_t>(std::clamp<int64_t>(config.Integer("web.page_kb"), 1, 4096)) << 10;
  return options;
}

}  // namespace

gateway::GatewayOptions GatewayOptionsFrom(const Config& config) {
  gateway::GatewayOptions options;
  options.access = {config.Text("api_key"), config.Text("host")};
  options.version = AC_VERSION;
  options.check_streams = config.Boolean("check_streams");
  options.stabiliser = {.attribution = config.Boolean("stabilise.attribution"),
                        .tool_order = config.Boolean("stabilise.tool_order"),
                        .volatile_last = config.Boolean("stabilise.volatile_last"),
                        .system_in_place = config.Boolean("stabilise.system_in_place")};
  options.slim = {
      .tools = Names(config.Text("slim.tools")),
      .description_bytes = config.Integer("slim.description_bytes"),
      .drop_parameter_descriptions = config.Boolean("slim.drop_parameter_descriptions")};
  return options;
}

Result<std::unique_ptr<GatewayBackends>> GatewayBackends::Open(const Config& config,
                                                               const std::string& scope,
                                                               backend::Backend& inner) {
  std::unique_ptr<GatewayBackends> backends(new GatewayBackends());
  backend::Backend* around = &inner;
  AC_ASSIGN_OR_RETURN(const gateway::ReplyCachePolicy policy,
                      gateway::ParseReplyCachePolicy(config.Text("reply_cache.policy")));
  if (policy != gateway::ReplyCachePolicy::kOff) {
    gateway::ReplyCacheOptions options{
        .policy = policy,
        .limits = {.max_bytes = config.Integer("reply_cache.max_mb") << 20,
                   .max_age_ms = config.Integer("reply_cache.max_hours") * 3'600'000},
        .scope = scope};
    auto cache = gateway::ReplyCache::Create(FileSystem::Real(), config.home(), *around,
                                             std::move(options), obs::Metrics::Default());
    if (cache.ok()) {
      backends->layers_.push_back(std::move(cache).value());
      around = backends->layers_.back().get();
    } else {
      obs::Warn("serve", "no replies are stored", {{"why", cache.status().message()}});
    }
  }
  gateway::WebOptions web{.search = {}, .fetch = FetchOptionsFrom(config)};
  AC_ASSIGN_OR_RETURN(web.search, SearchOptionsFrom(config));
  if (web.any()) {
    backends->layers_.push_back(
        std::make_unique<gateway::WebTools>(*around, std::move(web), obs::Metrics::Default()));
    around = backends->layers_.back().get();
  }
  const gateway::SideRequestRules rules{.quota = config.Boolean("side_requests.quota"),
                                        .title = config.Boolean("side_requests.title"),
                                        .suggestion = config.Boolean("side_requests.suggestion")};
  backends->layers_.push_back(
      std::make_unique<gateway::SideRequests>(*around, rules, obs::Metrics::Default()));
  if (config.Boolean("visible_prefill")) {
    // Outermost: what the layers below say to the model must not hold the notes.
    backends->layers_.push_back(
        std::make_unique<gateway::VisiblePrefill>(*backends->layers_.back()));
  }
  return backends;
}

}  // namespace ac::app
