#include <ctime>

#include "api/api.h"
#include "json/json.h"

namespace ac::api {
namespace {

constexpr std::string_view kDiscoveryPrefix = "anthropic-local-";
constexpr std::string_view kLongContextSuffix = "[1m]";

std::string IsoTime(int64_t seconds) {
  const std::time_t time = seconds;
  std::tm utc{};
  char text[32];
  if (gmtime_r(&time, &utc) == nullptr ||
      std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0) {
    return "1970-01-01T00:00:00Z";
  }
  return text;
}

json::Object ModelJson(Dialect dialect, const ModelInfo& model) {
  json::Object out;
  if (dialect == Dialect::kAnthropic) {
    out["type"] = "model";
    out["id"] = ModelIdForDiscovery(model.id);
    out["display_name"] = model.display_name.empty() ? model.id : model.display_name;
    out["created_at"] = IsoTime(model.created);
    if (model.context_window > 0) out["max_input_tokens"] = model.context_window;
    if (model.max_output_tokens > 0) out["max_tokens"] = model.max_output_tokens;
    return out;
  }
  out["id"] = model.id;
  out["object"] = "model";
  out["created"] = model.created;
  out["owned_by"] = "anyclaude";
  if (model.context_window > 0) {
    out["context_window"] = model.context_window;
    out["max_model_len"] = model.context_window;  // the name that vLLM's clients read
  }
  return out;
}

}  // namespace

std::string ModelIdForDiscovery(std::string_view id) {
  if (id.starts_with("claude") || id.starts_with("anthropic")) return std::string(id);
  return std::string(kDiscoveryPrefix) + std::string(id);
}

std::string_view ModelIdFromDiscovery(std::string_view id) {
  if (id.ends_with(kLongContextSuffix)) id.remove_suffix(kLongContextSuffix.size());
  if (id.starts_with(kDiscoveryPrefix)) id.remove_prefix(kDiscoveryPrefix.size());
  return id;
}

std::string EncodeModelList(Dialect dialect, const std::vector<ModelInfo>& models) {
  json::Array data;
  for (const ModelInfo& model : models) data.push_back(ModelJson(dialect, model));
  json::Object out;
  if (dialect == Dialect::kOpenAi) {
    out["object"] = "list";
    out["data"] = std::move(data);
    return json::Write(out);
  }
  out["data"] = std::move(data);
  out["has_more"] = false;
  out["first_id"] = nullptr;
  out["last_id"] = nullptr;
  if (!models.empty()) {
    out["first_id"] = ModelIdForDiscovery(models.front().id);
    out["last_id"] = ModelIdForDiscovery(models.back().id);
  }
  return json::Write(out);
}

std::string EncodeModel(Dialect dialect, const ModelInfo& model) {
  return json::Write(ModelJson(dialect, model));
}

std::string EncodeTokenCount(int64_t input_tokens) {
  return "{\"input_tokens\":" + std::to_string(input_tokens) + "}";
}

}  // namespace ac::api
