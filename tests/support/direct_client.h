#pragma once
// What the tests of the HTTP client share.
#include "http/client.h"

namespace ac::testing {

// Options that ignore the proxy settings of whoever runs the tests.
inline http::ClientOptions Direct() {
  http::ClientOptions options;
  options.proxy = http::ProxyConfig();
  return options;
}

inline constexpr char kOk[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

}  // namespace ac::testing
