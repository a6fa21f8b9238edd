// A blocking socket for tests that speak HTTP by hand, so that every byte and its moment is theirs.
//
// Reads give up after half a minute and return what came: a test that hangs fails instead.
#pragma once

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace ac::testing {

inline constexpr int kPatienceMs = 30'000;

class RawSocket {
 public:
  static RawSocket Tcp(uint16_t port, int receive_buffer = 0) {
    RawSocket out(socket(AF_INET, SOCK_STREAM, 0));
    if (receive_buffer > 0) {
      setsockopt(out.fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    out.connected_ = connect(out.fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    return out;
  }
  static RawSocket Unix(const std::string& path) {
    RawSocket out(socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    out.connected_ = connect(out.fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    return out;
  }
  // Takes over an open descriptor. What is sent in two pieces leaves in two pieces.
  explicit RawSocket(int fd) : fd_(fd), connected_(fd >= 0) {
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  int fd() const { return fd_; }
  RawSocket(RawSocket&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), connected_(other.connected_) {}
  RawSocket& operator=(RawSocket&&) = delete;
  ~RawSocket() { Close(); }

  bool connected() const { return connected_; }
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }
  void CloseForWriting() const { shutdown(fd_, SHUT_WR); }
  // Ends the connection with a reset.
  void Reset() {
    const linger now{1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    Close();
  }
  bool Send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t n = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(n));
    }
    return true;
  }
  // One read; empty at the end of the stream, on an error and when nothing comes in time.
  std::string Read(size_t limit = 65536, int wait_ms = kPatienceMs) const {
    pollfd request{fd_, POLLIN, 0};
    if (poll(&request, 1, wait_ms) <= 0) return "";
    std::string out(limit, '\0');
    const ssize_t n = recv(fd_, out.data(), limit, 0);
    out.resize(n > 0 ? static_cast<size_t>(n) : 0);
    return out;
  }
  std::string ReadAll() const {
    std::string out;
    for (std::string part = Read(); !part.empty(); part = Read()) out += part;
    return out;
  }
  // Reads until `marker` has come `times` times.
  std::string ReadUntil(std::string_view marker, int times = 1) const {
    std::string out;
    for (size_t from = 0; times > 0;) {
      if (const size_t at = out.find(marker, from); at != std::string::npos) {
        from = at + marker.size();
        --times;
        continue;
      }
      const std::string part = Read();
      if (part.empty()) break;
      out += part;
    }
    return out;
  }
  // True when the other side has closed or reset the connection.
  bool AtEnd() const {
    pollfd request{fd_, POLLIN, 0};
    if (poll(&request, 1, kPatienceMs) <= 0) return false;
    char byte;
    return recv(fd_, &byte, 1, 0) <= 0;
  }

 private:
  int fd_;
  bool connected_ = false;
};

// Listens on a free port of 127.0.0.1.
class RawListener {
 public:
  RawListener() : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    bind(fd_, reinterpret_cast<sockaddr*>(&address), size);
    listen(fd_, 64);
    getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  RawListener(const RawListener&) = delete;
  RawListener& operator=(const RawListener&) = delete;
  ~RawListener() { close(fd_); }

  uint16_t port() const { return port_; }
  // Fails (connected() is false) when nobody comes in time.
  RawSocket Accept() const {
    pollfd request{fd_, POLLIN, 0};
    if (poll(&request, 1, kPatienceMs) <= 0) return RawSocket(-1);
    return RawSocket(accept(fd_, nullptr, nullptr));
  }

 private:
  int fd_;
  uint16_t port_ = 0;
};

}  // namespace ac::testing
