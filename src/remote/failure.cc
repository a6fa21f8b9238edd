#include "remote/failure.h"

#include <charconv>
#include <ctime>
#include <iomanip>
#include <locale>
#include <sstream>

#include "api/errors.h"

namespace ac::remote {
namespace {

constexpr size_t kQuotedBytes = 300;

std::string Name(const Peer& peer) { return std::string(peer.kind->title) + " at " + peer.url; }

// Clients compare these texts as a whole.
bool IsContractText(const std::string& text) {
  return text.starts_with("prompt is too long: ") || text.starts_with("capability_rejected: ") ||
         text.starts_with("input length and `max_tokens` exceed context limit");
}

std::string FixFor(const Peer& peer, const Status& status) {
  const ServerKind& kind = *peer.kind;
  switch (status.code()) {
    case Code::kUnauthenticated:
    case Code::kPermissionDenied:
      return "check the key in " + VariableName(kind, "_API_KEY");
    case Code::kNotFound:
      return "is the model loaded, and is this the right URL? " + VariableName(kind, "_MODEL") +
             " and " + VariableName(kind, "_URL") + " set them";
    case Code::kResourceExhausted:
    case Code::kOverloaded:
      return "it takes no more requests now; wait, or lower upstream.max_concurrent";
    default:
      return "";
  }
}

std::string Quoted(std::string_view body) {
  std::string out(body.substr(0, kQuotedBytes));
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  }
  // Not in the middle of a character.
  while (!out.empty() && body.size() > kQuotedBytes && (out.back() & 0x80) != 0) out.pop_back();
  return out;
}

}  // namespace

Status ConnectionFailure(const Peer& peer, const Status& status) {
  const std::string text = api::ErrorText(status);
  if (status.code() == Code::kDeadlineExceeded) {
    return Status(status.code(), "[remote] " + Name(peer) + ": " + text +
                                     "; give it more time with upstream.timeout_ms, or a shorter "
                                     "prompt");
  }
  if (status.code() == Code::kPermissionDenied) return status;  // the offline lock says it all
  return Status(status.code(), "[remote] cannot reach " + Name(peer) + ": " + text + "; " +
                                   std::string(peer.kind->start_hint) + ", or set " +
                                   VariableName(*peer.kind, "_URL"));
}

Status ReplyFailure(const Peer& peer, const http::Response& head, std::string_view body) {
  if (IsHtml(head, body)) {
    const Code code = head.status == 429                         ? Code::kResourceExhausted
                      : head.status == 401 || head.status == 403 ? Code::kUnauthenticated
                                                                 : Code::kUnavailable;
    return Status(code, "[remote] " + Name(peer) + " answered HTTP " + std::to_string(head.status) +
                            " with a web page instead of JSON; is the URL right? The API is "
                            "usually below /v1 (" +
                            VariableName(*peer.kind, "_URL") + ")");
  }
  const Status status = api::StatusFromReply(head.status, body);
  if (IsContractText(api::ErrorText(status))) return status;
  std::string text = "[remote] " + Name(peer) + " answered HTTP " + std::to_string(head.status) +
                     ": " + RefusalText(head.status, body);
  if (const std::string fix = FixFor(peer, status); !fix.empty()) text += "; " + fix;
  return Status(status.code(), std::move(text));
}

Status StreamFailure(const Peer& peer, const Status& status) {
  const std::string text = api::ErrorText(status);
  if (IsContractText(text)) return status;
  return Status(status.code(), "[remote] the reply of " + Name(peer) + " ended early: " + text);
}

bool IsHtml(const http::Response& head, std::string_view body) {
  if (head.headers.Get("content-type").find("html") != std::string_view::npos) return true;
  const size_t start = body.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  return start != std::string_view::npos && body[start] == '<';
}

std::string RefusalText(int http_status, std::string_view body) {
  const std::string text = api::ErrorText(api::StatusFromReply(http_status, body));
  if (!text.starts_with("the server answered HTTP")) return Quoted(text);
  return body.empty() ? "an empty body" : Quoted(body);
}

namespace {

// "Sun, 06 Nov 1994 08:49:37 GMT" as seconds since the epoch; 0 when it is no such date.
int64_t ParseHttpDate(std::string_view text) {
  std::istringstream stream{std::string(text)};
  stream.imbue(std::locale::classic());
  std::tm date{};
  stream >> std::get_time(&date, "%a, %d %b %Y %H:%M:%S GMT");
  return stream.fail() ? 0 : static_cast<int64_t>(timegm(&date));
}

}  // namespace

int64_t RetryAfterSeconds(const http::Headers& headers, Nanos wall) {
  const auto number = [&](std::string_view name) -> int64_t {
    const std::string_view text = headers.Get(name);
    double value = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    return parsed.ec == std::errc() && value > 0 && value < 1e9
               ? static_cast<int64_t>(value + 0.999)
               : 0;
  };
  const int64_t milliseconds = number("retry-after-ms");
  if (milliseconds > 0) return (milliseconds + 999) / 1000;
  if (const int64_t seconds = number("retry-after"); seconds > 0) return seconds;
  const int64_t date = ParseHttpDate(headers.Get("retry-after"));
  const int64_t now = std::chrono::duration_cast<std::chrono::seconds>(wall).count();
  return date > now ? date - now : 0;
}

bool IsRetriable(int http_status) {
  return http_status == 429 || http_status == 502 || http_status == 503 || http_status == 529;
}

}  // namespace ac::remote
