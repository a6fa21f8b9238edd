// Conversations of the Responses API that may be continued by naming a reply.
//
// An observer: it keeps what was asked and what was answered when a reply is complete, unless the
// client said `store: false`. In memory, bounded, the oldest first out; a caller finds only its
// own. Thread-safe.
#pragma once

#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "chat/chat.h"
#include "gateway/observer.h"

namespace ac::gateway {

class ResponseStore : public RequestObserver {
 public:
  // Puts the stored conversation in front of the request's messages, when it names one. kNotFound
  // for a reply that is not (or no longer) known.
  Status Continue(chat::ChatRequest* request);

  std::unique_ptr<RequestWatch> OnStarted(const ObservedRequest& request) override;

 private:
  class Watch;
  static constexpr size_t kMaxConversations = 256;
  static constexpr size_t kMaxBytes = size_t{64} << 20;

  struct Stored {
    std::string id;
    std::vector<chat::Message> messages;
    size_t bytes = 0;
  };
  void Keep(std::string id, std::vector<chat::Message> messages);

  Mutex mutex_;
  std::list<Stored> stored_ AC_GUARDED_BY(mutex_);  // oldest first
  std::unordered_map<std::string, std::list<Stored>::iterator> by_id_ AC_GUARDED_BY(mutex_);
  size_t bytes_ AC_GUARDED_BY(mutex_) = 0;
};

}  // namespace ac::gateway
