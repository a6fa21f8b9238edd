// Absolute http and https URLs: parse, validate, print without secrets.
//
// A value; nothing is looked up or fetched here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace ac::http {

struct Url {
  std::string scheme;    // "http" or "https"
  std::string user;      // percent-decoded; empty when absent
  std::string password;  // percent-decoded
  std::string host;      // lower case; an IPv6 address without its brackets
  uint16_t port = 0;     // the scheme's default when the text names none
  std::string target;    // path and query as sent to the server; starts with '/'

  // Accepts only absolute http:// and https:// URLs in ASCII. The message never repeats user,
  // password or query.
  static Result<Url> Parse(std::string_view text);

  bool https() const { return scheme == "https"; }
  uint16_t DefaultPort() const { return https() ? 443 : 80; }
  // "host" or "host:port" for the Host field; brackets around IPv6 addresses.
  std::string Authority() const;
  std::string Origin() const { return scheme + "://" + Authority(); }
  // For messages and logs: scheme, authority and path only.
  std::string Redacted() const;
  // The URL that `location` (absolute, "//host/x", "/x" or relative) means when seen from here.
  Result<Url> Resolve(std::string_view location) const;
};

// True for localhost, *.localhost, 127.0.0.0/8 and ::1.
bool IsLoopbackHost(std::string_view host);

}  // namespace ac::http
