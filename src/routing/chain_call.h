// One request offered to several backends, one after the other, until one begins to answer.
//
// A backend that fails before any content is passed over for the next (before the end, when the
// client gets its reply whole); a failure that is the request's own fault, or that comes later, is
// the client's. A backend that charges and may have
// begun to work is followed only by backends that do not, so that nothing is paid twice.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/clock.h"
#include "base/status.h"
#include "chat/event.h"

namespace ac::routing {

struct StepEnd {
  Status status;           // ok: it answered to the end
  bool answered = false;   // content reached the client
  bool cancelled = false;  // the client left
  Nanos first_content{0};  // from the start of the step
  chat::Usage usage;       // of a complete answer
};

struct Step {
  backend::Backend* backend = nullptr;
  std::string name;
  std::string model;  // asked for instead of the client's, when not empty
  bool charges = false;
  std::function<void()> on_start;
  // Exactly once after on_start, from any thread, possibly inside Start.
  std::function<void(const StepEnd&)> on_end;
};

// `steps` must not be empty; their backends must outlive the call. MessageStart keeps the model
// name the client asked for and says which step answers.
std::unique_ptr<backend::Call> StartChain(chat::ChatRequest request,
                                          std::shared_ptr<chat::ChatSink> sink,
                                          std::vector<Step> steps,
                                          const Clock& clock = Clock::Real());

// May another backend do better with the same request?
bool MayFallBack(Code code);

}  // namespace ac::routing
