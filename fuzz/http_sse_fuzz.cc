// The event-stream parser: no input crashes it, and where the bytes are split changes nothing.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/sse.h"

namespace {

std::string Parse(std::string_view stream, size_t piece) {
  std::string out;
  ac::http::SseParser parser(
      [&](const ac::http::SseEvent& event) {
        out += event.event + '\x01' + event.data + '\x02' + event.id + '\x03';
      },
      /*max_event_bytes=*/size_t{1} << 20);
  for (; !stream.empty(); stream.remove_prefix(std::min(piece, stream.size()))) {
    if (!parser.Feed(stream.substr(0, piece)).ok()) std::abort();
  }
  if (!parser.Finish().ok()) std::abort();
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view stream(reinterpret_cast<const char*>(data), size);
  const std::string whole = Parse(stream, size + 1);
  for (const size_t piece : {1, 2, 3, 7}) {
    if (Parse(stream, piece) != whole) std::abort();
  }
  // A small limit refuses, and never crashes.
  ac::http::SseParser tight([](const ac::http::SseEvent&) {}, 16);
  if (tight.Feed(stream).ok()) (void)tight.Finish().ok();
  return 0;
}
