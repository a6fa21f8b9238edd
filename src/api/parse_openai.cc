#include <cstdlib>
#include <limits>
#include <utility>

#include "api/internal/parsers.h"
#include "base/utf8.h"

namespace ac::api::internal {

using chat::Block;

chat::Image ImageFromUrl(std::string_view url) {
  constexpr std::string_view kData = "data:";
  constexpr std::string_view kBase64 = ";base64,";
  const size_t mark = url.find(kBase64);
  if (!url.starts_with(kData) || mark == std::string_view::npos) {
    return {.media_type = "", .data = "", .url = std::string(url)};
  }
  return {.media_type = std::string(url.substr(kData.size(), mark - kData.size())),
          .data = std::string(url.substr(mark + kBase64.size())),
          .url = ""};
}

void ParseSampling(ObjectReader* reader, chat::Sampling* sampling) {
  sampling->temperature = reader->Number("temperature", 0, kMaxTemperature);
  sampling->top_p = reader->Number("top_p", 0, 1);
  sampling->min_p = reader->Number("min_p", 0, 1);
  sampling->top_k = reader->Int("top_k", -1, kMaxTokens);
  sampling->seed =
      reader->Int("seed", std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max());
  sampling->presence_penalty = reader->Number("presence_penalty", -kMaxPenalty, kMaxPenalty);
  sampling->frequency_penalty = reader->Number("frequency_penalty", -kMaxPenalty, kMaxPenalty);
  sampling->repetition_penalty = reader->Number("repetition_penalty", 0, kMaxPenalty);
  const std::optional<double> repeat = reader->Number("repeat_penalty", 0, kMaxPenalty);
  if (!sampling->repetition_penalty.has_value()) sampling->repetition_penalty = repeat;
}

void HoistLeadingSystem(chat::ChatRequest* request) {
  size_t count = 0;
  std::vector<chat::Message>& messages = request->messages;
  while (count < messages.size() && messages[count].role == chat::Role::kSystem) {
    for (Block& block : messages[count].blocks) request->system.push_back(std::move(block));
    ++count;
  }
  messages.erase(messages.begin(), messages.begin() + static_cast<std::ptrdiff_t>(count));
}

namespace {

class ChatParser {
 public:
  ChatParser(ParseContext* context, chat::ChatRequest* request)
      : context_(context), request_(request) {}

  void ParseChat(const json::Value& body) {
    const Path root;
    ObjectReader reader(context_, root, body);
    ParseCommon(&reader);
    ParseMessageList(root.Key("messages"), reader.Require("messages"));
    if (const json::Array* tools = reader.Array("tools")) ParseTools(root.Key("tools"), *tools);
    if (const json::Value* choice = reader.Get("tool_choice")) {
      ParseToolChoice(root.Key("tool_choice"), *choice);
    }
    request_->tool_choice.parallel = reader.Bool("parallel_tool_calls", true);
    const std::optional<int64_t> limit = reader.Int("max_completion_tokens", 0, kMaxTokens);
    if (limit.has_value()) request_->max_tokens = limit;
    if (const json::Value* format = reader.Object("response_format")) {
      ParseFormat(root.Key("response_format"), *format);
    }
    request_->logprobs = reader.Bool("logprobs");
    request_->top_logprobs = static_cast<int>(
        reader.Int("top_logprobs", 0, context_->limits().max_top_logprobs).value_or(0));
    request_->thinking.effort = reader.String("reasoning_effort");
    if (request_->thinking.effort == "none") {
      request_->thinking.mode = chat::ThinkingConfig::Mode::kDisabled;
    }
    if (const json::Value* extra = reader.Object("chat_template_kwargs")) {
      ParseTemplateSwitches(root.Key("chat_template_kwargs"), *extra);
    }
    request_->metadata.session_id = reader.String("prompt_cache_key");
    reader.Ignore({"store", "metadata", "service_tier", "modalities", "prediction", "verbosity",
                   "safety_identifier", "web_search_options", "cache_prompt",
                   "prompt_cache_retention"});
  }

  void ParseText(const json::Value& body) {
    const Path root;
    ObjectReader reader(context_, root, body);
    ParseCommon(&reader);
    if (const json::Value* prompt = reader.Require("prompt")) {
      ParsePrompts(root.Key("prompt"), *prompt);
    }
    const std::optional<int64_t> logprobs =
        reader.Int("logprobs", 0, context_->limits().max_top_logprobs);
    request_->logprobs = logprobs.has_value();
    request_->top_logprobs = static_cast<int>(logprobs.value_or(0));
    request_->echo = reader.Bool("echo");
    reader.Ignore({"best_of"});
  }

 private:
  void ParseCommon(ObjectReader* reader) {
    const Path root;
    request_->model = reader->RequiredString("model");
    request_->max_tokens = reader->Int("max_tokens", 0, kMaxTokens);
    request_->stream = reader->Bool("stream");
    request_->n = static_cast<int>(reader->Int("n", 1, context_->limits().max_choices).value_or(1));
    ParseSampling(reader, &request_->sampling);
    if (const json::Value* bias = reader->Object("logit_bias")) {
      ParseLogitBias(root.Key("logit_bias"), bias->get_object());
    }
    if (const json::Value* stop = reader->Get("stop")) ParseStop(root.Key("stop"), *stop);
    if (const json::Value* options = reader->Object("stream_options")) {
      ObjectReader inner(context_, root.Key("stream_options"), *options);
      request_->include_usage = inner.Bool("include_usage");
      inner.Ignore({"include_obfuscation"});
    }
    request_->metadata.user_id = reader->String("user");
    ParseGuided(reader);
    if (const json::Value* outputs = reader->Object("structured_outputs")) {
      ObjectReader inner(context_, root.Key("structured_outputs"), *outputs);
      ParseFormatFields(&inner, "grammar", "regex", "json", "choice");
    }
  }

  // The fields by which open servers take a grammar, in their older and their newer spelling.
  void ParseGuided(ObjectReader* reader) {
    SetFormat(chat::ResponseFormat::Kind::kEbnf, reader->String("grammar"));
    ParseFormatFields(reader, "guided_grammar", "guided_regex", "guided_json", "guided_choice");
  }

  void ParseFormatFields(ObjectReader* reader, std::string_view grammar, std::string_view regex,
                         std::string_view schema, std::string_view choice) {
    SetFormat(chat::ResponseFormat::Kind::kEbnf, reader->String(grammar));
    SetFormat(chat::ResponseFormat::Kind::kRegex, reader->String(regex));
    if (const json::Value* value = reader->Get(schema)) {
      const auto text = json::AsString(value);
      SetFormat(chat::ResponseFormat::Kind::kJsonSchema,
                text.has_value() ? std::string(*text) : json::Write(*value));
    }
    if (const json::Array* choices = reader->Array(choice)) {
      std::string rules;
      for (const json::Value& value : *choices) {
        if (!value.is_string()) return context_->Fail(Path().Key(choice), "expected strings");
        rules += (rules.empty() ? "" : " | ") + json::Quote(std::string_view(value.get_string()));
      }
      SetFormat(chat::ResponseFormat::Kind::kEbnf, rules.empty() ? "" : "root ::= " + rules);
    }
  }

  void SetFormat(chat::ResponseFormat::Kind kind, std::string text) {
    if (text.empty()) return;
    request_->response_format = {
        .kind = kind, .name = "", .schema = std::move(text), .strict = true};
  }

  void ParseLogitBias(const Path& path, const json::Object& bias) {
    for (const auto& member : bias) {
      const std::string key(member.key());
      char* end = nullptr;
      const int64_t token = std::strtoll(key.c_str(), &end, 10);
      const std::optional<double> weight = json::AsDouble(&member.value());
      if (key.empty() || *end != '\0' || !weight.has_value()) {
        return context_->Fail(path.Key(key), "expected a token id with a number");
      }
      request_->sampling.logit_bias.emplace_back(token, *weight);
    }
  }

  void ParseStop(const Path& path, const json::Value& value) {
    const auto add = [&](const Path& at, const json::Value& stop) {
      if (!stop.is_string()) return context_->FailKind(at, "string", stop);
      if (!stop.get_string().empty()) request_->stop.emplace_back(stop.get_string());
    };
    const json::Array* array = value.if_array();
    if (array == nullptr) return add(path, value);
    if (array->size() > context_->limits().max_stop) {
      return context_->Fail(
          path, "more than " + std::to_string(context_->limits().max_stop) + " stop sequences");
    }
    ForEach(context_, path, *array, add);
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
    ForEach(context_, path, *array,
            [&](const Path& at, const json::Value& message) { ParseMessage(at, message); });
    HoistLeadingSystem(request_);
  }

  void ParseMessage(const Path& path, const json::Value& value) {
    ObjectReader reader(context_, path, value);
    chat::Message message;
    const std::string role = reader.RequiredString("role");
    std::vector<Block> content;
    if (const json::Value* given = reader.Get("content")) {
      content = ParseContent(path.Key("content"), *given);
    }
    reader.Ignore({"name", "refusal", "annotations", "audio", "id", "cache_control"});
    if (role == "system" || role == "developer") {
      message.role = chat::Role::kSystem;
    } else if (role == "assistant") {
      message.role = chat::Role::kAssistant;
      ParseReasoning(&reader, &message);
    } else if (role == "tool" || role == "function") {
      const std::string id = reader.String(role == "tool" ? "tool_call_id" : "name");
      message.blocks.push_back({chat::ToolResult{id, std::move(content), false}, ""});
      content.clear();
    } else if (role != "user") {
      context_->Fail(path.Key("role"),
                     "expected system, developer, user, assistant or tool, got '" + role + "'");
    }
    for (Block& block : content) message.blocks.push_back(std::move(block));
    if (role == "assistant") ParseCalls(&reader, &message);
    request_->messages.push_back(std::move(message));
  }

  // Clients that were given reasoning_content send it back; two names are in use.
  static void ParseReasoning(ObjectReader* reader, chat::Message* message) {
    std::string text = reader->String("reasoning_content");
    const std::string other = reader->String("reasoning");
    if (text.empty()) text = other;
    reader->Ignore({"reasoning_details"});
    if (!text.empty()) message->blocks.push_back({chat::Thinking{std::move(text), ""}, ""});
  }

  void ParseCalls(ObjectReader* reader, chat::Message* message) {
    const json::Array* calls = reader->Array("tool_calls");
    if (calls == nullptr) return;
    const Path path = reader->path().Key("tool_calls");
    ForEach(context_, path, *calls, [&](const Path& at, const json::Value& value) {
      ObjectReader call(context_, at, value);
      chat::ToolUse use;
      use.id = call.String("id");
      call.Ignore({"type", "index"});
      const json::Value* function = call.Require("function");
      if (function == nullptr) return;
      ObjectReader inner(context_, at.Key("function"), *function);
      use.name = inner.RequiredString("name");
      use.input = ParseArguments(inner.Get("arguments"));
      message->blocks.push_back({std::move(use), ""});
    });
  }

  // A JSON text, kept as it is; some clients send the object itself.
  static std::string ParseArguments(const json::Value* value) {
    if (value == nullptr) return "{}";
    const std::optional<std::string_view> text = json::AsString(value);
    if (!text.has_value()) return json::Write(*value);
    return text->empty() ? "{}" : std::string(*text);
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
    reader.Ignore({"cache_control"});
    if (type == "text") return {chat::Text{reader.RequiredString("text")}, ""};
    if (type == "refusal") return {chat::Text{reader.RequiredString("refusal")}, ""};
    if (type == "image_url") {
      context_->AddImage(path);
      const json::Value* image = reader.Require("image_url");
      if (image == nullptr) return {};
      if (const auto url = json::AsString(image)) return {ImageFromUrl(*url), ""};
      ObjectReader inner(context_, path.Key("image_url"), *image);
      inner.Ignore({"detail"});
      return {ImageFromUrl(inner.RequiredString("url")), ""};
    }
    if (type == "file") {
      context_->AddImage(path);
      const json::Value* file = reader.Require("file");
      if (file == nullptr) return {};
      ObjectReader inner(context_, path.Key("file"), *file);
      chat::Image data = ImageFromUrl(inner.RequiredString("file_data"));
      return {chat::Document{data.media_type, data.data, data.url, inner.String("filename")}, ""};
    }
    if (!reader.ok()) return {};
    context_->AddUnknown(path.Shape() + "[" + type + "]");
    for (const auto& member : value.get_object()) reader.Ignore({member.key()});
    return {chat::Opaque{type, json::Write(value)}, ""};
  }

  void ParseTools(const Path& path, const json::Array& tools) {
    if (tools.size() > context_->limits().max_tools) {
      return context_->Fail(path,
                            "more than " + std::to_string(context_->limits().max_tools) + " tools");
    }
    ForEach(context_, path, tools, [&](const Path& at, const json::Value& value) {
      ObjectReader reader(context_, at, value);
      const std::string type = reader.String("type");
      chat::ToolSpec tool;
      if (type == "function" || type.empty()) {
        const json::Value* function = reader.Require("function");
        if (function == nullptr) return;
        ObjectReader inner(context_, at.Key("function"), *function);
        tool.name = inner.RequiredString("name");
        tool.description = inner.String("description");
        tool.input_schema = inner.ObjectJson("parameters");
        tool.strict = inner.Bool("strict");
        if (tool.input_schema.empty()) tool.input_schema = R"({"type":"object","properties":{}})";
      } else {
        tool.type = type;
        tool.json = json::Write(value);
        for (const auto& member : value.get_object()) reader.Ignore({member.key()});
      }
      request_->tools.push_back(std::move(tool));
    });
  }

  void ParseToolChoice(const Path& path, const json::Value& value) {
    chat::ToolChoice& choice = request_->tool_choice;
    if (const auto name = json::AsString(&value)) {
      if (*name == "required" || *name == "any") {
        choice.kind = chat::ToolChoice::Kind::kAny;
      } else if (*name == "none") {
        choice.kind = chat::ToolChoice::Kind::kNone;
      } else if (*name != "auto") {
        context_->Fail(path, "expected auto, none, required or a function");
      }
      return;
    }
    ObjectReader reader(context_, path, value);
    if (reader.String("type") != "function") {
      if (reader.ok()) context_->AddUnknown("tool_choice.type");
      return;
    }
    const json::Value* function = reader.Require("function");
    if (function == nullptr) return;
    ObjectReader inner(context_, path.Key("function"), *function);
    choice.kind = chat::ToolChoice::Kind::kTool;
    choice.name = inner.RequiredString("name");
  }

  void ParseFormat(const Path& path, const json::Value& value) {
    ObjectReader reader(context_, path, value);
    chat::ResponseFormat& format = request_->response_format;
    const std::string type = reader.RequiredString("type");
    if (type == "json_object") {
      format.kind = chat::ResponseFormat::Kind::kJsonObject;
    } else if (type == "json_schema") {
      format.kind = chat::ResponseFormat::Kind::kJsonSchema;
      const json::Value* schema = reader.Require("json_schema");
      if (schema == nullptr) return;
      ObjectReader inner(context_, path.Key("json_schema"), *schema);
      format.name = inner.String("name");
      format.schema = inner.ObjectJson("schema");
      format.strict = inner.Bool("strict");
      inner.Ignore({"description"});
      if (format.schema.empty()) format.kind = chat::ResponseFormat::Kind::kJsonObject;
    } else if (type != "text") {
      context_->Fail(path.Key("type"),
                     "expected text, json_object or json_schema, got '" + type + "'");
    }
  }

  // The switches by which open servers turn a template's thinking on and off.
  void ParseTemplateSwitches(const Path& path, const json::Value& value) {
    ObjectReader reader(context_, path, value);
    for (const std::string_view key : {"enable_thinking", "thinking"}) {
      const json::Value* given = reader.Get(key);
      if (given == nullptr) continue;
      request_->thinking.mode = reader.Bool(key) ? chat::ThinkingConfig::Mode::kEnabled
                                                 : chat::ThinkingConfig::Mode::kDisabled;
    }
    const std::string effort = reader.String("reasoning_effort");
    if (!effort.empty()) request_->thinking.effort = effort;
  }

  // A string, token ids, or a list of either.
  void ParsePrompts(const Path& path, const json::Value& value) {
    const json::Array* array = value.if_array();
    if (array == nullptr || array->empty() || array->front().is_number()) {
      request_->prompts.push_back(ParsePrompt(path, value));
      return;
    }
    if (array->size() > static_cast<size_t>(context_->limits().max_choices)) {
      return context_->Fail(
          path, "more than " + std::to_string(context_->limits().max_choices) + " prompts");
    }
    ForEach(context_, path, *array, [&](const Path& at, const json::Value& prompt) {
      request_->prompts.push_back(ParsePrompt(at, prompt));
    });
  }

  chat::RawPrompt ParsePrompt(const Path& path, const json::Value& value) {
    chat::RawPrompt prompt;
    if (const auto text = json::AsString(&value)) {
      prompt.text = *text;
      return prompt;
    }
    const json::Array* tokens = value.if_array();
    if (tokens == nullptr) {
      context_->FailKind(path, "string or array of token ids", value);
      return prompt;
    }
    prompt.tokens.reserve(tokens->size());
    ForEach(context_, path, *tokens, [&](const Path& at, const json::Value& token) {
      const std::optional<int64_t> id = json::AsInt(&token);
      if (!id.has_value() || *id < 0 || *id > std::numeric_limits<int32_t>::max()) {
        return context_->Fail(at, "expected a token id");
      }
      prompt.tokens.push_back(static_cast<int32_t>(*id));
    });
    return prompt;
  }

  ParseContext* const context_;
  chat::ChatRequest* const request_;
};

}  // namespace

void ParseChatCompletions(ParseContext* context, const json::Value& body,
                          chat::ChatRequest* request) {
  ChatParser(context, request).ParseChat(body);
}

void ParseCompletions(ParseContext* context, const json::Value& body, chat::ChatRequest* request) {
  ChatParser(context, request).ParseText(body);
}

}  // namespace ac::api::internal
