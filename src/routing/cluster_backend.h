// Several servers of one model as one backend.
//
// Each request goes to the replica that knows most of its prompt (prefix_router.h); when that one
// fails before the first content, the next takes over. Replicas are asked for their health all the
// time: one that does not answer gets nothing, one that answers 503 is draining and gets nothing
// new while its running replies go on. What a replica does with its requests is its own affair.
// Thread-safe; the replicas' client and timer must outlive the cluster.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/clock.h"
#include "obs/metrics.h"
#include "remote/timer.h"
#include "routing/prefix_router.h"

namespace ac::routing {

enum class Health { kReady, kDraining, kDown };

struct Replica {
  std::string name;  // in logs and metrics
  std::unique_ptr<backend::Backend> backend;
  // Asks the server; `done` may run on another thread. Null: always ready.
  std::function<void(std::function<void(Health)> done)> probe;
};

struct ClusterOptions {
  Nanos health_interval = std::chrono::seconds(3);
  PrefixRouterOptions routing;
  obs::Metrics* metrics = nullptr;
};

class ClusterBackend : public backend::Backend {
 public:
  ClusterBackend(std::vector<Replica> replicas, ClusterOptions options, remote::Timer& timer);
  ~ClusterBackend() override;

  std::unique_ptr<backend::Call> Start(chat::ChatRequest request,
                                       std::shared_ptr<chat::ChatSink> sink) override;
  void CountTokens(chat::ChatRequest request, std::function<void(Result<int64_t>)> done) override;
  // Of the first replica that knows any; its window is the smallest of all.
  std::vector<api::ModelInfo> Models() const override;

  Health health(size_t replica) const;

 private:
  struct State;
  const std::shared_ptr<State> state_;
};

}  // namespace ac::routing
