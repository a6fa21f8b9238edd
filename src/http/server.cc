#include "http/server.h"

#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "http/internal/connection.h"
#include "http/internal/platform.h"
#include "obs/log.h"

namespace ac::http {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using internal::Connection;
using internal::IoThread;
using std::chrono::milliseconds;
using UnixProtocol = asio::local::stream_protocol;

namespace {

// Time for the last words of cut streams to reach their clients.
constexpr milliseconds kCutGrace{500};
// Out of descriptors or memory: accepting again at once would spin.
constexpr milliseconds kAcceptPause{50};
// Refused connections that may linger beside the allowed ones; the rest is closed without a word.
constexpr size_t kMaxRefusing = 64;
// Descriptors the rest of the process needs besides one per connection.
constexpr size_t kSpareFiles = 256;

std::string AddressText(const tcp::endpoint& endpoint) {
  const std::string address = endpoint.address().to_string();
  return (endpoint.address().is_v6() ? "[" + address + "]" : address) + ":" +
         std::to_string(endpoint.port());
}

Status ListenError(const error_code& ec, const std::string& where, uint16_t port) {
  if (ec == asio::error::address_in_use) {
    const std::string owner = internal::DescribePortOwner(port);
    return Unavailable("[http] port " + std::to_string(port) + " is already in use" +
                       (owner.empty() ? "" : " by " + owner) + "; stop it or choose another port");
  }
  if (ec == asio::error::access_denied) {
    return Status(Code::kPermissionDenied, "[http] not allowed to listen on " + where +
                                               "; ports below 1024 need privileges");
  }
  return Unavailable("[http] cannot listen on " + where + ": " + ec.message());
}

}  // namespace

struct Server::Impl {
  Impl(ServerOptions options, Handler handler) : context(std::move(options), std::move(handler)) {}

  internal::ServerContext context;
  std::vector<std::unique_ptr<IoThread>> threads;
  std::vector<asio::executor_work_guard<asio::io_context::executor_type>> work;
  std::vector<std::thread> runners;
  std::optional<tcp::acceptor> tcp_acceptor;
  std::optional<UnixProtocol::acceptor> unix_acceptor;
  std::string url;
  uint16_t port = 0;
  size_t next_thread = 0;  // only on thread 0, which accepts
  bool stopped = false;

  ~Impl() { Shutdown(milliseconds(0)); }

  asio::io_context& accept_io() { return threads[0]->io; }

  Status ListenTcp();
  Status ListenUnix();
  Status Run();
  template <typename Acceptor>
  asio::awaitable<void> AcceptLoop(Acceptor& acceptor);
  void Adopt(Connection::Socket socket, std::string remote, IoThread& thread);
  void ForEachConnection(void (Connection::*step)());
  bool WaitUntilClosed(milliseconds timeout);
  void Shutdown(milliseconds deadline);
};

Status Server::Impl::ListenTcp() {
  const ServerOptions& options = context.options;
  const std::string where = options.host + ":" + std::to_string(options.port);
  error_code ec;
  const auto found = tcp::resolver(accept_io())
                         .resolve(options.host, std::to_string(options.port),
                                  tcp::resolver::passive | tcp::resolver::numeric_service, ec);
  if (ec || found.empty()) {
    return InvalidArgument("[http] cannot listen on host '" + options.host + "': " + ec.message() +
                           "; use an address of this machine, for example 127.0.0.1");
  }
  const tcp::endpoint endpoint = found.begin()->endpoint();
  tcp_acceptor.emplace(accept_io());
  tcp_acceptor->open(endpoint.protocol(), ec);
  if (!ec) tcp_acceptor->set_option(tcp::acceptor::reuse_address(true), ec);
  if (!ec) tcp_acceptor->bind(endpoint, ec);
  if (!ec) tcp_acceptor->listen(asio::socket_base::max_listen_connections, ec);
  if (ec) return ListenError(ec, where, options.port);
  const tcp::endpoint bound = tcp_acceptor->local_endpoint(ec);
  port = bound.port();
  url = "http://" + AddressText(bound);
  return OkStatus();
}

Status Server::Impl::ListenUnix() {
  const std::string& path = context.options.unix_path;
  constexpr size_t kMaxPath = sizeof(sockaddr_un::sun_path) - 1;
  if (path.size() > kMaxPath) {
    return InvalidArgument("[http] socket path longer than " + std::to_string(kMaxPath) +
                           " bytes: " + path);
  }
  struct stat info {};
  error_code ec;
  if (lstat(path.c_str(), &info) == 0) {
    if (!S_ISSOCK(info.st_mode)) {
      return Status(
          Code::kAlreadyExists,
          "[http] " + path + " exists and is no socket; remove it or choose another path");
    }
    UnixProtocol::socket probe(accept_io());
    probe.connect(UnixProtocol::endpoint(path), ec);
    if (!ec) return Unavailable("[http] another server already listens on " + path);
    unlink(path.c_str());  // left behind by a server that died
  }
  unix_acceptor.emplace(accept_io());
  unix_acceptor->open(UnixProtocol(), ec);
  if (!ec) unix_acceptor->bind(UnixProtocol::endpoint(path), ec);
  // Before listen(): nobody can connect while the mode is still open.
  if (!ec && chmod(path.c_str(), S_IRUSR | S_IWUSR) != 0) return FromErrno(errno, "[http] " + path);
  if (!ec) unix_acceptor->listen(asio::socket_base::max_listen_connections, ec);
  return ec ? ListenError(ec, path, 0) : OkStatus();
}

Status Server::Impl::Run() {
  if (tcp_acceptor) asio::co_spawn(accept_io(), AcceptLoop(*tcp_acceptor), asio::detached);
  if (unix_acceptor) asio::co_spawn(accept_io(), AcceptLoop(*unix_acceptor), asio::detached);
  try {
    for (auto& thread : threads) {
      work.push_back(asio::make_work_guard(thread->io));
      runners.emplace_back([io = &thread->io] { io->run(); });
    }
  } catch (const std::system_error& error) {
    return Status(Code::kResourceExhausted,
                  std::string("[http] cannot start an I/O thread: ") + error.what());
  }
  return OkStatus();
}

template <typename Acceptor>
asio::awaitable<void> Server::Impl::AcceptLoop(Acceptor& acceptor) {
  bool pausing = false;
  while (acceptor.is_open()) {
    IoThread& thread = *threads[next_thread++ % threads.size()];
    error_code ec;
    auto socket =
        co_await acceptor.async_accept(thread.io, asio::redirect_error(asio::use_awaitable, ec));
    if (!acceptor.is_open()) break;
    if (ec) {
      if (!std::exchange(pausing, true)) {
        obs::Warn("http", "cannot accept connections for now; raise the limit of open files",
                  {{"error", ec.message()}});
      }
      asio::steady_timer pause(accept_io(), kAcceptPause);
      co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, ec));
      continue;
    }
    pausing = false;
    std::string remote = "unix";
    if constexpr (std::is_same_v<Acceptor, tcp::acceptor>) {
      socket.set_option(tcp::no_delay(true), ec);
      socket.set_option(asio::socket_base::keep_alive(true), ec);
      const tcp::endpoint endpoint = socket.remote_endpoint(ec);
      if (ec) continue;  // left already
      remote = AddressText(endpoint);
    }
    Adopt(Connection::Socket(std::move(socket)), std::move(remote), thread);
  }
}

void Server::Impl::Adopt(Connection::Socket socket, std::string remote, IoThread& thread) {
  bool over_limit = false;
  {
    MutexLock lock(context.mutex);
    const size_t limit = context.options.limits.max_connections;
    if (context.open >= limit + kMaxRefusing) return;
    over_limit = context.open >= limit;
    context.AddConnections(1);
  }
  asio::post(thread.io, [this, &thread, over_limit, socket = std::move(socket),
                         remote = std::move(remote)]() mutable {
    std::make_shared<Connection>(std::move(socket), std::move(remote), context, thread)
        ->Start(over_limit);
  });
}

void Server::Impl::ForEachConnection(void (Connection::*step)()) {
  for (const auto& thread : threads) {
    asio::post(thread->io, [&thread = *thread, step] {
      // A step may end connections: hold them while walking.
      std::vector<std::shared_ptr<Connection>> all;
      all.reserve(thread.connections.size());
      for (Connection* connection : thread.connections)
        all.push_back(connection->shared_from_this());
      for (const auto& connection : all) ((*connection).*step)();
    });
  }
}

bool Server::Impl::WaitUntilClosed(milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  MutexLock lock(context.mutex);
  while (context.open > 0) {
    const auto now = std::chrono::steady_clock::now();
    if (now >= deadline) return false;
    context.closed.WaitFor(context.mutex, deadline - now);
  }
  return true;
}

void Server::Impl::Shutdown(milliseconds deadline) {
  if (std::exchange(stopped, true)) return;
  context.draining = true;
  if (!runners.empty()) {
    asio::post(accept_io(), [this] {
      error_code ignored;
      if (tcp_acceptor) tcp_acceptor->close(ignored);
      if (unix_acceptor) unix_acceptor->close(ignored);
    });
    ForEachConnection(&Connection::Drain);
    if (!WaitUntilClosed(deadline)) {
      ForEachConnection(&Connection::Cut);
      // Each round also reaches connections that were on their way in during the one before.
      while (!WaitUntilClosed(kCutGrace)) ForEachConnection(&Connection::Close);
    }
  }
  work.clear();
  for (std::thread& runner : runners) runner.join();
  if (unix_acceptor) unlink(context.options.unix_path.c_str());
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::Create(ServerOptions options, Handler handler) {
  internal::RaiseFileLimit(options.limits.max_connections + kSpareFiles);
  auto impl = std::make_unique<Impl>(std::move(options), std::move(handler));
  for (int i = 0; i < std::max(1, impl->context.options.threads); ++i) {
    impl->threads.push_back(std::make_unique<IoThread>());
  }
  if (!impl->context.options.host.empty()) AC_RETURN_IF_ERROR(impl->ListenTcp());
  if (!impl->context.options.unix_path.empty()) AC_RETURN_IF_ERROR(impl->ListenUnix());
  if (!impl->tcp_acceptor && !impl->unix_acceptor) {
    return InvalidArgument("[http] the server needs a host or a Unix socket path to listen on");
  }
  AC_RETURN_IF_ERROR(impl->Run());
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

uint16_t Server::port() const { return impl_->port; }
std::string Server::url() const { return impl_->url; }
void Server::Shutdown(milliseconds deadline) { impl_->Shutdown(deadline); }

ServerStats Server::stats() const {
  const internal::ServerContext& context = impl_->context;
  ServerStats stats{.running_exchanges = context.running,
                    .requests = context.requests,
                    .rejected = context.rejected};
  MutexLock lock(context.mutex);
  stats.open_connections = context.open;
  return stats;
}

}  // namespace ac::http
