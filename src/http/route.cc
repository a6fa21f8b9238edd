#include <openssl/evp.h>

#include "http/internal/call.h"

namespace ac::http::internal {
namespace {

bool IsToken(std::string_view text) {
  static constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  for (const char c : text) {
    const bool alphanumeric =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!alphanumeric && kMarks.find(c) == std::string_view::npos) return false;
  }
  return !text.empty();
}

Status CheckHeaders(const ClientRequest& request) {
  if (!IsToken(request.method)) return InvalidArgument("[http] bad method name");
  for (const auto& [name, value] : request.headers) {
    // The value may be a key: only the name is shown.
    if (!IsToken(name)) return InvalidArgument("[http] bad header name '" + name + "'");
    if (value.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
      return InvalidArgument("[http] the value of header '" + name +
                             "' holds a line break; remove it");
    }
  }
  return OkStatus();
}

std::string BasicCredentials(const Url& url) {
  const std::string plain = url.user + ":" + url.password;
  std::string out(4 * ((plain.size() + 2) / 3) + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                   reinterpret_cast<const unsigned char*>(plain.data()),
                                   static_cast<int>(plain.size()));
  out.resize(static_cast<size_t>(size));
  return "Basic " + out;
}

bool WantsLength(const ClientRequest& request) {
  return !request.body.empty() || request.method == "POST" || request.method == "PUT" ||
         request.method == "PATCH";
}

std::string RequestHead(const ClientRequest& request, const Route& route) {
  // A proxy for plain http is told the whole URL.
  const bool absolute = route.proxy && !route.url.https();
  std::string out = request.method + " " + (absolute ? route.url.Origin() : "") + route.url.target +
                    " HTTP/1.1\r\nHost: " + route.url.Authority() + "\r\n";
  const auto add = [&](std::string_view name, const std::string& value) {
    out.append(name).append(": ").append(value).append("\r\n");
  };
  for (const auto& [name, value] : request.headers) {
    const bool ours = EqualsIgnoreCase(name, "Host") || EqualsIgnoreCase(name, "Connection") ||
                      EqualsIgnoreCase(name, "Content-Length") ||
                      EqualsIgnoreCase(name, "Transfer-Encoding");
    if (!ours) add(name, value);
  }
  if (!request.headers.Has("Accept")) add("Accept", "*/*");
  if (!request.headers.Has("User-Agent")) add("User-Agent", "anyclaude");
  if (!route.url.user.empty() && !request.headers.Has("Authorization")) {
    add("Authorization", BasicCredentials(route.url));
  }
  if (absolute && !route.proxy->user.empty()) {
    add("Proxy-Authorization", BasicCredentials(*route.proxy));
  }
  if (WantsLength(request)) add("Content-Length", std::to_string(request.body.size()));
  return out + "\r\n";
}

}  // namespace

Result<Route> PlanRoute(const ClientRequest& request, const Url& url, const ProxyConfig& proxies) {
  AC_RETURN_IF_ERROR(CheckHeaders(request));
  Route route;
  route.url = url;
  route.unix_path = request.unix_path;
  if (route.unix_path.empty()) {
    AC_ASSIGN_OR_RETURN(route.proxy, proxies.ProxyFor(url));
  }
  route.key = url.Origin() + " " + route.unix_path;
  if (route.proxy) {
    route.key += route.proxy->Origin() + " " + route.proxy->user + ":" + route.proxy->password;
  }
  route.head = RequestHead(request, route);
  return route;
}

std::string ConnectHead(const Route& route) {
  const bool ipv6 = route.url.host.find(':') != std::string::npos;
  const std::string authority =
      (ipv6 ? "[" + route.url.host + "]" : route.url.host) + ":" + std::to_string(route.url.port);
  std::string out = "CONNECT " + authority + " HTTP/1.1\r\nHost: " + authority + "\r\n";
  if (!route.proxy->user.empty()) {
    out += "Proxy-Authorization: " + BasicCredentials(*route.proxy) + "\r\n";
  }
  return out + "\r\n";
}

}  // namespace ac::http::internal
