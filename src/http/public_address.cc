#include "http/public_address.h"

#include <array>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <string>

namespace ac::http {
namespace {

namespace ip = boost::asio::ip;

struct SpecialNetwork {
  std::array<unsigned char, 4> address;
  unsigned bits;
};
// The registry of special-purpose IPv4 addresses (RFC 6890 and its successors).
constexpr SpecialNetwork kSpecial[] = {
    {{0, 0, 0, 0}, 8},      {{10, 0, 0, 0}, 8},     {{100, 64, 0, 0}, 10}, {{127, 0, 0, 0}, 8},
    {{169, 254, 0, 0}, 16}, {{172, 16, 0, 0}, 12},  {{192, 0, 0, 0}, 24},  {{192, 0, 2, 0}, 24},
    {{192, 88, 99, 0}, 24}, {{192, 168, 0, 0}, 16}, {{198, 18, 0, 0}, 15}, {{198, 51, 100, 0}, 24},
    {{203, 0, 113, 0}, 24}, {{224, 0, 0, 0}, 4},    {{240, 0, 0, 0}, 4}};

bool IsPublic(const ip::address_v4& address) {
  for (const SpecialNetwork& network : kSpecial) {
    const uint32_t mask = ~uint32_t{0} << (32 - network.bits);
    if ((address.to_uint() & mask) == ip::address_v4(network.address).to_uint()) return false;
  }
  return true;
}

bool IsPublic(const ip::address_v6& address) {
  if (address.is_v4_mapped()) return IsPublic(ip::make_address_v4(ip::v4_mapped, address));
  const auto bytes = address.to_bytes();
  if ((bytes[0] & 0xE0) != 0x20) return false;  // only 2000::/3 is global unicast
  const unsigned first = bytes[0] * 256u + bytes[1];
  const unsigned second = bytes[2] * 256u + bytes[3];
  // Tunnels carry IPv4 addresses (2002::/16, 2001::/32); 2001:db8::/32 and 3fff::/20 are for books.
  const bool is_tunnel = first == 0x2002 || (first == 0x2001 && second == 0);
  const bool is_example =
      (first == 0x2001 && second == 0xDB8) || (first == 0x3FFF && (second & 0xF000) == 0);
  return !is_tunnel && !is_example;
}

}  // namespace

bool IsPublicAddress(std::string_view address) {
  boost::system::error_code ec;
  const ip::address parsed = ip::make_address(std::string(address), ec);
  if (ec) return false;
  return parsed.is_v4() ? IsPublic(parsed.to_v4()) : IsPublic(parsed.to_v6());
}

}  // namespace ac::http
