#include "api/api.h"
#include "api/internal/serializers.h"

namespace ac::api {

Result<std::string> SerializeRequest(Endpoint endpoint, const chat::ChatRequest& request,
                                     const SerializeOptions& options) {
  switch (endpoint) {
    case Endpoint::kMessages:
      return internal::SerializeMessages(request, options, false);
    case Endpoint::kCountTokens:
      return internal::SerializeMessages(request, options, true);
    case Endpoint::kChatCompletions:
      return internal::SerializeChatCompletions(request, options);
    case Endpoint::kCompletions:
    case Endpoint::kResponses:
      break;
  }
  return Unsupported(
      "[api] remote servers are spoken to over /v1/messages or "
      "/v1/chat/completions; set one of them for this server");
}

}  // namespace ac::api
