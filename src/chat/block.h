// Messages and the blocks they are made of.
//
// Plain data that owns its memory; copy and move freely. Const access is thread-safe. JSON that a
// model or a client wrote (tool inputs, results) is kept as text, so that key order and spelling
// survive and this header stays cheap to include.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace ac::chat {

// kSystem may occur anywhere in a conversation, also last, and is kept where it stands. Tool
// results are blocks of user messages.
enum class Role { kUser, kAssistant, kSystem };
std::string_view RoleName(Role role);

struct Block;

struct Text {
  std::string text;
};
struct Image {
  std::string media_type;  // "image/png", or empty for a URL
  std::string data;        // base64
  std::string url;
};
struct Document {
  std::string media_type;  // "application/pdf", "text/plain"
  std::string data;        // base64, or the text itself for text/plain
  std::string url;
  std::string title;
};
struct Thinking {
  std::string text;
  std::string signature;  // opaque to the client, comes back verbatim: names the tokens behind it
};
struct RedactedThinking {
  std::string data;
};
struct ToolUse {
  std::string id;
  std::string name;
  std::string input;  // JSON object as text; what a model wrote may also be cut or malformed
};
struct ToolResult {
  std::string tool_use_id;
  std::vector<Block> content;
  bool is_error = false;
};
// Announces a deferred tool: its schema is rendered here and not in the head of the prompt.
struct ToolReference {
  std::string tool_name;
};
struct ServerToolUse {
  std::string id;
  std::string name;
  std::string input;  // JSON object
};
struct ServerToolResult {
  std::string type;  // "web_search_tool_result", ...
  std::string tool_use_id;
  std::string content;  // JSON
};
// A block of a type we do not know: kept for remote backends, never rendered.
struct Opaque {
  std::string type;
  std::string json;
};

struct Block {
  std::variant<Text, Image, Document, Thinking, RedactedThinking, ToolUse, ToolResult,
               ToolReference, ServerToolUse, ServerToolResult, Opaque>
      value;
  // The client's mark of a place worth caching: "" none, "5m" the default one, "1h". Caching is
  // automatic; marks decide what is kept longest.
  std::string cache_ttl;

  template <typename T>
  const T* As() const {
    return std::get_if<T>(&value);
  }
  template <typename T>
  T* As() {
    return std::get_if<T>(&value);
  }
};

struct Message {
  Role role = Role::kUser;
  std::vector<Block> blocks;
};

// The text of all text blocks, joined by `separator`.
std::string JoinText(const std::vector<Block>& blocks, std::string_view separator);

}  // namespace ac::chat
