#include "http/internal/transport.h"

#include <openssl/x509v3.h>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace ac::http::internal {

namespace asio = boost::asio;
namespace ssl = asio::ssl;
using std::chrono::steady_clock;

asio::awaitable<error_code> Transport::Connect(std::vector<Endpoint> endpoints) {
  error_code ec = asio::error::host_not_found;
  for (const Endpoint& endpoint : endpoints) {
    error_code ignored;
    socket_.close(ignored);
    ec = {};
    co_await socket_.async_connect(endpoint, asio::redirect_error(asio::use_awaitable, ec));
    if (!ec || ec == asio::error::operation_aborted) break;
  }
  if (!ec) {
    error_code ignored;  // a Unix socket has no such option
    socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
    socket_.set_option(asio::socket_base::keep_alive(true), ignored);
  }
  co_return ec;
}

asio::awaitable<Status> Transport::StartTls(ssl::context& context, const std::string& host,
                                            bool insecure) {
  tls_ = std::make_unique<ssl::stream<Socket&>>(socket_, context);
  SSL* native = tls_->native_handle();
  error_code ec;
  asio::ip::make_address(host, ec);
  const bool is_name = static_cast<bool>(ec);
  if (is_name) SSL_set_tlsext_host_name(native, host.c_str());
  static constexpr unsigned char kAlpn[] = "\x08http/1.1";
  SSL_set_alpn_protos(native, kAlpn, sizeof kAlpn - 1);
  if (!insecure) {
    X509_VERIFY_PARAM* parameters = SSL_get0_param(native);
    if (is_name) {
      X509_VERIFY_PARAM_set1_host(parameters, host.c_str(), host.size());
    } else {
      X509_VERIFY_PARAM_set1_ip_asc(parameters, host.c_str());
    }
  }
  tls_->set_verify_mode(insecure ? ssl::verify_none : ssl::verify_peer, ec);
  ec = {};
  co_await tls_->async_handshake(ssl::stream_base::client,
                                 asio::redirect_error(asio::use_awaitable, ec));
  if (!ec) co_return OkStatus();
  const long verdict = SSL_get_verify_result(native);
  if (!insecure && verdict != X509_V_OK) {
    co_return Unavailable(std::string("the TLS certificate is not accepted: ") +
                          X509_verify_cert_error_string(verdict) +
                          "; check the host name, or name the issuer's CA file");
  }
  co_return Unavailable("TLS handshake failed: " + ec.message() + "; does this port speak https?");
}

asio::awaitable<size_t> Transport::Read(char* data, size_t size, error_code& ec) {
  ec = {};
  const auto buffer = asio::buffer(data, size);
  size_t n = 0;
  if (tls_ != nullptr) {
    n = co_await tls_->async_read_some(buffer, asio::redirect_error(asio::use_awaitable, ec));
  } else {
    n = co_await socket_.async_read_some(buffer, asio::redirect_error(asio::use_awaitable, ec));
  }
  co_return n;
}

asio::awaitable<error_code> Transport::Write(std::string_view bytes) {
  error_code ec;
  const auto buffer = asio::buffer(bytes.data(), bytes.size());
  if (tls_ != nullptr) {
    co_await asio::async_write(*tls_, buffer, asio::redirect_error(asio::use_awaitable, ec));
  } else {
    co_await asio::async_write(socket_, buffer, asio::redirect_error(asio::use_awaitable, ec));
  }
  co_return ec;
}

void Transport::Close() {
  error_code ignored;
  socket_.close(ignored);
}

bool Transport::StillIdle() {
  error_code ec;
  socket_.non_blocking(true, ec);
  char byte;
  socket_.receive(asio::buffer(&byte, 1), Socket::message_peek, ec);
  return ec == asio::error::would_block || ec == asio::error::try_again;
}

std::shared_ptr<Transport> Pool::Take(const std::string& key) {
  Purge();
  const auto found = idle_.find(key);
  if (found == idle_.end()) return nullptr;
  std::shared_ptr<Transport> out;
  while (out == nullptr && !found->second.empty()) {
    std::shared_ptr<Transport> youngest = std::move(found->second.back().transport);
    found->second.pop_back();
    if (youngest->StillIdle()) out = std::move(youngest);
  }
  if (found->second.empty()) idle_.erase(found);
  return out;
}

void Pool::Put(const std::string& key, std::shared_ptr<Transport> transport) {
  std::vector<Idle>& kept = idle_[key];
  kept.push_back({std::move(transport), steady_clock::now()});
  if (kept.size() > max_per_key_) kept.erase(kept.begin());
  if (kept.empty()) idle_.erase(key);
}

void Pool::Purge() {
  const auto oldest = steady_clock::now() - keep_;
  for (auto it = idle_.begin(); it != idle_.end();) {
    std::erase_if(it->second, [&](const Idle& idle) { return idle.since <= oldest; });
    it = it->second.empty() ? idle_.erase(it) : std::next(it);
  }
}

Result<std::unique_ptr<ssl::context>> MakeTlsContext(const ClientOptions& options) {
  error_code ec;
  auto context = std::make_unique<ssl::context>(ssl::context::tls_client);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  if (options.ca_file.empty()) {
    context->set_default_verify_paths(ec);
  } else {
    context->load_verify_file(options.ca_file, ec);
  }
  if (ec) {
    return InvalidArgument("[http] cannot read the CA certificates" +
                           (options.ca_file.empty() ? "" : " of " + options.ca_file) + ": " +
                           ec.message() + "; expected a PEM file");
  }
  return context;
}

}  // namespace ac::http::internal
