#include <string>
#include <variant>
#include <vector>

#include "api/errors.h"
#include "api/internal/encoders.h"
#include "base/utf8.h"
#include "json/json.h"

namespace ac::api::internal {
namespace {

using namespace ac::chat;  // NOLINT: every name below is one of its events

using json::Quote;

std::string_view FinishReason(StopReason reason) {
  switch (reason) {
    case StopReason::kMaxTokens:
    case StopReason::kContextWindow:
      return "length";
    case StopReason::kToolUse:
      return "tool_calls";
    case StopReason::kRefusal:
      return "content_filter";
    case StopReason::kEndTurn:
    case StopReason::kStopSequence:
    case StopReason::kPauseTurn:
      return "stop";
  }
  return "stop";
}

std::string OpenAiUsage(const Usage& usage) {
  const int64_t prompt = usage.PromptTokens();
  return "{\"prompt_tokens\":" + std::to_string(prompt) +
         ",\"completion_tokens\":" + std::to_string(usage.output_tokens) +
         ",\"total_tokens\":" + std::to_string(prompt + usage.output_tokens) +
         ",\"prompt_tokens_details\":{\"cached_tokens\":" + std::to_string(usage.cache_read) +
         "},\"completion_tokens_details\":{\"reasoning_tokens\":" +
         std::to_string(usage.thinking_tokens) + "}}";
}

std::string Number(double number) { return json::Write(json::Value(number)); }

// A token may be a part of a character: the text is repaired, the bytes are exact.
std::string TokenJson(const std::string& token, double logprob) {
  std::string bytes;
  for (const char c : token) {
    if (!bytes.empty()) bytes += ',';
    bytes += std::to_string(static_cast<unsigned char>(c));
  }
  return "\"token\":" + Quote(RepairUtf8(token)) + ",\"logprob\":" + Number(logprob) +
         ",\"bytes\":[" + bytes + "]";
}

std::string ChatLogprobsJson(const std::vector<TokenLogprob>& logprobs) {
  std::string content;
  for (const TokenLogprob& entry : logprobs) {
    std::string top;
    for (const auto& [token, logprob] : entry.top) {
      if (!top.empty()) top += ',';
      top += "{" + TokenJson(token, logprob) + "}";
    }
    if (!content.empty()) content += ',';
    content += "{" + TokenJson(entry.token, entry.logprob) + ",\"top_logprobs\":[" + top + "]}";
  }
  return "{\"content\":[" + content + "]}";
}

// The older shape of /v1/completions: parallel lists.
std::string CompletionLogprobsJson(const std::vector<TokenLogprob>& logprobs, size_t* offset) {
  std::string tokens, values, tops, offsets;
  for (const TokenLogprob& entry : logprobs) {
    const std::string_view comma = tokens.empty() ? "" : ",";
    std::string top;
    for (const auto& [token, logprob] : entry.top) {
      if (!top.empty()) top += ',';
      top += Quote(RepairUtf8(token)) + ":" + Number(logprob);
    }
    tokens += std::string(comma) + Quote(RepairUtf8(entry.token));
    values += std::string(comma) + Number(entry.logprob);
    tops += std::string(comma) + "{" + top + "}";
    offsets += std::string(comma) + std::to_string(*offset);
    *offset += entry.token.size();
  }
  return "{\"tokens\":[" + tokens + "],\"token_logprobs\":[" + values + "],\"top_logprobs\":[" +
         tops + "],\"text_offset\":[" + offsets + "]}";
}

std::string ObjectId(std::string_view prefix, std::string_view message_id) {
  if (message_id.starts_with(kMessageIdPrefix)) message_id.remove_prefix(kMessageIdPrefix.size());
  return std::string(prefix) + std::string(message_id);
}

// What chat completions and completions have in common: ids, choices, usage, terminators.
class ChoiceEncoder : public EventEncoder {
 public:
  ChoiceEncoder(EncoderOptions options, std::string_view object, std::string_view id_prefix)
      : options_(std::move(options)), object_(object), id_prefix_(id_prefix) {}

  void Encode(const ChatEvent& event, std::string* out) override {
    out_ = out;
    choice_ = event.choice;
    if (const auto* start = event.As<MessageStart>()) {
      head_ = "data: {\"id\":" + Quote(ObjectId(id_prefix_, start->id)) + ",\"object\":\"" +
              std::string(object_) + "\",\"created\":" + std::to_string(options_.created) +
              ",\"model\":" + Quote(options_.model.empty() ? start->model : options_.model) +
              ",\"choices\":[";
      Begin();
    } else if (event.As<Ping>() != nullptr) {
      *out_ += ": ping\n\n";
    } else if (const auto* delta = event.As<MessageDelta>()) {
      usage_ = delta->usage;
      End(delta->stop_reason);
    } else if (event.As<MessageStop>() != nullptr) {
      if (options_.include_usage) *out_ += head_ + "],\"usage\":" + OpenAiUsage(usage_) + "}\n\n";
      *out_ += "data: [DONE]\n\n";
    } else if (const auto* error = event.As<Error>()) {
      *out_ += EncodeErrorEvent(Endpoint::kChatCompletions, error->status);
    } else {
      Content(event);
    }
  }

 protected:
  virtual void Begin() {}
  virtual void Content(const ChatEvent& event) = 0;
  virtual void End(StopReason reason) = 0;

  // `body` is the inside of the choice after its index.
  void AppendChunk(std::string_view body) {
    *out_ += head_ + "{\"index\":" + std::to_string(choice_) + ",";
    *out_ += body;
    *out_ += options_.include_usage ? "}],\"usage\":null}\n\n" : "}]}\n\n";
  }
  int choice() const { return choice_; }

  const EncoderOptions options_;

 private:
  const std::string_view object_;
  const std::string_view id_prefix_;
  std::string head_;
  std::string* out_ = nullptr;
  int choice_ = 0;
  Usage usage_;
};

class ChatEncoder : public ChoiceEncoder {
 public:
  explicit ChatEncoder(EncoderOptions options)
      : ChoiceEncoder(std::move(options), "chat.completion.chunk", "chatcmpl-") {}

 private:
  struct ChoiceState {
    bool begun = false;
    int calls = 0;       // so far
    int open_call = -1;  // index of its block
    bool has_arguments = false;
  };

  void Begin() override { State(); }

  void Content(const ChatEvent& event) override {
    ChoiceState& state = State();
    if (const auto* start = event.As<BlockStart>()) {
      const ToolUse* call = start->block.As<ToolUse>();
      if (call == nullptr) return;
      Delta("\"tool_calls\":[{\"index\":" + std::to_string(state.calls) +
                ",\"id\":" + Quote(call->id) + ",\"type\":\"function\",\"function\":{\"name\":" +
                Quote(call->name) + ",\"arguments\":" + Quote(call->input) + "}}]",
            nullptr);
      ++state.calls;
      state.open_call = start->index;
      state.has_arguments = !call->input.empty();
    } else if (const auto* text = event.As<TextDelta>()) {
      Delta("\"content\":" + Quote(text->text), &text->logprobs);
    } else if (const auto* thinking = event.As<ThinkingDelta>()) {
      Delta("\"reasoning_content\":" + Quote(thinking->text), nullptr);
    } else if (const auto* args = event.As<ToolArgsDelta>()) {
      if (args->index == state.open_call) Arguments(&state, args->partial_json);
    } else if (const auto* stop = event.As<BlockStop>()) {
      // Clients parse the joined pieces: a call without arguments needs its empty object.
      if (stop->index == state.open_call && !state.has_arguments) Arguments(&state, "{}");
      if (stop->index == state.open_call) state.open_call = -1;
    }
  }

  void Arguments(ChoiceState* state, const std::string& text) {
    state->has_arguments = true;
    Delta("\"tool_calls\":[{\"index\":" + std::to_string(state->calls - 1) +
              ",\"function\":{\"arguments\":" + Quote(text) + "}}]",
          nullptr);
  }

  void End(StopReason reason) override {
    State();
    AppendChunk("\"delta\":{},\"logprobs\":null,\"finish_reason\":\"" +
                std::string(FinishReason(reason)) + "\"");
  }

  void Delta(const std::string& field, const std::vector<TokenLogprob>* logprobs) {
    const bool show = options_.logprobs && logprobs != nullptr && !logprobs->empty();
    AppendChunk("\"delta\":{" + field + "},\"logprobs\":" +
                (show ? ChatLogprobsJson(*logprobs) : "null") + ",\"finish_reason\":null");
  }

  // A choice begins with the role, whatever comes first.
  ChoiceState& State() {
    const auto index = static_cast<size_t>(choice() < 0 ? 0 : choice());
    if (states_.size() <= index) states_.resize(index + 1);
    ChoiceState& state = states_[index];
    if (!state.begun) {
      state.begun = true;
      Delta("\"role\":\"assistant\",\"content\":\"\"", nullptr);
    }
    return state;
  }

  std::vector<ChoiceState> states_;
};

class CompletionsEncoder : public ChoiceEncoder {
 public:
  explicit CompletionsEncoder(EncoderOptions options)
      : ChoiceEncoder(std::move(options), "text_completion", "cmpl-") {}

 private:
  void Content(const ChatEvent& event) override {
    const auto* text = event.As<TextDelta>();
    if (text == nullptr) return;
    const bool show = options_.logprobs && !text->logprobs.empty();
    const auto index = static_cast<size_t>(choice() < 0 ? 0 : choice());
    if (offsets_.size() <= index) offsets_.resize(index + 1);
    AppendChunk("\"text\":" + Quote(text->text) + ",\"logprobs\":" +
                (show ? CompletionLogprobsJson(text->logprobs, &offsets_[index]) : "null") +
                ",\"finish_reason\":null");
  }
  void End(StopReason reason) override {
    AppendChunk("\"text\":\"\",\"logprobs\":null,\"finish_reason\":\"" +
                std::string(FinishReason(reason)) + "\"");
  }

  std::vector<size_t> offsets_;
};

std::string MessageJson(const ReplyChoice& choice) {
  std::string text, thinking, calls;
  for (const Block& block : choice.blocks) {
    if (const Text* part = block.As<Text>()) text += part->text;
    if (const Thinking* part = block.As<Thinking>()) thinking += part->text;
    if (const ToolUse* call = block.As<ToolUse>()) {
      if (!calls.empty()) calls += ',';
      calls += "{\"id\":" + Quote(call->id) +
               ",\"type\":\"function\",\"function\":{\"name\":" + Quote(call->name) +
               ",\"arguments\":" + Quote(call->input.empty() ? "{}" : call->input) + "}}";
    }
  }
  std::string message = "{\"role\":\"assistant\",\"content\":" +
                        (text.empty() && !calls.empty() ? "null" : Quote(text)) +
                        ",\"refusal\":null";
  if (!thinking.empty()) message += ",\"reasoning_content\":" + Quote(thinking);
  if (!calls.empty()) message += ",\"tool_calls\":[" + calls + "]";
  return message + "}";
}

std::string ReplyJson(const EncoderOptions& options, const Reply& reply, std::string_view object,
                      std::string_view id_prefix, const std::string& choices) {
  return "{\"id\":" + Quote(ObjectId(id_prefix, reply.id)) + ",\"object\":\"" +
         std::string(object) + "\",\"created\":" + std::to_string(options.created) +
         ",\"model\":" + Quote(options.model.empty() ? reply.model : options.model) +
         ",\"choices\":[" + choices + "],\"usage\":" + OpenAiUsage(reply.usage) + "}";
}

}  // namespace

std::unique_ptr<EventEncoder> MakeChatEncoder(EncoderOptions options) {
  return std::make_unique<ChatEncoder>(std::move(options));
}

std::unique_ptr<EventEncoder> MakeCompletionsEncoder(EncoderOptions options) {
  return std::make_unique<CompletionsEncoder>(std::move(options));
}

std::string EncodeChatReply(const EncoderOptions& options, const Reply& reply) {
  std::string choices;
  for (size_t i = 0; i < reply.choices.size(); ++i) {
    const ReplyChoice& choice = reply.choices[i];
    const bool show = options.logprobs && !choice.logprobs.empty();
    if (i > 0) choices += ',';
    choices += "{\"index\":" + std::to_string(i) + ",\"message\":" + MessageJson(choice) +
               ",\"logprobs\":" + (show ? ChatLogprobsJson(choice.logprobs) : "null") +
               ",\"finish_reason\":\"" + std::string(FinishReason(choice.stop_reason)) + "\"}";
  }
  return ReplyJson(options, reply, "chat.completion", "chatcmpl-", choices);
}

std::string EncodeCompletionsReply(const EncoderOptions& options, const Reply& reply) {
  std::string choices;
  for (size_t i = 0; i < reply.choices.size(); ++i) {
    const ReplyChoice& choice = reply.choices[i];
    const bool show = options.logprobs && !choice.logprobs.empty();
    size_t offset = 0;
    if (i > 0) choices += ',';
    choices +=
        "{\"text\":" + Quote(JoinText(choice.blocks, "")) + ",\"index\":" + std::to_string(i) +
        ",\"logprobs\":" + (show ? CompletionLogprobsJson(choice.logprobs, &offset) : "null") +
        ",\"finish_reason\":\"" + std::string(FinishReason(choice.stop_reason)) + "\"}";
  }
  return ReplyJson(options, reply, "text_completion", "cmpl-", choices);
}

}  // namespace ac::api::internal
