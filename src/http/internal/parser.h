// Incremental HTTP/1 parsers over Boost.Beast's, which only internal/parser.cc includes.
//
// Both take bytes split anywhere and say how many they used; the caller keeps the rest and offers
// it again with what follows. One object parses one message. They own what they have parsed. Not
// thread-safe.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "http/message.h"

namespace ac::http::internal {

struct ParserLimits {
  size_t max_header_bytes = 64 << 10;
  size_t max_body_bytes = size_t{64} << 20;
};

class RequestParser {
 public:
  explicit RequestParser(const ParserLimits& limits);
  ~RequestParser();

  // Returns the number of bytes used. Afterwards exactly one holds: failed(), done(), or more bytes
  // are needed.
  size_t Feed(std::string_view bytes);
  bool done() const;
  bool header_done() const;
  bool failed() const { return error_status() != 0; }
  // The 4xx/5xx to answer with; 0 while all is well.
  int error_status() const;
  const std::string& error_message() const;

  // Valid once header_done().
  bool keep_alive() const;
  bool expects_continue() const;
  int http_minor() const;
  // Complete once done(); before that, what is known so far (for error answers).
  Request& request();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

class ResponseParser {
 public:
  // `head_request`: the reply has no body whatever its header says.
  ResponseParser(const ParserLimits& limits, bool head_request);
  ~ResponseParser();

  // Stops after the header (so that the caller sees it before body bytes) and again when done.
  Result<size_t> Feed(std::string_view bytes);
  // The peer closed; ok when that is a legal end of this message.
  Status FeedEof();
  bool header_done() const;
  bool done() const;
  bool keep_alive() const;
  // Status and headers; the body stays empty, TakeBody() gives it piece by piece.
  Response& response();
  std::string TakeBody();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ac::http::internal
