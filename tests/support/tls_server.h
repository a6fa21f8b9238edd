// A tiny https server with certificates made on the spot, for tests of TLS clients.
//
// TestAuthority is a certificate authority with one leaf for a chosen name. TlsServer answers every
// request on every connection with "200 secret" on a thread of its own.
#pragma once

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <atomic>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support/raw_socket.h"

namespace ac::testing {

template <auto kFree>
struct OpenSslFree {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using KeyPtr = std::unique_ptr<EVP_PKEY, OpenSslFree<EVP_PKEY_free>>;
using CertificatePtr = std::unique_ptr<X509, OpenSslFree<X509_free>>;

struct Identity {
  KeyPtr key;
  CertificatePtr certificate;
};

// `names`: "DNS:localhost,IP:127.0.0.1"; empty for an authority, which signs itself.
inline Identity MakeIdentity(const std::string& common_name, const std::string& names,
                             const Identity* issuer, long valid_seconds = 3600) {
  Identity out{KeyPtr(EVP_EC_gen("P-256")), CertificatePtr(X509_new())};
  X509* certificate = out.certificate.get();
  static std::atomic<long> serial{1};
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -7200);
  X509_gmtime_adj(X509_getm_notAfter(certificate), valid_seconds);
  X509_set_pubkey(certificate, out.key.get());
  X509_NAME* name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1,
                             0);
  X509* parent = issuer != nullptr ? issuer->certificate.get() : certificate;
  X509_set_issuer_name(certificate, X509_get_subject_name(parent));
  const auto extend = [&](int nid, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, parent, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
  };
  extend(NID_basic_constraints, issuer == nullptr ? "critical,CA:TRUE" : "critical,CA:FALSE");
  if (!names.empty()) extend(NID_subject_alt_name, names);
  X509_sign(certificate, issuer != nullptr ? issuer->key.get() : out.key.get(), EVP_sha256());
  return out;
}

inline void WritePem(const Identity& identity, const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "w");
  PEM_write_X509(file, identity.certificate.get());
  std::fclose(file);
}

class TlsServer {
 public:
  explicit TlsServer(const Identity& identity) : context_(SSL_CTX_new(TLS_server_method())) {
    SSL_CTX_use_certificate(context_.get(), identity.certificate.get());
    SSL_CTX_use_PrivateKey(context_.get(), identity.key.get());
    thread_ = std::thread([this] {
      while (true) {
        RawSocket socket = listener_.Accept();
        if (stopping_) return;
        if (socket.connected()) Serve(socket);
      }
    });
  }
  ~TlsServer() {
    stopping_ = true;
    RawSocket::Tcp(port());
    thread_.join();
  }
  uint16_t port() const { return listener_.port(); }
  int connections() const { return connections_; }
  std::string last_request() const { return last_request_; }

 private:
  void Serve(const RawSocket& socket) {
    ++connections_;
    const std::unique_ptr<SSL, OpenSslFree<SSL_free>> tls(SSL_new(context_.get()));
    SSL_set_fd(tls.get(), socket.fd());
    if (SSL_accept(tls.get()) != 1) return;
    std::string inbound;
    char buffer[4096];
    for (int n; (n = SSL_read(tls.get(), buffer, sizeof buffer)) > 0;) {
      inbound.append(buffer, static_cast<size_t>(n));
      if (!inbound.ends_with("\r\n\r\n")) continue;
      last_request_ = std::exchange(inbound, {});
      const std::string reply = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret";
      SSL_write(tls.get(), reply.data(), static_cast<int>(reply.size()));
    }
  }

  RawListener listener_;
  std::unique_ptr<SSL_CTX, OpenSslFree<SSL_CTX_free>> context_;
  std::atomic<bool> stopping_{false};
  std::atomic<int> connections_{0};
  std::string last_request_;
  std::thread thread_;
};

}  // namespace ac::testing
