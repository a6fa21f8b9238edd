#include <algorithm>
#include <utility>

#include "json/json.h"
#include "remote/server_kind.h"
#include "routing/route_file.h"

namespace ac::routing {
namespace {

struct KnownHost {
  std::string_view part;  // of the URL
  std::string_view mode;
};
constexpr KnownHost kKnownHosts[] = {{"openrouter.ai", "openrouter"},
                                     {"generativelanguage.googleapis.com", "gemini"},
                                     {"api.openai.com", "openai"},
                                     {"api.anthropic.com", "claude"},
                                     {":11434", "ollama"},
                                     {":1234", "lmstudio"}};

std::string ModeFor(std::string_view url) {
  for (const KnownHost& known : kKnownHosts) {
    if (url.find(known.part) != std::string_view::npos) return std::string(known.mode);
  }
  return "custom";
}

// Gemini's own address is another protocol than the one we speak to it.
std::string UrlFor(const std::string& mode, std::string_view url) {
  if (mode == "gemini") return {};
  return remote::NormalizeBaseUrl(*remote::FindServerKind(mode), url);
}

void ImportProvider(const json::Value& provider, json::Object* backends,
                    std::vector<std::string>* notes) {
  const std::string name(json::GetString(provider, "name").value_or(""));
  const std::string_view url = json::GetString(provider, "api_base_url").value_or("");
  if (name.empty()) return notes->push_back("a provider without a name is left out");
  json::Object backend;
  const std::string mode = ModeFor(url);
  backend["mode"] = mode;
  if (const std::string base = UrlFor(mode, url); !base.empty()) backend["url"] = base;
  if (const auto key = json::GetString(provider, "api_key")) backend["api_key"] = *key;
  if (const json::Array* models = json::AsArray(json::Find(provider, "models"))) {
    if (!models->empty() && models->front().is_string()) backend["model"] = models->front();
  }
  if (json::Find(provider, "transformer") != nullptr) {
    notes->push_back(name + ": its transformers are left out; the \"" + mode +
                     "\" mode knows what the server needs");
  }
  if (url.find("/anthropic") != std::string_view::npos || url.ends_with("/messages")) {
    backend["dialect"] = "anthropic";
  }
  (*backends)[name] = std::move(backend);
}

}  // namespace

Result<std::string> ImportClaudeCodeRouter(std::string_view text, std::vector<std::string>* notes) {
  AC_ASSIGN_OR_RETURN(const json::Value root, json::Parse(text, {.max_depth = 32}));
  const json::Array* providers = json::AsArray(json::Find(root, "Providers"));
  if (providers == nullptr) providers = json::AsArray(json::Find(root, "providers"));
  if (providers == nullptr) {
    return InvalidArgument(
        "[routing] this is no config.json of Claude Code Router 2: it has no \"Providers\" list");
  }
  json::Object backends;
  for (const json::Value& provider : *providers) ImportProvider(provider, &backends, notes);
  json::Object out{{"backends", std::move(backends)}};
  json::Object routes;
  if (const json::Object* router = json::AsObject(json::Find(root, "Router"))) {
    for (const auto& member : *router) {
      const std::string_view key = member.key();
      static constexpr std::string_view kRoutes[] = {
          "default", "background",          "think", "longContext", "webSearch",
          "image",   "longContextThreshold"};
      const bool known =
          std::find(std::begin(kRoutes), std::end(kRoutes), key) != std::end(kRoutes);
      if (!known) {
        notes->push_back("Router." + std::string(key) +
                         " is left out: there is no such route here");
      } else if (!member.value().is_string() || !member.value().get_string().empty()) {
        routes[key] = member.value();
      }
    }
  }
  if (!routes.empty()) out["routes"] = std::move(routes);
  for (const std::string_view key : {"CUSTOM_ROUTER_PATH", "PROXY_URL", "StatusLine", "APIKEY",
                                     "PORT", "HOST", "API_TIMEOUT_MS"}) {
    if (json::Find(root, key) == nullptr) continue;
    std::string note = std::string(key) + " is left out";
    if (key == "CUSTOM_ROUTER_PATH") note += ": write \"rules\" instead of a script";
    if (key == "PROXY_URL") note += ": set HTTPS_PROXY";
    if (key == "APIKEY") note += ": set api_key in config.json";
    if (key == "API_TIMEOUT_MS") note += ": set upstream.timeout_ms in config.json";
    notes->push_back(std::move(note));
  }
  const std::string written = json::WritePretty(out) + "\n";
  // What we write must be what we read.
  if (const auto check = ReadRouteFile(written); !check.ok()) {
    return check.status().WithPrefix("[routing] the imported file would not work");
  }
  return written;
}

}  // namespace ac::routing
