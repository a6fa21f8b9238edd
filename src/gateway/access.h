// Who may talk to the server: keys, and browsers that try from another site.
//
// Pure functions of header values, so that the rules are tested as tables. A server on loopback is
// reachable by every web page the user opens: the Host check stops DNS rebinding, the Origin check
// stops cross-site requests.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace ac::gateway {

struct AccessPolicy {
  std::string api_key;      // empty: no key needed (loopback only)
  std::string listen_host;  // as configured, also accepted in Host headers
};

struct Caller {
  std::string_view host;           // Host header, may carry a port; empty when absent
  std::string_view origin;         // Origin header; empty when absent
  std::string_view x_api_key;      // x-api-key header
  std::string_view authorization;  // Authorization header
};

// Refuses to listen on anything but loopback without a key.
Status CheckListenAddress(std::string_view host, std::string_view api_key);

// kUnauthenticated for a missing or wrong key, kPermissionDenied for a foreign Host or Origin.
Status CheckAccess(const AccessPolicy& policy, const Caller& caller);

// Takes the same time whatever the position of the first difference.
bool EqualInConstantTime(std::string_view a, std::string_view b);

bool IsLoopbackHost(std::string_view host);

}  // namespace ac::gateway
