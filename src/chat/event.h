// What a running reply says: the events that flow up from a backend to an encoder.
//
// Order (api/stream_checker.h enforces it): MessageStart, then per block BlockStart, deltas of its
// kind, BlockStop, then one MessageDelta per choice and MessageStop. Block indices count 0, 1, 2...
// within a choice and blocks do not overlap. Ping may come anywhere; Error ends the stream
// anywhere. Every text is whole UTF-8: a character is never split over two deltas. Plain data; a
// sink is called from one thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/status.h"
#include "chat/chat.h"
#include "chat/prompt_facts.h"

namespace ac::chat {

struct Usage {
  int64_t input_tokens = 0;    // computed for this request; cached ones are not included
  int64_t cache_read = 0;      // prompt tokens taken from the cache
  int64_t cache_creation = 0;  // of the prompt, newly stored
  int64_t output_tokens = 0;
  int64_t thinking_tokens = 0;  // of output_tokens
  bool estimated = false;       // the server gave no numbers: from the size of the texts
  int64_t PromptTokens() const { return input_tokens + cache_read + cache_creation; }
  friend bool operator==(const Usage&, const Usage&) = default;
};

enum class StopReason {
  kEndTurn,
  kMaxTokens,
  kStopSequence,
  kToolUse,
  kPauseTurn,
  kRefusal,
  kContextWindow,
};

// Answer to ChatRequest::previous_message_id.
struct CacheDiagnosis {
  std::string reason;  // "tools_changed", ...; empty: nothing was missed
  int64_t missed_tokens = 0;
};

struct TokenLogprob {
  std::string token;  // its bytes, maybe a part of a character
  double logprob = 0;
  std::vector<std::pair<std::string, double>> top;
};

struct MessageStart {
  std::string id;
  std::string model;  // echoes the request's
  Usage usage;        // may still be zero: MessageDelta's numbers win
  std::optional<CacheDiagnosis> diagnosis;
  // What answered: a mode, "reply-cache", "gateway". For headers, traces and metrics; empty: the
  // server's own mode.
  std::string served_by{};
  std::optional<PromptFacts> prompt{};
  // False: nobody works on it yet, and the usage is the size of the prompt. A Ping with the
  // prompt's size says when that changes.
  bool admitted = true;
};
// Shows life during prefill and queueing; carries how much of the prompt is read, when known.
struct Ping {
  int64_t prompt_done = 0;
  int64_t prompt_total = 0;
};
// `block` is an empty Text or Thinking, a ToolUse / ServerToolUse with id and name, or a complete
// RedactedThinking / ServerToolResult (which get no deltas).
struct BlockStart {
  int index = 0;
  Block block;
  bool note = false;  // of the server to the client: the model said nothing yet
};
struct TextDelta {
  int index = 0;
  std::string text;
  std::vector<TokenLogprob> logprobs;
};
struct ThinkingDelta {
  int index = 0;
  std::string text;
};
struct SignatureDelta {
  int index = 0;
  std::string signature;
};
struct ToolArgsDelta {
  int index = 0;
  std::string partial_json;
};
struct BlockStop {
  int index = 0;
};
struct MessageDelta {
  StopReason stop_reason = StopReason::kEndTurn;
  std::string stop_sequence;  // of kStopSequence
  Usage usage;                // totals of the whole request
  std::optional<PromptFacts> prompt{};
  // What the server did to the reply that its reader should know; for traces, not for clients.
  std::vector<std::string> notes{};
};
struct MessageStop {};
struct Error {
  Status status;
  int64_t retry_after_s = 0;  // 0: no advice
};

struct ChatEvent {
  std::variant<MessageStart, Ping, BlockStart, TextDelta, ThinkingDelta, SignatureDelta,
               ToolArgsDelta, BlockStop, MessageDelta, MessageStop, Error>
      value;
  int choice = 0;  // which of the n replies; 0 for MessageStart, Ping, MessageStop, Error

  template <typename T>
  const T* As() const {
    return std::get_if<T>(&value);
  }
};

class ChatSink {
 public:
  virtual ~ChatSink() = default;
  virtual void OnEvent(ChatEvent event) = 0;
};

std::string_view StopReasonName(StopReason reason);  // "end_turn", "max_tokens", ...
std::optional<StopReason> StopReasonFromName(std::string_view name);

}  // namespace ac::chat
