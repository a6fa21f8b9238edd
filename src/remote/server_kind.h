// The table of servers we know: where each one usually is, how it is recognised, what it does
// differently from the protocol it claims to speak. Everything that depends on the kind of server
// is a value in this table; the code that acts on it knows no names.
//
// Constant data, thread-safe.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/api.h"

namespace ac::remote {

// Where a server tells how long its prompts may be; every one may also say it in /v1/models.
enum class ContextSource { kModelList, kLmStudio, kLlamaCpp, kOllama, kGemini };

// Deviations. The defaults are those of a server that does everything right.
struct Quirks {
  bool server_tools = false;           // runs tools like web_search itself
  bool usage_in_stream = true;         // knows stream_options.include_usage
  bool reasoning_content = false;      // wants earlier thinking back
  bool system_anywhere = false;        // takes system messages after the first turn in place
  bool sampling_extras = true;         // knows top_k, min_p, repetition_penalty
  bool max_completion_tokens = false;  // refuses max_tokens, wants max_completion_tokens
  bool calls_as_text = false;          // leaves some of the model's tool calls in the text
  bool schema_subset = false;          // its grammar compiler takes simple schemas only
  bool tools_stream_late = false;      // tool calls are reliable only in replies not streamed
  bool truncates = false;              // drops the start of a long prompt without a word
  bool needs_hub_id = false;           // a model's name is org/name, never a path
};

struct ServerKind {
  std::string_view mode;   // as in --mode
  std::string_view title;  // in messages
  // Base of the endpoints: "/messages" or "/chat/completions" is appended. Empty: must be given.
  std::string_view default_url;
  api::Endpoint endpoint = api::Endpoint::kChatCompletions;
  // Variables are a prefix and one of _URL, _BASE_URL, _MODEL, _MODEL_PATH, _API_KEY,
  // _CONTEXT_LENGTH; several prefixes separated by spaces, the first set one wins.
  std::string_view variables;
  bool cloud = false;      // needs a key, costs money, never meant by `auto`
  int max_concurrent = 0;  // requests it is given at once; 0: no limit
  // GET this path of the server (not of the base); it is this kind when the answer has the mark.
  std::string_view probe_path;
  std::string_view probe_mark;
  // Answers 200 when ready and 503 when it takes no new requests; anything else counts as ready.
  std::string_view health_path = "/health";
  ContextSource context = ContextSource::kModelList;
  std::string_view start_hint;  // what to do when nobody answers
  Quirks quirks;
};

// In the order in which `auto` asks.
std::span<const ServerKind> ServerKinds();
// Null when there is none of that mode.
const ServerKind* FindServerKind(std::string_view mode);

// A mode's old name, or null; each is accepted with one warning.
std::optional<std::string_view> ModeForOldName(std::string_view name);

// What `--mode` takes, for messages and help: local, the table's, cluster, auto.
std::vector<std::string_view> AllModes();

using Lookup = std::function<std::optional<std::string>(const std::string& name)>;
// The first non-empty variable of the kind with one of these suffixes.
std::optional<std::string> FromVariables(const ServerKind& kind,
                                         std::initializer_list<std::string_view> suffixes,
                                         const Lookup& environment);
// The variable to name in a message: "LMSTUDIO_URL".
std::string VariableName(const ServerKind& kind, std::string_view suffix);

// A base URL as users write it, made the base we append to: the default's path when it has none,
// without a trailing slash or endpoint ("/chat/completions").
std::string NormalizeBaseUrl(const ServerKind& kind, std::string_view url);

}  // namespace ac::remote
