// One request of the client, from URL to on_done: the coroutine behind a Call.
//
// The client's I/O thread runs everything but the marked entry points. A call ends either by itself
// or by Stop(), which closes its connection and so wakes the coroutine wherever it waits. It lives
// as long as its coroutine or its Call, and touches the client only until it is done.
#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include "base/mutex.h"
#include "http/client.h"
#include "http/internal/parser.h"
#include "http/internal/transport.h"
#include "http/url.h"

namespace ac::http::internal {

// What the calls of one client share.
struct ClientCore {
  explicit ClientCore(ClientOptions given);
  Result<boost::asio::ssl::context*> Tls();
  void SchedulePurge();

  const ClientOptions options;
  const ProxyConfig proxy;
  boost::asio::io_context io{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{io.get_executor()};
  Pool pool;
  boost::asio::steady_timer purge_timer{io};
  bool purge_scheduled = false;
  std::unique_ptr<boost::asio::ssl::context> tls;
  std::unordered_set<std::shared_ptr<CallState>> calls;  // on the I/O thread

  Mutex mutex;
  CondVar all_done;
  size_t running AC_GUARDED_BY(mutex) = 0;
  std::thread thread;
};

// Where a request goes and what travels there.
struct Route {
  Url url;
  std::optional<Url> proxy;
  std::string unix_path;
  std::string key;   // connections with equal keys are interchangeable
  std::string head;  // request line and headers
};
Result<Route> PlanRoute(const ClientRequest& request, const Url& url, const ProxyConfig& proxies);
// The request that opens a tunnel through route.proxy.
std::string ConnectHead(const Route& route);

class CallState : public std::enable_shared_from_this<CallState> {
 public:
  CallState(ClientCore& core, ClientRequest request, CallEvents events);

  // From any thread.
  void Start();
  void Cancel();
  void SetPaused(bool paused);
  // No callback runs or will run once this returns.
  void Silence() AC_NO_THREAD_SAFETY_ANALYSIS;  // takes the lock only where it must

  // On the I/O thread: ends the call with `why` unless it has ended already.
  void Stop(Status why);

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  template <typename T>
  using Awaitable = boost::asio::awaitable<T>;

  Awaitable<void> Run();
  Awaitable<Status> Attempt(bool fresh);
  Awaitable<Status> Open(const Route& route);
  Awaitable<Status> Resolve(const Url& target, std::vector<Transport::Endpoint>& endpoints);
  Awaitable<Status> OpenTunnel(const Route& route);
  Awaitable<void> Send(std::shared_ptr<Transport> transport, std::string head);
  Awaitable<Status> Receive();
  Awaitable<void> Sleep();
  void Wake();

  // Consumes what has arrived; `finished` when the reply is complete or a redirect.
  Status Digest(std::string& inbound, bool& finished);
  Status HandleHead();
  Status HandleBody();
  bool Redirected(const Response& head);
  void Arm(std::chrono::milliseconds limit, const char* what);
  void WatchDeadline();
  Status Explain(const Status& status) const;
  void Finish(Status status);
  template <typename Function>
  void Deliver(Function function);
  template <typename Function>
  void Post(Function function);

  ClientCore& core_;
  ClientRequest request_;
  const ClientTimeouts timeouts_;
  CallEvents events_;
  Url url_;
  int redirects_left_;
  std::optional<boost::asio::steady_timer> wake_timer_;
  std::optional<boost::asio::steady_timer> deadline_timer_;
  TimePoint total_deadline_ = TimePoint::max();
  TimePoint deadline_ = TimePoint::max();
  std::string deadline_text_;
  bool woken_ = false;
  bool asleep_ = false;
  Status stop_;  // why the call must end; ok while it may go on

  // One attempt on one connection.
  std::shared_ptr<Transport> transport_;
  std::unique_ptr<ResponseParser> parser_;
  bool reused_ = false;
  bool sending_ = false;
  bool got_bytes_ = false;
  bool head_seen_ = false;
  bool redirected_ = false;
  size_t received_ = 0;

  bool paused_ = false;
  Mutex callback_mutex_;  // held while a callback runs
  bool silenced_ AC_GUARDED_BY(callback_mutex_) = false;
  std::atomic<std::thread::id> delivering_{};  // the thread that runs a callback now
  Mutex mutex_;
  bool done_ AC_GUARDED_BY(mutex_) = false;  // the client may be gone
};

}  // namespace ac::http::internal
