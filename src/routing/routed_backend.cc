#include "routing/routed_backend.h"

#include <algorithm>
#include <utility>

#include "base/mutex.h"
#include "obs/log.h"
#include "routing/chain_call.h"
#include "routing/facts.h"
#include "routing/prefix_router.h"

namespace ac::routing {
namespace {

constexpr double kNewMeasurementWeight = 0.3;
// Fewer new tokens say more about the network than about the reading speed.
constexpr int64_t kTokensToMeasure = 256;
// Before a first answer; only predictions of a price use it.
constexpr double kAssumedOutputTokens = 500;
constexpr double kMillion = 1e6;

void Blend(double sample, double* value) {
  *value =
      *value <= 0 ? sample : *value * (1 - kNewMeasurementWeight) + sample * kNewMeasurementWeight;
}

double CostOf(const Price& price, double input, double cached, double output) {
  return (input * price.input + cached * price.cached + output * price.output) / kMillion;
}

std::vector<std::string> Names(const std::vector<RoutedMember>& members) {
  std::vector<std::string> names;
  for (const RoutedMember& member : members) names.push_back(member.name);
  return names;
}

}  // namespace

struct RoutedBackend::State {
  State(std::vector<RoutedMember> given, RuleSet the_rules, obs::Metrics* the_metrics,
        const Clock& the_clock)
      : members(std::move(given)),
        rules(std::move(the_rules)),
        metrics(the_metrics),
        clock(the_clock),
        seen(Names(members)),
        measured(members.size()) {}

  struct Measured {
    double tokens_per_second = 0;  // of prompt reading; 0: not measured
    double output_tokens = 0;
    double spent = 0;
    int64_t day = 0;
  };

  int64_t Today() const {
    return std::chrono::duration_cast<std::chrono::hours>(clock.WallNow()).count() / 24;
  }

  BackendState StateOf(size_t i, const Facts& facts, const std::vector<uint64_t>& chunks) {
    const RoutedMember& member = members[i];
    const double known = chunks.empty() ? 0
                                        : static_cast<double>(seen.Match(chunks, i)) /
                                              static_cast<double>(chunks.size());
    const double cold = static_cast<double>(facts.tokens) * (1 - known);
    BackendState state;
    MutexLock lock(mutex);
    const Measured& now = measured[i];
    if (now.tokens_per_second > 0) state.predicted_wait_s = cold / now.tokens_per_second;
    if (member.price) {
      const double output = now.output_tokens > 0 ? now.output_tokens : kAssumedOutputTokens;
      state.predicted_usd =
          CostOf(*member.price, cold, static_cast<double>(facts.tokens) - cold, output);
    }
    if (member.usd_per_day) {
      const double spent = now.day == Today() ? now.spent : 0;
      if (spent + state.predicted_usd.value_or(0) > *member.usd_per_day) {
        state.usable = false;
        state.why_not =
            "its budget of " + std::to_string(*member.usd_per_day) + " USD a day is used up";
      }
    }
    return state;
  }

  Decision DecideFor(const Facts& facts, const std::vector<uint64_t>& chunks) {
    std::map<std::string, BackendState, std::less<>> states;
    for (size_t i = 0; i < members.size(); ++i) {
      states[members[i].name] = StateOf(i, facts, chunks);
    }
    return Decide(rules, facts, states);
  }

  void Ended(size_t i, const StepEnd& end) {
    if (!end.status.ok() || !end.answered) return;
    const chat::Usage& usage = end.usage;
    const int64_t fresh = usage.input_tokens + usage.cache_creation;
    const double seconds = Seconds(end.first_content);
    MutexLock lock(mutex);
    Measured& now = measured[i];
    if (fresh >= kTokensToMeasure && seconds > 0 && !usage.estimated) {
      Blend(static_cast<double>(fresh) / seconds, &now.tokens_per_second);
    }
    Blend(static_cast<double>(usage.output_tokens), &now.output_tokens);
    if (!members[i].price) return;
    if (now.day != Today()) now.spent = 0;
    now.day = Today();
    now.spent +=
        CostOf(*members[i].price, static_cast<double>(fresh), static_cast<double>(usage.cache_read),
               static_cast<double>(usage.output_tokens));
  }

  size_t IndexOf(const std::string& name) const {
    for (size_t i = 0; i < members.size(); ++i) {
      if (members[i].name == name) return i;
    }
    return members.size();
  }

  const std::vector<RoutedMember> members;
  const RuleSet rules;
  obs::Metrics* const metrics;
  const Clock& clock;
  PrefixRouter seen;  // only its memory of who has read what
  Mutex mutex;
  std::vector<Measured> measured AC_GUARDED_BY(mutex);
};

RoutedBackend::RoutedBackend(std::vector<RoutedMember> members, RuleSet rules,
                             obs::Metrics* metrics, const Clock& clock)
    : state_(std::make_shared<State>(std::move(members), std::move(rules), metrics, clock)) {}
RoutedBackend::~RoutedBackend() = default;

Decision RoutedBackend::Explain(const chat::ChatRequest& request) const {
  return state_->DecideFor(FactsOf(request), PrefixChunks(request));
}

std::unique_ptr<backend::Call> RoutedBackend::Start(chat::ChatRequest request,
                                                    std::shared_ptr<chat::ChatSink> sink) {
  const Facts facts = FactsOf(request);
  const auto chunks = std::make_shared<const std::vector<uint64_t>>(PrefixChunks(request));
  const Decision decision = state_->DecideFor(facts, *chunks);
  if (decision.chain.empty()) {
    sink->OnEvent({chat::Error{Status(
        Code::kResourceExhausted, "[routing] no backend may take this request (" + decision.reason +
                                      "); raise usd_per_day, or add one to \"default\"")}});
    return nullptr;
  }
  obs::Info("routing", "routed",
            {{"to", std::string_view(decision.chain.front().backend)},
             {"why", std::string_view(decision.reason)},
             {"tokens", facts.tokens}});
  RemoveSubAgentTag(&request);
  std::vector<Step> steps;
  for (const Target& target : decision.chain) {
    const size_t i = state_->IndexOf(target.backend);
    const RoutedMember& member = state_->members[i];
    steps.push_back(
        {.backend = member.backend,
         .name = member.name,
         .model = target.model,
         .charges = member.charges,
         .on_start = [state = state_, i, chunks,
                      session = facts.session] { state->seen.Remember(*chunks, session, i); },
         .on_end = [state = state_, i](const StepEnd& end) { state->Ended(i, end); }});
    if (state_->metrics == nullptr || steps.size() > 1) continue;
    state_->metrics
        ->GetCounter("anyclaude_routed_requests_total",
                     "Requests by the backend they went to first", {{"backend", member.name}})
        .Add();
  }
  return StartChain(std::move(request), std::move(sink), std::move(steps), state_->clock);
}

void RoutedBackend::CountTokens(chat::ChatRequest request,
                                std::function<void(Result<int64_t>)> done) {
  const Decision decision = Explain(request);
  if (decision.chain.empty()) return done(Unsupported("[routing] " + decision.reason));
  const Target& target = decision.chain.front();
  if (!target.model.empty()) request.model = target.model;
  state_->members[state_->IndexOf(target.backend)].backend->CountTokens(std::move(request),
                                                                        std::move(done));
}

std::vector<api::ModelInfo> RoutedBackend::Models() const {
  std::vector<api::ModelInfo> models;
  for (const RoutedMember& member : state_->members) {
    for (const api::ModelInfo& model : member.backend->Models()) {
      const bool known = std::any_of(models.begin(), models.end(),
                                     [&](const auto& other) { return other.id == model.id; });
      if (!known) models.push_back(model);
    }
  }
  return models;
}

double RoutedBackend::SpentToday(const std::string& member) const {
  const size_t i = state_->IndexOf(member);
  MutexLock lock(state_->mutex);
  if (i == state_->measured.size() || state_->measured[i].day != state_->Today()) return 0;
  return state_->measured[i].spent;
}

}  // namespace ac::routing
