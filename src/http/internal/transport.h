// A byte stream to a server: a TCP or Unix socket, with TLS on top where asked.
//
// Owned by the call that uses it, or by the pool in between. Everything runs on the client's I/O
// thread; one read and one write may be under way at a time.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
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

// A context that trusts the system's authorities, or those of `options.ca_file`.
Result<std::unique_ptr<boost::asio::ssl::context>> MakeTlsContext(const ClientOptions& options);

}  // namespace ac::http::internal
