// The server's request path and the client's reply path, up to the socket: no input crashes them,
// a message that parses in one piece parses the same in small ones, and pipelined messages end
// where the next begins.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/internal/parser.h"

namespace {

using ac::http::internal::ParserLimits;
using ac::http::internal::RequestParser;
using ac::http::internal::ResponseParser;

constexpr ParserLimits kRoomy{.max_header_bytes = size_t{1} << 20,
                              .max_body_bytes = size_t{1} << 20};

std::string Describe(const ac::http::Headers& headers) {
  std::string out;
  for (const auto& [name, value] : headers) out.append(name).append(":").append(value).append("\n");
  return out;
}

// Everything known about the first request of `bytes`; empty when it is not complete or not valid.
std::string FirstRequest(std::string_view bytes, size_t piece, const ParserLimits& limits) {
  RequestParser parser(limits);
  std::string inbound;
  size_t used = 0;
  while (!bytes.empty() && !parser.failed() && !parser.done()) {
    inbound += bytes.substr(0, piece);
    bytes.remove_prefix(std::min(piece, bytes.size()));
    const size_t n = parser.Feed(inbound);
    if (n > inbound.size()) std::abort();
    used += n;
    inbound.erase(0, n);
  }
  if (parser.failed()) {
    if (parser.error_status() < 400 || parser.error_message().empty()) std::abort();
    return "";
  }
  if (!parser.done()) return "";
  const ac::http::Request& request = parser.request();
  return request.method + " " + request.target + "\n" + Describe(request.headers) + request.body +
         "\n" + std::to_string(used) + (parser.keep_alive() ? " keep" : " close");
}

std::string FirstReply(std::string_view bytes, size_t piece, bool head) {
  ResponseParser parser(kRoomy, head);
  std::string inbound, body;
  while (!bytes.empty() && !parser.done()) {
    inbound += bytes.substr(0, piece);
    bytes.remove_prefix(std::min(piece, bytes.size()));
    for (bool more = true; more && !inbound.empty() && !parser.done();) {
      const ac::Result<size_t> used = parser.Feed(inbound);
      if (!used.ok()) return "";
      inbound.erase(0, *used);
      body += parser.TakeBody();
      more = *used > 0;
    }
  }
  if (!parser.done() && !parser.FeedEof().ok()) return "";
  return std::to_string(parser.response().status) + "\n" + Describe(parser.response().headers) +
         body;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string request = FirstRequest(bytes, size + 1, kRoomy);
  if (!request.empty() && FirstRequest(bytes, 1, kRoomy) != request) std::abort();
  (void)FirstRequest(bytes, 5, {.max_header_bytes = 64, .max_body_bytes = 16});
  for (const bool head : {false, true}) {
    const std::string reply = FirstReply(bytes, size + 1, head);
    if (!reply.empty() && FirstReply(bytes, 1, head) != reply) std::abort();
  }
  return 0;
}
