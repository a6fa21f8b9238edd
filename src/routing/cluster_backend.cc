#include "routing/cluster_backend.h"

#include <algorithm>
#include <utility>

#include "base/mutex.h"
#include "obs/log.h"
#include "routing/chain_call.h"
#include "routing/facts.h"

namespace ac::routing {
namespace {

std::string_view HealthName(Health health) {
  switch (health) {
    case Health::kReady:
      return "ready";
    case Health::kDraining:
      return "draining";
    case Health::kDown:
      return "down";
  }
  return "unknown";
}

std::vector<std::string> Names(const std::vector<Replica>& replicas) {
  std::vector<std::string> names;
  for (const Replica& replica : replicas) names.push_back(replica.name);
  return names;
}

}  // namespace

// Kept alive by probes and replies that are still under way.
struct ClusterBackend::State : std::enable_shared_from_this<State> {
  State(std::vector<Replica> given, ClusterOptions the_options, remote::Timer& the_timer)
      : replicas(std::move(given)),
        options(the_options),
        timer(the_timer),
        router(Names(replicas), options.routing),
        loads(replicas.size()),
        healths(replicas.size(), Health::kReady) {
    if (options.metrics == nullptr) return;
    for (const Replica& replica : replicas) {
      const obs::Labels labels = {{"replica", replica.name}};
      requests.push_back(options.metrics->GetCounter("anyclaude_replica_requests_total",
                                                     "Requests given to the replica", labels));
      ready.push_back(options.metrics->GetGauge("anyclaude_replica_ready",
                                                "1 while the replica gets new requests", labels));
      ready.back().Set(1);
    }
  }

  void SetHealth(size_t replica, Health health) {
    {
      MutexLock lock(mutex);
      if (healths[replica] == health) return;
      // Whoever comes back has probably been restarted, and remembers nothing.
      if (healths[replica] == Health::kDown) router.Forget(replica);
      healths[replica] = health;
      loads[replica].usable = health == Health::kReady;
    }
    if (!ready.empty()) ready[replica].Set(health == Health::kReady ? 1 : 0);
    obs::Warn(
        "cluster", "a replica's health changed",
        {{"replica", std::string_view(replicas[replica].name)}, {"health", HealthName(health)}});
  }

  void ProbeAll() {
    for (size_t i = 0; i < replicas.size(); ++i) {
      if (!replicas[i].probe) continue;
      replicas[i].probe([weak = weak_from_this(), i](Health health) {
        if (const auto self = weak.lock()) self->SetHealth(i, health);
      });
    }
    const remote::Timer::Id id = timer.After(options.health_interval, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->ProbeAll();
    });
    MutexLock lock(mutex);
    next_probe = id;
  }

  std::vector<size_t> Order(const std::vector<uint64_t>& chunks, const std::string& session) {
    std::vector<ReplicaLoad> now;
    {
      MutexLock lock(mutex);
      now = loads;
    }
    // When all seem to be down, one of them may be back before the next probe says so.
    if (std::none_of(now.begin(), now.end(), [](const auto& load) { return load.usable; })) {
      for (ReplicaLoad& load : now) load.usable = true;
    }
    return router.Order(chunks, session, now);
  }

  void Started(size_t replica, const std::vector<uint64_t>& chunks, const std::string& session) {
    if (!requests.empty()) requests[replica].Add();
    router.Remember(chunks, session, replica);
    MutexLock lock(mutex);
    ++loads[replica].running;
  }

  void Ended(size_t replica, const StepEnd& end) {
    {
      MutexLock lock(mutex);
      --loads[replica].running;
    }
    // A server that is gone should not wait for the next probe to be noticed.
    const bool gone = end.status.code() == Code::kUnavailable && !end.answered;
    if (gone && replicas[replica].probe) {
      replicas[replica].probe([weak = weak_from_this(), replica](Health health) {
        if (const auto self = weak.lock()) self->SetHealth(replica, health);
      });
    }
  }

  const std::vector<Replica> replicas;
  const ClusterOptions options;
  remote::Timer& timer;
  PrefixRouter router;
  std::vector<obs::Counter> requests;
  std::vector<obs::Gauge> ready;

  Mutex mutex;
  std::vector<ReplicaLoad> loads AC_GUARDED_BY(mutex);
  std::vector<Health> healths AC_GUARDED_BY(mutex);
  remote::Timer::Id next_probe AC_GUARDED_BY(mutex) = 0;
};

ClusterBackend::ClusterBackend(std::vector<Replica> replicas, ClusterOptions options,
                               remote::Timer& timer)
    : state_(std::make_shared<State>(std::move(replicas), options, timer)) {
  state_->ProbeAll();
}

ClusterBackend::~ClusterBackend() {
  remote::Timer::Id id = 0;
  {
    MutexLock lock(state_->mutex);
    id = state_->next_probe;
  }
  state_->timer.Cancel(id);
}

std::unique_ptr<backend::Call> ClusterBackend::Start(chat::ChatRequest request,
                                                     std::shared_ptr<chat::ChatSink> sink) {
  const auto chunks = std::make_shared<const std::vector<uint64_t>>(PrefixChunks(request));
  const std::string session = request.metadata.session_id + "/" + request.metadata.agent_id;
  std::vector<Step> steps;
  for (const size_t i : state_->Order(*chunks, session)) {
    steps.push_back(
        {.backend = state_->replicas[i].backend.get(),
         .name = state_->replicas[i].name,
         .on_start = [state = state_, i, chunks, session] { state->Started(i, *chunks, session); },
         .on_end = [state = state_, i](const StepEnd& end) { state->Ended(i, end); }});
  }
  return StartChain(std::move(request), std::move(sink), std::move(steps));
}

void ClusterBackend::CountTokens(chat::ChatRequest request,
                                 std::function<void(Result<int64_t>)> done) {
  const std::vector<size_t> order = state_->Order({}, "");
  state_->replicas[order.front()].backend->CountTokens(std::move(request), std::move(done));
}

std::vector<api::ModelInfo> ClusterBackend::Models() const {
  std::vector<api::ModelInfo> models;
  for (const Replica& replica : state_->replicas) {
    for (const api::ModelInfo& model : replica.backend->Models()) {
      const auto known = std::find_if(models.begin(), models.end(),
                                      [&](const auto& other) { return other.id == model.id; });
      if (known == models.end()) {
        models.push_back(model);
      } else if (model.context_window > 0 &&
                 (known->context_window == 0 || model.context_window < known->context_window)) {
        known->context_window = model.context_window;
      }
    }
  }
  return models;
}

Health ClusterBackend::health(size_t replica) const {
  MutexLock lock(state_->mutex);
  return state_->healths[replica];
}

}  // namespace ac::routing
