// One encoder per request shape; codec.cc picks.
#pragma once

#include <memory>
#include <string>

#include "api/codec.h"

namespace ac::api::internal {

std::unique_ptr<EventEncoder> MakeAnthropicEncoder(EncoderOptions options);
std::unique_ptr<EventEncoder> MakeChatEncoder(EncoderOptions options);
std::unique_ptr<EventEncoder> MakeCompletionsEncoder(EncoderOptions options);
std::unique_ptr<EventEncoder> MakeResponsesEncoder(EncoderOptions options);

std::string EncodeAnthropicReply(const EncoderOptions& options, const chat::Reply& reply);
std::string EncodeChatReply(const EncoderOptions& options, const chat::Reply& reply);
std::string EncodeCompletionsReply(const EncoderOptions& options, const chat::Reply& reply);
std::string EncodeResponsesReply(const EncoderOptions& options, const chat::Reply& reply);

std::unique_ptr<EventDecoder> MakeAnthropicDecoder(const DecoderOptions& options);
std::unique_ptr<EventDecoder> MakeChatDecoder(const DecoderOptions& options);

}  // namespace ac::api::internal
