// Which addresses are the public internet's, and which lead into this machine or its network.
//
// Pure. What a stranger's text may make this process connect to has to pass here.
#pragma once

#include <string_view>

namespace ac::http {

// `address`: an IPv4 or IPv6 address in text form. False for loopback, private, link-local,
// shared, reserved, documentation, multicast and broadcast networks, for IPv6 forms that carry an
// IPv4 address inside (other than a public mapped one), and for what is no address.
bool IsPublicAddress(std::string_view address);

}  // namespace ac::http
