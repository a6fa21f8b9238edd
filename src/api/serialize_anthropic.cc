#include <string>
#include <variant>

#include "api/internal/serializers.h"
#include "json/json.h"

namespace ac::api::internal {
namespace {

using namespace ac::chat;  // NOLINT: blocks of the conversation

// The API insists on a limit; models cap it themselves.
constexpr int64_t kDefaultMaxTokens = 32'000;
// The smallest thinking budget that the API accepts.
constexpr int64_t kMinThinkingBudget = 1024;

// JSON that a model wrote may be cut; what cannot be parsed travels as a named string.
json::Value ParsedObject(const std::string& text) {
  Result<json::Value> value = json::Parse(text.empty() ? "{}" : text);
  if (value.ok() && value->is_object()) return std::move(value).value();
  return json::Object{{"__unparsedToolInput", json::Object{{"raw", text}, {"len", text.size()}}}};
}

json::Object CacheMark(const std::string& ttl) {
  json::Object mark{{"type", "ephemeral"}};
  if (ttl != "5m") mark["ttl"] = ttl;
  return mark;
}

json::Array BlocksJson(const std::vector<Block>& blocks);

json::Object Source(const std::string& media_type, const std::string& data,
                    const std::string& url) {
  if (!url.empty()) return {{"type", "url"}, {"url", url}};
  const bool text = media_type == "text/plain";
  return {{"type", text ? "text" : "base64"}, {"media_type", media_type}, {"data", data}};
}

template <typename Call>
json::Object CallJson(std::string_view type, const Call& call) {
  return {
      {"type", type}, {"id", call.id}, {"name", call.name}, {"input", ParsedObject(call.input)}};
}

struct BlockSerializer {
  json::Value operator()(const Text& text) const {
    return json::Object{{"type", "text"}, {"text", text.text}};
  }
  json::Value operator()(const Image& image) const {
    return json::Object{{"type", "image"},
                        {"source", Source(image.media_type, image.data, image.url)}};
  }
  json::Value operator()(const Document& document) const {
    json::Object out{{"type", "document"},
                     {"source", Source(document.media_type, document.data, document.url)}};
    if (!document.title.empty()) out["title"] = document.title;
    return out;
  }
  json::Value operator()(const Thinking& thinking) const {
    return json::Object{
        {"type", "thinking"}, {"thinking", thinking.text}, {"signature", thinking.signature}};
  }
  json::Value operator()(const RedactedThinking& thinking) const {
    return json::Object{{"type", "redacted_thinking"}, {"data", thinking.data}};
  }
  json::Value operator()(const ToolUse& call) const { return CallJson("tool_use", call); }
  json::Value operator()(const ServerToolUse& call) const {
    return CallJson("server_tool_use", call);
  }
  json::Value operator()(const ToolResult& result) const {
    json::Object out{{"type", "tool_result"}, {"tool_use_id", result.tool_use_id}};
    if (!result.content.empty()) out["content"] = BlocksJson(result.content);
    if (result.is_error) out["is_error"] = true;
    return out;
  }
  json::Value operator()(const ToolReference& reference) const {
    return json::Object{{"type", "tool_reference"}, {"tool_name", reference.tool_name}};
  }
  json::Value operator()(const ServerToolResult& result) const {
    return json::Object{{"type", result.type},
                        {"tool_use_id", result.tool_use_id},
                        {"content", ParsedOr(result.content, json::Array())}};
  }
  json::Value operator()(const Opaque& opaque) const { return ParsedOr(opaque.json, {}); }
};

json::Array BlocksJson(const std::vector<Block>& blocks) {
  json::Array out;
  for (const Block& block : blocks) {
    // Only the server that signed it takes thinking back.
    const Thinking* thinking = block.As<Thinking>();
    if (thinking != nullptr && thinking->signature.empty()) continue;
    json::Value value = std::visit(BlockSerializer{}, block.value);
    json::Object* object = value.if_object();
    if (object == nullptr) continue;
    if (!block.cache_ttl.empty()) {
      (*object)["cache_control"] = CacheMark(block.cache_ttl);
    }
    out.push_back(std::move(value));
  }
  return out;
}

json::Array ToolsJson(const std::vector<ToolSpec>& tools) {
  json::Array out;
  for (const ToolSpec& tool : tools) {
    if (!tool.type.empty()) {
      out.push_back(ParsedOr(tool.json, json::Object{{"type", tool.type}, {"name", tool.name}}));
      continue;
    }
    json::Object spec{
        {"name", tool.name},
        {"description", tool.description},
        {"input_schema", ParsedOr(tool.input_schema, json::Object{{"type", "object"}})}};
    if (tool.defer_loading) spec["defer_loading"] = true;
    if (tool.strict) spec["strict"] = true;
    if (!tool.cache_ttl.empty()) spec["cache_control"] = CacheMark(tool.cache_ttl);
    out.push_back(std::move(spec));
  }
  return out;
}

void AddAnthropicToolChoice(const ToolChoice& choice, json::Object* body) {
  json::Object out;
  switch (choice.kind) {
    case ToolChoice::Kind::kAuto:
      out["type"] = "auto";
      break;
    case ToolChoice::Kind::kAny:
      out["type"] = "any";
      break;
    case ToolChoice::Kind::kNone:
      out["type"] = "none";
      break;
    case ToolChoice::Kind::kTool:
      out["type"] = "tool";
      out["name"] = choice.name;
      break;
  }
  if (choice.kind == ToolChoice::Kind::kAuto && choice.parallel) return;  // the default
  if (!choice.parallel) out["disable_parallel_tool_use"] = true;
  (*body)["tool_choice"] = std::move(out);
}

void AddThinking(const ThinkingConfig& thinking, json::Object* body) {
  if (thinking.mode != ThinkingConfig::Mode::kUnset) {
    json::Object out;
    switch (thinking.mode) {
      case ThinkingConfig::Mode::kDisabled:
        out["type"] = "disabled";
        break;
      case ThinkingConfig::Mode::kAdaptive:
        out["type"] = "adaptive";
        break;
      default:
        out["type"] = "enabled";
        out["budget_tokens"] = thinking.budget_tokens.value_or(kMinThinkingBudget);
    }
    if (!thinking.display.empty()) out["display"] = thinking.display;
    (*body)["thinking"] = std::move(out);
  }
}

void AddOutputConfig(const ChatRequest& request, json::Object* body) {
  json::Object out;
  if (!request.thinking.effort.empty()) out["effort"] = request.thinking.effort;
  if (request.response_format.kind == ResponseFormat::Kind::kJsonSchema) {
    out["format"] = json::Object{{"type", "json_schema"},
                                 {"schema", ParsedObject(request.response_format.schema)}};
  }
  if (!out.empty()) (*body)["output_config"] = std::move(out);
}

}  // namespace

std::string SerializeMessages(const ChatRequest& request, const SerializeOptions& options,
                              bool count_only) {
  json::Object body;
  body["model"] = options.model.empty() ? request.model : options.model;
  json::Array messages;
  for (const Message& message : request.messages) {
    json::Array content = BlocksJson(message.blocks);
    if (content.empty()) continue;  // nothing but thinking that nobody signed
    messages.push_back(
        json::Object{{"role", RoleName(message.role)}, {"content", std::move(content)}});
  }
  body["messages"] = std::move(messages);
  if (!request.system.empty()) body["system"] = BlocksJson(request.system);
  if (!request.tools.empty()) {
    body["tools"] = ToolsJson(request.tools);
    AddAnthropicToolChoice(request.tool_choice, &body);
  }
  AddThinking(request.thinking, &body);
  AddOutputConfig(request, &body);
  if (count_only) return json::Write(body);
  if (!request.metadata.user_id.empty()) {
    body["metadata"] = json::Object{{"user_id", request.metadata.user_id}};
  }
  body["max_tokens"] = request.max_tokens.value_or(kDefaultMaxTokens);
  if (request.sampling.temperature.has_value()) body["temperature"] = *request.sampling.temperature;
  if (request.sampling.top_p.has_value()) body["top_p"] = *request.sampling.top_p;
  if (request.sampling.top_k.has_value()) body["top_k"] = *request.sampling.top_k;
  if (!request.stop.empty()) {
    body["stop_sequences"] = json::Array(request.stop.begin(), request.stop.end());
  }
  if (!request.previous_message_id.empty()) {
    body["diagnostics"] = json::Object{{"previous_message_id", request.previous_message_id}};
  }
  if (request.stream) body["stream"] = true;
  return json::Write(body);
}

}  // namespace ac::api::internal
