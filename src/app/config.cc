#include "app/config.h"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <cstdlib>

#include "app/story_settings.h"
#include "json/json.h"

namespace ac::app {
namespace {

const SettingSpec* FindSpec(std::string_view key) {
  for (const SettingSpec& spec : Config::Specs()) {
    if (spec.key == key) return &spec;
  }
  return nullptr;
}

// Edit distance, for "did you mean".
size_t Distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t cost = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, cost});
    }
  }
  return row[b.size()];
}

std::string NearestKey(std::string_view key) {
  const auto& specs = Config::Specs();
  return std::string(std::min_element(specs.begin(), specs.end(),
                                      [key](const SettingSpec& a, const SettingSpec& b) {
                                        return Distance(a.key, key) < Distance(b.key, key);
                                      })
                         ->key);
}

template <typename T>
bool ParsesAs(const std::string& text) {
  T value{};
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  return result.ec == std::errc() && result.ptr == text.data() + text.size();
}

Status CheckKind(const SettingSpec& spec, const std::string& value) {
  const std::string name(spec.key);
  switch (spec.kind) {
    case ValueKind::kText:
      return OkStatus();
    case ValueKind::kInteger:
      if (ParsesAs<int64_t>(value)) return OkStatus();
      return InvalidArgument(name + " takes a whole number, not \"" + value + "\"");
    case ValueKind::kNumber:
      if (ParsesAs<double>(value)) return OkStatus();
      return InvalidArgument(name + " takes a number, not \"" + value + "\"");
    case ValueKind::kBoolean:
      if (value == "true" || value == "false") return OkStatus();
      return InvalidArgument(name + " takes true or false, not \"" + value + "\"");
  }
  return Internal("[config] unknown kind");
}

// Settings may nest ({"log": {"level": ...}}): dotted keys name the leaves.
Status Flatten(const json::Value& value, const std::string& prefix,
               const std::function<Status(const std::string& key, std::string value)>& leaf) {
  if (const json::Object* object = value.if_object()) {
    for (const auto& member : *object) {
      const std::string key =
          prefix.empty() ? std::string(member.key()) : prefix + "." + std::string(member.key());
      AC_RETURN_IF_ERROR(Flatten(member.value(), key, leaf));
    }
    return OkStatus();
  }
  if (value.is_array() || value.is_null()) {
    return InvalidArgument(prefix + " cannot be " + std::string(json::KindName(value)));
  }
  return leaf(prefix, value.is_string() ? std::string(value.get_string()) : json::Write(value));
}

}  // namespace

Environment ProcessEnvironment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return std::string(value);
  };
}

const std::vector<SettingSpec>& Config::Specs() {
  using enum ValueKind;
  static const std::vector<SettingSpec> specs = {
      // key, kind, default, env, secret, allowed in a repository, help
      {"mode", kText, "local", "ANYCLAUDE_MODE", false, true,
       "who answers: local (the embedded engine), or a server: see anyclaude serve --help"},
      {"model", kText, "", "", false, true,
       "GGUF file, model directory, or a name; empty: starter where it is installed, else "
       "built-in"},
      {"host", kText, "127.0.0.1", "", false, false,
       "address to listen on; anything but loopback needs api_key"},
      {"port", kInteger, "4141", "", false, true, "TCP port; 0 picks a free one"},
      {"api_key", kText, "", "", true, false, "key that clients must send; empty: none needed"},
      {"threads", kInteger, "0", "", false, false, "compute threads; 0: one per usable core"},
      {"context", kInteger, "0", "", false, true,
       "longest prompt plus answer in tokens; 0: what model and memory allow"},
      {"kv.type", kText, "auto", "", false, true,
       "KV cache element type: auto (by memory), bf16, q8 or f32"},
      {"kv.memory_mb", kInteger, "0", "", false, false,
       "memory for the KV cache; 0: a quarter of what is free"},
      {"speculation", kText, "auto", "", false, true,
       "guessing tokens ahead, which never changes the text: auto, ngram, draft or off"},
      {"draft_model", kText, "", "", false, true,
       "a smaller model with the same vocabulary that guesses ahead"},
      {"engine.queue_timeout_s", kInteger, "0", "", false, true,
       "a request that waits longer for its turn is refused; 0: it may wait"},
      {"engine.request_timeout_s", kInteger, "0", "", false, true,
       "a request that takes longer in all is ended; 0: it may"},
      {"hub.url", kText, "https://huggingface.co", "HF_ENDPOINT", false, false,
       "where models pull looks for models; a mirror with the same layout"},
      {"hub.token", kText, "", "HF_TOKEN", true, false, "for private and gated models"},
      {"kv.disk", kBoolean, "true", "", false, false,
       "keep the KV cache on disk too, under kv/ in the home: it survives restarts"},
      {"kv.disk_mb", kInteger, "20480", "", false, false,
       "disk space for the KV cache of one model"},
      {"upstream.url", kText, "", "", false, false,
       "the server of a mode that is not local; empty: its usual place"},
      {"upstream.model", kText, "", "", false, true,
       "model to ask that server for; empty: what the client names, or the first it has"},
      {"upstream.api_key", kText, "", "", true, false,
       "key for that server; $NAME takes it from a variable"},
      {"upstream.dialect", kText, "", "", false, false,
       "openai or anthropic: which of its protocols to speak; empty: the better one"},
      {"upstream.context", kInteger, "0", "", false, true,
       "its context window in tokens; 0: what it says itself"},
      {"upstream.max_concurrent", kInteger, "0", "", false, false,
       "requests it gets at once; 0: what suits its kind"},
      {"upstream.timeout_ms", kInteger, "0", "ANYCLAUDE_REQUEST_TIMEOUT", false, false,
       "longest silence of that server; 0: half an hour"},
      {"backends_file", kText, "", "", false, false,
       "file of backends and rules for the mode auto; empty: backends.json in the home"},
      {"offline_lock", kBoolean, "false", "ANYCLAUDE_OFFLINE_LOCK", false, false,
       "true: this process reaches nothing but its own machine"},
      {"debug", kInteger, "0", "ANYCLAUDE_DEBUG", false, false,
       "log detail, 0 (quiet) to 3 (everything)"},
      {"stabilise.attribution", kBoolean, "true", "", false, true,
       "drop the client's billing line, which differs between sessions"},
      {"stabilise.tool_order", kBoolean, "true", "", false, true, "tools by name"},
      {"stabilise.volatile_last", kBoolean, "true", "", false, true,
       "date, directory and git status at the end of the system prompt"},
      {"stabilise.system_in_place", kBoolean, "true", "", false, true,
       "system messages stay inside the conversation; false: joined to the system prompt"},
      {"slim.tools", kText, "", "", false, true,
       "tools to keep, separated by commas; empty: all. Tools in use always stay"},
      {"slim.description_bytes", kInteger, "0", "", false, true,
       "longest tool description; sentences that state a rule stay; 0: no limit"},
      {"slim.drop_parameter_descriptions", kBoolean, "false", "", false, true,
       "leave out the descriptions of tool parameters"},
      {"side_requests.quota", kBoolean, "true", "", false, true,
       "answer the client's one-token probe here"},
      {"side_requests.title", kBoolean, "true", "", false, true,
       "answer the request for a title here, with the user's first words"},
      {"side_requests.suggestion", kBoolean, "true", "", false, true,
       "answer the request for a suggestion here, with none"},
      {"visible_prefill", kBoolean, "false", "", false, true,
       "show how far a long prompt is read as a thinking block in front of the reply"},
      {"check_streams", kBoolean, "false", "ANYCLAUDE_CHECK_STREAMS", false, false,
       "judge every stream by its protocol's rules; violations are logged, counted and end in exit "
       "code 1"},
      {"web.search", kText, "off", "", false, false,
       "who searches when a client offers the server tool web_search: off, searxng, brave, tavily"},
      {"web.searxng_url", kText, "", "SEARXNG_URL", false, false, "address of a SearXNG server"},
      {"web.brave_key", kText, "", "BRAVE_API_KEY", true, false, "key of the Brave search API"},
      {"web.tavily_key", kText, "", "TAVILY_API_KEY", true, false, "key of the Tavily search API"},
      {"web.max_results", kInteger, "5", "", false, false, "results of one search"},
      {"web.fetch", kBoolean, "false", "", false, false,
       "fetch pages when a client offers the server tool web_fetch"},
      {"web.fetch_private", kBoolean, "false", "", false, false,
       "fetch from this machine and its network too, not only from the internet"},
      {"web.page_kb", kInteger, "64", "", false, false, "text of one fetched page"},
      {"reply_cache.policy", kText, "side", "", false, false,
       "store replies to requests of temperature 0: off, side (without tools) or all"},
      {"reply_cache.max_mb", kInteger, "64", "", false, false, "size of all stored replies"},
      {"reply_cache.max_hours", kInteger, "24", "", false, false, "age of a stored reply"},
      {"trace.enabled", kBoolean, "true", "", false, false,
       "write a trace of each request under traces/ in the home, secrets taken out"},
      {"trace.max_mb", kInteger, "512", "", false, false,
       "size of all traces; the oldest go first"},
      {"trace.max_days", kInteger, "14", "", false, false, "age after which a trace is deleted"},
      {"log.format", kText, "text", "", false, false, "text or json"},
      {"log.file", kText, "", "", false, false, "log file; empty: standard error"},
  };
  return specs;
}

std::string_view Config::SourceName(Source source) {
  switch (source) {
    case Source::kDefault:
      return "default";
    case Source::kUserFile:
      return "user file";
    case Source::kProjectFile:
      return "project file";
    case Source::kEnvironment:
      return "environment";
    case Source::kFlag:
      return "flag";
  }
  return "unknown";
}

Result<Config> Config::Load(const Environment& environment, FileSystem& fs,
                            const std::string& working_directory) {
  Config config;
  for (const SettingSpec& spec : Specs()) {
    config.settings_.emplace(std::string(spec.key),
                             Setting{std::string(spec.default_value), Source::kDefault, ""});
  }
  if (const auto home = environment("ANYCLAUDE_HOME"); home && !home->empty()) {
    config.home_ = *home;
  } else {
    config.home_ = JoinPath(environment("HOME").value_or("."), ".anyclaude");
  }
  const auto named = environment("ANYCLAUDE_CONFIG");
  const std::string user_file = named.value_or(config.HomePath("config.json"));
  if (named.has_value() && !fs.Exists(user_file)) {
    return NotFound("[config] ANYCLAUDE_CONFIG names " + user_file +
                    ", which does not exist; create it or unset the variable");
  }
  AC_RETURN_IF_ERROR(config.LoadFile(fs, user_file, Source::kUserFile));
  AC_RETURN_IF_ERROR(
      config.LoadFile(fs, JoinPath(working_directory, ".anyclauderc.json"), Source::kProjectFile));
  for (const SettingSpec& spec : Specs()) {
    if (spec.env.empty()) continue;
    const auto value = environment(std::string(spec.env));
    if (!value || value->empty()) continue;
    AC_RETURN_IF_ERROR(config.Set(spec.key, *value, Source::kEnvironment, std::string(spec.env))
                           .WithPrefix("[config] " + std::string(spec.env)));
  }
  // The story's switch: LM Studio, whatever the files say.
  const std::string force = environment("FORCE_LMSTUDIO").value_or("");
  if ((force == "true" || force == "1") && config.Get("mode").source != Source::kEnvironment) {
    AC_RETURN_IF_ERROR(config.Set("mode", "lmstudio", Source::kEnvironment, "FORCE_LMSTUDIO"));
  }
  return config;
}

Status Config::LoadFile(FileSystem& fs, const std::string& path, Source source) {
  if (!fs.Exists(path)) return OkStatus();
  AC_ASSIGN_OR_RETURN(const std::string text, ReadFile(fs, path));
  const Result<json::Value> parsed = json::Parse(text);
  const std::string where = "[config] " + path;
  if (!parsed.ok()) return parsed.status().WithPrefix(where);
  if (!parsed->is_object()) return InvalidArgument(where + ": the file must hold one JSON object");
  json::Value file = *parsed;
  StorySettings story = TakeStorySettings(&file.get_object());
  if (!story.without_effect.empty()) {
    std::string names;
    for (const std::string& name : story.without_effect) names += " " + name;
    warnings_.push_back(path + ": without effect here:" + names + " (docs/parity.md says why)");
  }
  const auto leaf = [&](const std::string& key, std::string value) {
    return SetFromFile(key, std::move(value), source, path);
  };
  for (auto& [key, value] : story.renamed) {
    AC_RETURN_IF_ERROR(leaf(key, std::move(value)).WithPrefix(where));
  }
  return Flatten(file, "", leaf).WithPrefix(where);
}

Status Config::SetFromFile(const std::string& key, std::string value, Source source,
                           const std::string& path) {
  const SettingSpec* spec = FindSpec(key);
  if (spec == nullptr) {
    warnings_.push_back(path + ": unknown setting \"" + key + "\"; did you mean \"" +
                        NearestKey(key) + "\"?");
    return OkStatus();
  }
  if (source == Source::kProjectFile && !spec->allowed_in_repo) {
    // A cloned repository must not open ports or change keys on this machine.
    warnings_.push_back(path + ": \"" + key + "\" is ignored in a project file; set it in " +
                        HomePath("config.json"));
    return OkStatus();
  }
  return Set(key, std::move(value), source, path);
}

Status Config::Set(std::string_view key, std::string value, Source source, std::string origin) {
  const SettingSpec* spec = FindSpec(key);
  if (spec == nullptr) return InvalidArgument("unknown setting \"" + std::string(key) + "\"");
  AC_RETURN_IF_ERROR(CheckKind(*spec, value));
  settings_.find(key)->second = {std::move(value), source, std::move(origin)};
  return OkStatus();
}

Status Config::SetFlag(std::string_view key, std::string value) {
  return Set(key, std::move(value), Source::kFlag, "--" + std::string(key));
}

const Setting& Config::Get(std::string_view key) const {
  const auto it = settings_.find(key);
  assert(it != settings_.end() && "a key of Specs()");
  return it->second;
}

const std::string& Config::Text(std::string_view key) const { return Get(key).value; }

int64_t Config::Integer(std::string_view key) const {
  const std::string& text = Get(key).value;
  int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

double Config::Number(std::string_view key) const {
  const std::string& text = Get(key).value;
  double value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

bool Config::Boolean(std::string_view key) const { return Get(key).value == "true"; }

}  // namespace ac::app
