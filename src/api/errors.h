// The one place that maps a failure to an HTTP status and to each dialect's error body, and back.
//
// Pure functions, thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/api.h"
#include "base/status.h"
#include "json/json_fwd.h"

namespace ac::api {

struct ErrorReply {
  int http_status = 500;
  std::vector<std::pair<std::string, std::string>> headers;  // retry-after, x-should-retry
  std::string body;                                          // JSON
};

struct ErrorDetail {
  int64_t retry_after_s = 0;  // 0: the default of the status
  std::string request_id{};   // repeated in Anthropic's body
};

// A "[module] " tag at the start of the message stays with us: clients compare some texts exactly.
ErrorReply EncodeError(Dialect dialect, const Status& status, const ErrorDetail& detail = {});

// The record that ends a stream which has already started.
std::string EncodeErrorEvent(Endpoint endpoint, const Status& status);

// What a client is told: the message without our module tag, never empty.
std::string ErrorText(const Status& status);

// The text that makes Claude Code compact the conversation and try again. HTTP 400.
Status PromptTooLong(int64_t tokens, int64_t maximum, std::string_view why = "");

// A remote server's failure as a Status: code from the HTTP status, text from the body when it has
// the shape of either dialect. Overflow texts of known servers become PromptTooLong when they carry
// both numbers.
Status StatusFromReply(int http_status, std::string_view body);
// The same for the error record of a running stream, or an error in a body that came with 200.
Status StatusFromStreamError(const json::Value& body);

}  // namespace ac::api
