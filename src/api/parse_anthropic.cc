#include <limits>
#include <string_view>
#include <utility>

#include "api/internal/parsers.h"

namespace ac::api::internal {
namespace {

using chat::Block;

// The client's accounting line, first in `system`. It changes between sessions and would cost the
// whole prompt cache, so it is dropped whatever follows the name.
constexpr std::string_view kBillingLine = "x-anthropic-billing-header:";

// Blocks nest only through tool_result and document; a few levels are real, more is an attack.
constexpr int kMaxBlockNesting = 8;

class MessagesParser {
 public:
  MessagesParser(ParseContext* context, chat::ChatRequest* request)
      : context_(context), request_(request) {}

  void Parse(const json::Value& body) {
    const Path root;
    ObjectReader reader(context_, root, body);
    request_->model = reader.RequiredString("model");
    ParseMessageList(root.Key("messages"), reader.Require("messages"));
    if (const json::Value* system = reader.Get("system")) ParseSystem(root.Key("system"), *system);
    if (const json::Array* tools = reader.Array("tools")) ParseTools(root.Key("tools"), *tools);
    if (const json::Value* choice = reader.Object("tool_choice")) {
      ParseToolChoice(root.Key("tool_choice"), *choice);
    }
    if (const json::Value* metadata = reader.Object("metadata")) {
      ParseMetadata(root.Key("metadata"), *metadata);
    }
    if (const json::Value* thinking = reader.Object("thinking")) {
      ParseThinking(root.Key("thinking"), *thinking);
    }
    if (const json::Value* config = reader.Object("output_config")) {
      ParseOutputConfig(root.Key("output_config"), *config);
    }
    if (const json::Value* format = reader.Object("output_format")) {
      ParseFormat(root.Key("output_format"), *format);
    }
    if (const json::Value* diagnostics = reader.Object("diagnostics")) {
      ObjectReader inner(context_, root.Key("diagnostics"), *diagnostics);
      request_->previous_message_id = inner.String("previous_message_id");
    }
    request_->max_tokens = reader.Int("max_tokens", 0, kMaxTokens);
    request_->stream = reader.Bool("stream");
    ParseStop(root.Key("stop_sequences"), reader.Array("stop_sequences"));
    ParseSampling(&reader, &request_->sampling);
    MarkLastBlock(CacheTtl(&reader));
    // Served without them: edits of the context are the client's business.
    reader.Ignore({"context_management", "service_tier", "container", "mcp_servers", "betas",
                   "speed", "inference_geo"});
  }

 private:
  // A mark of the whole request stands for one behind its last block.
  void MarkLastBlock(const std::string& ttl) {
    if (ttl.empty() || request_->messages.empty()) return;
    std::vector<Block>& blocks = request_->messages.back().blocks;
    if (!blocks.empty()) blocks.back().cache_ttl = ttl;
  }

  void ParseMessageList(const Path& path, const json::Value* value) {
    if (value == nullptr) return;
    const json::Array* array = value->if_array();
    if (array == nullptr) return context_->FailKind(path, "array", *value);
    if (array->empty()) return context_->Fail(path, "at least one message is required");
    if (array->size() > context_->limits().max_messages) {
      return context_->Fail(
          path, "more than " + std::to_string(context_->limits().max_messages) + " messages");
    }
    request_->messages.reserve(array->size());
    ForEach(context_, path, *array, [&](const Path& at, const json::Value& message) {
      request_->messages.push_back(ParseMessage(at, message));
    });
  }

  chat::Message ParseMessage(const Path& path, const json::Value& value) {
    ObjectReader reader(context_, path, value);
    chat::Message message;
    const std::string role = reader.RequiredString("role");
    if (role == "assistant") {
      message.role = chat::Role::kAssistant;
    } else if (role == "system" || role == "developer") {
      message.role = chat::Role::kSystem;
    } else if (role != "user") {
      context_->Fail(path.Key("role"), "expected user, assistant or system, got '" + role + "'");
    }
    if (const json::Value* content = reader.Require("content")) {
      message.blocks = ParseContent(path.Key("content"), *content, 0);
    }
    reader.Ignore(
        {"output_config", "id", "type", "model", "stop_reason", "stop_sequence", "usage"});
    return message;
  }

  // A string is one text block, but an empty one is none.
  std::vector<Block> ParseContent(const Path& path, const json::Value& value, int depth) {
    std::vector<Block> blocks;
    if (value.is_string()) {
      if (!value.get_string().empty()) {
        blocks.push_back({chat::Text{std::string(std::string_view(value.get_string()))}, ""});
      }
      return blocks;
    }
    const json::Array* array = value.if_array();
    if (array == nullptr) {
      context_->FailKind(path, "string or array of blocks", value);
      return blocks;
    }
    if (depth > kMaxBlockNesting) {
      context_->Fail(path, "blocks are nested too deep");
      return blocks;
    }
    blocks.reserve(array->size());
    ForEach(context_, path, *array, [&](const Path& at, const json::Value& block) {
      blocks.push_back(ParseBlock(at, block, depth));
    });
    return blocks;
  }

  Block ParseBlock(const Path& path, const json::Value& value, int depth) {
    ObjectReader reader(context_, path, value);
    Block block;
    const std::string type = reader.RequiredString("type");
    if (!reader.ok()) return block;
    block.cache_ttl = CacheTtl(&reader);
    if (type == "text") {
      block.value = chat::Text{reader.RequiredString("text")};
      reader.Ignore({"citations"});
    } else if (type == "thinking") {
      block.value = chat::Thinking{reader.String("thinking"), reader.String("signature")};
    } else if (type == "redacted_thinking") {
      block.value = chat::RedactedThinking{reader.String("data")};
    } else if (type == "tool_use") {
      block.value = ParseCall<chat::ToolUse>(&reader);
    } else if (type == "server_tool_use") {
      block.value = ParseCall<chat::ServerToolUse>(&reader);
    } else if (type == "tool_result") {
      block.value = ParseToolResult(&reader, depth);
    } else if (type == "tool_reference") {
      block.value = chat::ToolReference{reader.RequiredString("tool_name")};
    } else if (type == "image") {
      block.value = ParseImage(&reader);
    } else if (type == "document") {
      block.value = ParseDocument(&reader, depth);
    } else if (type.ends_with("_tool_result")) {
      block.value = chat::ServerToolResult{type, reader.RequiredString("tool_use_id"),
                                           reader.Json("content")};
      reader.Ignore({"caller"});
    } else {
      block.value = chat::Opaque{type, json::Write(value)};
      for (const auto& member : value.get_object()) reader.Ignore({member.key()});
      context_->AddUnknown(path.Shape() + "[" + type + "]");
    }
    return block;
  }

  template <typename Call>
  Call ParseCall(ObjectReader* reader) {
    Call call{reader->RequiredString("id"), reader->RequiredString("name"),
              reader->ObjectJson("input")};
    if (call.input.empty()) call.input = "{}";
    reader->Ignore({"caller"});
    return call;
  }

  chat::ToolResult ParseToolResult(ObjectReader* reader, int depth) {
    chat::ToolResult result{reader->RequiredString("tool_use_id"), {}, reader->Bool("is_error")};
    if (const json::Value* content = reader->Get("content")) {
      result.content = ParseContent(reader->path().Key("content"), *content, depth + 1);
    }
    return result;
  }

  chat::Image ParseImage(ObjectReader* reader) {
    context_->AddImage(reader->path());
    chat::Image image;
    const json::Value* value = reader->Require("source");
    if (value == nullptr) return image;
    ObjectReader source(context_, reader->path().Key("source"), *value);
    const std::string type = source.RequiredString("type");
    if (type == "base64") {
      image.media_type = source.RequiredString("media_type");
      image.data = source.RequiredString("data");
    } else if (type == "url") {
      image.url = source.RequiredString("url");
    } else if (source.ok()) {
      context_->Fail(source.path().Key("type"), "expected base64 or url, got '" + type +
                                                    "'; uploaded files do not exist here");
    }
    return image;
  }

  chat::Document ParseDocument(ObjectReader* reader, int depth) {
    context_->AddImage(reader->path());
    chat::Document document;
    document.title = reader->String("title");
    reader->Ignore({"citations", "context"});
    const json::Value* value = reader->Require("source");
    if (value == nullptr) return document;
    ObjectReader source(context_, reader->path().Key("source"), *value);
    const std::string type = source.RequiredString("type");
    if (type == "base64" || type == "text") {
      document.media_type = source.String("media_type");
      document.data = source.RequiredString("data");
      if (type == "text") document.media_type = "text/plain";
    } else if (type == "url") {
      document.url = source.RequiredString("url");
    } else if (type == "content") {
      document.media_type = "text/plain";
      if (const json::Value* content = source.Require("content")) {
        const Path at = source.path().Key("content");
        document.data = chat::JoinText(ParseContent(at, *content, depth + 1), "\n");
      }
    } else if (source.ok()) {
      context_->Fail(source.path().Key("type"), "expected base64, text, url or content, got '" +
                                                    type + "'; uploaded files do not exist here");
    }
    return document;
  }

  std::string CacheTtl(ObjectReader* reader) {
    const json::Value* mark = reader->Object("cache_control");
    if (mark == nullptr) return "";
    const std::optional<std::string_view> ttl = json::GetString(*mark, "ttl");
    return std::string(ttl.value_or("5m"));
  }

  void ParseSystem(const Path& path, const json::Value& value) {
    request_->system = ParseContent(path, value, 0);
    if (request_->system.empty()) return;
    chat::Text* first = request_->system.front().As<chat::Text>();
    if (first == nullptr || !first->text.starts_with(kBillingLine)) return;
    const size_t line_end = first->text.find('\n');
    first->text.erase(0, line_end == std::string::npos ? line_end : line_end + 1);
    if (first->text.find_first_not_of(" \t\r\n") == std::string::npos) {
      request_->system.erase(request_->system.begin());
    }
  }

  void ParseTools(const Path& path, const json::Array& tools) {
    if (tools.size() > context_->limits().max_tools) {
      return context_->Fail(path,
                            "more than " + std::to_string(context_->limits().max_tools) + " tools");
    }
    request_->tools.reserve(tools.size());
    ForEach(context_, path, tools, [&](const Path& at, const json::Value& value) {
      request_->tools.push_back(ParseTool(at, value));
    });
  }

  chat::ToolSpec ParseTool(const Path& path, const json::Value& value) {
    ObjectReader reader(context_, path, value);
    chat::ToolSpec tool;
    const std::string type = reader.String("type");
    const bool ordinary = type.empty() || type == "custom";
    tool.name = ordinary ? reader.RequiredString("name") : reader.String("name");
    tool.description = reader.String("description");
    tool.defer_loading = reader.Bool("defer_loading");
    tool.strict = reader.Bool("strict");
    tool.input_schema = reader.ObjectJson("input_schema");
    tool.cache_ttl = CacheTtl(&reader);
    reader.Ignore({"eager_input_streaming", "input_examples", "allowed_callers"});
    if (ordinary) {
      if (tool.input_schema.empty() && reader.ok()) {
        context_->Fail(path.Key("input_schema"), "field required");
      }
    } else if (reader.ok()) {
      tool.type = type;
      tool.json = json::Write(value);
      for (const auto& member : value.get_object()) reader.Ignore({member.key()});
    }
    return tool;
  }

  void ParseToolChoice(const Path& path, const json::Value& value) {
    ObjectReader reader(context_, path, value);
    const std::string type = reader.RequiredString("type");
    chat::ToolChoice& choice = request_->tool_choice;
    choice.parallel = !reader.Bool("disable_parallel_tool_use");
    if (type == "any") {
      choice.kind = chat::ToolChoice::Kind::kAny;
    } else if (type == "tool") {
      choice.kind = chat::ToolChoice::Kind::kTool;
      choice.name = reader.RequiredString("name");
    } else if (type == "none") {
      choice.kind = chat::ToolChoice::Kind::kNone;
    } else if (type != "auto") {
      context_->Fail(path.Key("type"), "expected auto, any, tool or none, got '" + type + "'");
    }
  }

  // Claude Code puts a JSON text into user_id that names the session.
  void ParseMetadata(const Path& path, const json::Value& value) {
    ObjectReader reader(context_, path, value);
    request_->metadata.user_id = reader.String("user_id");
    if (!request_->metadata.user_id.starts_with('{')) return;
    const Result<json::Value> inner = json::Parse(request_->metadata.user_id, {.max_depth = 8});
    if (!inner.ok()) return;
    request_->metadata.session_id = json::GetString(*inner, "session_id").value_or("");
  }

  void ParseThinking(const Path& path, const json::Value& value) {
    ObjectReader reader(context_, path, value);
    chat::ThinkingConfig& thinking = request_->thinking;
    const std::string type = reader.RequiredString("type");
    if (type == "enabled") {
      thinking.mode = chat::ThinkingConfig::Mode::kEnabled;
    } else if (type == "disabled") {
      thinking.mode = chat::ThinkingConfig::Mode::kDisabled;
    } else if (type == "adaptive") {
      thinking.mode = chat::ThinkingConfig::Mode::kAdaptive;
    } else if (reader.ok()) {
      context_->AddUnknown("thinking.type[" + type + "]");
    }
    thinking.budget_tokens = reader.Int("budget_tokens", 0, kMaxTokens);
    thinking.display = reader.String("display");
  }

  void ParseOutputConfig(const Path& path, const json::Value& value) {
    ObjectReader reader(context_, path, value);
    request_->thinking.effort = reader.String("effort");
    if (const json::Value* format = reader.Object("format")) {
      ParseFormat(path.Key("format"), *format);
    }
  }

  void ParseFormat(const Path& path, const json::Value& value) {
    ObjectReader reader(context_, path, value);
    const std::string type = reader.RequiredString("type");
    if (type == "json_schema") {
      request_->response_format.kind = chat::ResponseFormat::Kind::kJsonSchema;
      request_->response_format.schema = reader.ObjectJson("schema");
      request_->response_format.name = reader.String("name");
      request_->response_format.strict = true;
      if (request_->response_format.schema.empty() && reader.ok()) {
        context_->Fail(path.Key("schema"), "field required");
      }
    } else if (reader.ok() && type != "text") {
      context_->AddUnknown(path.Shape() + ".type[" + type + "]");
    }
  }

  void ParseStop(const Path& path, const json::Array* stops) {
    if (stops == nullptr) return;
    if (stops->size() > context_->limits().max_stop) {
      return context_->Fail(
          path, "more than " + std::to_string(context_->limits().max_stop) + " stop sequences");
    }
    ForEach(context_, path, *stops, [&](const Path& at, const json::Value& value) {
      if (!value.is_string()) return context_->FailKind(at, "string", value);
      // An empty one would stop every reply before its first word.
      if (!value.get_string().empty()) request_->stop.emplace_back(value.get_string());
    });
  }

  ParseContext* const context_;
  chat::ChatRequest* const request_;
};

}  // namespace

void ParseMessages(ParseContext* context, const json::Value& body, chat::ChatRequest* request) {
  MessagesParser(context, request).Parse(body);
}

}  // namespace ac::api::internal
