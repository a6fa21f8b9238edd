#include "http/internal/call.h"

// GCC 12 takes Asio's recycling operator new for the global one in some coroutines.
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "http/offline_lock.h"
#include "http/public_address.h"

namespace ac::http::internal {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr size_t kReadBytes = size_t{32} << 10;
// A body is written in pieces of this size: each is progress that moves the time limit on.
constexpr size_t kWriteBytes = size_t{256} << 10;
constexpr ParserLimits kReplyLimits{.max_header_bytes = size_t{128} << 10, .max_body_bytes = 0};

// As in connection.cc, each co_await is a statement of its own because of GCC 12.

std::string SecondsText(milliseconds time) {
  const auto count = time.count();
  return count % 1000 == 0 ? std::to_string(count / 1000) + " s" : std::to_string(count) + " ms";
}

Status ConnectError(const error_code& ec) {
  if (ec == asio::error::connection_refused) {
    return Unavailable("connection refused; is the server running, and is this its port?");
  }
  return Unavailable("cannot connect: " + ec.message());
}

bool MayRepeat(const ClientRequest& request) {
  for (const char* method : {"GET", "HEAD", "PUT", "DELETE", "OPTIONS"}) {
    if (request.method == method) return true;
  }
  return request.repeatable;
}

}  // namespace

CallState::CallState(ClientCore& core, ClientRequest request, CallEvents events)
    : core_(core),
      request_(std::move(request)),
      timeouts_(request_.timeouts.value_or(core.options.timeouts)),
      events_(std::move(events)),
      redirects_left_(request_.max_redirects),
      wake_timer_(core.io),
      deadline_timer_(core.io) {
  if (timeouts_.total.count() > 0) total_deadline_ = steady_clock::now() + timeouts_.total;
}

// --- from any thread -------------------------------------------------------------------------

template <typename Function>
void CallState::Post(Function function) {
  MutexLock lock(mutex_);
  if (done_) return;
  asio::post(core_.io, [self = shared_from_this(), function] { function(*self); });
}

void CallState::Start() {
  Post([](CallState& self) {
    self.core_.calls.insert(self.shared_from_this());
    asio::co_spawn(
        self.core_.io, [state = self.shared_from_this()] { return state->Run(); },
        [state = self.shared_from_this()](const std::exception_ptr& failure) {
          if (failure) state->Finish(Internal("[http] out of memory in a request"));
        });
  });
}

void CallState::Cancel() {
  Post([](CallState& self) { self.Stop(Status(Code::kCancelled, "cancelled")); });
}

void CallState::SetPaused(bool paused) {
  Post([paused](CallState& self) {
    self.paused_ = paused;
    self.Wake();
  });
}

void CallState::Silence() {
  // In a callback of this very call the mutex is held by this thread already.
  if (delivering_ == std::this_thread::get_id()) {
    silenced_ = true;
  } else {
    MutexLock lock(callback_mutex_);
    silenced_ = true;
  }
  Cancel();
}

// --- on the I/O thread -----------------------------------------------------------------------

template <typename Function>
void CallState::Deliver(Function function) {
  MutexLock lock(callback_mutex_);
  delivering_ = std::this_thread::get_id();
  if (!silenced_) function();
  delivering_ = std::thread::id();
}

void CallState::Stop(Status why) {
  if (!stop_.ok()) return;
  stop_ = std::move(why);
  if (transport_ != nullptr) transport_->Close();
  Wake();
}

void CallState::Wake() {
  woken_ = true;
  if (asleep_) wake_timer_->cancel();
}

asio::awaitable<void> CallState::Sleep() {
  if (!std::exchange(woken_, false)) {
    asleep_ = true;
    wake_timer_->expires_at(TimePoint::max());
    error_code ignored;
    co_await wake_timer_->async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    asleep_ = false;
    woken_ = false;
  }
}

// Starts or moves the time limit; a pending wait is touched only when it would end too late.
void CallState::Arm(milliseconds limit, const char* what) {
  deadline_ = limit.count() > 0 ? steady_clock::now() + limit : TimePoint::max();
  deadline_text_ = what;
  if (limit.count() > 0) deadline_text_ += " within " + SecondsText(limit);
  if (deadline_timer_ && std::min(deadline_, total_deadline_) < deadline_timer_->expiry()) {
    WatchDeadline();
  }
}

void CallState::WatchDeadline() {
  deadline_timer_->expires_at(std::min(deadline_, total_deadline_));
  deadline_timer_->async_wait([self = shared_from_this()](const error_code& ec) {
    if (ec || !self->deadline_timer_) return;
    const TimePoint now = steady_clock::now();
    if (now >= self->total_deadline_) {
      self->Stop(Status(Code::kDeadlineExceeded,
                        "not finished within " + SecondsText(self->timeouts_.total)));
    } else if (now >= self->deadline_) {
      self->Stop(Status(Code::kDeadlineExceeded, self->deadline_text_));
    } else {
      self->WatchDeadline();
    }
  });
}

Status CallState::Explain(const Status& status) const {
  if (status.ok() || status.message().starts_with("[http]")) return status;
  return status.WithPrefix("[http] " + request_.method + " " + url_.Redacted());
}

void CallState::Finish(Status status) {
  if (transport_ != nullptr) std::exchange(transport_, nullptr)->Close();
  wake_timer_.reset();
  deadline_timer_.reset();
  Deliver([&] {
    if (events_.on_done) events_.on_done(status);
  });
  events_ = {};
  {
    MutexLock lock(mutex_);
    done_ = true;
  }
  const std::shared_ptr<CallState> self = shared_from_this();
  core_.calls.erase(self);
  MutexLock lock(core_.mutex);
  --core_.running;
  core_.all_done.NotifyAll();
}

asio::awaitable<void> CallState::Run() {
  Status status;
  Result<Url> url = Url::Parse(request_.url);
  if (!url.ok()) status = url.status();
  if (url.ok()) url_ = std::move(*url);
  WatchDeadline();
  bool fresh = false;
  while (status.ok() && stop_.ok()) {
    status = co_await Attempt(fresh);
    const bool stale = !status.ok() && reused_ && !got_bytes_ && stop_.ok();
    if (stale && MayRepeat(request_)) {
      fresh = true;  // other kept connections are probably dead as well
      status = OkStatus();
    } else if (!redirected_) {
      break;
    }
  }
  if (!stop_.ok()) status = stop_;
  Finish(Explain(status));
}

asio::awaitable<Status> CallState::Attempt(bool fresh) {
  got_bytes_ = head_seen_ = redirected_ = false;
  received_ = 0;
  Result<Route> planned = PlanRoute(request_, url_, core_.proxy);
  if (!planned.ok()) co_return planned.status();
  Route route = std::move(*planned);
  Arm(timeouts_.connect, "no connection");
  transport_ = fresh ? nullptr : core_.pool.Take(route.key);
  reused_ = transport_ != nullptr;
  if (!reused_) {
    Status opened = co_await Open(route);
    if (!opened.ok()) co_return opened;
  }
  if (!stop_.ok()) co_return stop_;
  Deliver([&] {
    if (events_.on_connected) events_.on_connected();
  });
  Arm(timeouts_.first_byte, "the server gave no reply");
  sending_ = true;
  // Beside, not before, the reading: a server may refuse a body before it has all of it.
  asio::co_spawn(
      core_.io,
      [self = shared_from_this(), transport = transport_, head = std::move(route.head)]() mutable {
        return self->Send(std::move(transport), std::move(head));
      },
      asio::detached);
  Status status = co_await Receive();
  const std::shared_ptr<Transport> used = std::exchange(transport_, nullptr);
  const bool reusable = status.ok() && !sending_ && parser_->done() && parser_->keep_alive();
  if (reusable) {
    core_.pool.Put(route.key, used);
    core_.SchedulePurge();
  } else {
    used->Close();
  }
  co_return status;
}

asio::awaitable<Status> CallState::Open(const Route& route) {
  std::vector<Transport::Endpoint> endpoints;
  if (route.unix_path.empty()) {
    if (OfflineLockEngaged()) {  // before the name is looked up: a question is a connection too
      Status allowed = CheckOffline(route.url, route.proxy ? &*route.proxy : nullptr);
      if (!allowed.ok()) co_return allowed;
    }
    Status resolved = co_await Resolve(route.proxy ? *route.proxy : route.url, endpoints);
    if (!resolved.ok()) co_return resolved;
  } else if (route.unix_path.size() >= sizeof(sockaddr_un::sun_path)) {
    co_return InvalidArgument("the socket path is too long");
  } else {
    endpoints.emplace_back(asio::local::stream_protocol::endpoint(route.unix_path));
  }
  transport_ = std::make_shared<Transport>(core_.io);
  const std::shared_ptr<Transport> transport = transport_;
  error_code ec = co_await transport->Connect(std::move(endpoints));
  if (!stop_.ok()) co_return stop_;
  if (ec) co_return ConnectError(ec);
  if (!route.url.https()) co_return OkStatus();
  if (route.proxy) {
    Status opened = co_await OpenTunnel(route);
    if (!opened.ok()) co_return opened;
  }
  Result<asio::ssl::context*> tls = core_.Tls();
  if (!tls.ok()) co_return tls.status();
  Status secured = co_await transport->StartTls(**tls, route.url.host, core_.options.insecure);
  co_return stop_.ok() ? secured : stop_;
}

asio::awaitable<Status> CallState::Resolve(const Url& target,
                                           std::vector<Transport::Endpoint>& endpoints) {
  error_code ec;
  const auto address = asio::ip::make_address(target.host, ec);
  const bool public_only = core_.options.public_only;
  const auto not_public = [&] {
    return Status(
        Code::kPermissionDenied,
        "'" + target.host + "' leads to this machine or its network, not to the internet");
  };
  if (!ec) {
    if (public_only && !IsPublicAddress(address.to_string())) co_return not_public();
    endpoints.emplace_back(tcp::endpoint(address, target.port));
    co_return OkStatus();
  }
  // The system's resolver cannot be interrupted: its answer goes to a box of its own, which a call
  // that has given up simply leaves behind.
  struct Box {
    explicit Box(asio::io_context& io) : resolver(io) {}
    tcp::resolver resolver;
    bool done = false;
    error_code ec;
    tcp::resolver::results_type found;
  };
  const auto box = std::make_shared<Box>(core_.io);
  box->resolver.async_resolve(
      target.host, std::to_string(target.port), tcp::resolver::numeric_service,
      [box, weak = weak_from_this()](const error_code& result, tcp::resolver::results_type found) {
        box->done = true;
        box->ec = result;
        box->found = std::move(found);
        if (const auto self = weak.lock(); self && self->wake_timer_) self->Wake();
      });
  while (!box->done && stop_.ok()) co_await Sleep();
  if (!stop_.ok()) co_return stop_;
  if (box->ec) {
    co_return Unavailable("cannot find host '" + target.host + "' (" + box->ec.message() +
                          "); check the name and the network");
  }
  for (const auto& entry : box->found) {
    // "localhost" may be made to mean another machine.
    if (OfflineLockEngaged() && !entry.endpoint().address().is_loopback()) continue;
    if (public_only && !IsPublicAddress(entry.endpoint().address().to_string())) continue;
    endpoints.emplace_back(entry.endpoint());
  }
  if (public_only && endpoints.empty()) co_return not_public();
  co_return OkStatus();
}

asio::awaitable<Status> CallState::OpenTunnel(const Route& route) {
  const std::shared_ptr<Transport> transport = transport_;
  const std::string head = ConnectHead(route);
  error_code ec = co_await transport->Write(head);
  // The answer to CONNECT has no body; what follows it belongs to the tunnel.
  ResponseParser parser(kReplyLimits, /*head_request=*/true);
  std::string inbound;
  // Byte by byte at the end would be slow, but a server speaks only after our TLS greeting: nothing
  // of the tunnel can be read here by accident.
  char buffer[1024];
  while (!ec && stop_.ok() && !parser.header_done()) {
    const size_t n = co_await transport->Read(buffer, sizeof buffer, ec);
    inbound.append(buffer, n);
    const Result<size_t> used = parser.Feed(inbound);
    if (!used.ok()) co_return used.status();
    inbound.erase(0, *used);
  }
  if (!stop_.ok()) co_return stop_;
  const std::string name = "proxy " + route.proxy->Authority();
  if (!parser.header_done()) co_return Unavailable(name + " closed the connection");
  const int status = parser.response().status;
  if (status / 100 == 2) co_return OkStatus();
  co_return Unavailable(name + " refused the tunnel with status " + std::to_string(status) +
                        (status == 407 ? "; put user and password into the proxy URL" : ""));
}

asio::awaitable<void> CallState::Send(std::shared_ptr<Transport> transport, std::string head) {
  // A small body travels with the head in one packet.
  const bool small = request_.body.size() <= kWriteBytes / 4;
  if (small) head += request_.body;
  error_code ec = co_await transport->Write(head);
  const std::string_view body = small ? std::string_view() : std::string_view(request_.body);
  for (size_t at = 0; at < body.size() && !ec && transport == transport_; at += kWriteBytes) {
    if (!got_bytes_) Arm(timeouts_.first_byte, "the server took no more of the request");
    ec = co_await transport->Write(body.substr(at, kWriteBytes));
  }
  // An error shows itself, with better words, to the reading side.
  if (transport == transport_) {
    sending_ = static_cast<bool>(ec);
    if (!ec && !got_bytes_) Arm(timeouts_.first_byte, "the server gave no reply");
  }
}

asio::awaitable<Status> CallState::Receive() {
  const std::shared_ptr<Transport> transport = transport_;
  parser_ = std::make_unique<ResponseParser>(kReplyLimits, request_.method == "HEAD");
  const auto buffer = std::make_unique<char[]>(kReadBytes);
  std::string inbound;
  bool finished = false;
  while (!finished) {
    while (paused_ && stop_.ok()) {
      Arm(milliseconds(0), "");
      co_await Sleep();
      if (!paused_) Arm(timeouts_.idle, "the reply stopped: nothing came");
    }
    error_code ec;
    const size_t n = co_await transport->Read(buffer.get(), kReadBytes, ec);
    if (!stop_.ok()) co_return stop_;
    if (ec == asio::error::eof) {
      Status end = parser_->FeedEof();
      if (end.ok() && head_seen_) end = HandleBody();
      co_return end;
    }
    if (ec) co_return Unavailable("the connection broke: " + ec.message());
    got_bytes_ = true;
    Arm(timeouts_.idle, "the reply stopped: nothing came");
    inbound.append(buffer.get(), n);
    Status digested = Digest(inbound, finished);
    if (!digested.ok()) co_return digested;
  }
  // Bytes behind the reply: this connection cannot be trusted with another request.
  if (!inbound.empty()) sending_ = true;
  co_return stop_;
}

Status CallState::Digest(std::string& inbound, bool& finished) {
  while (!inbound.empty() && !finished && stop_.ok()) {
    AC_ASSIGN_OR_RETURN(const size_t used, parser_->Feed(inbound));
    inbound.erase(0, used);
    if (parser_->header_done() && !head_seen_) {
      const int status = parser_->response().status;
      if (status >= 100 && status < 200 &&
          status != 101) {  // an interim reply: the real one follows
        parser_ = std::make_unique<ResponseParser>(kReplyLimits, request_.method == "HEAD");
        continue;
      }
      AC_RETURN_IF_ERROR(HandleHead());
    }
    if (redirected_) {
      finished = true;
      return OkStatus();
    }
    AC_RETURN_IF_ERROR(HandleBody());
    finished = parser_->done();
    if (used == 0) break;
  }
  if (!finished && inbound.size() > kReplyLimits.max_header_bytes) {
    return DataLoss("a line of the server's reply is too long");
  }
  return OkStatus();
}

Status CallState::HandleHead() {
  head_seen_ = true;
  const Response& head = parser_->response();
  if (Redirected(head)) return OkStatus();
  Deliver([&] {
    if (events_.on_headers) events_.on_headers(head);
  });
  return OkStatus();
}

Status CallState::HandleBody() {
  const std::string bytes = parser_->TakeBody();
  if (bytes.empty()) return OkStatus();
  received_ += bytes.size();
  if (request_.max_body_bytes > 0 && received_ > request_.max_body_bytes) {
    return Status(Code::kTooLarge,
                  "the reply is larger than " + std::to_string(request_.max_body_bytes) + " bytes");
  }
  Deliver([&] {
    if (events_.on_data) events_.on_data(bytes);
  });
  return OkStatus();
}

// Follows a redirect where allowed; a refused one is delivered like any other reply.
bool CallState::Redirected(const Response& head) {
  const int status = head.status;
  const bool redirect =
      status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
  if (!redirect || redirects_left_ == 0 || !head.headers.Has("Location")) return false;
  const bool reading = request_.method == "GET" || request_.method == "HEAD";
  if (!reading && status < 303)
    return false;  // 301, 302: what happens to a body is not agreed upon
  Result<Url> target = url_.Resolve(head.headers.Get("Location"));
  if (!target.ok() || (url_.https() && !target->https())) return false;
  if (status == 303 && !reading) {
    request_.method = "GET";
    request_.body.clear();
  }
  if (target->Origin() != url_.Origin()) {  // keys are for the server they were given for
    request_.headers.Remove("Authorization");
    request_.headers.Remove("Cookie");
    request_.headers.Remove("X-Api-Key");
  }
  --redirects_left_;
  url_ = std::move(*target);
  redirected_ = true;
  return true;
}

}  // namespace ac::http::internal
