#include "http/client.h"

#include <boost/asio/post.hpp>
#include <utility>

#include "http/internal/call.h"

namespace ac::http {
namespace internal {

ClientCore::ClientCore(ClientOptions given)
    : options(std::move(given)),
      proxy(options.public_only ? ProxyConfig()
            : options.proxy     ? *options.proxy
                                : ProxyConfig::FromEnvironment()),
      pool(options.max_idle_per_host, options.keep_idle),
      thread([this] { io.run(); }) {}

Result<boost::asio::ssl::context*> ClientCore::Tls() {
  if (tls == nullptr) {
    AC_ASSIGN_OR_RETURN(tls, MakeTlsContext(options));
  }
  return tls.get();
}

void ClientCore::SchedulePurge() {
  if (pool.empty() || std::exchange(purge_scheduled, true)) return;
  purge_timer.expires_after(options.keep_idle);
  purge_timer.async_wait([this](const error_code& ec) {
    purge_scheduled = false;
    if (ec) return;
    pool.Purge();
    SchedulePurge();
  });
}

}  // namespace internal

namespace {

constexpr size_t kFetchLimit = size_t{64} << 20;

// Where Fetch and the callbacks of its call meet.
struct Collected {
  Mutex mutex;
  CondVar done;
  Response response AC_GUARDED_BY(mutex);
  std::optional<Status> status AC_GUARDED_BY(mutex);
};

}  // namespace

Call::~Call() {
  if (state_ != nullptr) state_->Silence();
}

Call& Call::operator=(Call&& other) noexcept {
  if (state_ != nullptr && this != &other) state_->Silence();
  state_ = std::move(other.state_);
  return *this;
}

void Call::Cancel() {
  if (state_ != nullptr) state_->Cancel();
}

void Call::Pause() {
  if (state_ != nullptr) state_->SetPaused(true);
}

void Call::Resume() {
  if (state_ != nullptr) state_->SetPaused(false);
}

Client::Client(ClientOptions options)
    : core_(std::make_unique<internal::ClientCore>(std::move(options))) {}

Client::~Client() {
  boost::asio::post(core_->io, [core = core_.get()] {
    const auto calls = core->calls;  // stopping one may remove it
    for (const auto& call : calls) call->Stop(Status(Code::kCancelled, "the client was closed"));
  });
  {
    MutexLock lock(core_->mutex);
    while (core_->running > 0) core_->all_done.Wait(core_->mutex);
  }
  core_->io.stop();
  core_->thread.join();
}

Call Client::Start(ClientRequest request, CallEvents events) {
  {
    MutexLock lock(core_->mutex);
    ++core_->running;
  }
  auto state = std::make_shared<internal::CallState>(*core_, std::move(request), std::move(events));
  state->Start();
  return Call(std::move(state));
}

Result<Response> Client::Fetch(ClientRequest request) {
  if (std::this_thread::get_id() == core_->thread.get_id()) {
    return Status(Code::kFailedPrecondition,
                  "[http] Fetch in a callback would wait for itself; use Start");
  }
  if (request.max_body_bytes == 0) request.max_body_bytes = kFetchLimit;
  Collected collected;
  CallEvents events;
  events.on_headers = [&](const Response& head) {
    MutexLock lock(collected.mutex);
    collected.response = head;
  };
  events.on_data = [&](std::string_view bytes) {
    MutexLock lock(collected.mutex);
    collected.response.body += bytes;
  };
  events.on_done = [&](const Status& status) {
    MutexLock lock(collected.mutex);
    collected.status = status;
    collected.done.NotifyAll();
  };
  const Call call = Start(std::move(request), std::move(events));
  MutexLock lock(collected.mutex);
  while (!collected.status) collected.done.Wait(collected.mutex);
  if (!collected.status->ok()) return *collected.status;
  return std::move(collected.response);
}

}  // namespace ac::http
