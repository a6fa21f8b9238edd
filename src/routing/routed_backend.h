// Several backends behind rules: each request goes where rules.h sends it, and down the chain when
// that fails before any content.
//
// Measures on the way what the rules ask about: how fast each backend reads new tokens, which
// beginnings it has read already, what it has cost today. Nothing is assumed: a backend that has
// answered nothing yet has no predicted wait. Thread-safe; the backends must outlive it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/clock.h"
#include "obs/metrics.h"
#include "routing/rules.h"

namespace ac::routing {

// USD per million tokens.
struct Price {
  double input = 0;
  double cached = 0;
  double output = 0;
};

struct RoutedMember {
  std::string name;
  backend::Backend* backend = nullptr;
  bool charges = false;               // costs money per request
  std::optional<Price> price;         // none: unknown
  std::optional<double> usd_per_day;  // more is not spent; days are UTC
};

class RoutedBackend : public backend::Backend {
 public:
  RoutedBackend(std::vector<RoutedMember> members, RuleSet rules, obs::Metrics* metrics = nullptr,
                const Clock& clock = Clock::Real());
  ~RoutedBackend() override;

  std::unique_ptr<backend::Call> Start(chat::ChatRequest request,
                                       std::shared_ptr<chat::ChatSink> sink) override;
  void CountTokens(chat::ChatRequest request, std::function<void(Result<int64_t>)> done) override;
  std::vector<api::ModelInfo> Models() const override;

  // What Start would do now, for people who ask why.
  Decision Explain(const chat::ChatRequest& request) const;
  double SpentToday(const std::string& member) const;

 private:
  struct State;
  const std::shared_ptr<State> state_;
};

}  // namespace ac::routing
