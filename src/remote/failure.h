// What went wrong with a server, in a sentence that names the server and the fix.
//
// Texts that clients act upon ("prompt is too long: ...") are passed on unchanged. Bodies are
// quoted briefly and never with the request's key. Pure functions, thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/status.h"
#include "http/message.h"
#include "remote/server_kind.h"

namespace ac::remote {

// Who failed, for messages.
struct Peer {
  const ServerKind* kind = nullptr;
  std::string url;  // without user, password and query
};

// No reply, or one that broke off.
Status ConnectionFailure(const Peer& peer, const Status& status);
// An HTTP reply that is no answer: an error status, or HTML where JSON was due.
Status ReplyFailure(const Peer& peer, const http::Response& head, std::string_view body);
// An error inside a reply that had begun.
Status StreamFailure(const Peer& peer, const Status& status);

bool IsHtml(const http::Response& head, std::string_view body);
// The server's own words for a refusal, or the start of its body.
std::string RefusalText(int http_status, std::string_view body);
// Seconds of a Retry-After (a number or a date, `wall` being now) or retry-after-ms header, rounded
// up; 0 when there is none.
int64_t RetryAfterSeconds(const http::Headers& headers, Nanos wall);
// May the same request succeed a little later?
bool IsRetriable(int http_status);

}  // namespace ac::remote
