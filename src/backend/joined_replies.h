// A request that is sent again while it is being answered gets the reply that is on its way.
//
// Clients give up on a silent stream and send the same again, or fall back to the same request
// without a stream: computing it twice would make both slower, and the next attempt slower still. A
// Backend around another. Only requests with a `twin` name are joined (metadata.twin): the gateway
// gives one to requests of a session, because a client without a session may want two answers to
// one question. A finished stream is kept a minute for the fallback without one. The work stops
// when the last client that wanted it has left. Thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "backend/backend.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "obs/metrics.h"

namespace ac::backend {

// MessageStart::served_by of every client but the first: their tokens were computed for another.
inline constexpr std::string_view kServedByTwin = "twin";

class JoinedReplies : public Backend {
 public:
  // `inner`, `clock` and `metrics` must outlive this object.
  JoinedReplies(Backend& inner, Clock& clock, obs::Metrics& metrics);
  ~JoinedReplies() override;

  std::unique_ptr<Call> Start(chat::ChatRequest request,
                              std::shared_ptr<chat::ChatSink> sink) override;
  void CountTokens(chat::ChatRequest request, std::function<void(Result<int64_t>)> done) override;
  std::vector<api::ModelInfo> Models() const override;

 private:
  class SharedReply;
  class Participation;

  void ForgetOld() AC_REQUIRES(mutex_);

  Backend& inner_;
  Clock& clock_;
  obs::Counter joined_;

  Mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<SharedReply>> replies_ AC_GUARDED_BY(mutex_);
};

}  // namespace ac::backend
