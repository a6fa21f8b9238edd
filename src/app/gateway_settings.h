// From settings to the gateway's options, and the backends of the gateway's own around another.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/config.h"
#include "backend/backend.h"
#include "base/status.h"
#include "gateway/gateway.h"

namespace ac::app {

gateway::GatewayOptions GatewayOptionsFrom(const Config& config);

// What the gateway can answer by itself, around what `inner` answers.
class GatewayBackends {
 public:
  // `inner` must outlive this object. `scope` names mode and model.
  static Result<std::unique_ptr<GatewayBackends>> Open(const Config& config,
                                                       const std::string& scope,
                                                       backend::Backend& inner);
  backend::Backend& outermost() { return *layers_.back(); }

 private:
  GatewayBackends() = default;
  std::vector<std::unique_ptr<backend::Backend>> layers_;  // each around the one before
};

}  // namespace ac::app
