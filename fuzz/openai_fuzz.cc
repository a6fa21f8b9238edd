// The first byte picks the endpoint, the rest is the request body, which is read as one for
// embeddings too.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "api/api.h"
#include "api/embeddings.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using ac::api::Endpoint;
  if (size < 1) return 0;
  constexpr Endpoint kEndpoints[] = {Endpoint::kChatCompletions, Endpoint::kCompletions,
                                     Endpoint::kResponses};
  const std::string_view body(reinterpret_cast<const char*>(data + 1), size - 1);
  if (const auto texts = ac::api::ParseEmbeddings(body); texts.ok()) {
    if (texts->inputs.empty()) std::abort();
    const std::vector<std::vector<float>> vectors(texts->inputs.size(), {1.0f, -0.5f});
    if (ac::api::EncodeEmbeddings(*texts, vectors, 1).empty()) std::abort();
  }
  const auto request = ac::api::ParseRequest(kEndpoints[data[0] % 3], body);
  if (!request.ok()) return 0;
  for (const Endpoint endpoint : {Endpoint::kChatCompletions, Endpoint::kMessages}) {
    if (!ac::api::SerializeRequest(endpoint, *request).ok()) std::abort();
  }
  return 0;
}
