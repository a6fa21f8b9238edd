// What a model writes when it calls a tool, as events, and back.
//
// Every model family has its own syntax, and models that are not held by a grammar write it with
// mistakes. A parser takes the reply's text as it is decoded (special tokens spelled out), cut
// anywhere, and gives out text, thinking and calls; it never gives out a part of a tag, and repairs
// what is clearly meant. What only shows a call (a code fence, a sentence about the format) stays
// text. One parser per reply; it owns its state and is not thread-safe.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "chat/chat.h"

namespace ac::toolcall {

enum class Family {
  kGeneric,   // unknown template: every syntax below is understood
  kHermes,    // <tool_call>{"name": ..., "arguments": {...}}</tool_call>: Hermes, Qwen 2.5 and 3
  kQwenXml,   // <tool_call><function=N><parameter=K>V</parameter>...: Qwen3-Coder, Qwen 3.5
  kLlama3,    // {"name": ..., "parameters": {...}}, maybe after <|python_tag|>
  kMistral,   // [TOOL_CALLS][{...}] or [TOOL_CALLS]name[ARGS]{...}
  kDeepSeek,  // <|tool_calls_begin|>... with the family's own bars and underscores
  kGlm,       // <tool_call>name<arg_key>K</arg_key><arg_value>V</arg_value>...
  kHarmony,   // gpt-oss: <|channel|>commentary to=functions.name<|message|>{...}<|call|>
};

std::string_view FamilyName(Family family);
// From the text of the chat template.
Family DetectFamily(std::string_view template_source);

struct Event {
  enum class Kind {
    kText,
    kThinking,
    kCallStart,  // text: the tool's name
    kArgsDelta,  // text: the next piece of the arguments, JSON when joined
    kCallEnd,
  };
  Kind kind = Kind::kText;
  std::string text;
  friend bool operator==(const Event&, const Event&) = default;
};

struct ParserOptions {
  // The request's tools, which must outlive the parser. Without tools nothing is a call.
  std::span<const chat::ToolSpec> tools{};
  // The prompt ended inside a thinking block (its template wrote the opening tag).
  bool thinking_open = false;
};

class ToolCallParser {
 public:
  virtual ~ToolCallParser() = default;
  virtual void Feed(std::string_view text, std::vector<Event>* out) = 0;
  // The reply is over. `cut`: by a token limit; then a half-written call stays as it is, because
  // completing it would run something the model did not finish.
  virtual void Finish(bool cut, std::vector<Event>* out) = 0;
};

// Whether the text of a reply without a call holds the beginning of one in any syntax: the model
// only wrote about calls, or wrote one that could not be read. Worth a line in a log.
bool MentionsCall(std::string_view text);

std::unique_ptr<ToolCallParser> MakeParser(Family family, const ParserOptions& options);

// The same call as the family's models write it; several are joined as they would be in one turn.
// `input` is a JSON object.
std::string RenderCalls(Family family, std::span<const chat::ToolUse> calls);

}  // namespace ac::toolcall
