#include "remote/discovery.h"

#include <algorithm>

#include "json/json.h"

namespace ac::remote {
namespace {

// The names under which servers give the window, the one in force before the largest possible.
constexpr std::string_view kWindowKeys[] = {
    "loaded_context_length", "max_model_len",      "context_window",
    "context_length",        "max_context_length", "n_ctx",
    "max_input_tokens",      "inputTokenLimit",    "n_ctx_train"};
constexpr std::string_view kOutputKeys[] = {"max_output_tokens", "max_completion_tokens",
                                            "outputTokenLimit"};

int64_t FirstNumber(const json::Value& object, std::span<const std::string_view> keys) {
  for (const std::string_view key : keys) {
    const int64_t number = json::GetInt(object, key).value_or(0);
    if (number > 0) return number;
  }
  return 0;
}

int64_t WindowOf(const json::Value& model) {
  const int64_t own = FirstNumber(model, kWindowKeys);
  if (own > 0) return own;
  for (const std::string_view key : {"meta", "top_provider", "limits"}) {
    if (const json::Value* inner = json::Find(model, key)) {
      const int64_t window = FirstNumber(*inner, kWindowKeys);
      if (window > 0) return window;
    }
  }
  return 0;
}

std::string IdOf(const json::Value& model) {
  for (const std::string_view key : {"id", "model", "name", "key"}) {
    if (const auto id = json::GetString(model, key); id && !id->empty()) {
      std::string_view text = *id;
      if (text.starts_with("models/")) text.remove_prefix(7);  // Gemini's own list
      return std::string(text);
    }
  }
  return {};
}

// Models that can only embed or rerank answer no conversation.
bool IsChatModel(const json::Value& model) {
  const std::string_view type = json::GetString(model, "type").value_or("");
  return type != "embeddings" && type != "embedding" && type != "rerank";
}

const json::Array* ListIn(const json::Value& body) {
  for (const std::string_view key : {"data", "models"}) {
    if (const json::Array* list = json::AsArray(json::Find(body, key))) return list;
  }
  return body.if_array();
}

}  // namespace

std::string RootOf(std::string_view base_url) {
  const size_t authority = base_url.find("://");
  if (authority == std::string_view::npos) return std::string(base_url);
  return std::string(base_url.substr(0, base_url.find('/', authority + 3)));
}

InfoRequest ModelListRequest(const ServerKind& kind, std::string_view base_url) {
  // LM Studio's own list says which models are loaded, and with how much context.
  if (kind.context == ContextSource::kLmStudio) return {RootOf(base_url) + "/api/v0/models"};
  return {std::string(base_url) + "/models"};
}

std::optional<InfoRequest> ContextRequest(const ServerKind& kind, std::string_view base_url) {
  switch (kind.context) {
    case ContextSource::kLlamaCpp:
      return InfoRequest{RootOf(base_url) + "/props"};
    case ContextSource::kOllama:
      return InfoRequest{RootOf(base_url) + "/api/ps"};
    case ContextSource::kGemini: {
      std::string_view base = base_url;
      if (base.ends_with("/openai")) base.remove_suffix(7);
      return InfoRequest{std::string(base) + "/models?pageSize=1000", true};
    }
    case ContextSource::kModelList:
    case ContextSource::kLmStudio:
      break;
  }
  return std::nullopt;
}

Result<std::vector<api::ModelInfo>> ReadModelList(std::string_view body) {
  AC_ASSIGN_OR_RETURN(const json::Value parsed, json::Parse(body, {.max_depth = 32}));
  const json::Array* list = ListIn(parsed);
  if (list == nullptr) return DataLoss("[remote] the model list has no \"data\"");
  std::vector<api::ModelInfo> loaded;
  std::vector<api::ModelInfo> others;
  for (const json::Value& entry : *list) {
    api::ModelInfo model{.id = IdOf(entry)};
    if (model.id.empty() || !IsChatModel(entry)) continue;
    model.context_window = WindowOf(entry);
    model.max_output_tokens = FirstNumber(entry, kOutputKeys);
    model.created = json::GetInt(entry, "created").value_or(0);
    for (const std::string_view key : {"display_name", "displayName"}) {
      if (const auto name = json::GetString(entry, key)) model.display_name = *name;
    }
    const bool is_loaded = json::GetString(entry, "state").value_or("loaded") == "loaded";
    (is_loaded ? loaded : others).push_back(std::move(model));
  }
  loaded.insert(loaded.end(), others.begin(), others.end());
  return loaded;
}

void ReadContext(ContextSource source, std::string_view body, std::vector<api::ModelInfo>* models) {
  const Result<json::Value> parsed = json::Parse(body, {.max_depth = 64});
  if (!parsed.ok()) return;
  if (source == ContextSource::kLlamaCpp) {
    const json::Value* settings = json::Find(*parsed, "default_generation_settings");
    const int64_t window = settings == nullptr ? 0 : json::GetInt(*settings, "n_ctx").value_or(0);
    // One model is loaded; what the list said is what it was trained for.
    if (window > 0) {
      for (api::ModelInfo& model : *models) model.context_window = window;
    }
    return;
  }
  const json::Array* list = ListIn(*parsed);
  if (list == nullptr) return;
  for (const json::Value& entry : *list) {
    const std::string id = IdOf(entry);
    const int64_t window = WindowOf(entry);
    if (id.empty() || window <= 0) continue;
    const auto known = std::find_if(models->begin(), models->end(), [&](const auto& model) {
      return model.id == id || model.id == "models/" + id;
    });
    if (known != models->end()) {
      known->context_window = window;
      const int64_t output = FirstNumber(entry, kOutputKeys);
      if (output > 0) known->max_output_tokens = output;
      // What is in memory answers at once.
      if (source == ContextSource::kOllama) std::rotate(models->begin(), known, known + 1);
    }
  }
}

std::string PickModel(const ServerKind& kind, std::string_view configured,
                      std::string_view requested, const std::vector<api::ModelInfo>& models) {
  if (!configured.empty()) return std::string(configured);
  const std::string_view wanted = api::ModelIdFromDiscovery(requested);
  for (const api::ModelInfo& model : models) {
    if (model.id == wanted || model.id == requested) return model.id;
  }
  if (kind.cloud || models.empty()) return std::string(wanted);
  return models.front().id;
}

Status CheckModelName(const ServerKind& kind, std::string_view model) {
  if (!kind.quirks.needs_hub_id || model.empty()) return OkStatus();
  const bool is_path = model.starts_with('/') || model.starts_with('.') || model.starts_with('~') ||
                       std::count(model.begin(), model.end(), '/') > 1;
  if (!is_path) return OkStatus();
  return InvalidArgument("[remote] " + std::string(kind.title) +
                         " loads models by their hub id (organisation/name), "
                         "not from a folder: \"" +
                         std::string(model) + "\". Give the id, e.g. " +
                         VariableName(kind, "_MODEL") +
                         "=mlx-community/Qwen3-4B-4bit, or serve the folder with "
                         "mlx-lm and use --mode mlx-lm");
}

}  // namespace ac::remote
