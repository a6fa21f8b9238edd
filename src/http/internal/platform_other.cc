// Platforms without a known way to ask: the features that need an answer do without.
#include "http/internal/platform.h"

namespace ac::http::internal {

std::string DescribePortOwner(uint16_t /*port*/) { return ""; }
bool PeerHasClosed(int /*descriptor*/) { return false; }
// The connection's own thread sends everything.
size_t SendNow(int /*descriptor*/, std::string_view /*bytes*/) { return 0; }
void RaiseFileLimit(size_t /*wanted*/) {}

}  // namespace ac::http::internal
