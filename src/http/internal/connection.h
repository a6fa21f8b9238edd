// One accepted connection: reads requests, hands them to the handler, sends replies.
//
// A connection is one coroutine that sleeps on one timer; the socket and the Exchange only wake it.
// It reads at all times, also while a reply is running: that is how a client that leaves is noticed
// and how pipelined requests wait their turn. It keeps itself alive until it is closed. Every
// method runs on the connection's own I/O thread.
#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/mutex.h"
#include "http/internal/exchange_core.h"
#include "http/server.h"
#include "obs/metrics.h"

namespace ac::http::internal {

class Connection;
class RequestParser;

// One I/O thread's private state.
struct IoThread {
  static constexpr size_t kScratchBytes = size_t{64} << 10;

  boost::asio::io_context io{1};
  std::vector<char> scratch = std::vector<char>(kScratchBytes);  // every read lands here first
  std::unordered_set<Connection*> connections;
};

// What all connections of one server share.
struct ServerContext {
  ServerContext(ServerOptions given, Handler handle);

  const ServerOptions options;
  const Handler handler;
  const obs::Counter requests_metric;
  const obs::Gauge connections_metric;
  std::atomic<bool> draining{false};
  std::atomic<size_t> running{0};
  std::atomic<uint64_t> requests{0};
  std::atomic<uint64_t> rejected{0};

  mutable Mutex mutex;
  CondVar closed;
  size_t open AC_GUARDED_BY(mutex) = 0;

  // Counts a connection in, or out.
  void AddConnections(int change) AC_REQUIRES(mutex);
  void CountRefusal(int status);
  Response MakeError(int status, std::string_view message, std::string_view path) const;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Socket = boost::asio::generic::stream_protocol::socket;

  Connection(Socket socket, std::string remote_address, ServerContext& server, IoThread& thread);
  ~Connection();

  // `over_limit`: only says 503.
  void Start(bool over_limit);
  // Shutdown, step by step: no further request; finish now or never; close.
  void Drain();
  void Cut();
  void Close();

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  template <typename T>
  using Awaitable = boost::asio::awaitable<T>;

  enum class ReadPhase { kIdle, kHeader, kBody };

  Awaitable<void> Serve(bool over_limit);
  Awaitable<bool> ReadRequest();
  Awaitable<bool> SendReply();
  Awaitable<void> Linger();
  Awaitable<void> Sleep(TimePoint deadline);
  void Wake();

  bool ParseInbound(ReadPhase* phase, TimePoint* deadline);
  void SendContinue();
  void Refuse(int status, std::string_view message, std::string_view path);
  void RefuseLate(ReadPhase phase);
  void OpenExchange(const ReplyFacts& facts);
  void Dispatch();
  void WatchReadable();
  void WatchWritable();
  void OnReadable();
  void PeerLeft(bool for_writing_too);
  // Writes what the socket takes at once; false when the connection is broken.
  bool WriteSome();
  ExchangeCore::Phase TakeOutput();
  std::optional<TimePoint> NextLook();
  void ResetOnClose();

  Socket socket_;
  ServerContext& server_;
  IoThread& thread_;
  boost::asio::steady_timer timer_;
  std::string remote_address_;
  std::string inbound_;  // received, not yet parsed
  std::unique_ptr<RequestParser> parser_;

  std::shared_ptr<ExchangeCore> core_;  // the reply in progress
  std::string path_;                    // what it replies to
  std::string outbound_;
  size_t sent_ = 0;       // bytes of outbound_ the system has taken
  TimePoint progress_;    // when the client last took something
  TimePoint over_since_;  // since when too much waits for the client

  bool woken_ = false;
  bool asleep_ = false;
  bool watching_read_ = false;
  bool watching_write_ = false;
  bool peer_eof_ = false;
  bool broken_ = false;
  bool keep_alive_ = true;
  bool unread_input_ = false;  // closing now would reset the connection before the reply is read
};

}  // namespace ac::http::internal
