#include "gateway/reply_session.h"

#include <utility>

#include "api/errors.h"

namespace ac::gateway {
namespace {

// Names what answered, when it was not the server's own mode.
void AddServedBy(const std::string& served_by, http::Headers* headers) {
  if (!served_by.empty()) headers->Add("x-anyclaude-served-by", served_by);
}

http::Headers StreamHeaders(const std::string& served_by) {
  http::Headers headers{{"content-type", "text/event-stream; charset=utf-8"},
                        {"cache-control", "no-cache"}};
  AddServedBy(served_by, &headers);
  return headers;
}

int64_t EpochSeconds(const Clock& clock) {
  return std::chrono::duration_cast<std::chrono::seconds>(clock.WallNow()).count();
}

}  // namespace

ReplySession::ReplySession(api::Endpoint endpoint, const chat::ChatRequest& request,
                           std::shared_ptr<http::Exchange> exchange, Clock& clock,
                           WatchList watches)
    : endpoint_(endpoint),
      stream_(request.stream),
      encoder_options_(api::EncoderOptionsFor(request, EpochSeconds(clock))),
      exchange_(std::move(exchange)),
      clock_(clock),
      encoder_(api::MakeEventEncoder(endpoint, encoder_options_)),
      watches_(std::move(watches)) {}

void ReplySession::CheckStream() {
  MutexLock lock(mutex_);
  if (stream_) guard_ = std::make_unique<StreamGuard>(endpoint_);
}

void ReplySession::Start(backend::Backend& backend, chat::ChatRequest request) {
  std::weak_ptr<ReplySession> weak = weak_from_this();
  exchange_->OnClientGone([weak] {
    if (const auto self = weak.lock()) self->Drop();
  });
  exchange_->OnCut([weak] {
    if (const auto self = weak.lock())
      self->Fail(Unavailable("[gateway] the server is shutting down"));
  });
  std::unique_ptr<backend::Call> call = backend.Start(std::move(request), shared_from_this());
  MutexLock lock(mutex_);
  if (!done_) call_ = std::move(call);
}

void ReplySession::OnEvent(chat::ChatEvent event) {
  MutexLock lock(mutex_);
  if (done_) return;
  watches_.Event(event, clock_.Now());
  if (const auto* start = event.As<chat::MessageStart>()) served_by_ = start->served_by;
  if (const auto* error = event.As<chat::Error>(); error != nullptr && !started_) {
    RespondError(error->status, error->retry_after_s);
    return;
  }
  if (stream_) {
    EncodeToStream(event);
    return;
  }
  whole_.Apply(event);
  if (event.As<chat::MessageStop>() != nullptr) FinishWhole();
  if (const auto* error = event.As<chat::Error>())
    RespondError(error->status, error->retry_after_s);
}

void ReplySession::EncodeToStream(const chat::ChatEvent& event) {
  if (!started_) {
    started_ = true;
    exchange_->StartStream(200, StreamHeaders(served_by_));
  }
  std::string bytes;
  encoder_->Encode(event, &bytes);
  if (guard_ != nullptr) {
    guard_->Event(event);
    guard_->Bytes(bytes);
  }
  if (!bytes.empty()) {
    exchange_->Write(bytes);
    last_write_ = clock_.Now();
  }
  if (event.As<chat::MessageStop>() != nullptr || event.As<chat::Error>() != nullptr) {
    done_ = true;
    if (guard_ != nullptr) guard_->End();
    exchange_->Finish();
  }
}

void ReplySession::FinishWhole() {
  done_ = true;
  http::Response response = http::Response::Make(
      200, "application/json", api::EncodeReply(endpoint_, encoder_options_, whole_.reply()));
  AddServedBy(served_by_, &response.headers);
  exchange_->Respond(response);
}

void ReplySession::RespondError(const Status& status, int64_t retry_after_s) {
  done_ = true;
  const api::ErrorReply reply =
      api::EncodeError(api::DialectOf(endpoint_), status, {.retry_after_s = retry_after_s});
  http::Response response = http::Response::Make(reply.http_status, "application/json", reply.body);
  for (const auto& [name, value] : reply.headers) response.headers.Add(name, value);
  exchange_->Respond(std::move(response));
}

void ReplySession::Tick(Nanos interval) {
  MutexLock lock(mutex_);
  if (done_ || !started_ || clock_.Now() - last_write_ < interval) return;
  EncodeToStream({.value = chat::Ping{}});
  last_write_ = clock_.Now();  // dialects without pings write nothing: ask again an interval later
}

bool ReplySession::done() const {
  MutexLock lock(mutex_);
  return done_;
}

void ReplySession::Drop() {
  std::unique_ptr<backend::Call> call;
  {
    MutexLock lock(mutex_);
    done_ = true;
    watches_.End(Ending::kCancelled, clock_.Now());  // nothing when it had ended already
    call = std::move(call_);
  }
  // Destroyed without the lock: the backend may be inside OnEvent, waiting for it.
}

void ReplySession::Fail(const Status& status) {
  {
    MutexLock lock(mutex_);
    if (done_) return;
    watches_.Event({.value = chat::Error{.status = status}}, clock_.Now());
    if (started_) {
      EncodeToStream({.value = chat::Error{.status = status}});
    } else {
      RespondError(status, 0);
    }
  }
  Drop();
}

}  // namespace ac::gateway
