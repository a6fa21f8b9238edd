#include "store/trace_parts.h"

#include <algorithm>

#include "base/utf8.h"
#include "json/json.h"

namespace ac::store {
namespace {

constexpr size_t kSnippetBytes = 60;

// The value without cache marks: they move from turn to turn and are never rendered.
json::Value WithoutMarks(const json::Value& value) {
  if (const json::Object* object = value.if_object()) {
    json::Object out;
    for (const auto& member : *object) {
      if (member.key() == "cache_control") continue;
      out.emplace(member.key(), WithoutMarks(member.value()));
    }
    return out;
  }
  if (const json::Array* array = value.if_array()) {
    json::Array out;
    for (const json::Value& item : *array) out.push_back(WithoutMarks(item));
    return out;
  }
  return value;
}

std::string TextOf(const json::Value& value) {
  if (const auto text = json::AsString(&value)) return std::string(*text);
  // A text block and a plain string are the same prompt.
  if (json::GetString(value, "type") == "text") {
    return std::string(json::GetString(value, "text").value_or(""));
  }
  return json::Write(WithoutMarks(value));
}

void AddTools(const json::Value& body, std::vector<PromptPart>* parts) {
  const json::Array* tools = json::AsArray(json::Find(body, "tools"));
  if (tools == nullptr) return;
  for (const json::Value& tool : *tools) {
    if (json::GetBool(tool, "defer_loading").value_or(false)) continue;
    const json::Value* function = json::Find(tool, "function");
    const json::Value& named = function != nullptr ? *function : tool;
    parts->push_back({"tools", std::string(json::GetString(named, "name").value_or("?")),
                      json::Write(WithoutMarks(tool))});
  }
}

void AddSystem(const json::Value& body, std::vector<PromptPart>* parts) {
  const json::Value* system = json::Find(body, "system");
  if (system == nullptr) system = json::Find(body, "instructions");
  if (system == nullptr) return;
  if (const json::Array* blocks = system->if_array()) {
    for (size_t i = 0; i < blocks->size(); ++i) {
      parts->push_back({"system", "block " + std::to_string(i), TextOf((*blocks)[i])});
    }
  } else {
    parts->push_back({"system", "text", TextOf(*system)});
  }
}

void AddMessages(const json::Value& body, std::vector<PromptPart>* parts) {
  const json::Array* messages = json::AsArray(json::Find(body, "messages"));
  if (messages == nullptr) messages = json::AsArray(json::Find(body, "input"));
  if (messages == nullptr) {
    for (const char* key : {"input", "prompt"}) {
      if (const json::Value* text = json::Find(body, key)) {
        parts->push_back({"messages", key, TextOf(*text)});
      }
    }
    return;
  }
  for (size_t i = 0; i < messages->size(); ++i) {
    const json::Value& message = (*messages)[i];
    const std::string name =
        std::to_string(i) + " " +
        std::string(json::GetString(message, "role")
                        .value_or(json::GetString(message, "type").value_or("?")));
    const json::Array* blocks = json::AsArray(json::Find(message, "content"));
    if (blocks == nullptr) {
      const json::Value* content = json::Find(message, "content");
      const bool is_plain = content != nullptr && content->is_string();
      parts->push_back({"messages", name + " text", is_plain ? TextOf(*content) : TextOf(message)});
      continue;
    }
    for (const json::Value& block : *blocks) {
      parts->push_back({"messages",
                        name + " " + std::string(json::GetString(block, "type").value_or("?")),
                        TextOf(block)});
    }
  }
}

std::string Snippet(const std::string& text, size_t offset) {
  if (offset >= text.size()) return "";
  std::string snippet = text.substr(offset, kSnippetBytes);
  snippet.resize(snippet.size() - IncompleteUtf8Suffix(snippet));
  if (offset + snippet.size() < text.size()) snippet += "...";
  return RepairUtf8(snippet);
}

}  // namespace

std::vector<PromptPart> PromptParts(const json::Value& trace) {
  std::vector<PromptPart> parts;
  const json::Value* request = json::Find(trace, "request");
  const json::Value* body = request == nullptr ? nullptr : json::Find(*request, "body");
  if (body == nullptr) return parts;
  AddTools(*body, &parts);
  AddSystem(*body, &parts);
  AddMessages(*body, &parts);
  return parts;
}

int64_t PromptTokens(const json::Value& trace) {
  const json::Value* usage = json::Find(trace, "usage");
  if (usage == nullptr) return 0;
  int64_t tokens = 0;
  for (const char* key : {"input_tokens", "cache_read", "cache_creation"}) {
    tokens += json::GetInt(*usage, key).value_or(0);
  }
  return tokens;
}

int64_t ShareOfTokens(size_t bytes, size_t total_bytes, int64_t prompt_tokens) {
  if (total_bytes == 0) return 0;
  return static_cast<int64_t>(static_cast<double>(prompt_tokens) * static_cast<double>(bytes) /
                                  static_cast<double>(total_bytes) +
                              0.5);
}

size_t TotalBytes(const std::vector<PromptPart>& parts) {
  size_t total = 0;
  for (const PromptPart& part : parts) total += part.text.size();
  return total;
}

Divergence Compare(const std::vector<PromptPart>& a, const std::vector<PromptPart>& b) {
  Divergence found;
  const size_t shared = std::min(a.size(), b.size());
  while (found.part < shared && a[found.part].section == b[found.part].section &&
         a[found.part].text == b[found.part].text) {
    found.common_bytes += a[found.part].text.size();
    ++found.part;
  }
  found.identical = found.part == a.size() && found.part == b.size();
  const std::string nothing;
  const std::string& left = found.part < a.size() ? a[found.part].text : nothing;
  const std::string& right = found.part < b.size() ? b[found.part].text : nothing;
  if (found.part < shared && a[found.part].section == b[found.part].section) {
    const auto differ = std::mismatch(left.begin(), left.end(), right.begin(), right.end());
    found.offset = static_cast<size_t>(differ.first - left.begin());
  }
  found.common_bytes += found.offset;
  found.left = Snippet(left, found.offset);
  found.right = Snippet(right, found.offset);
  return found;
}

}  // namespace ac::store
