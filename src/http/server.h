// HTTP/1.1 server: TCP and Unix sockets, keep-alive, streaming replies with back-pressure.
//
// The server owns its sockets and I/O threads. A request is handed to the handler together with an
// Exchange, the reply side, which may be kept, moved to any thread and answered at any time. The
// handler runs on an I/O thread and must not block. When the last reference to an Exchange goes
// without a reply, the client gets a 500. Server: Create and Shutdown from one owner thread (not an
// I/O thread); Exchange: every method from any thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "http/message.h"

namespace ac::obs {
class Metrics;
}

namespace ac::http {

namespace internal {
class ExchangeCore;
}

// Callbacks run on an I/O thread (or at once in the caller's thread when the event has already
// happened) and must not block. After the reply is complete or the client is gone every call is a
// harmless no-op.
class Exchange {
 public:
  explicit Exchange(std::shared_ptr<internal::ExchangeCore> core);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // A whole reply; Content-Length is added.
  void Respond(const Response& response);

  // A reply in pieces (chunked, or until close for HTTP/1.0).
  void StartStream(int status, const Headers& headers);
  // Returns pending_bytes() after the chunk was queued: a writer that sees this grow should wait
  // for OnDrain. A client that leaves more than Limits::max_pending_bytes waiting for
  // Limits::write_time is cut.
  size_t Write(std::string_view chunk);
  void Finish();
  // Cuts the connection so that the client can tell the reply is incomplete.
  void Abort();

  // Bytes queued and not yet taken by the operating system.
  size_t pending_bytes() const;
  // Calls back once, when pending_bytes() is at most Limits::drain_bytes.
  void OnDrain(std::function<void()> callback);
  // Calls back once when the client left, or was cut, before the reply was complete.
  void OnClientGone(std::function<void()> callback);
  // Calls back once when a shutdown has reached its deadline: the last moment to write an error
  // event and Finish().
  void OnCut(std::function<void()> callback);
  bool client_gone() const;

 private:
  std::shared_ptr<internal::ExchangeCore> core_;
};

using Handler = std::function<void(Request, std::shared_ptr<Exchange>)>;

struct Limits {
  size_t max_header_bytes = size_t{64} << 10;                       // 431 beyond
  size_t max_body_bytes = size_t{64} << 20;                         // 413 beyond
  size_t max_connections = 8192;                                    // 503 beyond
  std::chrono::milliseconds header_time{std::chrono::seconds(30)};  // 408 beyond
  std::chrono::milliseconds body_time{std::chrono::minutes(5)};     // 408 beyond
  // A connection without a request is closed after this. Long, because closing in the moment a
  // client reuses the connection costs that client a failed request.
  std::chrono::milliseconds idle_time{std::chrono::minutes(5)};
  size_t drain_bytes = size_t{64} << 10;
  size_t max_pending_bytes = size_t{4} << 20;
  // A client is cut when it takes nothing at all, or stays above max_pending_bytes, for this long.
  std::chrono::milliseconds write_time{std::chrono::seconds(60)};
};

struct ErrorBody {
  std::string content_type;
  std::string body;
};

struct ServerOptions {
  std::string host = "127.0.0.1";  // empty: no TCP
  uint16_t port = 0;               // 0: any free port
  std::string unix_path = {};      // empty: no Unix socket
  int threads = 1;
  Limits limits = {};
  // Where to count connections, requests and refusals; must outlive the server. Null: nowhere.
  obs::Metrics* metrics = nullptr;
  // Words the server's own errors in the dialect of the client; `path` is empty when unknown.
  // Called on I/O threads. Default: plain text.
  std::function<ErrorBody(int status, std::string_view message, std::string_view path)> error_body =
      {};
};

struct ServerStats {
  size_t open_connections = 0;
  size_t running_exchanges = 0;
  uint64_t requests = 0;
  uint64_t rejected = 0;  // answered by the server itself: limits and malformed requests
};

class Server {
 public:
  // Listens and serves at once. A busy port is kUnavailable and names its owner where the system
  // tells.
  static Result<std::unique_ptr<Server>> Create(ServerOptions options, Handler handler);
  // Shutdown(0).
  ~Server();

  // The TCP port in use; 0 without TCP.
  uint16_t port() const;
  // "http://127.0.0.1:4141", or "" without TCP.
  std::string url() const;
  ServerStats stats() const;

  // Stops accepting, closes idle connections, lets running exchanges go on until `deadline` from
  // now, then calls their OnCut (503 where no reply has begun; streams without OnCut are aborted),
  // and closes what remains half a second later. Returns when everything is closed.
  void Shutdown(std::chrono::milliseconds deadline);

 private:
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace ac::http
