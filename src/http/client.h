// HTTP/1.1 client: kept connections, TLS, proxies, streaming, time-outs, cancellation.
//
// A Client owns one I/O thread and its connections; a Call is one request under way. Callbacks run
// on the I/O thread, one after the other, and must not block. Destroying a Call cancels it, and
// when that returns no callback runs or will run (so do not destroy it under a lock that its
// callbacks take). Destroying the Client cancels what is left. All methods are thread-safe; Fetch
// must not be called from, nor the Client destroyed in, a callback.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "http/message.h"
#include "http/proxy.h"

namespace ac::http {

namespace internal {
class CallState;
struct ClientCore;
}  // namespace internal

// Zero means no limit. Passing one gives kDeadlineExceeded.
struct ClientTimeouts {
  std::chrono::milliseconds connect{std::chrono::seconds(10)};     // name, TCP, proxy and TLS
  std::chrono::milliseconds first_byte{std::chrono::minutes(10)};  // request sent -> reply begins
  std::chrono::milliseconds idle{std::chrono::minutes(5)};  // between two pieces of the reply
  std::chrono::milliseconds total{0};                       // everything together
};

struct ClientOptions {
  ClientTimeouts timeouts = {};
  std::string ca_file = {};  // PEM file of trusted authorities instead of the system's
  bool insecure = false;     // accepts any certificate; only for tests on one's own machine
  std::optional<ProxyConfig> proxy = {};  // not set: from the environment
  // Connects to public addresses only (public_address.h), whatever a name resolves to and wherever
  // a redirect leads, and uses no proxy: for URLs that come from a stranger's text.
  bool public_only = false;
  size_t max_idle_per_host = 8;
  // Below the idle time of common servers, so that a kept connection is rarely a dead one.
  std::chrono::milliseconds keep_idle{std::chrono::seconds(30)};
};

struct ClientRequest {
  std::string method = "GET";
  std::string url = {};
  Headers headers = {};
  std::string body = {};
  std::string unix_path = {};  // connect to this socket; `url` still gives Host and path
  // May be sent again when a kept connection turns out dead before any reply (GET, HEAD, PUT,
  // DELETE, OPTIONS always may).
  bool repeatable = false;
  int max_redirects = 0;
  size_t max_body_bytes =
      0;  // of the reply, kTooLarge beyond; 0: no limit for Start, 64 MiB for Fetch
  std::optional<ClientTimeouts> timeouts = {};
};

struct CallEvents {
  // A connection stands and the request is about to be written: from here on the server may have
  // acted on it. Again for every redirect and repeat.
  std::function<void()> on_connected = {};
  std::function<void(const Response& head)> on_headers = {};  // status and headers, empty body
  std::function<void(std::string_view bytes)> on_data = {};
  std::function<void(const Status& status)> on_done =
      {};  // last, exactly once unless the Call is gone
};

class Call {
 public:
  Call() = default;
  explicit Call(std::shared_ptr<internal::CallState> state) : state_(std::move(state)) {}
  Call(Call&&) = default;
  Call& operator=(Call&& other) noexcept;
  ~Call();

  // on_done(kCancelled) follows unless the call was already done.
  void Cancel();
  // Stops reading (and the idle time-out) until Resume: back-pressure for whoever feeds on_data.
  void Pause();
  void Resume();

 private:
  std::shared_ptr<internal::CallState> state_;
};

class Client {
 public:
  explicit Client(ClientOptions options = {});
  ~Client();

  [[nodiscard]] Call Start(ClientRequest request, CallEvents events);
  // Waits for the whole reply. Any HTTP status is a Response; only a failure to get one is a
  // Status.
  Result<Response> Fetch(ClientRequest request);

 private:
  std::unique_ptr<internal::ClientCore> core_;
};

}  // namespace ac::http
