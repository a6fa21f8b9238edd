// Which backends a request is offered to, in which order: rules over facts, nothing else.
//
// Pure: Decide() takes the rules, the facts of the request and what is known about each backend,
// and returns the chain with a reason a person can read. Values, thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "routing/facts.h"

namespace ac::routing {

// "backend" or "backend,model": where to send a request, and what to ask for there.
struct Target {
  std::string backend;
  std::string model;  // empty: the backend's own
  static Target Parse(std::string_view text);
  friend bool operator==(const Target&, const Target&) = default;
};

// Every field that is set must hold.
struct Condition {
  std::string model;               // with * for any characters
  std::vector<std::string> tiers;  // one of them
  std::optional<int64_t> tokens_over;
  std::optional<int64_t> tokens_under;
  std::optional<bool> tools;
  std::optional<bool> images;
  std::optional<bool> thinking;
  std::optional<bool> sub_agent;
  std::optional<bool> web_search;
  std::string path;                   // the agent's folder is this one or below it
  std::optional<double> wait_over_s;  // predicted for the first default backend
  std::optional<double> price_under;  // USD, predicted for the rule's first backend
};

struct Rule {
  std::string name;
  Condition condition;
  std::vector<Target> use;
};

struct RuleSet {
  std::vector<Rule> rules;         // the first that holds wins
  std::vector<Target> by_default;  // also what follows when a rule's own targets fail
};

// What is known about a backend at this moment.
struct BackendState {
  bool usable = true;                      // not open-circuited, not over its budget
  std::string why_not;                     // for the reason, when it is not usable
  std::optional<double> predicted_wait_s;  // until the first token; none: not measured yet
  std::optional<double> predicted_usd;     // none: no price is known
};

struct Decision {
  std::vector<Target> chain;  // empty: nothing is usable
  std::string reason;         // "rule \"long\": 81k tokens", "default"
};

bool Holds(const Condition& condition, const Facts& facts, const BackendState* default_state,
           const BackendState* own_state);

Decision Decide(const RuleSet& rules, const Facts& facts,
                const std::map<std::string, BackendState, std::less<>>& backends);

// The six routes of Claude Code Router, as rules in its order.
struct NamedRoutes {
  std::string background, think, long_context, web_search, image;
  int64_t long_context_threshold = 60'000;
};
std::vector<Rule> RulesOf(const NamedRoutes& routes);

bool GlobMatches(std::string_view pattern, std::string_view text);

}  // namespace ac::routing
