#include "http/internal/connection.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "http/internal/parser.h"
#include "http/internal/platform.h"

namespace ac::http::internal {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Input accepted while a reply is running: enough for pipelined requests; a client that sends more
// waits.
constexpr size_t kMaxAhead = size_t{64} << 10;
// How often a client is looked for whose further input we refuse to read.
constexpr milliseconds kPollInterval{500};
// How long a refused client may go on sending before the connection is closed in its face. Closing
// with unread input would make the kernel reset the connection and the client lose our answer.
constexpr milliseconds kLingerTime{1000};
constexpr auto kNever = steady_clock::time_point::max();

// GCC 12 miscompiles co_await inside conditions and beside temporaries: in this file each one is a
// statement of its own.

}  // namespace

ServerContext::ServerContext(ServerOptions given, Handler handle)
    : options(std::move(given)),
      handler(std::move(handle)),
      requests_metric(options.metrics == nullptr
                          ? obs::Counter()
                          : options.metrics->GetCounter("anyclaude_http_requests_total",
                                                        "Requests handed to the gateway.")),
      connections_metric(options.metrics == nullptr
                             ? obs::Gauge()
                             : options.metrics->GetGauge("anyclaude_http_connections",
                                                         "Open connections of clients.")) {}

void ServerContext::AddConnections(int change) {
  open += static_cast<size_t>(change);
  connections_metric.Set(static_cast<double>(open));
}

void ServerContext::CountRefusal(int status) {
  ++rejected;
  if (options.metrics == nullptr) return;
  options.metrics
      ->GetCounter("anyclaude_http_refused_total",
                   "Requests the server answered itself: limits, malformed requests.",
                   {{"status", std::to_string(status)}})
      .Add();
}

Response ServerContext::MakeError(int status, std::string_view message,
                                  std::string_view path) const {
  if (!options.error_body) {
    return Response::Make(status, "text/plain; charset=utf-8", std::string(message) + "\n");
  }
  ErrorBody error = options.error_body(status, message, path);
  return Response::Make(status, std::move(error.content_type), std::move(error.body));
}

Connection::Connection(Socket socket, std::string remote_address, ServerContext& server,
                       IoThread& thread)
    : socket_(std::move(socket)),
      server_(server),
      thread_(thread),
      timer_(thread.io),
      remote_address_(std::move(remote_address)) {
  thread_.connections.insert(this);
}

Connection::~Connection() {
  thread_.connections.erase(this);
  MutexLock lock(server_.mutex);
  server_.AddConnections(-1);
  server_.closed.NotifyAll();
}

void Connection::Start(bool over_limit) {
  error_code ignored;
  socket_.non_blocking(true, ignored);
  asio::co_spawn(
      thread_.io, [self = shared_from_this(), over_limit] { return self->Serve(over_limit); },
      [self = shared_from_this()](const std::exception_ptr&) { self->Close(); });
}

asio::awaitable<void> Connection::Serve(bool over_limit) {
  if (over_limit) {
    Refuse(503, "too many connections; try again later", "");
    (void)co_await SendReply();
  }
  while (!over_limit) {
    const bool received = co_await ReadRequest();
    if (!received) break;
    Dispatch();
    const bool replied = co_await SendReply();
    if (!replied || !keep_alive_) break;
  }
  if (unread_input_ || !inbound_.empty()) co_await Linger();
}

// --- waiting ---------------------------------------------------------------------------------

asio::awaitable<void> Connection::Sleep(TimePoint deadline) {
  if (!std::exchange(woken_, false)) {
    asleep_ = true;
    timer_.expires_at(deadline);
    error_code ignored;  // woken early
    co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    asleep_ = false;
    woken_ = false;
  }
}

void Connection::Wake() {
  woken_ = true;
  if (asleep_) timer_.cancel();
}

void Connection::WatchReadable() {
  const bool enough = core_ != nullptr && inbound_.size() >= kMaxAhead;
  if (watching_read_ || peer_eof_ || enough || !socket_.is_open()) return;
  watching_read_ = true;
  socket_.async_wait(Socket::wait_read, [self = shared_from_this()](const error_code& ec) {
    self->watching_read_ = false;
    if (!ec) self->OnReadable();
  });
}

void Connection::OnReadable() {
  if (!socket_.is_open()) return;
  error_code ec;
  const size_t n = socket_.read_some(asio::buffer(thread_.scratch), ec);
  if (ec == asio::error::would_block || ec == asio::error::try_again) {
    WatchReadable();
    return;
  }
  if (ec) {
    PeerLeft(/*for_writing_too=*/ec != asio::error::eof);
  } else {
    inbound_.append(thread_.scratch.data(), n);
    if (core_ != nullptr) WatchReadable();
  }
  Wake();
}

void Connection::WatchWritable() {
  if (std::exchange(watching_write_, true)) return;
  socket_.async_wait(Socket::wait_write, [self = shared_from_this()](const error_code& ec) {
    self->watching_write_ = false;
    if (!ec) self->Wake();
  });
}

// A half-closed client (end of input, still reading) counts as gone for OnClientGone, but a reply
// that comes all the same is sent: that is what `nc` and simple scripts expect.
void Connection::PeerLeft(bool for_writing_too) {
  peer_eof_ = true;
  broken_ = broken_ || for_writing_too;
  if (core_ != nullptr) core_->ClientGone();
}

// --- requests --------------------------------------------------------------------------------

// True with a complete request in parser_; false when the connection is to end, after any error has
// been answered.
asio::awaitable<bool> Connection::ReadRequest() {
  const Limits& limits = server_.options.limits;
  parser_ =
      std::make_unique<RequestParser>(ParserLimits{limits.max_header_bytes, limits.max_body_bytes});
  ReadPhase phase = ReadPhase::kIdle;
  TimePoint deadline = steady_clock::now() + limits.idle_time;
  for (;;) {
    if (ParseInbound(&phase, &deadline)) co_return true;
    const bool late = core_ == nullptr && steady_clock::now() >= deadline;
    if (late && phase != ReadPhase::kIdle) RefuseLate(phase);
    if (core_ != nullptr) {  // refused
      (void)co_await SendReply();
      co_return false;
    }
    if (late || peer_eof_ || broken_ || !socket_.is_open()) co_return false;
    if (phase == ReadPhase::kIdle && server_.draining) co_return false;
    WatchReadable();
    co_await Sleep(deadline);
  }
}

// Feeds what has arrived to the parser, moving on `phase` and `deadline`; true when the request is
// complete. A bad request is refused here.
bool Connection::ParseInbound(ReadPhase* phase, TimePoint* deadline) {
  const Limits& limits = server_.options.limits;
  if (*phase == ReadPhase::kIdle) {
    // Stray line breaks between requests are allowed (RFC 9112, 2.2).
    inbound_.erase(0, std::min(inbound_.find_first_not_of("\r\n"), inbound_.size()));
    if (inbound_.empty()) return false;
    *phase = ReadPhase::kHeader;
    *deadline = steady_clock::now() + limits.header_time;
  }
  inbound_.erase(0, parser_->Feed(inbound_));
  if (parser_->failed()) {
    Refuse(parser_->error_status(), parser_->error_message(), parser_->request().path);
    return false;
  }
  if (parser_->done()) return true;
  if (parser_->header_done() && *phase == ReadPhase::kHeader) {
    *phase = ReadPhase::kBody;
    *deadline = steady_clock::now() + limits.body_time;
    if (parser_->expects_continue()) SendContinue();
  }
  return false;
}

void Connection::SendContinue() {
  static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  error_code ec;
  const size_t n = socket_.write_some(asio::buffer(kContinue.data(), kContinue.size()), ec);
  // Nothing else is on its way to this client: a full send buffer means it is not reading.
  if (n < kContinue.size()) PeerLeft(/*for_writing_too=*/true);
}

void Connection::OpenExchange(const ReplyFacts& facts) {
  core_ = std::make_shared<ExchangeCore>(
      facts, server_.options.limits.drain_bytes,
      [weak = weak_from_this(), executor = thread_.io.get_executor()] {
        asio::post(executor, [weak] {
          if (const auto self = weak.lock()) self->Wake();
        });
      },
      [descriptor = socket_.native_handle()](std::string_view bytes) {
        return SendNow(descriptor, bytes);
      });
}

void Connection::Dispatch() {
  Request request = std::move(parser_->request());
  request.remote_address = remote_address_;
  path_ = request.path;
  keep_alive_ = parser_->keep_alive() && !server_.draining;
  OpenExchange({.head_request = request.method == "HEAD",
                .chunked_allowed = parser_->http_minor() == 1,
                .keep_alive = keep_alive_});
  parser_.reset();
  if (inbound_.empty()) std::string().swap(inbound_);  // a streaming connection holds no buffers
  ++server_.requests;
  server_.requests_metric.Add();
  ++server_.running;
  WatchReadable();
  // The handler may keep the exchange: that this frame's copy goes is what ends a dropped one.
  auto exchange = std::make_shared<Exchange>(core_);
  if (peer_eof_) core_->ClientGone();
  try {
    server_.handler(std::move(request), std::move(exchange));
  } catch (...) {
    core_->Drop();  // answered with a 500
  }
}

// --- replies ---------------------------------------------------------------------------------

bool Connection::WriteSome() {
  error_code ec;
  const size_t n =
      socket_.write_some(asio::buffer(outbound_.data() + sent_, outbound_.size() - sent_), ec);
  if (ec == asio::error::would_block || ec == asio::error::try_again) return true;
  if (ec) {
    PeerLeft(/*for_writing_too=*/true);
    return false;
  }
  sent_ += n;
  if (n > 0) progress_ = steady_clock::now();
  if (core_ != nullptr) core_->Sent(n);
  return true;
}

ExchangeCore::Phase Connection::TakeOutput() {
  ExchangeCore::Output output = core_->Take();
  if (output.phase == ExchangeCore::Phase::kDropped) {
    core_->Fail(server_.MakeError(500, "the server gave no answer to this request", path_));
    output = core_->Take();
  }
  outbound_.swap(output.bytes);  // not a move: that could keep a big old buffer
  sent_ = 0;
  keep_alive_ = output.keep_alive;
  progress_ = steady_clock::now();
  return output.phase;
}

// When to look at the client again at the latest; nullopt when it has been too slow.
std::optional<Connection::TimePoint> Connection::NextLook() {
  const Limits& limits = server_.options.limits;
  const TimePoint now = steady_clock::now();
  TimePoint next = kNever;
  if (sent_ < outbound_.size()) {
    if (core_->pending_bytes() <= limits.max_pending_bytes) over_since_ = now;
    const TimePoint too_slow = std::min(progress_, over_since_) + limits.write_time;
    if (now >= too_slow) return std::nullopt;
    // How much is pending changes without a wake-up: look in between.
    next = std::min(too_slow, now + limits.write_time / 4);
  }
  if (inbound_.size() >= kMaxAhead && !peer_eof_) {
    if (PeerHasClosed(socket_.native_handle())) PeerLeft(/*for_writing_too=*/false);
    next = std::min(next, now + kPollInterval);
  }
  return next;
}

asio::awaitable<bool> Connection::SendReply() {
  bool complete = false;
  over_since_ = steady_clock::now();
  while (!broken_ && socket_.is_open()) {
    if (sent_ == outbound_.size()) {
      const ExchangeCore::Phase phase = TakeOutput();
      complete = outbound_.empty() && phase == ExchangeCore::Phase::kComplete;
      if (complete || (outbound_.empty() && phase == ExchangeCore::Phase::kAborted)) break;
    }
    if (sent_ < outbound_.size()) {
      if (!WriteSome()) break;
      if (sent_ == outbound_.size()) continue;  // there may be more by now
      WatchWritable();
    }
    const std::optional<TimePoint> next = NextLook();
    if (!next) break;
    co_await Sleep(*next);
  }
  if (!complete) core_->ClientGone();
  core_->Detach();
  core_.reset();
  std::string().swap(outbound_);
  sent_ = 0;
  --server_.running;
  if (!complete) ResetOnClose();
  co_return complete;
}

// Makes the close visible as a failure even where only the end of the connection ends the reply.
void Connection::ResetOnClose() {
  error_code ignored;
  socket_.set_option(asio::socket_base::linger(true, 0), ignored);
}

// Prepares an error answer; SendReply() sends it.
void Connection::Refuse(int status, std::string_view message, std::string_view path) {
  server_.CountRefusal(status);
  ++server_.running;
  unread_input_ = true;
  OpenExchange({.keep_alive = false});
  core_->Fail(server_.MakeError(status, message, path));
}

void Connection::RefuseLate(ReadPhase phase) {
  const bool body = phase == ReadPhase::kBody;
  Refuse(408, std::string("the request ") + (body ? "body" : "header") + " took too long to arrive",
         parser_->request().path);
}

asio::awaitable<void> Connection::Linger() {
  error_code ec;
  socket_.shutdown(Socket::shutdown_send, ec);
  const TimePoint deadline = steady_clock::now() + kLingerTime;
  while (!peer_eof_ && socket_.is_open() && steady_clock::now() < deadline) {
    inbound_.clear();
    WatchReadable();
    co_await Sleep(deadline);
  }
}

// --- the end ---------------------------------------------------------------------------------

void Connection::Drain() {
  if (core_ != nullptr) core_->CloseAfterReply();
  Wake();
}

void Connection::Cut() {
  const std::shared_ptr<ExchangeCore> core = core_;
  if (core == nullptr) {
    Close();
  } else if (!core->Cut()) {
    core->Fail(server_.MakeError(503, "the server is shutting down", path_));
    core->ClientGone();
  }
}

void Connection::Close() {
  error_code ignored;
  if (core_ != nullptr) core_->LeaveSocket();
  socket_.close(ignored);
  if (core_ != nullptr) core_->ClientGone();
  Wake();
}

}  // namespace ac::http::internal
