// One running HTTP reply: turns a backend's events into bytes for the client, streamed or whole.
//
// Created by Gateway for each generation; kept alive by the gateway's list until the reply is over,
// then dropped from there, because the last event arrives inside a call of the backend and the
// backend's Call must not be destroyed by itself. Thread-safe.
#pragma once

#include <memory>
#include <string>

#include "api/codec.h"
#include "backend/backend.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "chat/event.h"
#include "chat/reply.h"
#include "gateway/observer.h"
#include "gateway/stream_guard.h"
#include "http/server.h"

namespace ac::gateway {

class ReplySession : public chat::ChatSink, public std::enable_shared_from_this<ReplySession> {
 public:
  ReplySession(api::Endpoint endpoint, const chat::ChatRequest& request,
               std::shared_ptr<http::Exchange> exchange, Clock& clock, WatchList watches = {});

  // Before Start: judges the stream by its protocol's rules.
  void CheckStream();
  // Begins: wires the client's leaving and a shutdown's deadline to this reply, starts the backend.
  void Start(backend::Backend& backend, chat::ChatRequest request);

  // From the backend, one call at a time.
  void OnEvent(chat::ChatEvent event) override;

  // Sends a ping when the stream has been silent for `interval`.
  void Tick(Nanos interval);

  bool done() const;
  // Cancels the work; the client is gone or must be told nothing more.
  void Drop();
  // Ends the reply with an error in the client's dialect.
  void Fail(const Status& status);

 private:
  void EncodeToStream(const chat::ChatEvent& event) AC_REQUIRES(mutex_);
  void FinishWhole() AC_REQUIRES(mutex_);
  void RespondError(const Status& status, int64_t retry_after_s) AC_REQUIRES(mutex_);

  const api::Endpoint endpoint_;
  const bool stream_;
  const api::EncoderOptions encoder_options_;
  const std::shared_ptr<http::Exchange> exchange_;
  Clock& clock_;

  mutable Mutex mutex_;
  std::unique_ptr<backend::Call> call_ AC_GUARDED_BY(mutex_);
  std::unique_ptr<api::EventEncoder> encoder_ AC_GUARDED_BY(mutex_);  // of a stream
  chat::ReplyBuilder whole_ AC_GUARDED_BY(mutex_);                    // otherwise
  WatchList watches_ AC_GUARDED_BY(mutex_);
  std::unique_ptr<StreamGuard> guard_ AC_GUARDED_BY(mutex_);  // null: nobody checks
  std::string served_by_ AC_GUARDED_BY(mutex_);
  bool started_ AC_GUARDED_BY(mutex_) = false;  // headers are out
  bool done_ AC_GUARDED_BY(mutex_) = false;
  Nanos last_write_ AC_GUARDED_BY(mutex_){0};
};

}  // namespace ac::gateway
