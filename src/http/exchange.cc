#include <array>
#include <charconv>
#include <ctime>
#include <utility>

#include "http/internal/exchange_core.h"
#include "http/server.h"

namespace ac::http {
namespace internal {
namespace {

// One formatting per second and thread.
std::string_view HttpDate() {
  thread_local std::time_t stamped = 0;
  thread_local std::array<char, 32> text{};
  const std::time_t now = std::time(nullptr);
  if (now != stamped) {
    stamped = now;
    std::tm utc{};
    gmtime_r(&now, &utc);
    static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                              "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    // Not strftime's %a %b: those follow the locale.
    char tail[24];
    std::strftime(tail, sizeof tail, " %Y %H:%M:%S GMT", &utc);
    std::string date = std::string(kDays[utc.tm_wday]) + ", " + (utc.tm_mday < 10 ? "0" : "") +
                       std::to_string(utc.tm_mday) + " " + kMonths[utc.tm_mon] + tail;
    date.resize(std::min<size_t>(date.size(), text.size() - 1));
    std::copy(date.begin(), date.end(), text.begin());
    text[date.size()] = '\0';
  }
  return text.data();
}

// A line break inside a field would let its value forge further fields.
void AppendClean(std::string_view text, std::string* out) {
  for (const char c : text) out->push_back(c == '\r' || c == '\n' || c == '\0' ? ' ' : c);
}

bool IsFraming(std::string_view name) {
  return EqualsIgnoreCase(name, "Content-Length") || EqualsIgnoreCase(name, "Transfer-Encoding") ||
         EqualsIgnoreCase(name, "Connection") || EqualsIgnoreCase(name, "Date");
}

bool StatusHasBody(int status) { return status >= 200 && status != 204 && status != 304; }

// Everything up to the blank line, without framing fields. HTTP/1.0 (no chunks) must be told that
// the connection stays open; HTTP/1.1 that it does not.
std::string EncodeHead(int status, const Headers& headers, const ReplyFacts& facts,
                       bool keep_alive) {
  std::string out;
  out.reserve(256);
  out += "HTTP/1.1 ";
  out += std::to_string(status);
  out += ' ';
  out += ReasonPhrase(status);
  out += "\r\nDate: ";
  out += HttpDate();
  out += "\r\n";
  for (const auto& [name, value] : headers) {
    if (IsFraming(name)) continue;
    AppendClean(name, &out);
    out += ": ";
    AppendClean(value, &out);
    out += "\r\n";
  }
  if (!keep_alive) out += "Connection: close\r\n";
  if (keep_alive && !facts.chunked_allowed) out += "Connection: keep-alive\r\n";
  return out;
}

void AppendChunk(std::string_view data, std::string* out) {
  char size[16];
  const auto end = std::to_chars(size, size + sizeof size, data.size(), 16);
  out->reserve(out->size() + data.size() + sizeof size + 4);
  out->append(size, end.ptr);
  *out += "\r\n";
  *out += data;
  *out += "\r\n";
}

// Clears `keep_alive` when the response itself asks for closing.
std::string EncodeResponse(const Response& response, const ReplyFacts& facts, bool* keep_alive) {
  *keep_alive = *keep_alive && !response.headers.HasToken("Connection", "close");
  std::string out = EncodeHead(response.status, response.headers, facts, *keep_alive);
  const bool has_body = StatusHasBody(response.status);
  if (has_body) out += "Content-Length: " + std::to_string(response.body.size()) + "\r\n";
  out += "\r\n";
  if (has_body && !facts.head_request) out += response.body;
  return out;
}

}  // namespace

ExchangeCore::ExchangeCore(const ReplyFacts& facts, size_t drain_bytes, std::function<void()> wake,
                           SendNow send_now)
    : facts_(facts),
      drain_bytes_(drain_bytes),
      wake_(std::move(wake)),
      send_now_(std::move(send_now)),
      keep_alive_(facts.keep_alive) {}

void ExchangeCore::Notify() {
  if (std::exchange(asleep_, false) && wake_) wake_();
}

// Asleep means that nothing is queued or in flight, so the order of the bytes is kept.
void ExchangeCore::SendOrQueue(std::string_view bytes) {
  if (asleep_ && send_now_) {
    bytes.remove_prefix(send_now_(bytes));
    if (bytes.empty()) return;
  }
  queued_ += bytes;
  Notify();
}

void ExchangeCore::Move(Phase phase) {
  phase_ = phase;
  Notify();
}

void ExchangeCore::Respond(const Response& response) {
  MutexLock lock(mutex_);
  if (!Open(Phase::kWaiting)) return;
  queued_ = EncodeResponse(response, facts_, &keep_alive_);
  Move(Phase::kComplete);
}

void ExchangeCore::StartStream(int status, const Headers& headers) {
  MutexLock lock(mutex_);
  if (!Open(Phase::kWaiting)) return;
  if (headers.HasToken("Connection", "close") || !facts_.chunked_allowed) keep_alive_ = false;
  std::string head = EncodeHead(status, headers, facts_, keep_alive_);
  if (facts_.chunked_allowed) head += "Transfer-Encoding: chunked\r\n";
  head += "\r\n";
  phase_ = Phase::kStreaming;
  SendOrQueue(head);
}

size_t ExchangeCore::Write(std::string_view chunk) {
  MutexLock lock(mutex_);
  if (!Open(Phase::kStreaming) || chunk.empty()) return queued_.size() + in_flight_;
  if (!facts_.head_request) {
    std::string framed;
    if (facts_.chunked_allowed) AppendChunk(chunk, &framed);
    SendOrQueue(facts_.chunked_allowed ? std::string_view(framed) : chunk);
  }
  return queued_.size() + in_flight_;
}

void ExchangeCore::Finish() {
  MutexLock lock(mutex_);
  if (!Open(Phase::kStreaming)) return;
  if (facts_.chunked_allowed && !facts_.head_request) queued_ += "0\r\n\r\n";
  Move(Phase::kComplete);
}

void ExchangeCore::Abort() {
  MutexLock lock(mutex_);
  if (Open(Phase::kWaiting) || Open(Phase::kStreaming)) Move(Phase::kAborted);
}

void ExchangeCore::Drop() {
  MutexLock lock(mutex_);
  if (Open(Phase::kWaiting)) Move(Phase::kDropped);
  if (Open(Phase::kStreaming)) Move(Phase::kAborted);
}

size_t ExchangeCore::pending_bytes() const {
  MutexLock lock(mutex_);
  return queued_.size() + in_flight_;
}

bool ExchangeCore::client_gone() const {
  MutexLock lock(mutex_);
  return gone_;
}

void ExchangeCore::OnDrain(std::function<void()> callback) {
  {
    MutexLock lock(mutex_);
    if (!detached_ && queued_.size() + in_flight_ > drain_bytes_) {
      on_drain_ = std::move(callback);
      return;
    }
  }
  callback();
}

void ExchangeCore::OnClientGone(std::function<void()> callback) {
  {
    MutexLock lock(mutex_);
    if (!gone_) {
      if (!detached_) on_gone_ = std::move(callback);
      return;
    }
  }
  callback();
}

void ExchangeCore::OnCut(std::function<void()> callback) {
  MutexLock lock(mutex_);
  if (!detached_) on_cut_ = std::move(callback);
}

ExchangeCore::Output ExchangeCore::Take() {
  MutexLock lock(mutex_);
  Output output{std::exchange(queued_, {}), phase_, keep_alive_};
  in_flight_ += output.bytes.size();
  asleep_ = output.bytes.empty();
  return output;
}

void ExchangeCore::Sent(size_t n) {
  std::function<void()> callback;
  {
    MutexLock lock(mutex_);
    in_flight_ -= n;
    if (queued_.size() + in_flight_ <= drain_bytes_) callback = std::exchange(on_drain_, nullptr);
  }
  if (callback) callback();
}

void ExchangeCore::Fail(const Response& response) {
  MutexLock lock(mutex_);
  keep_alive_ = false;
  if (Open(Phase::kWaiting) || Open(Phase::kDropped)) {
    queued_ = EncodeResponse(response, facts_, &keep_alive_);
    Move(Phase::kComplete);
  } else if (Open(Phase::kStreaming)) {
    Move(Phase::kAborted);
  }
}

void ExchangeCore::CloseAfterReply() {
  MutexLock lock(mutex_);
  keep_alive_ = false;
}

void ExchangeCore::ClientGone() {
  std::function<void()> callback;
  {
    MutexLock lock(mutex_);
    if (detached_ || std::exchange(gone_, true)) return;
    callback = std::exchange(on_gone_, nullptr);
  }
  if (callback) callback();
}

void ExchangeCore::LeaveSocket() {
  MutexLock lock(mutex_);
  send_now_ = nullptr;
}

bool ExchangeCore::Cut() {
  std::function<void()> callback;
  {
    MutexLock lock(mutex_);
    callback = std::exchange(on_cut_, nullptr);
  }
  if (callback) callback();
  return callback != nullptr;
}

void ExchangeCore::Detach() {
  // Released outside the lock: a callback may own the Exchange, whose end calls Drop().
  std::function<void()> drain, gone, cut, wake;
  std::string queued;
  {
    MutexLock lock(mutex_);
    detached_ = true;
    send_now_ = nullptr;
    in_flight_ = 0;
    queued.swap(queued_);
    drain.swap(on_drain_);
    gone.swap(on_gone_);
    cut.swap(on_cut_);
    wake.swap(wake_);
  }
  if (drain) drain();  // a writer that waits for room must not wait for ever
}

}  // namespace internal

Exchange::Exchange(std::shared_ptr<internal::ExchangeCore> core) : core_(std::move(core)) {}
Exchange::~Exchange() { core_->Drop(); }
void Exchange::Respond(const Response& response) { core_->Respond(response); }
void Exchange::StartStream(int status, const Headers& headers) {
  core_->StartStream(status, headers);
}
size_t Exchange::Write(std::string_view chunk) { return core_->Write(chunk); }
void Exchange::Finish() { core_->Finish(); }
void Exchange::Abort() { core_->Abort(); }
size_t Exchange::pending_bytes() const { return core_->pending_bytes(); }
bool Exchange::client_gone() const { return core_->client_gone(); }
void Exchange::OnDrain(std::function<void()> callback) { core_->OnDrain(std::move(callback)); }
void Exchange::OnClientGone(std::function<void()> callback) {
  core_->OnClientGone(std::move(callback));
}
void Exchange::OnCut(std::function<void()> callback) { core_->OnCut(std::move(callback)); }

}  // namespace ac::http
