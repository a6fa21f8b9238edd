// A request body: parsed, and when it is accepted, written again and parsed once more.
#include <cstdint>
#include <cstdlib>

#include "api/api.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using ac::api::Endpoint;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  const auto request = ac::api::ParseRequest(Endpoint::kMessages, body);
  if (!request.ok()) return 0;
  for (const Endpoint endpoint : {Endpoint::kMessages, Endpoint::kCountTokens}) {
    const auto again = ac::api::SerializeRequest(endpoint, *request);
    if (!again.ok()) std::abort();
    // Messages of nothing but unsigned thinking are left out, so the list may be empty now.
    (void)ac::api::ParseRequest(endpoint, *again).ok();
  }
  if (!ac::api::SerializeRequest(Endpoint::kChatCompletions, *request).ok()) std::abort();
  return 0;
}
