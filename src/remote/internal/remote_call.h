// One conversation on its way through a server: turn, request, refusals, reply.
//
// Kept alive by the callbacks of what it waits for and by the backend's Call, whose end detaches
// it. Callbacks come from the client's I/O thread, the timer and whoever leaves the queue. The sink
// is called under the lock, so that after Detach it is not called any more. Thread-safe.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/codec.h"
#include "base/mutex.h"
#include "http/client.h"
#include "remote/internal/core.h"
#include "remote/text_rescue.h"

namespace ac::remote {

class RemoteCall : public std::enable_shared_from_this<RemoteCall> {
 public:
  RemoteCall(std::shared_ptr<RemoteCore> core, chat::ChatRequest request,
             std::shared_ptr<chat::ChatSink> sink);

  void Begin();
  void Detach();

 private:
  // From the queue: it is this request's turn.
  void Granted();
  void EarlyStart();
  // From the HTTP call; `attempt` tells late callbacks of an earlier one.
  void OnConnected(int attempt);
  void OnHead(int attempt, const http::Response& head);
  void OnData(int attempt, std::string_view bytes);
  void OnDone(int attempt, const Status& status);

  void Send() AC_REQUIRES(mutex_);
  void SendAfter(Nanos delay) AC_REQUIRES(mutex_);
  void Handle(std::vector<chat::ChatEvent> events) AC_REQUIRES(mutex_);
  void HandleEvent(chat::ChatEvent event) AC_REQUIRES(mutex_);
  void HandleRefusal() AC_REQUIRES(mutex_);
  // No usable reply: tries again if that is allowed and may help, else ends with the failure.
  // `server_at_fault`: counts for the circuit breaker.
  void HandleFailure(const Status& status, bool retriable, bool server_at_fault)
      AC_REQUIRES(mutex_);
  void CompleteUsage(chat::Usage* usage) AC_REQUIRES(mutex_);
  void Emit(chat::ChatEvent event) AC_REQUIRES(mutex_);
  void Fail(const Status& status) AC_REQUIRES(mutex_);
  void TellBreaker(bool good) AC_REQUIRES(mutex_);
  // What must happen without the lock.
  void LeaveIfDue();

  const std::shared_ptr<RemoteCore> core_;

  Mutex mutex_;
  std::shared_ptr<chat::ChatSink> sink_ AC_GUARDED_BY(mutex_);  // null once over or detached
  chat::ChatRequest request_ AC_GUARDED_BY(mutex_);
  http::Call http_ AC_GUARDED_BY(mutex_);
  Admission::Ticket ticket_ AC_GUARDED_BY(mutex_) = 0;
  bool has_turn_ AC_GUARDED_BY(mutex_) = false;
  bool leave_due_ AC_GUARDED_BY(mutex_) = false;
  bool breaker_waits_ AC_GUARDED_BY(mutex_) = false;
  Timer::Id retry_timer_ AC_GUARDED_BY(mutex_) = 0;
  Timer::Id early_timer_ AC_GUARDED_BY(mutex_) = 0;

  int attempt_ AC_GUARDED_BY(mutex_) = 0;
  int retries_ AC_GUARDED_BY(mutex_) = 0;
  int adaptations_ AC_GUARDED_BY(mutex_) = 0;
  api::Endpoint endpoint_ AC_GUARDED_BY(mutex_) = api::Endpoint::kChatCompletions;
  bool connected_ AC_GUARDED_BY(mutex_) = false;
  http::Response head_ AC_GUARDED_BY(mutex_);
  bool refused_ AC_GUARDED_BY(mutex_) = false;  // the reply is an error: its body is collected
  std::unique_ptr<api::EventDecoder> decoder_ AC_GUARDED_BY(mutex_);
  std::unique_ptr<TextRescue> rescue_ AC_GUARDED_BY(mutex_);
  bool server_began_ AC_GUARDED_BY(mutex_) = false;  // some event of the server was seen
  bool start_sent_ AC_GUARDED_BY(mutex_) = false;    // the client has its MessageStart
  size_t reply_bytes_ AC_GUARDED_BY(mutex_) = 0;
  Nanos sent_at_ AC_GUARDED_BY(mutex_){0};
};

}  // namespace ac::remote
