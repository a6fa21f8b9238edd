#include "routing/rules.h"

#include <algorithm>

namespace ac::routing {
namespace {

bool IsBelow(std::string_view folder, std::string_view path) {
  while (folder.size() > 1 && folder.ends_with('/')) folder.remove_suffix(1);
  if (!path.starts_with(folder)) return false;
  return folder == "/" || path.size() == folder.size() || path[folder.size()] == '/';
}

template <typename T>
bool Differs(const std::optional<T>& wanted, T actual) {
  return wanted.has_value() && *wanted != actual;
}

const BackendState* Find(const std::map<std::string, BackendState, std::less<>>& backends,
                         const std::vector<Target>& targets) {
  if (targets.empty()) return nullptr;
  const auto found = backends.find(targets.front().backend);
  return found == backends.end() ? nullptr : &found->second;
}

void Append(const std::vector<Target>& targets,
            const std::map<std::string, BackendState, std::less<>>& backends, Decision* decision) {
  for (const Target& target : targets) {
    const auto state = backends.find(target.backend);
    if (state == backends.end()) continue;
    if (!state->second.usable) {
      decision->reason += "; " + target.backend + " is left out: " + state->second.why_not;
      continue;
    }
    if (std::find(decision->chain.begin(), decision->chain.end(), target) ==
        decision->chain.end()) {
      decision->chain.push_back(target);
    }
  }
}

}  // namespace

Target Target::Parse(std::string_view text) {
  const size_t comma = text.find(',');
  if (comma == std::string_view::npos) return {std::string(text), ""};
  return {std::string(text.substr(0, comma)), std::string(text.substr(comma + 1))};
}

bool GlobMatches(std::string_view pattern, std::string_view text) {
  size_t p = 0;
  size_t t = 0;
  size_t star = std::string_view::npos;
  size_t star_text = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_text = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool Holds(const Condition& condition, const Facts& facts, const BackendState* default_state,
           const BackendState* own_state) {
  if (!condition.model.empty() && !GlobMatches(condition.model, facts.model)) return false;
  if (!condition.tiers.empty() && std::find(condition.tiers.begin(), condition.tiers.end(),
                                            facts.tier) == condition.tiers.end()) {
    return false;
  }
  if (condition.tokens_over && facts.tokens <= *condition.tokens_over) return false;
  if (condition.tokens_under && facts.tokens >= *condition.tokens_under) return false;
  if (Differs(condition.tools, facts.tools) || Differs(condition.images, facts.images) ||
      Differs(condition.thinking, facts.thinking) ||
      Differs(condition.sub_agent, facts.sub_agent) ||
      Differs(condition.web_search, facts.web_search)) {
    return false;
  }
  if (!condition.path.empty() && !IsBelow(condition.path, facts.path)) return false;
  // What was never measured or priced holds no promise: such a condition does not hold.
  if (condition.wait_over_s) {
    if (default_state == nullptr || !default_state->predicted_wait_s) return false;
    if (*default_state->predicted_wait_s <= *condition.wait_over_s) return false;
  }
  if (condition.price_under) {
    if (own_state == nullptr || !own_state->predicted_usd) return false;
    if (*own_state->predicted_usd >= *condition.price_under) return false;
  }
  return true;
}

Decision Decide(const RuleSet& rules, const Facts& facts,
                const std::map<std::string, BackendState, std::less<>>& backends) {
  Decision decision;
  decision.reason = "default";
  if (!facts.wanted_target.empty()) {
    const Target wanted = Target::Parse(facts.wanted_target);
    if (backends.contains(wanted.backend)) {
      decision.reason = "asked for by name";
      Append({wanted}, backends, &decision);
      Append(rules.by_default, backends, &decision);
      return decision;
    }
  }
  const BackendState* default_state = Find(backends, rules.by_default);
  for (const Rule& rule : rules.rules) {
    if (!Holds(rule.condition, facts, default_state, Find(backends, rule.use))) continue;
    decision.reason = "rule \"" + rule.name + "\"";
    Append(rule.use, backends, &decision);
    break;
  }
  Append(rules.by_default, backends, &decision);
  return decision;
}

std::vector<Rule> RulesOf(const NamedRoutes& routes) {
  std::vector<Rule> rules;
  const auto add = [&](const char* name, const std::string& target, Condition condition) {
    if (!target.empty()) rules.push_back({name, std::move(condition), {Target::Parse(target)}});
  };
  add("longContext", routes.long_context, {.tokens_over = routes.long_context_threshold});
  add("background", routes.background, {.tiers = {"haiku"}});
  add("webSearch", routes.web_search, {.web_search = true});
  add("image", routes.image, {.images = true});
  add("think", routes.think, {.thinking = true});
  return rules;
}

}  // namespace ac::routing
