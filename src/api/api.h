// The protocols clients speak, to and from the neutral conversation: bytes in, bytes out, no
// sockets.
//
// ParseRequest reads a request body; SerializeRequest writes one for a remote server; codec.h turns
// events into replies and back; errors.h answers failures. Pure functions, thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "chat/chat.h"

namespace ac::api {

// What decides the shape of errors and of the model list.
enum class Dialect { kAnthropic, kOpenAi };

enum class Endpoint {
  kMessages,         // POST /v1/messages
  kCountTokens,      // POST /v1/messages/count_tokens
  kChatCompletions,  // POST /v1/chat/completions
  kCompletions,      // POST /v1/completions
  kResponses,        // POST /v1/responses
};

Dialect DialectOf(Endpoint endpoint);

// The headers that carry meaning; leave empty what was not sent.
struct RequestHeaders {
  std::string session_id{};       // x-claude-code-session-id, x-session-id
  std::string agent_id{};         // x-claude-code-agent-id
  std::string parent_agent_id{};  // x-claude-code-parent-agent-id
};

struct RequestLimits {
  size_t max_bytes = size_t{64} << 20;
  size_t max_depth = 128;
  size_t max_messages = 100'000;
  size_t max_tools = 4096;
  size_t max_images = 256;  // images and documents together
  int max_choices = 128;    // n
  int max_top_logprobs = 128;
  size_t max_stop = 64;
};

// Failures are kInvalidArgument with the field's path ("[api] messages.3.content.0.text: expected
// string, got number") or the line and column of broken JSON, and kTooLarge for max_bytes and
// max_depth. Unknown fields and block types are never a failure: they are named in unknown_fields.
Result<chat::ChatRequest> ParseRequest(Endpoint endpoint, std::string_view body,
                                       const RequestHeaders& headers = {},
                                       const RequestLimits& limits = {});

struct SerializeOptions {
  std::string model{};                 // instead of the request's, when not empty
  bool reasoning_content = true;       // OpenAI: send thinking back to the server
  bool usage_in_stream = true;         // OpenAI: ask for the usage chunk
  bool max_completion_tokens = false;  // OpenAI: the name of the limit that newer models insist on
};

// The body for a remote server; kMessages, kCountTokens and kChatCompletions only.
Result<std::string> SerializeRequest(Endpoint endpoint, const chat::ChatRequest& request,
                                     const SerializeOptions& options = {});

struct ModelInfo {
  std::string id;  // as routed; clients discover it as ModelIdForDiscovery(id)
  std::string display_name;
  int64_t context_window = 0;  // tokens; 0: unknown
  int64_t max_output_tokens = 0;
  int64_t created = 0;  // seconds since the Unix epoch
};

// Claude Code lists only ids that start with "claude" or "anthropic", and believes the window of
// those it does not know: "qwen3" -> "anthropic-local-qwen3".
std::string ModelIdForDiscovery(std::string_view id);
// Undoes it, also for a "[1m]" suffix: what the router should look up.
std::string_view ModelIdFromDiscovery(std::string_view id);

// Bodies of GET /v1/models and GET /v1/models/ID.
std::string EncodeModelList(Dialect dialect, const std::vector<ModelInfo>& models);
std::string EncodeModel(Dialect dialect, const ModelInfo& model);
// Body of POST /v1/messages/count_tokens.
std::string EncodeTokenCount(int64_t input_tokens);

}  // namespace ac::api
