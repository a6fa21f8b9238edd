// Replies on the wire: events to bytes (encoders) and a remote server's bytes to events (decoders).
//
// One encoder or decoder per reply; it owns its state and is not thread-safe. Encoders trust the
// order of events and their UTF-8 (stream_checker.h), decoders trust nothing: whatever arrives, the
// events they give out are a well-formed stream that ends with MessageStop or Error.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/api.h"
#include "base/status.h"
#include "chat/event.h"
#include "chat/ids.h"
#include "chat/reply.h"

namespace ac::api {

struct EncoderOptions {
  std::string model{};         // the request's id, echoed; empty: MessageStart's
  bool include_usage = false;  // chat completions: a last chunk with the usage
  bool logprobs = false;       // completions and chat completions: send TextDelta's logprobs
  int64_t created = 0;         // seconds since the Unix epoch, in OpenAI's objects
  std::string previous_response_id{};  // repeated by the Responses API
};

// The options that a request implies.
EncoderOptions EncoderOptionsFor(const chat::ChatRequest& request, int64_t created);

class EventEncoder {
 public:
  virtual ~EventEncoder() = default;
  // Appends the SSE records of the event; none for events the dialect does not show.
  virtual void Encode(const chat::ChatEvent& event, std::string* out) = 0;
};

std::unique_ptr<EventEncoder> MakeEventEncoder(Endpoint endpoint, EncoderOptions options);

// The body of a reply that was not streamed. A reply with an error is answered by EncodeError.
std::string EncodeReply(Endpoint endpoint, const EncoderOptions& options, const chat::Reply& reply);

struct DecoderOptions {
  std::string model{};  // the request's id: the remote server's own name is not shown to the client
  // Names replies and tool calls when the server does not, or repeats itself.
  chat::IdSource* ids = nullptr;  // null: IdSource::Random()
  size_t max_event_bytes = size_t{64} << 20;
};

class EventDecoder {
 public:
  virtual ~EventDecoder() = default;
  // Bytes of the body as they arrive, cut anywhere. After Error or MessageStop they are ignored.
  virtual void Feed(std::string_view bytes, std::vector<chat::ChatEvent>* out) = 0;
  // The body is over: closes what is open; a reply that was cut off ends with Error.
  virtual void Finish(std::vector<chat::ChatEvent>* out) = 0;
};

// kMessages or kChatCompletions. Reads SSE, and also a plain JSON reply (a server may ignore
// `stream`): the first character tells.
std::unique_ptr<EventDecoder> MakeEventDecoder(Endpoint endpoint, DecoderOptions options);

}  // namespace ac::api
