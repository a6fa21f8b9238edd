#include "http/url.h"

#include <algorithm>
#include <charconv>

#include "http/message.h"

namespace ac::http {
namespace {

Status Bad(std::string_view what) {
  return InvalidArgument("[http] bad URL: " + std::string(what) +
                         "; expected http://host[:port]/path or https://...");
}

std::string ToLower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

bool IsHostChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

bool IsIpv6Char(char c) {
  return (c >= 'a' && c <= 'f') || (c >= '0' && c <= '9') || c == ':' || c == '.' || c == '%';
}

Status ParsePort(std::string_view text, uint16_t* port) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value == 0 || value > 65535) {
    return Bad("the port must be a number from 1 to 65535");
  }
  *port = static_cast<uint16_t>(value);
  return OkStatus();
}

Status ParseUserInfo(std::string_view text, Url* url) {
  const size_t colon = std::min(text.find(':'), text.size());
  AC_ASSIGN_OR_RETURN(url->user, PercentDecode(text.substr(0, colon)));
  AC_ASSIGN_OR_RETURN(url->password, PercentDecode(text.substr(std::min(colon + 1, text.size()))));
  return OkStatus();
}

Status ParseHostPort(std::string_view text, Url* url) {
  std::string_view port;
  if (text.starts_with('[')) {
    const size_t close = text.find(']');
    if (close == std::string_view::npos) return Bad("'[' without ']'");
    url->host = ToLower(text.substr(1, close - 1));
    if (url->host.find(':') == std::string::npos ||
        !std::all_of(url->host.begin(), url->host.end(), IsIpv6Char)) {
      return Bad("what stands in brackets is no IPv6 address");
    }
    port = text.substr(close + 1);
    if (!port.empty() && port[0] != ':') return Bad("unexpected text after ']'");
  } else {
    const size_t colon = std::min(text.find(':'), text.size());
    url->host = ToLower(text.substr(0, colon));
    port = text.substr(colon);
    if (url->host.empty()) return Bad("the host is missing");
    if (!std::all_of(url->host.begin(), url->host.end(), IsHostChar)) {
      return Bad("the host may hold only letters, digits, '-', '.' and '_'");
    }
  }
  url->port = url->DefaultPort();
  // "host:" with nothing behind the colon means the default port (RFC 3986, 3.2.3).
  return port.size() > 1 ? ParsePort(port.substr(1), &url->port) : OkStatus();
}

}  // namespace

Result<Url> Url::Parse(std::string_view text) {
  Url url;
  for (const char c : text) {
    if (c <= ' ' || c == 0x7f)
      return Bad("blank, control or non-ASCII character (percent-encode it)");
  }
  const size_t colon = text.find("://");
  if (colon == std::string_view::npos) return Bad("'://' is missing");
  url.scheme = ToLower(text.substr(0, colon));
  if (url.scheme != "http" && url.scheme != "https") return Bad("the scheme is not http or https");
  text.remove_prefix(colon + 3);
  text = text.substr(0, text.find('#'));

  const size_t end = std::min(text.find_first_of("/?"), text.size());
  std::string_view authority = text.substr(0, end);
  url.target = text.substr(end);
  if (url.target.empty() || url.target[0] != '/') url.target.insert(0, 1, '/');

  if (const size_t at = authority.rfind('@'); at != std::string_view::npos) {
    AC_RETURN_IF_ERROR(ParseUserInfo(authority.substr(0, at), &url));
    authority.remove_prefix(at + 1);
  }
  AC_RETURN_IF_ERROR(ParseHostPort(authority, &url));
  return url;
}

std::string Url::Authority() const {
  std::string out = host.find(':') == std::string::npos ? host : "[" + host + "]";
  if (port != DefaultPort()) out += ":" + std::to_string(port);
  return out;
}

std::string Url::Redacted() const { return Origin() + target.substr(0, target.find('?')); }

Result<Url> Url::Resolve(std::string_view location) const {
  location = location.substr(0, location.find('#'));
  if (location.starts_with("//")) return Parse(scheme + ":" + std::string(location));
  // "://" behind a '/' or '?' belongs to a relative reference such as "/login?next=http://x".
  const size_t colon = location.find("://");
  if (colon != std::string_view::npos && location.find_first_of("/?") > colon) {
    return Parse(location);
  }
  const std::string path = target.substr(0, target.find('?'));
  if (location.starts_with('/')) return Parse(Origin() + std::string(location));
  if (location.starts_with('?')) return Parse(Origin() + path + std::string(location));
  return Parse(Origin() + path.substr(0, path.rfind('/') + 1) + std::string(location));
}

bool IsLoopbackHost(std::string_view host) {
  if (host == "localhost" || host.ends_with(".localhost") || host == "::1") return true;
  return host.starts_with("127.") &&
         std::all_of(host.begin(), host.end(),
                     [](char c) { return c == '.' || (c >= '0' && c <= '9'); }) &&
         std::count(host.begin(), host.end(), '.') == 3;
}

}  // namespace ac::http
