// Which proxy, if any, a URL goes through.
//
// A value, read once from the environment or filled in by hand; const use is thread-safe.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/status.h"
#include "http/url.h"

namespace ac::http {

struct ProxyConfig {
  std::string http = {};   // HTTP_PROXY: for http URLs
  std::string https = {};  // HTTPS_PROXY: for https URLs, through CONNECT
  std::string all = {};    // ALL_PROXY: where the one above is empty
  std::string no_proxy =
      {};  // NO_PROXY: "*" or a list of hosts, domains, host:port and CIDR networks
  bool for_loopback = false;  // this machine is reached directly unless asked

  // Each variable in lower case first, then in upper case.
  static ProxyConfig FromEnvironment();
  static ProxyConfig From(const std::function<const char*(const char*)>& get_variable);

  // No value: connect directly. Fails on a proxy URL of a kind that is not supported.
  Result<std::optional<Url>> ProxyFor(const Url& url) const;
};

}  // namespace ac::http
