#include "routing/route_file.h"

#include <algorithm>
#include <utility>

#include "json/json.h"
#include "remote/server_kind.h"
#include "routing/prefix_router.h"

namespace ac::routing {
namespace {

// One object of the file: takes known fields, remembers the first mistake, refuses unknown fields.
class Fields {
 public:
  Fields(const json::Value& value, std::string path) : path_(std::move(path)) {
    object_ = value.if_object();
    if (object_ == nullptr) Fail("", "expected an object");
  }

  void Text(std::string_view key, std::string* out) {
    if (const json::Value* value = Take(key)) {
      const auto text = json::AsString(value);
      if (!text.has_value()) return Fail(key, "expected a text");
      *out = *text;
    }
  }
  template <typename T>
  void Whole(std::string_view key, T* out) {
    if (const json::Value* value = Take(key)) {
      const auto number = json::AsInt(value);
      if (!number.has_value()) return Fail(key, "expected a whole number");
      *out = static_cast<T>(*number);
    }
  }
  void Number(std::string_view key, std::optional<double>* out) {
    if (const json::Value* value = Take(key)) {
      const auto number = json::AsDouble(value);
      if (!number.has_value() || *number < 0) return Fail(key, "expected a number");
      *out = *number;
    }
  }
  void Flag(std::string_view key, std::optional<bool>* out) {
    if (const json::Value* value = Take(key)) {
      const auto flag = json::AsBool(value);
      if (!flag.has_value()) return Fail(key, "expected true or false");
      *out = *flag;
    }
  }
  // A text or a list of texts.
  std::vector<std::string> Texts(std::string_view key) {
    std::vector<std::string> out;
    const json::Value* value = Take(key);
    if (value == nullptr) return out;
    if (const auto one = json::AsString(value)) return {std::string(*one)};
    const json::Array* list = value->if_array();
    if (list == nullptr) Fail(key, "expected a text or a list of texts");
    for (size_t i = 0; list != nullptr && i < list->size(); ++i) {
      const auto text = json::AsString(&(*list)[i]);
      if (!text.has_value()) {
        Fail(key, "expected texts in the list");
        return {};
      }
      out.emplace_back(*text);
    }
    return out;
  }
  const json::Value* Take(std::string_view key) {
    taken_.push_back(key);
    return object_ == nullptr ? nullptr : object_->if_contains(key);
  }
  void Fail(std::string_view key, std::string_view what) {
    if (!status_.ok()) return;
    std::string where = path_;
    if (!key.empty()) where += (where.empty() ? "" : ".") + std::string(key);
    status_ = InvalidArgument("[routing] " + (where.empty() ? "the file" : where) + ": " +
                              std::string(what));
  }
  void Fail(const Status& status) {
    if (status_.ok()) status_ = status;
  }
  // After everything was taken.
  Status Finish() {
    for (size_t i = 0; object_ != nullptr && status_.ok() && i < object_->size(); ++i) {
      const std::string_view key = (object_->begin() + static_cast<std::ptrdiff_t>(i))->key();
      if (std::find(taken_.begin(), taken_.end(), key) != taken_.end()) continue;
      std::string known;
      for (const std::string_view name : taken_)
        known += (known.empty() ? "" : ", ") + std::string(name);
      Fail(key, "unknown; the fields here are: " + known);
    }
    return status_;
  }
  std::string PathOf(std::string_view key) const {
    return (path_.empty() ? "" : path_ + ".") + std::string(key);
  }

 private:
  const std::string path_;
  const json::Object* object_;
  std::vector<std::string_view> taken_;
  Status status_;
};

Result<Price> ReadPrice(const json::Value& value, const std::string& path) {
  Fields fields(value, path);
  std::optional<double> input, cached, output;
  fields.Number("input", &input);
  fields.Number("cached", &cached);
  fields.Number("output", &output);
  AC_RETURN_IF_ERROR(fields.Finish());
  return Price{input.value_or(0), cached.value_or(input.value_or(0)), output.value_or(0)};
}

Result<BackendSpec> ReadBackend(const std::string& name, const std::string& default_mode,
                                const json::Value& value, const std::string& path) {
  Fields fields(value, path);
  BackendSpec spec{.name = name, .mode = default_mode};
  fields.Text("mode", &spec.mode);
  fields.Text("url", &spec.url);
  fields.Text("model", &spec.model);
  fields.Text("api_key", &spec.api_key);
  fields.Text("dialect", &spec.dialect);
  fields.Whole("context", &spec.context);
  fields.Whole("max_concurrent", &spec.max_concurrent);
  fields.Number("usd_per_day", &spec.usd_per_day);
  if (const json::Value* price = fields.Take("price")) {
    AC_ASSIGN_OR_RETURN(spec.price, ReadPrice(*price, fields.PathOf("price")));
  }
  if (const json::Value* replicas = fields.Take("replicas")) {
    const json::Array* list = replicas->if_array();
    if (list == nullptr) fields.Fail("replicas", "expected a list");
    for (size_t i = 0; list != nullptr && i < list->size(); ++i) {
      const std::string at = fields.PathOf("replicas") + "." + std::to_string(i);
      AC_ASSIGN_OR_RETURN(BackendSpec replica,
                          ReadBackend(name + "-" + std::to_string(i), "custom", (*list)[i], at));
      spec.replicas.push_back(std::move(replica));
    }
  }
  const bool known = spec.mode == "local" || spec.mode == "cluster" ||
                     remote::FindServerKind(spec.mode) != nullptr;
  if (!known) fields.Fail("mode", "there is no mode \"" + spec.mode + "\" to reach a server with");
  if (spec.dialect != "" && spec.dialect != "openai" && spec.dialect != "anthropic") {
    fields.Fail("dialect", "expected \"openai\" or \"anthropic\"");
  }
  if (spec.mode == "cluster" && spec.replicas.empty()) {
    fields.Fail("replicas", "a cluster needs at least one");
  }
  if (spec.replicas.size() > kMaxReplicas) fields.Fail("replicas", "at most 64");
  if (spec.usd_per_day && !spec.price) {
    fields.Fail("usd_per_day", "needs \"price\" to know what was spent");
  }
  AC_RETURN_IF_ERROR(fields.Finish());
  return spec;
}

Result<Condition> ReadCondition(const json::Value& value, const std::string& path) {
  Fields fields(value, path);
  Condition condition;
  fields.Text("model", &condition.model);
  condition.tiers = fields.Texts("tier");
  const auto whole = [&](std::string_view key, std::optional<int64_t>* out) {
    if (fields.Take(key) == nullptr) return;
    int64_t number = 0;
    fields.Whole(key, &number);
    *out = number;
  };
  whole("tokens_over", &condition.tokens_over);
  whole("tokens_under", &condition.tokens_under);
  fields.Flag("tools", &condition.tools);
  fields.Flag("images", &condition.images);
  fields.Flag("thinking", &condition.thinking);
  fields.Flag("sub_agent", &condition.sub_agent);
  fields.Flag("web_search", &condition.web_search);
  fields.Text("path", &condition.path);
  fields.Number("wait_over_s", &condition.wait_over_s);
  fields.Number("price_under_usd", &condition.price_under);
  AC_RETURN_IF_ERROR(fields.Finish());
  return condition;
}

class FileReader {
 public:
  Result<RouteFile> Read(const json::Value& root) {
    Fields fields(root, "");
    ReadBackends(&fields);
    file_.rules.by_default = Targets(&fields, "default");
    ReadRules(&fields);
    ReadRoutes(&fields);
    AC_RETURN_IF_ERROR(fields.Finish());
    if (file_.backends.empty()) return InvalidArgument("[routing] backends: none is named");
    if (file_.rules.by_default.empty()) {
      file_.rules.by_default.push_back({file_.backends.front().name, ""});
    }
    return std::move(file_);
  }

 private:
  void ReadBackends(Fields* fields) {
    const json::Value* value = fields->Take("backends");
    if (value == nullptr) return;
    const json::Object* object = value->if_object();
    if (object == nullptr) return fields->Fail("backends", "expected an object");
    for (const auto& member : *object) {
      const std::string name(member.key());
      if (name.find(',') != std::string::npos) {
        return fields->Fail("backends", "a name cannot contain a comma: \"" + name + "\"");
      }
      Result<BackendSpec> spec =
          ReadBackend(name, name, member.value(), "backends." + name);  // {"ollama": {}} is enough
      if (!spec.ok()) return fields->Fail(spec.status());
      file_.backends.push_back(std::move(spec).value());
    }
    if (file_.backends.size() > kMaxReplicas) fields->Fail("backends", "at most 64");
  }

  std::vector<Target> Targets(Fields* fields, std::string_view key) {
    std::vector<Target> targets;
    for (const std::string& text : fields->Texts(key)) {
      targets.push_back(Target::Parse(text));
      const bool known =
          std::any_of(file_.backends.begin(), file_.backends.end(),
                      [&](const auto& b) { return b.name == targets.back().backend; });
      if (!known) fields->Fail(key, "no backend is called \"" + targets.back().backend + "\"");
    }
    return targets;
  }

  void ReadRules(Fields* fields) {
    const json::Value* value = fields->Take("rules");
    if (value == nullptr) return;
    const json::Array* list = value->if_array();
    if (list == nullptr) return fields->Fail("rules", "expected a list");
    for (size_t i = 0; i < list->size(); ++i) {
      Fields rule_fields((*list)[i], "rules." + std::to_string(i));
      Rule rule{.name = std::to_string(i)};
      rule_fields.Text("name", &rule.name);
      rule.use = Targets(&rule_fields, "use");
      if (rule.use.empty()) rule_fields.Fail("use", "names no backend");
      if (const json::Value* condition = rule_fields.Take("if")) {
        Result<Condition> read = ReadCondition(*condition, rule_fields.PathOf("if"));
        if (!read.ok()) return fields->Fail(read.status());
        rule.condition = std::move(read).value();
      }
      const Status status = rule_fields.Finish();
      if (!status.ok()) return fields->Fail(status);
      file_.rules.rules.push_back(std::move(rule));
    }
  }

  void ReadRoutes(Fields* fields) {
    const json::Value* value = fields->Take("routes");
    if (value == nullptr) return;
    Fields routes(*value, "routes");
    NamedRoutes named;
    const auto target = [&](std::string_view key, std::string* out) {
      Targets(&routes, key);  // checks the name
      routes.Text(key, out);
    };
    std::string by_default;
    target("default", &by_default);
    target("background", &named.background);
    target("think", &named.think);
    target("longContext", &named.long_context);
    target("webSearch", &named.web_search);
    target("image", &named.image);
    routes.Whole("longContextThreshold", &named.long_context_threshold);
    const Status status = routes.Finish();
    if (!status.ok()) return fields->Fail(status);
    if (!by_default.empty() && file_.rules.by_default.empty()) {
      file_.rules.by_default.push_back(Target::Parse(by_default));
    }
    for (Rule& rule : RulesOf(named)) file_.rules.rules.push_back(std::move(rule));
  }

  RouteFile file_;
};

}  // namespace

Result<RouteFile> ReadRouteFile(std::string_view text) {
  AC_ASSIGN_OR_RETURN(const json::Value root, json::Parse(text, {.max_depth = 32}));
  return FileReader().Read(root);
}

}  // namespace ac::routing
