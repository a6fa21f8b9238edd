#include "gateway/server_tools.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "json/json.h"

namespace ac::gateway {
namespace {

constexpr int64_t kDefaultUses = 5;
constexpr int64_t kMaxUses = 20;
constexpr int64_t kBytesPerToken = 4;
constexpr std::string_view kDirect = "Perform a web search for the query: ";

constexpr std::string_view kSearchSchema =
    R"({"type":"object","properties":{"query":{"type":"string"}},"required":["query"]})";
constexpr std::string_view kFetchSchema =
    R"({"type":"object","properties":{"url":{"type":"string"}},"required":["url"]})";

bool IsServerTool(const chat::ToolSpec& tool, std::string_view name) {
  return tool.type.starts_with(std::string(name) + "_");
}

std::vector<std::string> Strings(const json::Value& object, std::string_view key) {
  std::vector<std::string> out;
  const json::Array* list = json::AsArray(json::Find(object, key));
  for (size_t i = 0; list != nullptr && i < list->size(); ++i) {
    if ((*list)[i].is_string()) out.emplace_back((*list)[i].get_string());
  }
  return out;
}

OfferedTool ReadDefinition(const chat::ToolSpec& tool) {
  OfferedTool offered{.uses_left = kDefaultUses, .rules = {}};
  const Result<json::Value> definition = json::Parse(tool.json);
  if (!definition.ok()) return offered;
  offered.uses_left = std::clamp<int64_t>(
      json::GetInt(*definition, "max_uses").value_or(kDefaultUses), 1, kMaxUses);
  offered.rules.allowed_domains = Strings(*definition, "allowed_domains");
  offered.rules.blocked_domains = Strings(*definition, "blocked_domains");
  const auto tokens = json::GetInt(*definition, "max_content_tokens");
  if (tokens && *tokens > 0) {
    constexpr int64_t kMost = int64_t{1} << 30;
    offered.rules.max_text_bytes = static_cast<size_t>(std::min(*tokens, kMost) * kBytesPerToken);
  }
  return offered;
}

// What a model reads of results that the client keeps as JSON.
std::string ReadableHits(const json::Array& hits) {
  std::string text;
  for (const json::Value& hit : hits) {
    text += std::string(json::GetString(hit, "title").value_or("")) + "\n" +
            std::string(json::GetString(hit, "url").value_or("")) + "\n";
    // Our own results carry their text where the cloud's carry a cipher.
    text += std::string(json::GetString(hit, "encrypted_content").value_or("")) + "\n\n";
  }
  return text.empty() ? "Nothing was found." : text;
}

std::string ReadablePage(const json::Value& result) {
  const json::Value* document = json::Find(result, "content");
  const json::Value* source = document == nullptr ? nullptr : json::Find(*document, "source");
  const auto text = source == nullptr ? std::nullopt : json::GetString(*source, "data");
  if (!text || json::GetString(*source, "type") != "text") return "The page is not readable here.";
  std::string out = std::string(json::GetString(*document, "title").value_or(""));
  if (!out.empty()) out += "\n";
  out += std::string(json::GetString(result, "url").value_or("")) + "\n\n";
  return out + std::string(*text);
}

std::string ReadableResult(const std::string& content) {
  const Result<json::Value> parsed = json::Parse(content);
  if (!parsed.ok()) return "The call failed.";
  if (const json::Array* hits = parsed->if_array()) return ReadableHits(*hits);
  if (json::GetString(*parsed, "type") == "web_fetch_result") return ReadablePage(*parsed);
  const auto code = json::GetString(*parsed, "error_code");
  return code ? "The call failed: " + std::string(*code) : "The call failed.";
}

// One assistant message with server blocks becomes assistant and user messages in turn.
void AddTranslated(const chat::Message& message, std::vector<chat::Message>* out) {
  chat::Message current{.role = message.role};
  for (const chat::Block& block : message.blocks) {
    if (const auto* use = block.As<chat::ServerToolUse>()) {
      current.blocks.push_back({.value = chat::ToolUse{use->id, use->name, use->input}});
    } else if (const auto* result = block.As<chat::ServerToolResult>()) {
      if (!current.blocks.empty()) out->push_back(std::move(current));
      current = {.role = message.role};
      chat::ToolResult readable{.tool_use_id = result->tool_use_id};
      readable.content.push_back({.value = chat::Text{ReadableResult(result->content)}});
      out->push_back({chat::Role::kUser, {{.value = std::move(readable)}}});
    } else {
      current.blocks.push_back(block);
    }
  }
  if (!current.blocks.empty()) out->push_back(std::move(current));
}

bool HasServerBlocks(const chat::Message& message) {
  return std::any_of(message.blocks.begin(), message.blocks.end(), [](const chat::Block& block) {
    return block.As<chat::ServerToolUse>() != nullptr ||
           block.As<chat::ServerToolResult>() != nullptr;
  });
}

chat::ToolSpec OrdinaryTool(std::string_view name) {
  if (name == kFetchTool) {
    return {.name = std::string(name),
            .description =
                "Fetches a web page and gives its text. The address must have been named before, "
                "by the user or in a result.",
            .input_schema = std::string(kFetchSchema)};
  }
  return {.name = std::string(name),
          .description = "Searches the web and gives titles, addresses and excerpts of pages.",
          .input_schema = std::string(kSearchSchema)};
}

bool Mentions(const std::vector<chat::Block>& blocks, std::string_view what) {
  return std::any_of(blocks.begin(), blocks.end(), [&](const chat::Block& block) {
    if (const auto* text = block.As<chat::Text>()) {
      return text->text.find(what) != std::string::npos;
    }
    if (const auto* file = block.As<chat::Document>()) {
      return file->data.find(what) != std::string::npos || file->url.find(what) == 0;
    }
    const auto* result = block.As<chat::ToolResult>();
    return result != nullptr && Mentions(result->content, what);
  });
}

}  // namespace

OfferedTools TakeServerTools(bool searches, bool fetches, chat::ChatRequest* request) {
  OfferedTools offered;
  for (chat::ToolSpec& tool : request->tools) {
    for (const std::string_view name : {kSearchTool, kFetchTool}) {
      const bool runs = name == kSearchTool ? searches : fetches;
      if (!runs || !IsServerTool(tool, name) || offered.contains(name)) continue;
      offered.emplace(name, ReadDefinition(tool));
      tool = OrdinaryTool(name);
      break;
    }
  }
  if (offered.empty()) return offered;
  std::vector<chat::Message> messages;
  for (chat::Message& message : request->messages) {
    if (HasServerBlocks(message)) {
      AddTranslated(message, &messages);
    } else {
      messages.push_back(std::move(message));
    }
  }
  request->messages = std::move(messages);
  return offered;
}

std::string DirectQuery(const chat::ChatRequest& request) {
  if (request.tools.size() != 1 || !IsServerTool(request.tools[0], kSearchTool)) return "";
  if (request.messages.empty() || request.messages.back().role != chat::Role::kUser) return "";
  const std::string text = chat::JoinText(request.messages.back().blocks, "\n");
  if (!text.starts_with(kDirect)) return "";
  return text.substr(kDirect.size());
}

bool IsAddressKnown(const chat::ChatRequest& request, std::string_view url) {
  std::string_view needle = url.substr(0, url.find('#'));
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (needle.starts_with(scheme)) needle.remove_prefix(scheme.size());
  }
  while (needle.ends_with('/')) needle.remove_suffix(1);
  if (needle.empty()) return false;
  return Mentions(request.system, needle) ||
         std::any_of(
             request.messages.begin(), request.messages.end(), [&](const chat::Message& message) {
               return message.role != chat::Role::kAssistant && Mentions(message.blocks, needle);
             });
}

ServerResult SearchResult(const Result<std::vector<web::SearchHit>>& hits) {
  ServerResult result{.type = "web_search_tool_result", .content = {}, .readable = {}};
  if (!hits.ok()) {
    result.content = json::Write(
        json::Object{{"type", "web_search_tool_result_error"}, {"error_code", "unavailable"}});
    result.readable = hits.status().message();
    result.failed = true;
    return result;
  }
  json::Array list;
  for (const web::SearchHit& hit : *hits) {
    list.push_back(
        json::Object{{"type", "web_search_result"},
                     {"url", hit.url},
                     {"title", hit.title},
                     {"encrypted_content", hit.text},
                     {"page_age", hit.age.empty() ? json::Value(nullptr) : json::Value(hit.age)}});
  }
  result.readable = ReadableHits(list);
  result.content = json::Write(list);
  return result;
}

ServerResult FetchResult(const web::FetchOutcome& outcome) {
  ServerResult result{.type = "web_fetch_tool_result", .content = {}, .readable = {}};
  if (!outcome.page) {
    result.content = json::Write(
        json::Object{{"type", "web_fetch_tool_result_error"}, {"error_code", outcome.error.code}});
    result.readable = "The page was not fetched: " + outcome.error.why + ".";
    result.failed = true;
    return result;
  }
  const web::FetchedPage& page = *outcome.page;
  const json::Value title = page.title.empty() ? json::Value(nullptr) : json::Value(page.title);
  const json::Value content =
      json::Object{{"type", "web_fetch_result"},
                   {"url", page.url},
                   {"content", json::Object{{"type", "document"},
                                            {"source", json::Object{{"type", "text"},
                                                                    {"media_type", "text/plain"},
                                                                    {"data", page.text}}},
                                            {"title", title}}},
                   {"retrieved_at", page.retrieved_at}};
  result.readable = ReadablePage(content);
  result.content = json::Write(content);
  return result;
}

}  // namespace ac::gateway
