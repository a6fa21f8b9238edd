// The smallest possible HTTP client: one request, one reply, nothing hidden by a client library.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "support/raw_socket.h"

namespace ac::testing {

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
  const RawSocket connection = RawSocket::Tcp(port);
  std::string request =
      method + " " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n" + headers;
  if (!body.empty()) {
    request +=
        "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  }
  if (!connection.connected() || !connection.Send(request + "\r\n" + body)) return {};
  return ParseReply(connection.ReadAll());
}

}  // namespace ac::testing
