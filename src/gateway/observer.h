// Who watches requests go by: traces, the cost ledger, the session report, the live page.
//
// The gateway tells every observer about each generation it starts; the observer may answer with a
// watch, which then hears the reply's events and its end. Observers never change a reply. All calls
// come from I/O and backend threads, inside the reply's lock: an implementation must not block, nor
// call back into the gateway. OnStarted is thread-safe; one watch is called by one thread at a
// time.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "api/api.h"
#include "base/clock.h"
#include "chat/chat.h"
#include "chat/event.h"
#include "http/message.h"

namespace ac::gateway {

// Borrowed for the call. Headers and body are as the client sent them, keys included: redact what
// is kept.
struct ObservedRequest {
  api::Endpoint endpoint;
  const http::Request& http;
  const chat::ChatRequest& chat;
  Nanos wall;  // since the epoch
  Nanos now;   // of the monotonic clock, as in every later call
};

enum class Ending {
  kComplete,   // MessageStop reached the client
  kFailed,     // an Error event was the answer, or its end
  kCancelled,  // the client left
};

class RequestWatch {
 public:
  virtual ~RequestWatch() = default;
  virtual void OnEvent(const chat::ChatEvent& event, Nanos now) = 0;
  virtual void OnEnd(Ending ending, Nanos now) = 0;  // once, the last call
};

class RequestObserver {
 public:
  virtual ~RequestObserver() = default;
  // Null: not interested.
  virtual std::unique_ptr<RequestWatch> OnStarted(const ObservedRequest& request) = 0;
};

// The watches of one request. Not thread-safe.
class WatchList {
 public:
  WatchList() = default;
  WatchList(const std::vector<RequestObserver*>& observers, const ObservedRequest& request) {
    for (RequestObserver* observer : observers) {
      if (auto watch = observer->OnStarted(request)) watches_.push_back(std::move(watch));
    }
  }
  // An event that ends the reply ends the watch too.
  void Event(const chat::ChatEvent& event, Nanos now) {
    for (const auto& watch : watches_) watch->OnEvent(event, now);
    if (event.As<chat::MessageStop>() != nullptr) End(Ending::kComplete, now);
    if (event.As<chat::Error>() != nullptr) End(Ending::kFailed, now);
  }
  void End(Ending ending, Nanos now) {
    for (const auto& watch : watches_) watch->OnEnd(ending, now);
    watches_.clear();
  }

 private:
  std::vector<std::unique_ptr<RequestWatch>> watches_;
};

}  // namespace ac::gateway
