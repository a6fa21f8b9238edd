#include "http/proxy.h"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <cstdlib>

namespace ac::http {
namespace {

namespace ip = boost::asio::ip;
using boost::system::error_code;

bool InNetwork(const ip::address& address, const std::string& network) {
  error_code ec;
  if (address.is_v4()) {
    const ip::network_v4 net = ip::make_network_v4(network, ec);
    const auto hosts = net.canonical();
    return !ec && ip::make_network_v4(address.to_v4(), net.prefix_length()).canonical() == hosts;
  }
  const ip::network_v6 net = ip::make_network_v6(network, ec);
  const auto hosts = net.canonical();
  return !ec && ip::make_network_v6(address.to_v6(), net.prefix_length()).canonical() == hosts;
}

// One entry of NO_PROXY: "*", "example.com" (with its subdomains), ".example.com", "*.example.com",
// "host:port", an address or a network such as 10.0.0.0/8.
bool EntryMatches(std::string entry, const Url& url) {
  if (entry == "*") return true;
  error_code ec;
  const ip::address address = ip::make_address(url.host, ec);
  const bool host_is_address = !ec;
  if (entry.find('/') != std::string::npos) return host_is_address && InNetwork(address, entry);
  if (host_is_address && entry == url.host) return true;
  if (const size_t colon = entry.rfind(':'); colon != std::string::npos) {
    if (entry.substr(colon + 1) != std::to_string(url.port)) return false;
    entry.resize(colon);
    if (entry.starts_with('[') && entry.ends_with(']')) entry = entry.substr(1, entry.size() - 2);
  }
  if (entry.starts_with("*")) entry.erase(0, 1);
  if (entry.starts_with(".")) entry.erase(0, 1);
  return !entry.empty() &&
         (url.host == entry || (!host_is_address && url.host.ends_with("." + entry)));
}

bool Excluded(const std::string& no_proxy, const Url& url) {
  std::string entry;
  for (const char c : no_proxy + ",") {
    if (c != ',' && c != ' ' && c != '\t') {
      entry += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    } else if (!entry.empty()) {
      if (EntryMatches(entry, url)) return true;
      entry.clear();
    }
  }
  return false;
}

}  // namespace

ProxyConfig ProxyConfig::From(const std::function<const char*(const char*)>& get_variable) {
  const auto read = [&](const char* lower, const char* upper) -> std::string {
    for (const char* name : {lower, upper}) {
      const char* value = get_variable(name);
      if (value != nullptr && *value != '\0') return value;
    }
    return "";
  };
  return {.http = read("http_proxy", "HTTP_PROXY"),
          .https = read("https_proxy", "HTTPS_PROXY"),
          .all = read("all_proxy", "ALL_PROXY"),
          .no_proxy = read("no_proxy", "NO_PROXY")};
}

ProxyConfig ProxyConfig::FromEnvironment() {
  return From([](const char* name) -> const char* { return std::getenv(name); });
}

Result<std::optional<Url>> ProxyConfig::ProxyFor(const Url& url) const {
  const std::string& own = url.https() ? https : http;
  const std::string& text = own.empty() ? all : own;
  if (text.empty() || (!for_loopback && IsLoopbackHost(url.host)) || Excluded(no_proxy, url)) {
    return std::optional<Url>();
  }
  const bool has_scheme = text.find("://") != std::string::npos;
  Result<Url> proxy = Url::Parse(has_scheme ? text : "http://" + text);
  if (!proxy.ok() || proxy->https()) {
    return Unsupported("[http] the proxy for " + url.Origin() +
                       " must be an http:// URL (http_proxy, https_proxy or all_proxy); set that, "
                       "or list the host in no_proxy");
  }
  return std::optional<Url>(std::move(*proxy));
}

}  // namespace ac::http
