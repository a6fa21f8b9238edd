#include "batch/input.h"

#include <algorithm>
#include <unordered_map>

#include "base/hash.h"
#include "json/json.h"

namespace ac::batch {
namespace {

constexpr std::string_view kChat = "/v1/chat/completions";
constexpr std::string_view kMessages = "/v1/messages";
constexpr std::string_view kPaths[] = {kChat, "/v1/completions", kMessages};

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

// A body as it is sent: one whole reply, a model, and a limit where the dialect demands one.
std::string CompleteBody(json::Object body, std::string_view path, const Defaults& defaults) {
  body.erase("stream");
  body.erase("stream_options");
  if (body.find("model") == body.end()) body["model"] = defaults.model;
  if (path == kMessages && body.find("max_tokens") == body.end()) {
    body["max_tokens"] = defaults.max_tokens;
  }
  return json::Write(body);
}

void SetPrompt(std::string_view prompt, const Defaults& defaults, Item* item) {
  item->shape = Shape::kPrompt;
  item->path = std::string(kChat);
  json::Array messages;
  if (!defaults.system.empty()) {
    messages.push_back(json::Object{{"role", "system"}, {"content", defaults.system}});
  }
  messages.push_back(json::Object{{"role", "user"}, {"content", prompt}});
  item->body = CompleteBody({{"messages", messages}, {"max_tokens", defaults.max_tokens}},
                            item->path, defaults);
}

// Anthropic's bodies name the system prompt and its limits beside the messages; OpenAI's do not.
bool LooksAnthropic(const json::Object& body) {
  if (body.find("system") != body.end() || body.find("stop_sequences") != body.end()) return true;
  const json::Array* tools = json::AsArray(body.if_contains("tools"));
  return tools != nullptr && !tools->empty() &&
         json::Find(tools->front(), "input_schema") != nullptr;
}

Status SetOpenAiBatch(const json::Object& line, const Defaults& defaults, Item* item) {
  const json::Object* body = json::AsObject(line.if_contains("body"));
  if (body == nullptr) return InvalidArgument("\"body\" must be an object");
  item->path = std::string(json::AsString(line.if_contains("url")).value_or(kChat));
  if (std::find(std::begin(kPaths), std::end(kPaths), item->path) == std::end(kPaths)) {
    return InvalidArgument("\"url\" is \"" + item->path +
                           "\"; a batch runs /v1/chat/completions, /v1/completions and "
                           "/v1/messages");
  }
  item->shape = Shape::kOpenAiBatch;
  item->body = CompleteBody(*body, item->path, defaults);
  return OkStatus();
}

Status SetObject(const json::Object& line, const Defaults& defaults, Item* item) {
  if (const auto id = json::AsString(line.if_contains("custom_id"))) {
    item->custom_id = std::string(*id);
  }
  if (line.if_contains("body") != nullptr) return SetOpenAiBatch(line, defaults, item);
  const json::Value* params = line.if_contains("params");
  const json::Object* body = params == nullptr ? &line : json::AsObject(params);
  if (body == nullptr) return InvalidArgument("\"params\" must be an object");
  if (json::AsArray(body->if_contains("messages")) == nullptr) {
    return InvalidArgument("a request needs \"messages\" (or \"body\", or \"params\" with them)");
  }
  if (params != nullptr) {
    item->shape = Shape::kAnthropicBatch;
  } else {
    item->shape = LooksAnthropic(*body) ? Shape::kAnthropicBody : Shape::kOpenAiBody;
  }
  item->path = std::string(item->shape == Shape::kOpenAiBody ? kChat : kMessages);
  item->body = CompleteBody(*body, item->path, defaults);
  return OkStatus();
}

Status ParseLine(std::string_view text, const Defaults& defaults, Item* item) {
  const char first = text.front();
  if (first != '{' && first != '"') {
    SetPrompt(text, defaults, item);
    return OkStatus();
  }
  const Result<json::Value> value = json::Parse(text);
  if (!value.ok()) return value.status();
  if (const auto prompt = json::AsString(&*value)) {
    SetPrompt(*prompt, defaults, item);
    return OkStatus();
  }
  return SetObject(*json::AsObject(&*value), defaults, item);
}

}  // namespace

Result<std::vector<Item>> ReadItems(std::string_view text, const Defaults& defaults) {
  std::vector<Item> items;
  std::unordered_map<std::string, int64_t> seen;
  int64_t number = 0;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string_view line = Trim(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    ++number;
    if (line.empty()) continue;
    Item item{.line = number, .custom_id = "line-" + std::to_string(number)};
    AC_RETURN_IF_ERROR(
        ParseLine(line, defaults, &item).WithPrefix("[batch] line " + std::to_string(number)));
    item.digest = Hash64(item.path + item.body, Hash64(item.custom_id));
    const auto [other, is_new] = seen.emplace(item.custom_id, number);
    if (!is_new) {
      return Status(Code::kAlreadyExists, "[batch] line " + std::to_string(number) +
                                              " has the custom_id \"" + item.custom_id +
                                              "\" of line " + std::to_string(other->second));
    }
    items.push_back(std::move(item));
  }
  return items;
}

}  // namespace ac::batch
