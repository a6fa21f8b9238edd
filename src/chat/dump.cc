#include "chat/dump.h"

#include <string_view>
#include <utility>

#include "json/json.h"

namespace ac::chat {
namespace {

// Builds an object and leaves out what says nothing.
class ObjectBuilder {
 public:
  ObjectBuilder& Text(std::string_view key, std::string_view text) {
    if (!text.empty()) object_[key] = text;
    return *this;
  }
  ObjectBuilder& Flag(std::string_view key, bool flag) {
    if (flag) object_[key] = true;
    return *this;
  }
  ObjectBuilder& Int(std::string_view key, int64_t number) {
    if (number != 0) object_[key] = number;
    return *this;
  }
  template <typename T>
  ObjectBuilder& Optional(std::string_view key, const std::optional<T>& number) {
    if (number.has_value()) object_[key] = *number;
    return *this;
  }
  template <typename T>
  ObjectBuilder& List(std::string_view key, const std::vector<T>& items) {
    if (items.empty()) return *this;
    json::Array array;
    for (const T& item : items) array.push_back(ToJson(item));
    object_[key] = std::move(array);
    return *this;
  }
  ObjectBuilder& Set(std::string_view key, json::Value value) {
    if (!value.is_object() || !value.get_object().empty()) object_[key] = std::move(value);
    return *this;
  }
  json::Value Done() { return std::move(object_); }

 private:
  static json::Value ToJson(const std::string& text) { return json::Value(text); }
  static json::Value ToJson(const Block& block) { return chat::ToJson(block); }
  static json::Value ToJson(const Message& message) {
    return ObjectBuilder()
        .Text("role", RoleName(message.role))
        .List("blocks", message.blocks)
        .Done();
  }
  static json::Value ToJson(const ToolSpec& tool) {
    return ObjectBuilder()
        .Text("name", tool.name)
        .Text("description", tool.description)
        .Text("input_schema", tool.input_schema)
        .Flag("defer_loading", tool.defer_loading)
        .Text("cache_ttl", tool.cache_ttl)
        .Flag("strict", tool.strict)
        .Text("type", tool.type)
        .Text("json", tool.json)
        .Done();
  }
  static json::Value ToJson(const RawPrompt& prompt) {
    json::Array tokens(prompt.tokens.begin(), prompt.tokens.end());
    ObjectBuilder builder;
    builder.Text("text", prompt.text);
    if (!tokens.empty()) builder.Set("tokens", std::move(tokens));
    return builder.Done();
  }

  json::Object object_;
};

struct BlockDumper {
  json::Value operator()(const Text& text) const {
    return ObjectBuilder().Text("type", "text").Text("text", text.text).Done();
  }
  json::Value operator()(const Image& image) const {
    return ObjectBuilder()
        .Text("type", "image")
        .Text("media_type", image.media_type)
        .Text("data", image.data)
        .Text("url", image.url)
        .Done();
  }
  json::Value operator()(const Document& document) const {
    return ObjectBuilder()
        .Text("type", "document")
        .Text("media_type", document.media_type)
        .Text("data", document.data)
        .Text("url", document.url)
        .Text("title", document.title)
        .Done();
  }
  json::Value operator()(const Thinking& thinking) const {
    return ObjectBuilder()
        .Text("type", "thinking")
        .Text("text", thinking.text)
        .Text("signature", thinking.signature)
        .Done();
  }
  json::Value operator()(const RedactedThinking& thinking) const {
    return ObjectBuilder().Text("type", "redacted_thinking").Text("data", thinking.data).Done();
  }
  json::Value operator()(const ToolUse& call) const { return Call("tool_use", call); }
  json::Value operator()(const ServerToolUse& call) const { return Call("server_tool_use", call); }
  json::Value operator()(const ToolResult& result) const {
    return ObjectBuilder()
        .Text("type", "tool_result")
        .Text("tool_use_id", result.tool_use_id)
        .List("content", result.content)
        .Flag("is_error", result.is_error)
        .Done();
  }
  json::Value operator()(const ToolReference& reference) const {
    return ObjectBuilder()
        .Text("type", "tool_reference")
        .Text("tool_name", reference.tool_name)
        .Done();
  }
  json::Value operator()(const ServerToolResult& result) const {
    return ObjectBuilder()
        .Text("type", "server_tool_result")
        .Text("result_type", result.type)
        .Text("tool_use_id", result.tool_use_id)
        .Text("content", result.content)
        .Done();
  }
  json::Value operator()(const Opaque& opaque) const {
    return ObjectBuilder()
        .Text("type", "opaque")
        .Text("opaque_type", opaque.type)
        .Text("json", opaque.json)
        .Done();
  }

  template <typename T>
  static json::Value Call(std::string_view type, const T& call) {
    return ObjectBuilder()
        .Text("type", type)
        .Text("id", call.id)
        .Text("name", call.name)
        .Text("input", call.input)
        .Done();
  }
};

std::string_view ToolChoiceName(ToolChoice::Kind kind) {
  switch (kind) {
    case ToolChoice::Kind::kAuto:
      return "";
    case ToolChoice::Kind::kAny:
      return "any";
    case ToolChoice::Kind::kTool:
      return "tool";
    case ToolChoice::Kind::kNone:
      return "none";
  }
  return "";
}

std::string_view ThinkingModeName(ThinkingConfig::Mode mode) {
  switch (mode) {
    case ThinkingConfig::Mode::kUnset:
      return "";
    case ThinkingConfig::Mode::kDisabled:
      return "disabled";
    case ThinkingConfig::Mode::kEnabled:
      return "enabled";
    case ThinkingConfig::Mode::kAdaptive:
      return "adaptive";
  }
  return "";
}

std::string_view FormatName(ResponseFormat::Kind kind) {
  switch (kind) {
    case ResponseFormat::Kind::kText:
      return "";
    case ResponseFormat::Kind::kJsonObject:
      return "json_object";
    case ResponseFormat::Kind::kJsonSchema:
      return "json_schema";
    case ResponseFormat::Kind::kEbnf:
      return "ebnf";
    case ResponseFormat::Kind::kRegex:
      return "regex";
  }
  return "";
}

json::Value SamplingToJson(const Sampling& sampling) {
  ObjectBuilder builder;
  builder.Optional("temperature", sampling.temperature)
      .Optional("top_p", sampling.top_p)
      .Optional("min_p", sampling.min_p)
      .Optional("top_k", sampling.top_k)
      .Optional("seed", sampling.seed)
      .Optional("presence_penalty", sampling.presence_penalty)
      .Optional("frequency_penalty", sampling.frequency_penalty)
      .Optional("repetition_penalty", sampling.repetition_penalty);
  json::Object bias;
  for (const auto& [token, weight] : sampling.logit_bias) bias[std::to_string(token)] = weight;
  return builder.Set("logit_bias", std::move(bias)).Done();
}

}  // namespace

json::Value ToJson(const Block& block) {
  json::Value value = std::visit(BlockDumper{}, block.value);
  if (!block.cache_ttl.empty()) value.get_object()["cache_ttl"] = block.cache_ttl;
  return value;
}

json::Value ToJson(const Usage& usage) {
  return ObjectBuilder()
      .Int("input_tokens", usage.input_tokens)
      .Int("cache_read", usage.cache_read)
      .Int("cache_creation", usage.cache_creation)
      .Int("output_tokens", usage.output_tokens)
      .Int("thinking_tokens", usage.thinking_tokens)
      .Done();
}

json::Value ToJson(const PromptFacts& facts) {
  json::Object out{{"from_memory", facts.from_memory}, {"from_disk", facts.from_disk},
                   {"computed", facts.computed},       {"queue_ms", facts.queue_ms},
                   {"restore_ms", facts.restore_ms},   {"twin_ms", facts.twin_ms},
                   {"prefill_ms", facts.prefill_ms},   {"decode_ms", facts.decode_ms}};
  if (facts.divergence) {
    const Divergence& divergence = *facts.divergence;
    out["divergence"] = json::Object{{"token", divergence.token},    {"lost", divergence.lost},
                                     {"part", divergence.part},      {"before", divergence.before},
                                     {"was", divergence.was},        {"now", divergence.now},
                                     {"seconds", divergence.seconds}};
  }
  return out;
}

json::Value ToJson(const ChatRequest& request) {
  ObjectBuilder choice;
  choice.Text("kind", ToolChoiceName(request.tool_choice.kind))
      .Text("name", request.tool_choice.name)
      .Flag("sequential", !request.tool_choice.parallel);
  ObjectBuilder thinking;
  thinking.Text("mode", ThinkingModeName(request.thinking.mode))
      .Optional("budget_tokens", request.thinking.budget_tokens)
      .Text("display", request.thinking.display)
      .Text("effort", request.thinking.effort);
  ObjectBuilder format;
  format.Text("kind", FormatName(request.response_format.kind))
      .Text("name", request.response_format.name)
      .Text("schema", request.response_format.schema)
      .Flag("strict", request.response_format.strict);
  ObjectBuilder metadata;
  metadata.Text("user_id", request.metadata.user_id)
      .Text("session_id", request.metadata.session_id)
      .Text("agent_id", request.metadata.agent_id)
      .Text("parent_agent_id", request.metadata.parent_agent_id);
  return ObjectBuilder()
      .Text("model", request.model)
      .List("system", request.system)
      .List("messages", request.messages)
      .List("prompts", request.prompts)
      .List("tools", request.tools)
      .Set("tool_choice", choice.Done())
      .Optional("max_tokens", request.max_tokens)
      .Set("sampling", SamplingToJson(request.sampling))
      .List("stop", request.stop)
      .Set("thinking", thinking.Done())
      .Set("response_format", format.Done())
      .Set("metadata", metadata.Done())
      .Int("n", request.n == 1 ? 0 : request.n)
      .Flag("stream", request.stream)
      .Flag("include_usage", request.include_usage)
      .Flag("logprobs", request.logprobs)
      .Int("top_logprobs", request.top_logprobs)
      .Flag("echo", request.echo)
      .Text("previous_message_id", request.previous_message_id)
      .Text("previous_response_id", request.previous_response_id)
      .List("unknown_fields", request.unknown_fields)
      .Done();
}

}  // namespace ac::chat
