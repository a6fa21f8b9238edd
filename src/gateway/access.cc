#include "gateway/access.h"

#include <algorithm>
#include <cctype>

namespace ac::gateway {
namespace {

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

// "localhost:4141" -> "localhost", "[::1]:4141" -> "::1".
std::string_view WithoutPort(std::string_view host) {
  if (!host.empty() && host.front() == '[') {
    const size_t close = host.find(']');
    return close == std::string_view::npos ? host : host.substr(1, close - 1);
  }
  // A bare IPv6 address has several colons and no port.
  if (std::count(host.begin(), host.end(), ':') > 1) return host;
  return host.substr(0, host.find(':'));
}

bool IsOurHost(const AccessPolicy& policy, std::string_view host) {
  const std::string name = Lower(WithoutPort(host));
  return IsLoopbackHost(name) || name == Lower(policy.listen_host);
}

// Listening on every interface, a client reaches us under names we cannot know; the key protects
// that case, so any Host passes there.
bool ListensEverywhere(const AccessPolicy& policy) {
  return policy.listen_host == "0.0.0.0" || policy.listen_host == "::";
}

Status CheckOrigin(const AccessPolicy& policy, std::string_view origin) {
  if (origin.empty()) return OkStatus();  // not a browser
  const size_t scheme = origin.find("://");
  if (scheme != std::string_view::npos && IsOurHost(policy, origin.substr(scheme + 3))) {
    return OkStatus();
  }
  return Status(Code::kPermissionDenied, "[gateway] cross-site request from " +
                                             std::string(origin.substr(0, 200)) + " refused");
}

std::string_view PresentedKey(const Caller& caller) {
  if (!caller.x_api_key.empty()) return caller.x_api_key;
  constexpr std::string_view kBearer = "bearer ";
  if (caller.authorization.size() > kBearer.size() &&
      Lower(caller.authorization.substr(0, kBearer.size())) == kBearer) {
    return caller.authorization.substr(kBearer.size());
  }
  return {};
}

}  // namespace

bool IsLoopbackHost(std::string_view host) {
  return host == "localhost" || host == "::1" || host == "127.0.0.1" ||
         (host.starts_with("127.") && std::count(host.begin(), host.end(), '.') == 3 &&
          host.find_first_not_of("0123456789.") == std::string_view::npos);
}

bool EqualInConstantTime(std::string_view a, std::string_view b) {
  unsigned difference = a.size() == b.size() ? 0 : 1;
  for (size_t i = 0; i < a.size(); ++i) {
    const unsigned char other = b.empty() ? 0 : static_cast<unsigned char>(b[i % b.size()]);
    difference |= static_cast<unsigned>(static_cast<unsigned char>(a[i]) ^ other);
  }
  return difference == 0;
}

Status CheckListenAddress(std::string_view host, std::string_view api_key) {
  if (IsLoopbackHost(host) || !api_key.empty()) return OkStatus();
  return InvalidArgument("[gateway] listening on " + std::string(host) +
                         " lets other machines use this server: set an api_key (--api-key) or "
                         "listen on 127.0.0.1");
}

Status CheckAccess(const AccessPolicy& policy, const Caller& caller) {
  if (!caller.host.empty() && !ListensEverywhere(policy) && !IsOurHost(policy, caller.host)) {
    return Status(Code::kPermissionDenied, "[gateway] Host \"" +
                                               std::string(caller.host.substr(0, 200)) +
                                               "\" is not this server; use http://127.0.0.1");
  }
  AC_RETURN_IF_ERROR(CheckOrigin(policy, caller.origin));
  if (policy.api_key.empty()) return OkStatus();
  const std::string_view key = PresentedKey(caller);
  if (key.empty()) {
    return Status(Code::kUnauthenticated,
                  "[gateway] this server needs a key: send x-api-key or Authorization: Bearer");
  }
  // The key we hold drives the loop, so its length is all that timing could tell.
  if (!EqualInConstantTime(policy.api_key, key)) {
    return Status(Code::kUnauthenticated,
                  "[gateway] the key is not the one this server was started with");
  }
  return OkStatus();
}

}  // namespace ac::gateway
