// A byte stream to a server (a TCP or Unix socket, with TLS on top where asked), and the pool of
// those kept for the next request.
//
// Owned by the call that uses it, or by the pool in between. Everything runs on the client's I/O
// thread; one read and one write may be under way at a time.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "http/client.h"

namespace ac::http::internal {

using boost::system::error_code;

class Transport {
 public:
  using Socket = boost::asio::generic::stream_protocol::socket;
  using Endpoint = boost::asio::generic::stream_protocol::endpoint;
  template <typename T>
  using Awaitable = boost::asio::awaitable<T>;

  explicit Transport(boost::asio::io_context& io) : socket_(io) {}

  // Tries the endpoints in order and returns the error of the last one.
  Awaitable<error_code> Connect(std::vector<Endpoint> endpoints);
  // Checks that the certificate is for `host`; the message says what is wrong with it.
  Awaitable<Status> StartTls(boost::asio::ssl::context& context, const std::string& host,
                             bool insecure);
  // Returns bytes read; 0 with `ec` set.
  Awaitable<size_t> Read(char* data, size_t size, error_code& ec);
  Awaitable<error_code> Write(std::string_view bytes);
  void Close();
  // False when the server has closed this idle connection, or sent something unasked.
  bool StillIdle();

 private:
  Socket socket_;
  std::unique_ptr<boost::asio::ssl::stream<Socket&>> tls_;
};

// Kept connections by where they lead. Only on the I/O thread.
class Pool {
 public:
  Pool(size_t max_per_key, std::chrono::milliseconds keep)
      : max_per_key_(max_per_key), keep_(keep) {}
  // The youngest that is still alive; null when there is none.
  std::shared_ptr<Transport> Take(const std::string& key);
  void Put(const std::string& key, std::shared_ptr<Transport> transport);
  // Closes what has been idle for too long.
  void Purge();
  bool empty() const { return idle_.empty(); }

 private:
  struct Idle {
    std::shared_ptr<Transport> transport;
    std::chrono::steady_clock::time_point since;
  };
  const size_t max_per_key_;
  const std::chrono::milliseconds keep_;
  std::map<std::string, std::vector<Idle>> idle_;
};

// A context that trusts the system's authorities, or those of `options.ca_file`.
Result<std::unique_ptr<boost::asio::ssl::context>> MakeTlsContext(const ClientOptions& options);

}  // namespace ac::http::internal
