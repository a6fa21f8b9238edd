// The first byte picks the dialect and how the rest, what a remote server sends, is cut into
// pieces. Whatever it is, the events are a well-formed stream, and the pieces do not matter.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "api/codec.h"
#include "api/stream_checker.h"
#include "chat/dump.h"
#include "json/json.h"

namespace {

// `longest` 0: in one piece. Otherwise pieces of 1 to `longest` bytes, in an order that depends on
// it.
std::string Decode(ac::api::Endpoint endpoint, std::string_view bytes, size_t longest) {
  ac::chat::SequenceIds ids;
  const auto decoder = ac::api::MakeEventDecoder(endpoint, {.ids = &ids});
  std::vector<ac::chat::ChatEvent> events;
  uint32_t random = static_cast<uint32_t>(longest);
  for (size_t i = 0; i < bytes.size();) {
    random = random * 1664525 + 1013904223;
    const size_t piece = longest == 0 ? bytes.size() : 1 + (random >> 16) % longest;
    decoder->Feed(bytes.substr(i, piece), &events);
    i += piece;
  }
  decoder->Finish(&events);
  const ac::Status status =
      ac::api::CheckEvents(events, {.text_after_tool_call = true, .broken_tool_arguments = true});
  if (!status.ok()) std::abort();
  std::string dump;
  for (const auto& event : events) dump += ac::json::Write(ac::chat::EventToJson(event)) + "\n";
  return dump;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using ac::api::Endpoint;
  if (size < 1) return 0;
  const Endpoint endpoint = data[0] % 2 == 0 ? Endpoint::kMessages : Endpoint::kChatCompletions;
  const size_t longest = 1 + data[0] / 2 % 31;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  if (Decode(endpoint, bytes, longest) != Decode(endpoint, bytes, 0)) std::abort();
  return 0;
}
