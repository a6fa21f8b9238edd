#include <utility>

#include "api/internal/parsers.h"

namespace ac::api::internal {
namespace {

using chat::Block;

class ResponsesParser {
 public:
  ResponsesParser(ParseContext* context, chat::ChatRequest* request)
      : context_(context), request_(request) {}

  void Parse(const json::Value& body) {
    const Path root;
    ObjectReader reader(context_, root, body);
    request_->model = reader.RequiredString("model");
    const std::string instructions = reader.String("instructions");
    if (const json::Value* input = reader.Get("input")) ParseInput(root.Key("input"), *input);
    HoistLeadingSystem(request_);
    if (!instructions.empty()) {
      request_->system.insert(request_->system.begin(), Block{chat::Text{instructions}, ""});
    }
    if (const json::Array* tools = reader.Array("tools")) ParseTools(root.Key("tools"), *tools);
    if (const json::Value* choice = reader.Get("tool_choice")) {
      ParseToolChoice(root.Key("tool_choice"), *choice);
    }
    request_->tool_choice.parallel = reader.Bool("parallel_tool_calls", true);
    request_->max_tokens = reader.Int("max_output_tokens", 0, kMaxTokens);
    request_->stream = reader.Bool("stream");
    request_->previous_response_id = reader.String("previous_response_id");
    if (request_->messages.empty() && request_->previous_response_id.empty() && reader.ok()) {
      context_->Fail(root.Key("input"), "at least one message is required");
    }
    ParseSampling(&reader, &request_->sampling);
    request_->top_logprobs = static_cast<int>(
        reader.Int("top_logprobs", 0, context_->limits().max_top_logprobs).value_or(0));
    if (const json::Value* reasoning = reader.Object("reasoning")) {
      ParseReasoningConfig(root.Key("reasoning"), *reasoning);
    }
    if (const json::Value* text = reader.Object("text")) ParseText(root.Key("text"), *text);
    request_->metadata.session_id = reader.String("prompt_cache_key");
    request_->metadata.user_id = reader.String("user");
    request_->store = reader.Bool("store", true);
    reader.Ignore({"include", "metadata", "service_tier", "truncation", "background",
                   "stream_options", "safety_identifier", "prompt_cache_retention",
                   "max_tool_calls", "client_metadata"});
  }

 private:
  void ParseInput(const Path& path, const json::Value& value) {
    if (const auto text = json::AsString(&value)) {
      request_->messages.push_back(
          {chat::Role::kUser, {Block{chat::Text{std::string(*text)}, ""}}});
      return;
    }
    const json::Array* items = value.if_array();
    if (items == nullptr) return context_->FailKind(path, "string or array of items", value);
    if (items->size() > context_->limits().max_messages) {
      return context_->Fail(
          path, "more than " + std::to_string(context_->limits().max_messages) + " items");
    }
    ForEach(context_, path, *items,
            [&](const Path& at, const json::Value& item) { ParseItem(at, item); });
  }

  // One assistant turn is several items here: they are put back together.
  void Append(chat::Role role, std::vector<Block> blocks) {
    std::vector<chat::Message>& messages = request_->messages;
    const bool same_turn = role == chat::Role::kAssistant && !messages.empty() &&
                           messages.back().role == chat::Role::kAssistant;
    if (!same_turn) messages.push_back({role, {}});
    for (Block& block : blocks) messages.back().blocks.push_back(std::move(block));
  }
  void Append(chat::Role role, Block block) {
    std::vector<Block> blocks;
    blocks.push_back(std::move(block));
    Append(role, std::move(blocks));
  }

  void ParseItem(const Path& path, const json::Value& value) {
    ObjectReader reader(context_, path, value);
    const std::string type = reader.String("type");
    reader.Ignore({"id", "status", "phase"});
    if (type.empty() || type == "message") return ParseMessage(&reader);
    if (type == "function_call") {
      chat::ToolUse call{reader.RequiredString("call_id"), reader.RequiredString("name"),
                         reader.String("arguments")};
      if (call.input.empty()) call.input = "{}";
      reader.Ignore({"namespace"});
      return Append(chat::Role::kAssistant, Block{std::move(call), ""});
    }
    if (type == "function_call_output") {
      chat::ToolResult result{reader.RequiredString("call_id"), {}, false};
      if (const json::Value* output = reader.Require("output")) {
        result.content = ParseContent(path.Key("output"), *output);
      }
      return Append(chat::Role::kUser, Block{std::move(result), ""});
    }
    if (type == "reasoning") {
      // Our replies put the reasoning into `content`; `summary` is what other servers show.
      std::string text = TextOf(reader.Array("content"));
      if (text.empty()) text = TextOf(reader.Array("summary"));
      chat::Thinking thinking{std::move(text), reader.String("encrypted_content")};
      reader.Ignore({"summary"});
      return Append(chat::Role::kAssistant, Block{std::move(thinking), ""});
    }
    if (!reader.ok()) return;
    for (const auto& member : value.get_object()) reader.Ignore({member.key()});
    context_->AddUnknown(path.Shape() + "[" + type + "]");
    const bool from_model = type.ends_with("_call") || type == "item_reference";
    Append(from_model ? chat::Role::kAssistant : chat::Role::kUser,
           Block{chat::Opaque{type, json::Write(value)}, ""});
  }

  static std::string TextOf(const json::Array* parts) {
    std::string text;
    if (parts == nullptr) return text;
    for (const json::Value& part : *parts) text += json::GetString(part, "text").value_or("");
    return text;
  }

  void ParseMessage(ObjectReader* reader) {
    const std::string role = reader->RequiredString("role");
    std::vector<Block> content;
    if (const json::Value* given = reader->Require("content")) {
      content = ParseContent(reader->path().Key("content"), *given);
    }
    if (role == "assistant") return Append(chat::Role::kAssistant, std::move(content));
    if (role == "system" || role == "developer") {
      return Append(chat::Role::kSystem, std::move(content));
    }
    if (role == "user") return Append(chat::Role::kUser, std::move(content));
    context_->Fail(reader->path().Key("role"),
                   "expected system, developer, user or assistant, got '" + role + "'");
  }

  std::vector<Block> ParseContent(const Path& path, const json::Value& value) {
    std::vector<Block> blocks;
    if (const auto text = json::AsString(&value)) {
      if (!text->empty()) blocks.push_back({chat::Text{std::string(*text)}, ""});
      return blocks;
    }
    const json::Array* parts = value.if_array();
    if (parts == nullptr) {
      context_->FailKind(path, "string or array of parts", value);
      return blocks;
    }
    ForEach(context_, path, *parts, [&](const Path& at, const json::Value& part) {
      blocks.push_back(ParsePart(at, part));
    });
    return blocks;
  }

  Block ParsePart(const Path& path, const json::Value& value) {
    ObjectReader reader(context_, path, value);
    const std::string type = reader.RequiredString("type");
    if (type == "input_text" || type == "output_text" || type == "text") {
      reader.Ignore({"annotations", "logprobs"});
      return {chat::Text{reader.RequiredString("text")}, ""};
    }
    if (type == "refusal") return {chat::Text{reader.RequiredString("refusal")}, ""};
    if (type == "input_image") {
      context_->AddImage(path);
      reader.Ignore({"detail"});
      return {ImageFromUrl(reader.RequiredString("image_url")), ""};
    }
    if (type == "input_file") {
      context_->AddImage(path);
      const std::string url = reader.String("file_url");
      chat::Image file = ImageFromUrl(url.empty() ? reader.RequiredString("file_data") : url);
      return {chat::Document{file.media_type, file.data, file.url, reader.String("filename")}, ""};
    }
    if (!reader.ok()) return {};
    for (const auto& member : value.get_object()) reader.Ignore({member.key()});
    context_->AddUnknown(path.Shape() + "[" + type + "]");
    return {chat::Opaque{type, json::Write(value)}, ""};
  }

  void ParseTools(const Path& path, const json::Array& tools) {
    if (tools.size() > context_->limits().max_tools) {
      return context_->Fail(path,
                            "more than " + std::to_string(context_->limits().max_tools) + " tools");
    }
    ForEach(context_, path, tools, [&](const Path& at, const json::Value& value) {
      ObjectReader reader(context_, at, value);
      chat::ToolSpec tool;
      const std::string type = reader.RequiredString("type");
      if (type == "function") {
        tool.name = reader.RequiredString("name");
        tool.description = reader.String("description");
        tool.input_schema = reader.ObjectJson("parameters");
        tool.strict = reader.Bool("strict");
        tool.defer_loading = reader.Bool("defer_loading");
        if (tool.input_schema.empty()) tool.input_schema = R"({"type":"object","properties":{}})";
      } else if (reader.ok()) {
        tool.type = type;
        tool.name = json::GetString(value, "name").value_or("");
        tool.json = json::Write(value);
        for (const auto& member : value.get_object()) reader.Ignore({member.key()});
      }
      request_->tools.push_back(std::move(tool));
    });
  }

  void ParseToolChoice(const Path& path, const json::Value& value) {
    chat::ToolChoice& choice = request_->tool_choice;
    if (const auto name = json::AsString(&value)) {
      if (*name == "required") {
        choice.kind = chat::ToolChoice::Kind::kAny;
      } else if (*name == "none") {
        choice.kind = chat::ToolChoice::Kind::kNone;
      } else if (*name != "auto") {
        context_->Fail(path, "expected auto, none, required or a function");
      }
      return;
    }
    ObjectReader reader(context_, path, value);
    if (reader.String("type") == "function") {
      choice.kind = chat::ToolChoice::Kind::kTool;
      choice.name = reader.RequiredString("name");
    } else if (reader.ok()) {
      context_->AddUnknown("tool_choice.type");
    }
  }

  void ParseReasoningConfig(const Path& path, const json::Value& value) {
    ObjectReader reader(context_, path, value);
    request_->thinking.effort = reader.String("effort");
    if (request_->thinking.effort == "none") {
      request_->thinking.mode = chat::ThinkingConfig::Mode::kDisabled;
    }
    reader.Ignore({"summary", "generate_summary", "context"});
  }

  void ParseText(const Path& path, const json::Value& value) {
    ObjectReader reader(context_, path, value);
    reader.Ignore({"verbosity"});
    const json::Value* given = reader.Object("format");
    if (given == nullptr) return;
    ObjectReader inner(context_, path.Key("format"), *given);
    chat::ResponseFormat& format = request_->response_format;
    const std::string type = inner.RequiredString("type");
    if (type == "json_object") format.kind = chat::ResponseFormat::Kind::kJsonObject;
    if (type != "json_schema") return;
    format.kind = chat::ResponseFormat::Kind::kJsonSchema;
    format.name = inner.String("name");
    format.schema = inner.ObjectJson("schema");
    format.strict = inner.Bool("strict");
    inner.Ignore({"description"});
    if (format.schema.empty()) format.kind = chat::ResponseFormat::Kind::kJsonObject;
  }

  ParseContext* const context_;
  chat::ChatRequest* const request_;
};

}  // namespace

void ParseResponses(ParseContext* context, const json::Value& body, chat::ChatRequest* request) {
  ResponsesParser(context, request).Parse(body);
}

}  // namespace ac::api::internal
