// The smallest possible HTTP client: bytes out, bytes in until the server closes.
//
// Tests of the server's behaviour on the wire use it so that no client library hides anything.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

namespace ac::testing {

class RawConnection {
 public:
  explicit RawConnection(uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    const timeval limit{.tv_sec = 30, .tv_usec = 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~RawConnection() { Close(); }
  RawConnection(const RawConnection&) = delete;
  RawConnection& operator=(const RawConnection&) = delete;

  bool connected() const { return connected_; }

  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(n));
    }
    return true;
  }

  // One read; empty at the end of the stream or after 30 silent seconds.
  std::string Receive() {
    char buffer[16384];
    const ssize_t n = ::recv(fd_, buffer, sizeof buffer, 0);
    return n <= 0 ? std::string() : std::string(buffer, static_cast<size_t>(n));
  }
  std::string ReceiveAll() {
    std::string all;
    for (std::string part = Receive(); !part.empty(); part = Receive()) all += part;
    return all;
  }
  // Reads until `marker` was seen; false at the end of the stream.
  bool ReceiveUntil(std::string_view marker, std::string* all) {
    while (all->find(marker) == std::string::npos) {
      const std::string part = Receive();
      if (part.empty()) return false;
      *all += part;
    }
    return true;
  }
  void Close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_ = -1;
  bool connected_ = false;
};

struct RawReply {
  int status = 0;
  std::string head;
  std::string body;  // chunked bodies are joined
};

inline std::string JoinChunks(std::string_view body) {
  std::string out;
  while (!body.empty()) {
    const size_t line = body.find("\r\n");
    if (line == std::string_view::npos) break;
    const size_t size = std::stoul(std::string(body.substr(0, line)), nullptr, 16);
    if (size == 0) break;
    out += body.substr(line + 2, size);
    body.remove_prefix(std::min(body.size(), line + 2 + size + 2));
  }
  return out;
}

inline RawReply ParseReply(const std::string& bytes) {
  RawReply reply;
  const size_t end = bytes.find("\r\n\r\n");
  if (end == std::string::npos) return reply;
  reply.head = bytes.substr(0, end);
  reply.body = bytes.substr(end + 4);
  if (reply.head.size() > 12) reply.status = std::stoi(reply.head.substr(9, 3));
  if (reply.head.find("chunked") != std::string::npos) reply.body = JoinChunks(reply.body);
  return reply;
}

// One request on its own connection. `headers` are complete lines ending in \r\n.
inline RawReply RawRequest(uint16_t port, const std::string& method, const std::string& path,
                           const std::string& body = "", const std::string& headers = "") {
  RawConnection connection(port);
  std::string request =
      method + " " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n" + headers;
  if (!body.empty()) {
    request +=
        "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  }
  if (!connection.connected() || !connection.Send(request + "\r\n" + body)) return {};
  return ParseReply(connection.ReceiveAll());
}

}  // namespace ac::testing
