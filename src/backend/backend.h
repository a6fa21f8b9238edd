// Who answers a conversation: the embedded engine or a remote server, behind one interface.
//
// Start() never blocks the caller. Events reach the sink from one thread at a time, in the order
// chat/event.h gives, and end with MessageStop or Error. Destroying the Call cancels the work; the
// sink is not called after the destructor returned. Implementations are thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "api/api.h"
#include "base/status.h"
#include "chat/chat.h"
#include "chat/event.h"

namespace ac::backend {

// A running reply.
class Call {
 public:
  virtual ~Call() = default;
};

class Backend {
 public:
  virtual ~Backend() = default;

  // A request that cannot run (too long, unknown field value) is answered through the sink with one
  // Error event and no MessageStart, so that the caller can still choose the HTTP status.
  virtual std::unique_ptr<Call> Start(chat::ChatRequest request,
                                      std::shared_ptr<chat::ChatSink> sink) = 0;

  // Exact prompt tokens of a request; the callback may run on another thread.
  virtual void CountTokens(chat::ChatRequest request,
                           std::function<void(Result<int64_t>)> done) = 0;

  virtual std::vector<api::ModelInfo> Models() const = 0;
};

}  // namespace ac::backend
