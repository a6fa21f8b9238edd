#include "prompt/template_context.h"

#include <map>

#include "json/json.h"

namespace ac::prompt {
namespace {

using chat::Block;

// Models we run see text only. A stated placeholder keeps the conversation going where refusing
// would end the agent's session over one screenshot.
std::string Placeholder(std::string_view what, std::string_view media_type) {
  std::string text = "[" + std::string(what);
  if (!media_type.empty()) text += " of type " + std::string(media_type);
  return text + " omitted: this model reads text only]";
}

class ContextBuilder {
 public:
  ContextBuilder(const chat::ChatRequest& request, const ContextOptions& options)
      : request_(request),
        options_(options),
        has_system_tags_(!options.traits.system_anywhere && options.traits.user_header.empty()) {
    for (const chat::ToolSpec& tool : request.tools) tools_by_name_[tool.name] = &tool;
  }

  json::Value Build() {
    const std::string system = TextOf(request_.system, "\n\n");
    if (!system.empty()) AddMessage("system", system);
    for (size_t i = 0; i < request_.messages.size(); ++i) {
      const chat::Message& message = request_.messages[i];
      if (i < options_.turns.size() && options_.turns[i] != 0) {
        AddGenerated(message, options_.turns[i]);
        continue;
      }
      switch (message.role) {
        case chat::Role::kUser:
          AddUser(message);
          break;
        case chat::Role::kAssistant:
          AddAssistant(message);
          break;
        case chat::Role::kSystem:
          AddSystem(message);
          break;
      }
    }
    json::Object context;
    context["messages"] = std::move(messages_);
    // Always there, none when absent: templates written for Transformers ask `tools is not none`.
    context["tools"] = nullptr;
    context["documents"] = nullptr;
    if (json::Array tools = VisibleTools(); !tools.empty()) context["tools"] = std::move(tools);
    context["add_generation_prompt"] = options_.add_generation_prompt;
    context["bos_token"] = options_.bos_token;
    context["eos_token"] = options_.eos_token;
    if (request_.thinking.mode != chat::ThinkingConfig::Mode::kUnset) {
      context["enable_thinking"] = request_.thinking.mode != chat::ThinkingConfig::Mode::kDisabled;
    }
    if (!request_.thinking.effort.empty()) context["reasoning_effort"] = request_.thinking.effort;
    return context;
  }

 private:
  // What a client wrote, with no control token in it.
  std::string Guarded(std::string text) const {
    return options_.marks == nullptr ? text : options_.marks->Guard(std::move(text));
  }
  json::Value GuardedJson(json::Value value) const {
    if (options_.marks != nullptr) options_.marks->GuardStrings(&value);
    return value;
  }

  void AddMessage(std::string_view role, const std::string& text) { AddReady(role, Guarded(text)); }
  void AddReady(std::string_view role, std::string content) {
    if (options_.traits.must_alternate && role == "user" && !messages_.empty() &&
        json::GetString(messages_.back(), "role") == role) {
      json::Value& before = messages_.back().as_object()["content"];
      before = std::string(json::AsString(&before).value_or("")) + "\n\n" + content;
      return;
    }
    messages_.push_back(json::Object{{"role", role}, {"content", std::move(content)}});
  }

  void AddUser(const chat::Message& message) {
    // Tool results answer the assistant's calls, so they come before what the user adds.
    for (const Block& block : message.blocks) {
      if (const auto* result = block.As<chat::ToolResult>()) AddToolResult(*result);
    }
    const std::string text = TextOf(message.blocks, "\n");
    const bool only_results = !message.blocks.empty() && text.empty();
    if (!only_results) AddMessage("user", WithoutForgedTags(text));
  }

  // Where a system message can only be shown between tags, no user may write these tags.
  std::string WithoutForgedTags(std::string text) const {
    if (has_system_tags_) {
      for (const std::string_view tag : {"<system>", "</system>"}) {
        for (size_t at = text.find(tag); at != std::string::npos; at = text.find(tag, at + 2)) {
          text.insert(at + 1, "\\");
        }
      }
    }
    return text;
  }

  void AddSystem(const chat::Message& message) {
    const std::string text = TextOf(message.blocks, "\n");
    if (options_.traits.system_anywhere || messages_.empty()) {
      AddMessage("system", text);
    } else if (!has_system_tags_) {
      messages_.push_back(json::Object{
          {"role", "user"}, {"content", std::string(ContentMarks::SystemMark()) + Guarded(text)}});
    } else {
      AddMessage("user", "<system>\n" + text + "\n</system>");
    }
  }

  void AddAssistant(const chat::Message& message) {
    json::Object out{{"role", "assistant"}, {"content", Guarded(TextOf(message.blocks, ""))}};
    std::string reasoning;
    json::Array calls;
    for (const Block& block : message.blocks) {
      if (const auto* thinking = block.As<chat::Thinking>()) reasoning += thinking->text;
      if (const auto* use = block.As<chat::ToolUse>()) calls.push_back(ToolCall(*use));
    }
    if (!reasoning.empty()) out["reasoning_content"] = Guarded(reasoning);
    if (!calls.empty()) out["tool_calls"] = std::move(calls);
    messages_.push_back(std::move(out));
  }

  // Its tokens are known; the template only has to show where they go.
  void AddGenerated(const chat::Message& message, uint64_t turn) {
    for (const Block& block : message.blocks) {
      if (const auto* use = block.As<chat::ToolUse>()) call_names_[use->id] = use->name;
    }
    messages_.push_back(
        json::Object{{"role", "assistant"}, {"content", ContentMarks::TurnMark(turn)}});
  }

  json::Value ToolCall(const chat::ToolUse& use) {
    call_names_[use.id] = use.name;
    // Templates iterate over the arguments; text that is no object (a call cut by max_tokens) is
    // shown as it was written.
    Result<json::Value> parsed = json::Parse(use.input.empty() ? "{}" : use.input);
    json::Value arguments = parsed.ok() ? std::move(*parsed) : json::Value(use.input);
    json::Object function{{"name", Guarded(use.name)},
                          {"arguments", GuardedJson(std::move(arguments))}};
    return json::Object{
        {"type", "function"}, {"id", Guarded(use.id)}, {"function", std::move(function)}};
  }

  void AddToolResult(const chat::ToolResult& result) {
    std::string text = TextOf(result.content, "\n");
    if (result.is_error && !text.starts_with("Error")) text = "Error: " + text;
    json::Object out{{"role", "tool"}, {"content", Guarded(std::move(text))}};
    out["tool_call_id"] = Guarded(result.tool_use_id);
    if (const auto it = call_names_.find(result.tool_use_id); it != call_names_.end()) {
      out["name"] = Guarded(it->second);
    }
    messages_.push_back(std::move(out));
  }

  std::string TextOf(const std::vector<Block>& blocks, std::string_view separator) {
    std::string text;
    const auto append = [&](std::string_view part) {
      if (!text.empty() && !part.empty()) text += separator;
      text += part;
    };
    for (const Block& block : blocks) {
      if (const auto* t = block.As<chat::Text>()) {
        append(t->text);
      } else if (const auto* image = block.As<chat::Image>()) {
        append(Placeholder("image", image->media_type));
      } else if (const auto* document = block.As<chat::Document>()) {
        append(document->media_type.starts_with("text/")
                   ? document->data
                   : Placeholder("document", document->media_type));
      } else if (const auto* reference = block.As<chat::ToolReference>()) {
        append(DescribeTool(reference->tool_name));
      }
    }
    return text;
  }

  // A deferred tool enters the prompt where it was looked up and nowhere else: adding it to the
  // head would change the prefix of everything behind it.
  std::string DescribeTool(const std::string& name) {
    const auto it = tools_by_name_.find(name);
    if (it == tools_by_name_.end()) return "Tool " + name + " is available.";
    return "Tool " + name + " is now available:\n" + json::Write(Function(*it->second));
  }

  static json::Value Function(const chat::ToolSpec& tool) {
    Result<json::Value> schema = json::Parse(tool.input_schema);
    json::Object function{{"name", tool.name}, {"description", tool.description}};
    function["parameters"] =
        schema.ok() ? std::move(*schema)
                    : json::Value(json::Object{{"type", "object"}, {"properties", json::Object{}}});
    return json::Object{{"type", "function"}, {"function", std::move(function)}};
  }

  json::Array VisibleTools() const {
    json::Array tools;
    for (const chat::ToolSpec& tool : request_.tools) {
      const bool server_tool = !tool.type.empty() && tool.input_schema.empty();
      if (!tool.defer_loading && !server_tool) tools.push_back(GuardedJson(Function(tool)));
    }
    return tools;
  }

  const chat::ChatRequest& request_;
  const ContextOptions& options_;
  const bool has_system_tags_;
  std::map<std::string, const chat::ToolSpec*, std::less<>> tools_by_name_;
  std::map<std::string, std::string, std::less<>> call_names_;
  json::Array messages_;
};

}  // namespace

Result<json::Value> BuildTemplateContext(const chat::ChatRequest& request,
                                         const ContextOptions& options) {
  if (request.messages.empty() && request.system.empty()) {
    return InvalidArgument("messages: at least one message is required");
  }
  return ContextBuilder(request, options).Build();
}

}  // namespace ac::prompt
