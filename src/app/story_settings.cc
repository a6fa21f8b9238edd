#include "app/story_settings.h"

#include <string_view>

namespace ac::app {
namespace {

struct Rename {
  std::string_view old_name;
  std::string_view key;
};
// Of the chosen entry of `backends`.
constexpr Rename kOfTheBackend[] = {{"baseUrl", "upstream.url"},
                                    {"apiKey", "upstream.api_key"},
                                    {"model", "upstream.model"},
                                    {"modelPath", "model"},
                                    {"toolAllowlist", "slim.tools"}};
constexpr Rename kOfDebug[] = {{"level", "debug"}, {"enableTraces", "trace.enabled"}};

// A list becomes its texts with commas between them.
std::string AsSetting(const json::Value& value) {
  if (const auto text = json::AsString(&value)) return std::string(*text);
  const json::Array* list = json::AsArray(&value);
  if (list == nullptr) return json::Write(value);
  std::string joined;
  for (const json::Value& item : *list) {
    if (!joined.empty()) joined += ",";
    joined += AsSetting(item);
  }
  return joined;
}

template <size_t N>
void TakeBlock(const std::string& name, const json::Object& block, const Rename (&renames)[N],
               StorySettings* out) {
  for (const auto& member : block) {
    const std::string_view old_name(member.key().data(), member.key().size());
    std::string_view key;
    for (const Rename& rename : renames) {
      if (rename.old_name == old_name) key = rename.key;
    }
    if (!key.empty()) {
      out->renamed.emplace_back(key, AsSetting(member.value()));
    } else if (old_name != "enabled" && old_name != "description") {
      out->without_effect.push_back(name + "." + std::string(old_name));
    }
  }
}

// The member, taken out when it is an object.
bool TakeObject(json::Object* file, std::string_view key, json::Object* out) {
  const json::Value* value = file->if_contains(key);
  if (value == nullptr || !value->is_object()) return false;
  *out = value->get_object();
  file->erase(key);
  return true;
}

}  // namespace

StorySettings TakeStorySettings(json::Object* file) {
  StorySettings out;
  json::Object block;
  if (TakeObject(file, "debug", &block)) TakeBlock("debug", block, kOfDebug, &out);
  for (const std::string_view name : {"circuitBreaker", "webSearch", "mlx-cluster"}) {
    if (TakeObject(file, name, &block)) out.without_effect.emplace_back(name);
  }
  const json::Value* chosen = file->if_contains("backend");
  const std::string backend = chosen == nullptr ? "" : AsSetting(*chosen);
  if (chosen != nullptr) {
    out.renamed.emplace_back("mode", backend);
    file->erase("backend");
  }
  json::Object backends;
  if (TakeObject(file, "backends", &backends)) {
    if (TakeObject(&backends, backend, &block)) {
      TakeBlock("backends." + backend, block, kOfTheBackend, &out);
    }
  }
  return out;
}

}  // namespace ac::app
