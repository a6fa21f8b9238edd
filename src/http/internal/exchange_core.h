// The mailbox between whoever writes a reply (any thread) and the connection that sends it.
//
// Shared by the Exchange and its connection. The writer's side turns replies into wire bytes; the
// connection's side takes them. While the connection sleeps with nothing to send, what a writer
// streams goes to the system at once, on the writer's thread (`send_now`, under the lock): a token
// then costs one call instead of waking another thread (docs/adr/0058-writers-send.md). What the
// system does not take, and every end of a reply, wakes the connection (`wake`, under the lock).
// User callbacks run without the lock. Thread-safe.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "base/mutex.h"
#include "http/message.h"

namespace ac::http::internal {

// What the request decides about the form of its reply.
struct ReplyFacts {
  bool head_request = false;
  bool chunked_allowed = true;  // not for HTTP/1.0
  bool keep_alive = true;
};

class ExchangeCore {
 public:
  enum class Phase {
    kWaiting,    // no reply yet
    kStreaming,  // head sent, more may follow
    kComplete,   // everything is queued
    kDropped,    // the writer went away without any reply
    kAborted,    // the reply cannot be completed: cut
  };

  // Sends without waiting; how many bytes the system took, 0 also when it failed.
  using SendNow = std::function<size_t(std::string_view bytes)>;

  ExchangeCore(const ReplyFacts& facts, size_t drain_bytes, std::function<void()> wake,
               SendNow send_now);

  // The writer's side; see Exchange.
  void Respond(const Response& response) AC_EXCLUDES(mutex_);
  void StartStream(int status, const Headers& headers) AC_EXCLUDES(mutex_);
  size_t Write(std::string_view chunk) AC_EXCLUDES(mutex_);
  void Finish() AC_EXCLUDES(mutex_);
  void Abort() AC_EXCLUDES(mutex_);
  void Drop() AC_EXCLUDES(mutex_);
  size_t pending_bytes() const AC_EXCLUDES(mutex_);
  bool client_gone() const AC_EXCLUDES(mutex_);
  void OnDrain(std::function<void()> callback) AC_EXCLUDES(mutex_);
  void OnClientGone(std::function<void()> callback) AC_EXCLUDES(mutex_);
  void OnCut(std::function<void()> callback) AC_EXCLUDES(mutex_);

  // The connection's side.
  struct Output {
    std::string bytes;
    Phase phase = Phase::kWaiting;
    bool keep_alive = false;
  };
  Output Take() AC_EXCLUDES(mutex_);
  // The system took `n` bytes of what Take() gave.
  void Sent(size_t n) AC_EXCLUDES(mutex_);
  // An error instead of the reply, and the end of the connection; a reply that has begun is
  // aborted.
  void Fail(const Response& response) AC_EXCLUDES(mutex_);
  // The reply, where it has not begun, will announce the end of the connection.
  void CloseAfterReply() AC_EXCLUDES(mutex_);
  void ClientGone() AC_EXCLUDES(mutex_);
  // Nothing is sent from writers' threads any more: before the socket is closed.
  void LeaveSocket() AC_EXCLUDES(mutex_);
  // Runs OnCut; false when there was none.
  bool Cut() AC_EXCLUDES(mutex_);
  // The connection is done with this exchange: nothing is sent any more, callbacks are released.
  void Detach() AC_EXCLUDES(mutex_);

 private:
  bool Open(Phase phase) const AC_REQUIRES(mutex_) { return !detached_ && phase_ == phase; }
  void Move(Phase phase) AC_REQUIRES(mutex_);
  void Notify() AC_REQUIRES(mutex_);
  void SendOrQueue(std::string_view bytes) AC_REQUIRES(mutex_);

  const ReplyFacts facts_;
  const size_t drain_bytes_;
  mutable Mutex mutex_;
  std::function<void()> wake_ AC_GUARDED_BY(mutex_);
  SendNow send_now_ AC_GUARDED_BY(mutex_);
  std::function<void()> on_drain_ AC_GUARDED_BY(mutex_);
  std::function<void()> on_gone_ AC_GUARDED_BY(mutex_);
  std::function<void()> on_cut_ AC_GUARDED_BY(mutex_);
  std::string queued_ AC_GUARDED_BY(mutex_);
  size_t in_flight_ AC_GUARDED_BY(mutex_) = 0;
  Phase phase_ AC_GUARDED_BY(mutex_) = Phase::kWaiting;
  bool keep_alive_ AC_GUARDED_BY(mutex_);
  bool asleep_ AC_GUARDED_BY(mutex_) = false;  // the connection waits for wake_
  bool gone_ AC_GUARDED_BY(mutex_) = false;
  bool detached_ AC_GUARDED_BY(mutex_) = false;
};

}  // namespace ac::http::internal
