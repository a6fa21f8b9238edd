#include <optional>
#include <string>

#include "api/internal/decoder_base.h"
#include "api/internal/encoders.h"
#include "json/json.h"

namespace ac::api::internal {
namespace {

using namespace ac::chat;  // NOLINT: every name below is one of its events

Usage UsageFrom(const json::Value* value) {
  Usage usage;
  if (value == nullptr) return usage;
  usage.input_tokens = json::GetInt(*value, "input_tokens").value_or(0);
  usage.cache_read = json::GetInt(*value, "cache_read_input_tokens").value_or(0);
  usage.cache_creation = json::GetInt(*value, "cache_creation_input_tokens").value_or(0);
  usage.output_tokens = json::GetInt(*value, "output_tokens").value_or(0);
  const json::Value* details = json::Find(*value, "output_tokens_details");
  if (details != nullptr) {
    usage.thinking_tokens = json::GetInt(*details, "thinking_tokens").value_or(0);
  }
  return usage;
}

// An object with members, as text: servers put "{}" where the input is still to come.
std::string GivenInput(const json::Value& block) {
  const json::Object* input = json::AsObject(json::Find(block, "input"));
  return input == nullptr || input->empty() ? "" : json::Write(*input);
}

class AnthropicDecoder : public DecoderBase {
 public:
  explicit AnthropicDecoder(const DecoderOptions& options) : DecoderBase(options) {}

 private:
  void HandleRecord(const json::Value& data) override {
    const std::string_view type = json::StringOrEmpty(data, "type");
    if (type == "message_start") {
      if (const json::Value* message = json::Find(data, "message")) StartMessage(*message);
    } else if (type == "ping") {
      builder().Ping();
    } else if (type == "content_block_start") {
      CloseCall();
      if (const json::Value* block = json::Find(data, "content_block")) OpenBlock(*block);
    } else if (type == "content_block_delta") {
      if (const json::Value* delta = json::Find(data, "delta")) HandleDelta(*delta);
    } else if (type == "content_block_stop") {
      CloseCall();
      builder().CloseBlock(0);
      skipping_ = false;
    } else if (type == "message_delta") {
      CloseCall();
      if (const json::Value* delta = json::Find(data, "delta")) TakeStopReason(*delta);
      builder().MergeUsage(UsageFrom(json::Find(data, "usage")));
    } else if (type == "message_stop") {
      CloseCall();
      builder().End();
    }
  }

  void HandleReply(const json::Value& body) override {
    StartMessage(body);
    if (const json::Array* content = json::AsArray(json::Find(body, "content"))) {
      for (const json::Value& block : *content) {
        OpenBlock(block);
        CloseCall();
        builder().CloseBlock(0);
        skipping_ = false;
      }
    }
    TakeStopReason(body);
    if (json::Find(body, "content") != nullptr && !builder().has_stop_reason()) {
      builder().SetStopReason(0, StopReason::kEndTurn);  // left out, but the body is whole
    }
  }

  void StartMessage(const json::Value& message) {
    builder().Start(json::StringOrEmpty(message, "id"), json::StringOrEmpty(message, "model"),
                    UsageFrom(json::Find(message, "usage")));
  }

  void OpenBlock(const json::Value& block) {
    const std::string_view type = json::StringOrEmpty(block, "type");
    if (type == "text") {
      builder().CloseBlock(0);
      builder().Text(0, json::StringOrEmpty(block, "text"));
    } else if (type == "thinking") {
      builder().CloseBlock(0);
      builder().Thinking(0, json::StringOrEmpty(block, "thinking"));
      builder().Signature(0, json::StringOrEmpty(block, "signature"));
    } else if (type == "redacted_thinking") {
      builder().Begin(0, {RedactedThinking{std::string(json::StringOrEmpty(block, "data"))}, ""});
    } else if (type == "tool_use") {
      builder().BeginCall(0, json::StringOrEmpty(block, "id"), json::StringOrEmpty(block, "name"));
      given_input_ = GivenInput(block);
    } else if (type == "server_tool_use") {
      builder().Begin(0, {ServerToolUse{std::string(json::StringOrEmpty(block, "id")),
                                        std::string(json::StringOrEmpty(block, "name")), ""},
                          ""});
      given_input_ = GivenInput(block);
    } else if (type.ends_with("_tool_result")) {
      const json::Value* content = json::Find(block, "content");
      builder().Begin(0, {ServerToolResult{std::string(type),
                                           std::string(json::StringOrEmpty(block, "tool_use_id")),
                                           content == nullptr ? "[]" : json::Write(*content)},
                          ""});
    } else {
      builder().CloseBlock(0);
      skipping_ = true;  // a kind of block we do not know
    }
  }

  void HandleDelta(const json::Value& delta) {
    if (skipping_) return;
    const std::string_view type = json::StringOrEmpty(delta, "type");
    if (type == "text_delta") {
      builder().Text(0, json::StringOrEmpty(delta, "text"));
    } else if (type == "thinking_delta") {
      builder().Thinking(0, json::StringOrEmpty(delta, "thinking"));
    } else if (type == "signature_delta") {
      builder().Signature(0, json::StringOrEmpty(delta, "signature"));
    } else if (type == "input_json_delta") {
      const std::string_view text = json::StringOrEmpty(delta, "partial_json");
      if (!text.empty()) given_input_.clear();
      builder().Arguments(0, text);
    }
  }

  // An input that came with the start of the block and was not repeated in deltas.
  void CloseCall() {
    builder().Arguments(0, given_input_);
    given_input_.clear();
  }

  void TakeStopReason(const json::Value& value) {
    const std::string_view name = json::StringOrEmpty(value, "stop_reason");
    if (name.empty()) return;
    builder().SetStopReason(0, StopReasonFromName(name).value_or(StopReason::kEndTurn),
                            json::StringOrEmpty(value, "stop_sequence"));
  }

  std::string given_input_;
  bool skipping_ = false;
};

}  // namespace

std::unique_ptr<EventDecoder> MakeAnthropicDecoder(const DecoderOptions& options) {
  return std::make_unique<AnthropicDecoder>(options);
}

}  // namespace ac::api::internal
