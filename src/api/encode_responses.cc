#include <string>
#include <variant>

#include "api/errors.h"
#include "api/internal/encoders.h"
#include "json/json.h"

namespace ac::api::internal {
namespace {

using namespace ac::chat;  // NOLINT: every name below is one of its events

using json::Quote;

std::string Suffix(std::string_view message_id) {
  if (message_id.starts_with(kMessageIdPrefix)) message_id.remove_prefix(kMessageIdPrefix.size());
  return std::string(message_id);
}

std::string ItemId(std::string_view prefix, const std::string& suffix, int index) {
  return std::string(prefix) + suffix + "_" + std::to_string(index);
}

std::string TextPart(const std::string& text) {
  return "{\"type\":\"output_text\",\"text\":" + Quote(text) +
         ",\"annotations\":[],\"logprobs\":[]}";
}

std::string ReasoningPart(const std::string& text) {
  return "{\"type\":\"reasoning_text\",\"text\":" + Quote(text) + "}";
}

// One output item. While it runs it is shown empty; blocks this API has no item for give "".
struct ItemEncoder {
  const std::string& suffix;
  int index;
  bool running;

  std::string operator()(const Text& text) const {
    return "{\"id\":" + Quote(ItemId("msg_", suffix, index)) + ",\"type\":\"message\"" + Status() +
           ",\"role\":\"assistant\",\"content\":[" + (running ? "" : TextPart(text.text)) + "]}";
  }
  std::string operator()(const Thinking& thinking) const {
    std::string item = "{\"id\":" + Quote(ItemId("rs_", suffix, index)) +
                       ",\"type\":\"reasoning\"" + Status() + ",\"summary\":[],\"content\":[" +
                       (running ? "" : ReasoningPart(thinking.text)) + "]";
    if (!thinking.signature.empty()) {
      item += ",\"encrypted_content\":" + Quote(thinking.signature);
    }
    return item + "}";
  }
  std::string operator()(const ToolUse& call) const {
    const std::string arguments = call.input.empty() ? "{}" : call.input;
    return "{\"id\":" + Quote(ItemId("fc_", suffix, index)) + ",\"type\":\"function_call\"" +
           Status() + ",\"call_id\":" + Quote(call.id) + ",\"name\":" + Quote(call.name) +
           ",\"arguments\":" + Quote(running ? "" : arguments) + "}";
  }
  template <typename Other>
  std::string operator()(const Other&) const {
    return "";
  }
  std::string Status() const {
    return running ? ",\"status\":\"in_progress\"" : ",\"status\":\"completed\"";
  }
};

std::string ResponsesUsage(const Usage& usage) {
  const int64_t prompt = usage.PromptTokens();
  return "{\"input_tokens\":" + std::to_string(prompt) +
         ",\"input_tokens_details\":{\"cached_tokens\":" + std::to_string(usage.cache_read) +
         "},\"output_tokens\":" + std::to_string(usage.output_tokens) +
         ",\"output_tokens_details\":{\"reasoning_tokens\":" +
         std::to_string(usage.thinking_tokens) +
         "},\"total_tokens\":" + std::to_string(prompt + usage.output_tokens) + "}";
}

// What the response object says besides its output.
struct ResponseState {
  std::string_view status = "in_progress";
  std::string error = "null";
  std::string incomplete = "null";
  std::string usage = "null";
};

std::string ResponseJson(const EncoderOptions& options, const std::string& id,
                         const std::string& model, const std::string& output,
                         const ResponseState& state) {
  return "{\"id\":" + Quote("resp_" + Suffix(id)) +
         ",\"object\":\"response\",\"created_at\":" + std::to_string(options.created) +
         ",\"status\":\"" + std::string(state.status) + "\",\"error\":" + state.error +
         ",\"incomplete_details\":" + state.incomplete + ",\"instructions\":null,\"metadata\":{}" +
         ",\"model\":" + Quote(options.model.empty() ? model : options.model) + ",\"output\":[" +
         output + "],\"parallel_tool_calls\":true,\"previous_response_id\":" +
         (options.previous_response_id.empty() ? "null" : Quote(options.previous_response_id)) +
         ",\"temperature\":null,\"tool_choice\":\"auto\",\"tools\":[],\"top_p\":null,\"usage\":" +
         state.usage + "}";
}

ResponseState FinalState(StopReason reason, const Usage& usage) {
  ResponseState state{
      .status = "completed", .error = "null", .incomplete = "null", .usage = ResponsesUsage(usage)};
  const bool cut = reason == StopReason::kMaxTokens || reason == StopReason::kContextWindow;
  if (cut) state.incomplete = "{\"reason\":\"max_output_tokens\"}";
  if (reason == StopReason::kRefusal) state.incomplete = "{\"reason\":\"content_filter\"}";
  if (cut || reason == StopReason::kRefusal) state.status = "incomplete";
  return state;
}

std::string OutputJson(const std::vector<Block>& blocks, const std::string& suffix) {
  std::string output;
  int index = 0;
  for (const Block& block : blocks) {
    const std::string item = std::visit(ItemEncoder{suffix, index, false}, block.value);
    if (item.empty()) continue;
    if (!output.empty()) output += ',';
    output += item;
    ++index;
  }
  return output;
}

class ResponsesEncoder : public EventEncoder {
 public:
  explicit ResponsesEncoder(EncoderOptions options) : options_(std::move(options)) {}

  void Encode(const ChatEvent& event, std::string* out) override {
    if (event.choice != 0) return;  // this API has one reply
    out_ = out;
    builder_.Apply(event);
    std::visit([this](const auto& value) { Write(value); }, event.value);
  }

 private:
  void Write(const MessageStart& start) {
    suffix_ = Suffix(start.id);
    Record("response.created", "\"response\":" + Response({}));
    Record("response.in_progress", "\"response\":" + Response({}));
  }
  void Write(const Ping&) { *out_ += ": ping\n\n"; }

  void Write(const BlockStart& start) {
    const std::string item = std::visit(ItemEncoder{suffix_, items_, true}, start.block.value);
    shown_ = !item.empty();
    if (!shown_) return;
    kind_ = "";
    if (start.block.As<Text>() != nullptr) kind_ = "output_text";
    if (start.block.As<Thinking>() != nullptr) kind_ = "reasoning_text";
    item_id_ =
        ItemId(kind_.empty() ? "fc_" : (kind_ == "output_text" ? "msg_" : "rs_"), suffix_, items_);
    Record("response.output_item.added", OutputIndex() + ",\"item\":" + item);
    if (!kind_.empty()) {
      Record("response.content_part.added",
             Place() + ",\"part\":" + (kind_ == "output_text" ? TextPart("") : ReasoningPart("")));
    }
    const ToolUse* call = start.block.As<ToolUse>();
    if (call != nullptr && !call->input.empty()) Arguments(call->input);
  }

  void Write(const TextDelta& delta) {
    if (!shown_) return;
    Record("response.output_text.delta",
           Place() + ",\"delta\":" + Quote(delta.text) + ",\"logprobs\":[]");
  }
  void Write(const ThinkingDelta& delta) {
    if (shown_)
      Record("response.reasoning_text.delta", Place() + ",\"delta\":" + Quote(delta.text));
  }
  void Write(const SignatureDelta&) {}
  void Write(const ToolArgsDelta& delta) {
    if (shown_) Arguments(delta.partial_json);
  }

  void Write(const BlockStop& stop) {
    if (!shown_) return;
    shown_ = false;
    const std::vector<Block>& blocks = builder_.reply().choices.front().blocks;
    const auto index = static_cast<size_t>(stop.index);
    if (stop.index < 0 || index >= blocks.size()) return;
    const Block& block = blocks[index];
    if (const Text* text = block.As<Text>()) {
      Record("response.output_text.done",
             Place() + ",\"text\":" + Quote(text->text) + ",\"logprobs\":[]");
      Record("response.content_part.done", Place() + ",\"part\":" + TextPart(text->text));
    } else if (const Thinking* thinking = block.As<Thinking>()) {
      Record("response.reasoning_text.done", Place() + ",\"text\":" + Quote(thinking->text));
      Record("response.content_part.done", Place() + ",\"part\":" + ReasoningPart(thinking->text));
    } else if (const ToolUse* call = block.As<ToolUse>()) {
      Record("response.function_call_arguments.done",
             ItemPlace() + ",\"name\":" + Quote(call->name) +
                 ",\"arguments\":" + Quote(call->input.empty() ? "{}" : call->input));
    }
    Record("response.output_item.done",
           OutputIndex() +
               ",\"item\":" + std::visit(ItemEncoder{suffix_, items_, false}, block.value));
    ++items_;
  }

  void Write(const MessageDelta&) {}

  void Write(const MessageStop&) {
    if (builder_.reply().choices.empty()) return;
    const ReplyChoice& choice = builder_.reply().choices.front();
    const ResponseState state = FinalState(choice.stop_reason, builder_.reply().usage);
    Record("response." + std::string(state.status), "\"response\":" + Response(state));
  }

  void Write(const Error& error) {
    if (suffix_.empty()) {  // no response yet that could fail
      *out_ += EncodeErrorEvent(Endpoint::kResponses, error.status);
      return;
    }
    const std::string text = ErrorText(error.status);
    ResponseState state;
    state.status = "failed";
    state.error = "{\"code\":\"server_error\",\"message\":" + Quote(text) + "}";
    Record("response.failed", "\"response\":" + Response(state));
  }

  void Arguments(const std::string& text) {
    Record("response.function_call_arguments.delta", ItemPlace() + ",\"delta\":" + Quote(text));
  }

  std::string Response(const ResponseState& state) const {
    const Reply& reply = builder_.reply();
    const bool over = state.status != "in_progress" && !reply.choices.empty();
    return ResponseJson(options_, reply.id, reply.model,
                        over ? OutputJson(reply.choices.front().blocks, suffix_) : "", state);
  }
  std::string OutputIndex() const { return "\"output_index\":" + std::to_string(items_); }
  std::string ItemPlace() const { return "\"item_id\":" + Quote(item_id_) + "," + OutputIndex(); }
  std::string Place() const { return ItemPlace() + ",\"content_index\":0"; }

  void Record(const std::string& type, const std::string& fields) {
    *out_ += "event: " + type + "\ndata: {\"type\":\"" + type +
             "\",\"sequence_number\":" + std::to_string(sequence_++) + "," + fields + "}\n\n";
  }

  const EncoderOptions options_;
  ReplyBuilder builder_;
  std::string suffix_;
  std::string item_id_;
  std::string_view kind_;  // of the open content part; empty for calls
  bool shown_ = false;     // the open block has an item
  int items_ = 0;
  int64_t sequence_ = 0;
  std::string* out_ = nullptr;
};

}  // namespace

std::unique_ptr<EventEncoder> MakeResponsesEncoder(EncoderOptions options) {
  return std::make_unique<ResponsesEncoder>(std::move(options));
}

std::string EncodeResponsesReply(const EncoderOptions& options, const Reply& reply) {
  const ReplyChoice none;
  const ReplyChoice& choice = reply.choices.empty() ? none : reply.choices.front();
  return ResponseJson(options, reply.id, reply.model, OutputJson(choice.blocks, Suffix(reply.id)),
                      FinalState(choice.stop_reason, reply.usage));
}

}  // namespace ac::api::internal
