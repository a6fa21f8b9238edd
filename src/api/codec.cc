#include "api/codec.h"

#include <utility>

#include "api/internal/encoders.h"

namespace ac::api {

EncoderOptions EncoderOptionsFor(const chat::ChatRequest& request, int64_t created) {
  return {.model = request.model,
          .include_usage = request.include_usage,
          .logprobs = request.logprobs,
          .created = created,
          .previous_response_id = request.previous_response_id};
}

std::unique_ptr<EventEncoder> MakeEventEncoder(Endpoint endpoint, EncoderOptions options) {
  switch (endpoint) {
    case Endpoint::kMessages:
    case Endpoint::kCountTokens:
      break;
    case Endpoint::kChatCompletions:
      return internal::MakeChatEncoder(std::move(options));
    case Endpoint::kCompletions:
      return internal::MakeCompletionsEncoder(std::move(options));
    case Endpoint::kResponses:
      return internal::MakeResponsesEncoder(std::move(options));
  }
  return internal::MakeAnthropicEncoder(std::move(options));
}

std::string EncodeReply(Endpoint endpoint, const EncoderOptions& options,
                        const chat::Reply& reply) {
  switch (endpoint) {
    case Endpoint::kMessages:
    case Endpoint::kCountTokens:
      break;
    case Endpoint::kChatCompletions:
      return internal::EncodeChatReply(options, reply);
    case Endpoint::kCompletions:
      return internal::EncodeCompletionsReply(options, reply);
    case Endpoint::kResponses:
      return internal::EncodeResponsesReply(options, reply);
  }
  return internal::EncodeAnthropicReply(options, reply);
}

std::unique_ptr<EventDecoder> MakeEventDecoder(Endpoint endpoint, DecoderOptions options) {
  if (options.ids == nullptr) options.ids = &chat::IdSource::Random();
  if (DialectOf(endpoint) == Dialect::kAnthropic) {
    return internal::MakeAnthropicDecoder(options);
  }
  return internal::MakeChatDecoder(options);
}

}  // namespace ac::api
