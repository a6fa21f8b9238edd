// The bench session inside this process: token ids straight into an engine.
//
// The engine must outlive the target. One thread.
#pragma once

#include <vector>

#include "bench/session.h"
#include "engine/engine.h"

namespace ac::bench {

class LocalSession : public SessionTarget {
 public:
  // Ids are taken from [0, vocabulary).
  LocalSession(engine::Engine& engine, int vocabulary) : engine_(engine), vocabulary_(vocabulary) {}

  Result<Turn> Ask(const SessionPlan& plan) override;

 private:
  void Append(int64_t count);

  engine::Engine& engine_;
  const int vocabulary_;
  std::vector<engine::TokenId> conversation_;
  uint32_t state_ = 1;  // of the ids' sequence: equal sessions have equal tokens
};

}  // namespace ac::bench
