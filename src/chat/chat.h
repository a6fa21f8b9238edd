// The neutral conversation: what every dialect is parsed into and every backend starts from.
//
// Plain data that owns its memory; copy and move freely. Const access is thread-safe. JSON that a
// model or a client wrote (tool inputs, schemas) is kept as text, so that key order and spelling
// survive and this header stays cheap to include.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "chat/block.h"

namespace ac::chat {

struct ToolSpec {
  std::string name;
  std::string description;
  std::string input_schema;    // JSON Schema object; empty for server tools
  bool defer_loading = false;  // not in the prompt until a ToolReference announces it
  std::string cache_ttl;       // as of a block: the client's mark behind this tool
  bool strict = false;         // the client asks for arguments that match the schema exactly
  // Empty for an ordinary tool; "web_search_20250305", "namespace", ... for one the server would
  // run.
  std::string type;
  std::string json;  // the whole definition of a tool with a type, for remote backends
};

struct ToolChoice {
  enum class Kind { kAuto, kAny, kTool, kNone };
  Kind kind = Kind::kAuto;
  std::string name;  // of kTool
  bool parallel = true;
};

// Unset fields mean: the model's own recommended values.
struct Sampling {
  std::optional<double> temperature;
  std::optional<double> top_p;
  std::optional<double> min_p;
  std::optional<int64_t> top_k;
  std::optional<int64_t> seed;
  std::optional<double> presence_penalty;
  std::optional<double> frequency_penalty;
  std::optional<double> repetition_penalty;
  std::vector<std::pair<int64_t, double>> logit_bias;  // token id, bias
};

struct ThinkingConfig {
  enum class Mode { kUnset, kDisabled, kEnabled, kAdaptive };
  Mode mode = Mode::kUnset;
  std::optional<int64_t> budget_tokens;
  std::string display;  // "omitted", "updates", ...
  std::string effort;   // "low", "medium", "high", ...; empty when not said
};

struct ResponseFormat {
  enum class Kind { kText, kJsonObject, kJsonSchema, kEbnf, kRegex };
  Kind kind = Kind::kText;
  std::string name;
  std::string schema;  // JSON Schema of kJsonSchema; the grammar of kEbnf, the expression of kRegex
  bool strict = false;
};

struct RequestMetadata {
  std::string user_id;
  std::string session_id;  // stable over the turns of one conversation
  std::string agent_id;    // of a sub-agent inside the session
  std::string parent_agent_id;
  // Requests with the same name here ask the same: the second may get the first one's reply. Empty:
  // never shared.
  std::string twin;
  bool background = false;  // may wait for every other request
  // A thinking block of the server's own may stand in front of the reply.
  bool takes_notes = false;
  std::string caller;  // stands for the key the client presented; never sent to a backend
};

// A prompt without a conversation (/v1/completions): no template is applied.
struct RawPrompt {
  std::string text;
  std::vector<int32_t> tokens;  // used instead of the text when not empty
};

struct ChatRequest {
  std::string model;
  std::vector<Block> system;
  std::vector<Message> messages;
  std::vector<RawPrompt> prompts;
  std::vector<ToolSpec> tools;
  ToolChoice tool_choice;
  std::optional<int64_t> max_tokens;  // clamped by the backend to what fits, never refused
  Sampling sampling;
  std::vector<std::string> stop;
  ThinkingConfig thinking;
  ResponseFormat response_format;
  RequestMetadata metadata;
  int n = 1;  // replies wanted
  bool stream = false;
  bool include_usage = false;  // OpenAI: send a usage chunk at the end of a stream
  bool logprobs = false;
  int top_logprobs = 0;
  bool store = true;                 // Responses API: may be continued by previous_response_id
  bool echo = false;                 // completions: repeat the prompt
  std::string previous_message_id;   // diagnostics: why did the cache miss since that message?
  std::string previous_response_id;  // Responses API: continue after that reply
  std::vector<std::string> unknown_fields;  // paths we accepted and ignored, each once
};

}  // namespace ac::chat
