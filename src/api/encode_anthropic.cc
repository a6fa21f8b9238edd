#include <string>
#include <variant>

#include "api/errors.h"
#include "api/internal/encoders.h"
#include "json/json.h"

namespace ac::api::internal {
namespace {

using namespace ac::chat;  // NOLINT: every name below is one of its events

using json::Quote;

void AppendRecord(std::string_view event, std::string_view data, std::string* out) {
  *out += "event: ";
  *out += event;
  *out += "\ndata: ";
  *out += data;
  *out += "\n\n";
}

std::string AnthropicUsage(const Usage& usage) {
  std::string text = "{\"input_tokens\":" + std::to_string(usage.input_tokens) +
                     ",\"cache_creation_input_tokens\":" + std::to_string(usage.cache_creation) +
                     ",\"cache_read_input_tokens\":" + std::to_string(usage.cache_read) +
                     ",\"output_tokens\":" + std::to_string(usage.output_tokens);
  if (usage.thinking_tokens > 0) {
    text +=
        ",\"output_tokens_details\":{\"thinking_tokens\":" + std::to_string(usage.thinking_tokens) +
        "}";
  }
  return text + "}";
}

std::string DiagnosisJson(const CacheDiagnosis& diagnosis) {
  if (diagnosis.reason.empty()) return ",\"diagnostics\":{\"cache_miss_reason\":null}";
  std::string reason = "{\"type\":" + Quote(diagnosis.reason);
  if (diagnosis.reason.ends_with("_changed")) {
    reason += ",\"cache_missed_input_tokens\":" + std::to_string(diagnosis.missed_tokens);
  }
  return ",\"diagnostics\":{\"cache_miss_reason\":" + reason + "}}";
}

// A whole message, or with `content` empty and no stop reason the shell that starts a stream.
std::string MessageJson(const std::string& id, const std::string& model, const std::string& content,
                        const std::string& stop, const Usage& usage,
                        const std::optional<CacheDiagnosis>& diagnosis) {
  std::string text = "{\"id\":" + Quote(id) +
                     ",\"type\":\"message\",\"role\":\"assistant\",\"model\":" + Quote(model) +
                     ",\"content\":[" + content + "]," + stop +
                     ",\"usage\":" + AnthropicUsage(usage);
  if (diagnosis.has_value()) text += DiagnosisJson(*diagnosis);
  return text + "}";
}

std::string StopJson(StopReason reason, const std::string& sequence) {
  const bool named = reason == StopReason::kStopSequence && !sequence.empty();
  return "\"stop_reason\":\"" + std::string(StopReasonName(reason)) +
         "\",\"stop_sequence\":" + (named ? Quote(sequence) : "null");
}

template <typename Call>
std::string CallJson(std::string_view type, const Call& call, const std::string& input) {
  return "{\"type\":\"" + std::string(type) + "\",\"id\":" + Quote(call.id) +
         ",\"name\":" + Quote(call.name) + ",\"input\":" + input + "}";
}

// The input of a finished call. What a model cut off is no JSON: it travels as the SDKs show it.
std::string FinishedInput(const std::string& input) {
  if (input.empty()) return "{}";
  const Result<json::Value> value = json::Parse(input);
  if (value.ok() && value->is_object()) return input;
  return "{\"__unparsedToolInput\":{\"raw\":" + Quote(input) +
         ",\"len\":" + std::to_string(input.size()) + "}}";
}

// JSON from elsewhere on one line, as an SSE record needs it.
std::string OneLine(const std::string& text, std::string_view otherwise) {
  const Result<json::Value> value = json::Parse(text);
  return value.ok() ? json::Write(*value) : std::string(otherwise);
}

struct BlockEncoder {
  bool starting;  // content_block_start: the client ignores an input that is given here

  std::string operator()(const Text& text) const {
    return "{\"type\":\"text\",\"text\":" + Quote(text.text) + "}";
  }
  std::string operator()(const Thinking& thinking) const {
    return "{\"type\":\"thinking\",\"thinking\":" + Quote(thinking.text) +
           ",\"signature\":" + Quote(thinking.signature) + "}";
  }
  std::string operator()(const RedactedThinking& thinking) const {
    return "{\"type\":\"redacted_thinking\",\"data\":" + Quote(thinking.data) + "}";
  }
  std::string operator()(const ToolUse& call) const {
    return CallJson("tool_use", call, starting ? "{}" : FinishedInput(call.input));
  }
  std::string operator()(const ServerToolUse& call) const {
    return CallJson("server_tool_use", call, starting ? "{}" : FinishedInput(call.input));
  }
  std::string operator()(const ServerToolResult& result) const {
    return "{\"type\":" + Quote(result.type) + ",\"tool_use_id\":" + Quote(result.tool_use_id) +
           ",\"content\":" + OneLine(result.content, "[]") + "}";
  }
  // A reply never contains the others; an empty text keeps the indices right.
  template <typename Other>
  std::string operator()(const Other&) const {
    return "{\"type\":\"text\",\"text\":\"\"}";
  }
};

class AnthropicEncoder : public EventEncoder {
 public:
  explicit AnthropicEncoder(EncoderOptions options) : options_(std::move(options)) {}

  void Encode(const ChatEvent& event, std::string* out) override {
    if (event.choice != 0) return;  // this dialect has one reply
    out_ = out;
    std::visit([this](const auto& value) { Write(value); }, event.value);
  }

 private:
  void Write(const MessageStart& start) {
    const std::string& model = options_.model.empty() ? start.model : options_.model;
    const std::string message =
        MessageJson(start.id, model, "", "\"stop_reason\":null,\"stop_sequence\":null", start.usage,
                    start.diagnosis);
    AppendRecord("message_start", "{\"type\":\"message_start\",\"message\":" + message + "}", out_);
  }
  void Write(const Ping&) { AppendRecord("ping", "{\"type\":\"ping\"}", out_); }
  void Write(const BlockStart& start) {
    const std::string block = std::visit(BlockEncoder{true}, start.block.value);
    AppendRecord("content_block_start",
                 "{\"type\":\"content_block_start\",\"index\":" + std::to_string(start.index) +
                     ",\"content_block\":" + block + "}",
                 out_);
    // A call that came with its input still needs it as a delta.
    const ToolUse* call = start.block.As<ToolUse>();
    const ServerToolUse* server_call = start.block.As<ServerToolUse>();
    if (call != nullptr && !call->input.empty()) Write(ToolArgsDelta{start.index, call->input});
    if (server_call != nullptr && !server_call->input.empty()) {
      Write(ToolArgsDelta{start.index, server_call->input});
    }
  }
  void Write(const TextDelta& delta) { Delta(delta.index, "text_delta", "text", delta.text); }
  void Write(const ThinkingDelta& delta) {
    Delta(delta.index, "thinking_delta", "thinking", delta.text);
  }
  void Write(const SignatureDelta& delta) {
    Delta(delta.index, "signature_delta", "signature", delta.signature);
  }
  void Write(const ToolArgsDelta& delta) {
    Delta(delta.index, "input_json_delta", "partial_json", delta.partial_json);
  }
  void Write(const BlockStop& stop) {
    AppendRecord("content_block_stop",
                 "{\"type\":\"content_block_stop\",\"index\":" + std::to_string(stop.index) + "}",
                 out_);
  }
  void Write(const MessageDelta& delta) {
    AppendRecord("message_delta",
                 "{\"type\":\"message_delta\",\"delta\":{" +
                     StopJson(delta.stop_reason, delta.stop_sequence) +
                     "},\"usage\":" + AnthropicUsage(delta.usage) + "}",
                 out_);
  }
  void Write(const MessageStop&) {
    AppendRecord("message_stop", "{\"type\":\"message_stop\"}", out_);
  }
  void Write(const Error& error) { *out_ += EncodeErrorEvent(Endpoint::kMessages, error.status); }

  void Delta(int index, std::string_view type, std::string_view field, const std::string& text) {
    std::string data = "{\"type\":\"content_block_delta\",\"index\":" + std::to_string(index) +
                       ",\"delta\":{\"type\":\"";
    data += type;
    data += "\",\"";
    data += field;
    data += "\":" + Quote(text) + "}}";
    AppendRecord("content_block_delta", data, out_);
  }

  const EncoderOptions options_;
  std::string* out_ = nullptr;
};

}  // namespace

std::unique_ptr<EventEncoder> MakeAnthropicEncoder(EncoderOptions options) {
  return std::make_unique<AnthropicEncoder>(std::move(options));
}

std::string EncodeAnthropicReply(const EncoderOptions& options, const Reply& reply) {
  const ReplyChoice none;
  const ReplyChoice& choice = reply.choices.empty() ? none : reply.choices.front();
  std::string content;
  for (const Block& block : choice.blocks) {
    if (!content.empty()) content += ',';
    content += std::visit(BlockEncoder{false}, block.value);
  }
  return MessageJson(reply.id, options.model.empty() ? reply.model : options.model, content,
                     StopJson(choice.stop_reason, choice.stop_sequence), reply.usage,
                     reply.diagnosis);
}

}  // namespace ac::api::internal
