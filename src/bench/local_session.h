// The bench session inside this process: token ids straight into an engine.
//
// The engine of the moment must live while Ask runs. One thread.
#pragma once

#include <vector>

#include "bench/session.h"
#include "engine/engine.h"

namespace ac::bench {

class LocalSession : public SessionTarget {
 public:
  // Ids are taken from [0, vocabulary). Conversations of different seeds have nothing in common.
  LocalSession(int vocabulary, uint32_t seed) : vocabulary_(vocabulary), state_(seed) {}

  // Where the conversation goes on: before the first turn, and after a restart.
  void Use(engine::Engine* engine) { engine_ = engine; }

  Result<Turn> Ask(const SessionPlan& plan) override;

 private:
  void Append(int64_t count);

  engine::Engine* engine_ = nullptr;
  const int vocabulary_;
  std::vector<engine::TokenId> conversation_;
  uint32_t state_;  // of the ids' sequence
};

}  // namespace ac::bench
