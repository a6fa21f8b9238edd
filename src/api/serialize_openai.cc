#include <set>
#include <string>
#include <variant>

#include "api/internal/serializers.h"
#include "json/json.h"

namespace ac::api::internal {
namespace {

using namespace ac::chat;  // NOLINT: blocks of the conversation

json::Object TextPart(const std::string& text) { return {{"type", "text"}, {"text", text}}; }

json::Object ImagePart(const Image& image) {
  const std::string url =
      image.url.empty() ? "data:" + image.media_type + ";base64," + image.data : image.url;
  return {{"type", "image_url"}, {"image_url", json::Object{{"url", url}}}};
}

json::Object FilePart(const Document& document) {
  if (document.media_type == "text/plain") {
    return TextPart(document.title.empty() ? document.data : document.title + "\n" + document.data);
  }
  if (!document.url.empty()) return TextPart("[document at " + document.url + "]");
  return {{"type", "file"},
          {"file", json::Object{
                       {"filename", document.title.empty() ? "document" : document.title},
                       {"file_data", "data:" + document.media_type + ";base64," + document.data}}}};
}

// Texts alone become one string, which every server accepts; anything else a list of parts.
json::Value ContentJson(const json::Array& parts) {
  std::string joined;
  for (const json::Value& part : parts) {
    const auto text = json::GetString(part, "text");
    if (!text.has_value()) return parts;
    if (!joined.empty()) joined += '\n';
    joined += *text;
  }
  return json::Value(joined);
}

class ConversationWriter {
 public:
  ConversationWriter(const ChatRequest& request, const SerializeOptions& options)
      : request_(request), options_(options) {}

  json::Array Messages() {
    if (!request_.system.empty()) {
      Add("system", json::Value(JoinText(request_.system, "\n\n")));
    }
    for (const Message& message : request_.messages) {
      if (message.role == Role::kAssistant) {
        AddAssistant(message);
      } else {
        AddOther(message);
      }
    }
    return std::move(messages_);
  }

  // Deferred tools that the conversation has loaded come last, in the order of their loading, so
  // that the earlier part of the prompt does not change.
  json::Array Tools() const {
    json::Array out;
    for (const ToolSpec& tool : request_.tools) {
      if (tool.type.empty() && !tool.defer_loading) out.push_back(ToolJson(tool));
    }
    for (const std::string& name : loaded_) {
      for (const ToolSpec& tool : request_.tools) {
        if (tool.type.empty() && tool.defer_loading && tool.name == name) {
          out.push_back(ToolJson(tool));
        }
      }
    }
    return out;
  }

 private:
  static json::Object ToolJson(const ToolSpec& tool) {
    json::Object function{
        {"name", tool.name},
        {"description", tool.description},
        {"parameters", ParsedOr(tool.input_schema, json::Object{{"type", "object"}})}};
    if (tool.strict) function["strict"] = true;
    return {{"type", "function"}, {"function", std::move(function)}};
  }

  void Add(std::string_view role, json::Value content) {
    messages_.push_back(json::Object{{"role", role}, {"content", std::move(content)}});
  }

  void AddAssistant(const Message& message) {
    std::string thinking;
    json::Array calls;
    for (const Block& block : message.blocks) {
      if (const Thinking* part = block.As<Thinking>()) thinking += part->text;
      if (const ToolUse* call = block.As<ToolUse>()) {
        calls.push_back(json::Object{
            {"id", call->id},
            {"type", "function"},
            {"function", json::Object{{"name", call->name}, {"arguments", call->input}}}});
      }
    }
    const std::string text = JoinText(message.blocks, "\n");
    json::Object out{{"role", "assistant"}};
    out["content"] = text.empty() && !calls.empty() ? json::Value() : json::Value(text);
    if (!thinking.empty() && options_.reasoning_content) out["reasoning_content"] = thinking;
    if (!calls.empty()) out["tool_calls"] = std::move(calls);
    messages_.push_back(std::move(out));
  }

  // Tool results are messages of their own and come first: they answer the calls just before.
  // Images in them follow in a user message, because tool messages carry text only.
  void AddOther(const Message& message) {
    json::Array parts;
    for (const Block& block : message.blocks) {
      const ToolResult* result = block.As<ToolResult>();
      if (result != nullptr) {
        AddToolResult(*result, &parts);
      }
    }
    for (const Block& block : message.blocks) AddPart(block, &parts);
    if (!parts.empty()) Add(RoleName(message.role), ContentJson(parts));
  }

  void AddToolResult(const ToolResult& result, json::Array* images) {
    json::Array parts;
    for (const Block& block : result.content) {
      const bool visual = block.As<Image>() != nullptr || block.As<Document>() != nullptr;
      AddPart(block, visual ? images : &parts);
    }
    json::Value content = ContentJson(parts);
    if (result.is_error && content.is_string()) {
      const std::string_view text(content.get_string());
      if (!text.starts_with("Error")) content = json::Value("Error: " + std::string(text));
    }
    messages_.push_back(json::Object{
        {"role", "tool"}, {"tool_call_id", result.tool_use_id}, {"content", std::move(content)}});
  }

  void AddPart(const Block& block, json::Array* parts) {
    if (const Text* text = block.As<Text>()) parts->push_back(TextPart(text->text));
    if (const Image* image = block.As<Image>()) parts->push_back(ImagePart(*image));
    if (const Document* document = block.As<Document>()) parts->push_back(FilePart(*document));
    if (const ToolReference* reference = block.As<ToolReference>()) {
      loaded_.push_back(reference->tool_name);
      parts->push_back(TextPart("The tool " + reference->tool_name + " can now be called."));
    }
  }

  const ChatRequest& request_;
  const SerializeOptions& options_;
  json::Array messages_;
  std::vector<std::string> loaded_;
};

void AddOpenAiToolChoice(const ToolChoice& choice, json::Object* body) {
  switch (choice.kind) {
    case ToolChoice::Kind::kAuto:
      break;
    case ToolChoice::Kind::kAny:
      (*body)["tool_choice"] = "required";
      break;
    case ToolChoice::Kind::kNone:
      (*body)["tool_choice"] = "none";
      break;
    case ToolChoice::Kind::kTool:
      (*body)["tool_choice"] =
          json::Object{{"type", "function"}, {"function", json::Object{{"name", choice.name}}}};
      break;
  }
  if (!choice.parallel) (*body)["parallel_tool_calls"] = false;
}

template <typename T>
void AddOptional(std::string_view key, const std::optional<T>& value, json::Object* body) {
  if (value.has_value()) (*body)[key] = *value;
}

void AddSampling(const Sampling& sampling, json::Object* body) {
  AddOptional("temperature", sampling.temperature, body);
  AddOptional("top_p", sampling.top_p, body);
  AddOptional("min_p", sampling.min_p, body);
  AddOptional("top_k", sampling.top_k, body);
  AddOptional("seed", sampling.seed, body);
  AddOptional("presence_penalty", sampling.presence_penalty, body);
  AddOptional("frequency_penalty", sampling.frequency_penalty, body);
  AddOptional("repetition_penalty", sampling.repetition_penalty, body);
  if (sampling.logit_bias.empty()) return;
  json::Object bias;
  for (const auto& [token, weight] : sampling.logit_bias) bias[std::to_string(token)] = weight;
  (*body)["logit_bias"] = std::move(bias);
}

void AddResponseFormat(const ResponseFormat& format, json::Object* body) {
  if (format.kind == ResponseFormat::Kind::kJsonObject) {
    (*body)["response_format"] = json::Object{{"type", "json_object"}};
  } else if (format.kind == ResponseFormat::Kind::kJsonSchema) {
    json::Object schema{{"name", format.name.empty() ? "reply" : format.name},
                        {"schema", ParsedOr(format.schema, json::Object())}};
    if (format.strict) schema["strict"] = true;
    (*body)["response_format"] =
        json::Object{{"type", "json_schema"}, {"json_schema", std::move(schema)}};
  } else if (format.kind == ResponseFormat::Kind::kEbnf) {
    (*body)["guided_grammar"] = format.schema;
  } else if (format.kind == ResponseFormat::Kind::kRegex) {
    (*body)["guided_regex"] = format.schema;
  }
}

}  // namespace

std::string SerializeChatCompletions(const ChatRequest& request, const SerializeOptions& options) {
  json::Object body;
  ConversationWriter conversation(request, options);
  body["model"] = options.model.empty() ? request.model : options.model;
  body["messages"] = conversation.Messages();
  json::Array tools = conversation.Tools();
  if (!tools.empty()) {
    body["tools"] = std::move(tools);
    AddOpenAiToolChoice(request.tool_choice, &body);
  }
  AddOptional(options.max_completion_tokens ? "max_completion_tokens" : "max_tokens",
              request.max_tokens, &body);
  AddSampling(request.sampling, &body);
  if (!request.stop.empty()) body["stop"] = json::Array(request.stop.begin(), request.stop.end());
  AddResponseFormat(request.response_format, &body);
  if (!request.thinking.effort.empty()) body["reasoning_effort"] = request.thinking.effort;
  if (request.logprobs) body["logprobs"] = true;
  if (request.top_logprobs > 0) body["top_logprobs"] = request.top_logprobs;
  if (request.n > 1) body["n"] = request.n;
  if (request.stream) {
    body["stream"] = true;
    if (options.usage_in_stream) body["stream_options"] = json::Object{{"include_usage", true}};
  }
  return json::Write(body);
}

}  // namespace ac::api::internal
