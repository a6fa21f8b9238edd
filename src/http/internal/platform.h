// The few questions only the operating system can answer. One implementation per platform.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ac::http::internal {

// "node (pid 4711)" for the process that listens on a TCP port of this machine; empty when the
// system does not tell (other user's process, other platform).
std::string DescribePortOwner(uint16_t port);

// True when the peer has closed its end, although unread input may still be waiting.
bool PeerHasClosed(int descriptor);

// Sends on a connected socket without waiting or raising a signal; how many bytes the system took,
// 0 when none or on failure.
size_t SendNow(int descriptor, std::string_view bytes);

// Raises this process's limit of open files towards `wanted`, as far as the system allows.
void RaiseFileLimit(size_t wanted);

}  // namespace ac::http::internal
